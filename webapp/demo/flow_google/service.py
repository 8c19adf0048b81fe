"""How the simulated flow.google.com answers, and on what grounds it refuses."""

import json
from collections.abc import Callable, Sequence
from urllib.parse import parse_qs

from webapp.demo.account.flow_google import Ingredient
from webapp.demo.account.pagination import CursorRefused
from webapp.demo.account.projects import Project
from webapp.demo.entries import Entry, Kind, chance
from webapp.demo.flow_google import frames as wire
from webapp.demo.flow_google import records
from webapp.demo.flow_google.records import Shown
from webapp.demo.journal import Request
from webapp.demo.labs.payloads import Response, error_of
from webapp.demo.world import World

CALL_PATH = "/_/AiSandboxAngularFrontend/data/batchexecute"
CALL_KINDS = (*wire.RPCS, "call")
KINDS = ("start", *CALL_KINDS)
INVALID, NOT_FOUND = 3, 5
DONE = 3
_PERSON = [
    ["me"],
    [[["person.photo", "person.name", "person.email", "person.metadata"]], None, [1, 7, 10]],
]
_UNUSUAL, _INVALID_ARGUMENT = "PUBLIC_ERROR_UNUSUAL_ACTIVITY", "PUBLIC_ERROR_INVALID_ARGUMENT"
_FORM = "application/x-www-form-urlencoded"


def breach_of(request: Request) -> str | None:
    """What a call lacks that every page of Flow's sends; no client may ask so."""
    origin = f"http://{request.headers.get('host', '')}"
    demands = {
        "is no POST": request.method == "POST",
        "is no form": request.headers.get("content-type", "").startswith(_FORM),
        "lacks x-same-domain": request.headers.get("x-same-domain") == "1",
        "has another origin": request.headers.get("origin") == origin,
        "has another referer": request.headers.get("referer") == f"{origin}/",
        "lacks a growing number": request.query.get("_reqid", "").isdecimal(),
        "asks for another form of answer": request.query.get("rt") == "c",
        "names no source": request.query.get("source-path") == "/",
    }
    if request.kind not in CALL_KINDS:
        return None
    return next((breach for breach, is_met in demands.items() if not is_met), None)


class FlowGoogle:
    """Answers for one or more accounts. `handshake_status` is that of a refusal for a wrong token."""

    def __init__(self, worlds: Sequence[World], picture_url: Callable[[World, Entry], str]) -> None:
        self._worlds = worlds
        self._picture_url = picture_url
        self.base_url = ""
        self.handshake_status = 400
        self._calls = {
            "projects": self._projects,
            "project": self._project,
            "address": self._address,
            "person": self._person,
        }

    def response(self, request: Request) -> Response:
        world = next((one for one in self._worlds if one.google.is_owner(request.cookies)), None)
        if request.kind == "start":
            return self._start(request, world)
        slot = (world or self._worlds[0]).google.error_slot
        if breach_of(request) or request.kind not in self._calls:
            return wire.transport_error(400, slot)
        if world is None:
            return wire.transport_error(401, slot)
        return self._called(request, world)

    def _start(self, request: Request, world: World | None) -> Response:
        if request.method != "GET":
            return error_of("page", 405)
        return wire.start_page(world.google) if world else wire.strangers_page(self._worlds[0].google.build)

    def _called(self, request: Request, world: World) -> Response:
        google = world.google
        form = parse_qs(request.body.decode("utf-8", "replace"), keep_blank_values=True)
        if form.get("at") != [google.token]:
            return wire.handshake(google, self.handshake_status)
        if (request.query.get("bl"), request.query.get("f.sid")) != (google.build, google.session_id):
            return wire.transport_error(400, google.error_slot)
        try:
            arguments = _arguments(request, form)
        except ValueError:
            return wire.transport_error(400, google.error_slot)
        with world.lock:
            if world.unusual_activity:
                return wire.call_error(request.kind, world.unusual_activity_code, _UNUSUAL)
            return self._calls[request.kind](world, arguments)

    def _projects(self, world: World, arguments: list) -> Response:
        """A token in slot 3 is ignored, as the true one does it, and page 1 comes again."""
        match arguments:
            case ["projects/*", int(size), None | str() as cursor, _, None, None, [1]] if size > 0:
                if not world.moved:
                    return wire.result("projects", [])
                try:
                    shown, next_cursor = world.projects.page(size, cursor)
                except CursorRefused:
                    return wire.call_error("projects", INVALID, _INVALID_ARGUMENT)
                cards = [self._card(world, project) for project in shown]
                return wire.result("projects", wire.listing(cards, next_cursor))
        return wire.call_error("projects", INVALID, _INVALID_ARGUMENT)

    def _card(self, world: World, project: Project) -> list:
        cover = next(iter(world.entries_in(project.id)), None)
        return wire.card(project, cover, self._preview(world, cover) if cover else None)

    def _project(self, world: World, arguments: list) -> Response:
        match arguments:
            case [str(path), None, None, None, [1]] if path.startswith("projects/"):
                project_id = path.removeprefix("projects/")
                refusal = world.refusal_of(project_id)
                if refusal:
                    return wire.call_error("project", *refusal)
                if world.projects.find(project_id) is None or not world.moved:
                    return wire.call_error("project", NOT_FOUND, "PUBLIC_ERROR_NOT_FOUND")
                return wire.result("project", self._contents(world, project_id))
        return wire.call_error("project", INVALID, _INVALID_ARGUMENT)

    def _contents(self, world: World, project_id: str) -> list | None:
        """Odd records stand behind the first good one."""
        entries = world.entries_in(project_id)
        shown = [self._record(world, entry) for entry in entries]
        shown[1:1] = world.odd_records_in(project_id)
        ingredients = [self._ingredient(world, one) for one in world.ingredients_in(project_id)]
        ingredients = [one for one in ingredients if one]
        if world.is_emptied(project_id) or not (shown or ingredients):
            return records.empty_contents(project_id)
        return records.contents(records.descriptors(entries), shown, ingredients)

    def _ingredient(self, world: World, ingredient: Ingredient) -> list | None:
        """None when the image has been deleted."""
        if ingredient.voice:
            return records.voice(ingredient.voice)
        entry = world.find(ingredient.name)
        return entry and records.ingredient(entry, self._record(world, entry))

    def _record(self, world: World, entry: Entry) -> list:
        url = self._preview(world, entry)
        return records.record(entry, Shown(world.size_of(entry), url, url, url))

    def _address(self, world: World, arguments: list) -> Response:
        """What is not there is null for some ids and an empty list for others."""
        match arguments:
            case [str(asset_id)]:
                entry = world.find_picture(asset_id) if world.moved else None
                if entry is None or entry.state not in (None, DONE):
                    return wire.result("address", [] if chance(asset_id) else None)
                return wire.result("address", records.record(entry, self._signed(world, entry)))
        return wire.call_error("address", INVALID, _INVALID_ARGUMENT)

    def _signed(self, world: World, entry: Entry) -> Shown:
        """The original's URL, and beside it that of a re-encoding, which nobody should fetch."""
        original = self.base_url + world.asset_path(entry)
        encoded = f"{self.base_url}/asb/{entry.picture_id}=s0"
        small = original if entry.kind is Kind.UPLOADED else encoded
        large = encoded if entry.kind is Kind.VIDEO else original
        return Shown(world.size_of(entry), small, large, original, is_address=True)

    def _person(self, world: World, arguments: list) -> Response:
        if arguments != _PERSON:
            return wire.call_error("person", INVALID, _INVALID_ARGUMENT)
        return wire.result("person", wire.person(world.google))

    def _preview(self, world: World, entry: Entry) -> str | None:
        return self._picture_url(world, entry) if world.lists_fife_url(entry) else None


def _arguments(request: Request, form: dict[str, list[str]]) -> list:
    """The arguments of the one call in a request. Raises ValueError."""
    match json.loads(form.get("f.req", [""])[0]):
        case [[[str(rpc), str(text), None, "generic"]]] if rpc == request.query.get("rpcids"):
            arguments = json.loads(text)
            if isinstance(arguments, list):
                return arguments
    raise ValueError("no call")
