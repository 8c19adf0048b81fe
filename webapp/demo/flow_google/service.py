"""How the simulated flow.google.com answers its start page and its calls, and when it refuses them."""

import json
from collections.abc import Sequence
from urllib.parse import parse_qs

from webapp.demo.account.flow_google import Ingredient
from webapp.demo.account.pagination import CursorRefused
from webapp.demo.account.projects import Project
from webapp.demo.browsers import Browsers
from webapp.demo.entries import Entry, Kind, chance
from webapp.demo.flow_google import frames, records, start_page
from webapp.demo.flow_google.listing import card, listing
from webapp.demo.flow_google.records import DONE, Shown
from webapp.demo.journal import CALL_KINDS, Request
from webapp.demo.json_types import Json, Slots
from webapp.demo.responses import Response, error_of
from webapp.demo.urls import Urls
from webapp.demo.world import World

CALL_PATH = "/_/AiSandboxAngularFrontend/data/batchexecute"
# Numbers of gRPC status codes.
INVALID, NOT_FOUND = 3, 5
_PERSON = [
    ["me"],
    [[["person.photo", "person.name", "person.email", "person.metadata"]], None, [1, 7, 10]],
]
_UNUSUAL, _INVALID_ARGUMENT = "PUBLIC_ERROR_UNUSUAL_ACTIVITY", "PUBLIC_ERROR_INVALID_ARGUMENT"
_FORM = "application/x-www-form-urlencoded"


def breach_of(request: Request) -> str | None:
    """Say how a call differs from the calls that Flow's own page makes, if it does."""
    if request.kind not in CALL_KINDS:
        return None
    demands = {
        "is no POST": request.method == "POST",
        "is no form": request.headers.get("content-type", "").startswith(_FORM),
        "lacks x-same-domain": request.headers.get("x-same-domain") == "1",
        "has another origin": request.headers.get("origin") == request.origin,
        "has another referer": request.headers.get("referer") == f"{request.origin}/",
        "lacks the number _reqid": request.query.get("_reqid", "").isdecimal(),
        "asks for another format than rt=c": request.query.get("rt") == "c",
        "lacks source-path=/": request.query.get("source-path") == "/",
    }
    return next((breach for breach, is_met in demands.items() if not is_met), None)


class FlowGoogleService:
    """Answers for all accounts. `handshake_status` is the HTTP status of a refusal for a wrong token."""

    def __init__(self, worlds: Sequence[World], browsers: Browsers, urls: Urls) -> None:
        self.handshake_status = 400
        self._worlds = worlds
        self._browsers = browsers
        self._urls = urls
        self._calls = {
            "projects": self._projects,
            "project": self._project,
            "address": self._address,
            "person": self._person,
        }

    def response(self, request: Request) -> Response:
        world = self._browsers.find_world(request)
        if request.kind == "start":
            return self._start(request, world)
        slot = (world or self._worlds[0]).google.error_slot
        if breach_of(request) or request.kind not in self._calls:
            return frames.transport_error(400, slot)
        if world is None:
            return frames.transport_error(401, slot)
        return self._call(request, world)

    def _start(self, request: Request, world: World | None) -> Response:
        if request.method != "GET":
            return error_of("page", 405)
        if world is None:
            return start_page.anonymous_page(self._worlds[0].google.build)
        return start_page.start_page(world.google)

    def _call(self, request: Request, world: World) -> Response:
        google = world.google
        form = parse_qs(request.body.decode("utf-8", "replace"), keep_blank_values=True)
        if form.get("at") != [google.token]:
            return frames.handshake(google, self.handshake_status)
        if (request.query.get("bl"), request.query.get("f.sid")) != (google.build, google.session_id):
            return frames.transport_error(400, google.error_slot)
        try:
            arguments = _arguments(request, form)
        except ValueError:
            return frames.transport_error(400, google.error_slot)
        with world.lock:
            if world.unusual_activity:
                return frames.call_error(request.kind, world.unusual_activity_code, _UNUSUAL)
            return self._calls[request.kind](world, arguments)

    def _projects(self, world: World, arguments: list[Json]) -> Response:
        """Return a page of projects. A cursor in slot 3 is ignored, as by the real service: page 1 comes."""
        match arguments:
            case ["projects/*", int(size), None | str() as cursor, _, None, None, [1]] if size > 0:
                if not world.moved:
                    return frames.result("projects", [])
                try:
                    shown, next_cursor = world.projects.page(size, cursor)
                except CursorRefused:
                    return frames.call_error("projects", INVALID, _INVALID_ARGUMENT)
                cards = [self._card(world, project) for project in shown]
                return frames.result("projects", listing(cards, next_cursor))
        return frames.call_error("projects", INVALID, _INVALID_ARGUMENT)

    def _card(self, world: World, project: Project) -> Slots:
        cover = next(iter(world.entries_in(project.id)), None)
        return card(project, cover, self._urls.preview(world, cover) if cover else None)

    def _project(self, world: World, arguments: list[Json]) -> Response:
        match arguments:
            case [str(path), None, None, None, [1]] if path.startswith("projects/"):
                project_id = path.removeprefix("projects/")
                refusal = world.refusal_of(project_id)
                if refusal:
                    return frames.call_error("project", *refusal)
                if world.projects.find(project_id) is None or not world.moved:
                    return frames.call_error("project", NOT_FOUND, "PUBLIC_ERROR_NOT_FOUND")
                return frames.result("project", self._contents(world, project_id))
        return frames.call_error("project", INVALID, _INVALID_ARGUMENT)

    def _contents(self, world: World, project_id: str) -> Slots | None:
        entries = world.entries_in(project_id)
        shown: list[Json] = [self._record(world, entry) for entry in entries]
        shown[1:1] = world.odd_records_in(project_id)  # after the first good record
        found = [self._ingredient(world, ingredient) for ingredient in world.ingredients_in(project_id)]
        ingredients = [one for one in found if one]
        if world.is_emptied(project_id) or not (shown or ingredients):
            return records.empty_contents(project_id)
        return records.contents(records.descriptors(entries), shown, ingredients)

    def _ingredient(self, world: World, ingredient: Ingredient) -> Slots | None:
        """Return an ingredient; None if its image was deleted."""
        if ingredient.is_voice:
            return records.voice(ingredient.name)
        entry = world.find(ingredient.name)
        return records.ingredient(entry, self._record(world, entry)) if entry else None

    def _record(self, world: World, entry: Entry) -> Slots:
        url = self._urls.preview(world, entry)
        return records.record(entry, Shown(world.size_of(entry), url, url, url))

    def _address(self, world: World, arguments: list[Json]) -> Response:
        """Return a record with a signed URL; if there is none, null or an empty list, depending on the id."""
        match arguments:
            case [str(asset_id)]:
                entry = world.find_picture(asset_id) if world.moved else None
                if entry is None or entry.state not in (None, DONE):
                    return frames.result("address", [] if chance(asset_id) else None)
                return frames.result("address", records.record(entry, self._signed(world, entry)))
        return frames.call_error("address", INVALID, _INVALID_ARGUMENT)

    def _signed(self, world: World, entry: Entry) -> Shown:
        """Return the original's URL, next to one of a re-encoded copy that a client must not take."""
        original = self._urls.asset(world, entry)
        encoded = f"{self._urls.base}/asb/{entry.picture_id}=s0"
        small = original if entry.kind is Kind.UPLOADED else encoded
        large = encoded if entry.kind is Kind.VIDEO else original
        return Shown(world.size_of(entry), small, large, original, is_address=True)

    def _person(self, world: World, arguments: list[Json]) -> Response:
        if arguments != _PERSON:
            return frames.call_error("person", INVALID, _INVALID_ARGUMENT)
        return frames.result("person", start_page.person(world.google))


def _arguments(request: Request, form: dict[str, list[str]]) -> list[Json]:
    """Return the arguments of the one call in a request. Raises ValueError."""
    match json.loads(form.get("f.req", [""])[0]):
        case [[[str(rpc), str(text), None, "generic"]]] if rpc == request.query.get("rpcids"):
            arguments = json.loads(text)
            if isinstance(arguments, list):
                return arguments
    raise ValueError("no call")
