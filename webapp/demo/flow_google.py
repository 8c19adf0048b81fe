"""How the simulated flow.google.com answers, and on what grounds it refuses."""

import json
from collections.abc import Callable, Sequence
from urllib.parse import parse_qs

from webapp.demo import flow_google_wire as wire
from webapp.demo.entries import Entry
from webapp.demo.journal import Request
from webapp.demo.timeline import CursorRefused
from webapp.demo.wire import Answer, error_of
from webapp.demo.world import World

CALL_PATH = "/_/AiSandboxAngularFrontend/data/batchexecute"
CALL_KINDS = (*wire.RPCS, "call")
KINDS = ("start", *CALL_KINDS)
INVALID, NOT_FOUND = 3, 5
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
        self._calls = {"projects": self._projects, "project": self._project, "address": self._address}

    def answer(self, request: Request) -> Answer:
        world = next((one for one in self._worlds if one.google.is_owner(request.cookies)), None)
        if request.kind == "start":
            return self._start(request, world)
        if breach_of(request) or request.kind not in self._calls:
            return wire.transport_error(400)
        if world is None:
            return wire.transport_error(401)
        return self._called(request, world)

    def _start(self, request: Request, world: World | None) -> Answer:
        if request.method != "GET":
            return error_of("page", 405)
        return wire.start_page(world.google) if world else wire.strangers_page(self._worlds[0].google.build)

    def _called(self, request: Request, world: World) -> Answer:
        form = parse_qs(request.body.decode("utf-8", "replace"), keep_blank_values=True)
        if form.get("at") != [world.google.token]:
            return wire.handshake(world.google.token, self.handshake_status)
        page = (request.query.get("bl"), request.query.get("f.sid"))
        if page != (world.google.build, world.google.session_id):
            return wire.transport_error(400)
        try:
            arguments = _arguments(request, form)
        except ValueError:
            return wire.transport_error(400)
        with world.lock:
            return self._calls[request.kind](world, arguments)

    def _projects(self, world: World, arguments: list) -> Answer:
        """A token in slot 3 is ignored, as the true one does it, and page 1 comes again."""
        match arguments:
            case ["projects/*", int(size), None | str() as cursor, _, None, None, [1]] if size > 0:
                if not world.moved:
                    return wire.result("projects", [])
                try:
                    shown, next_cursor = world.projects.page(size, cursor)
                except CursorRefused:
                    return wire.call_error("projects", INVALID, "PUBLIC_ERROR_INVALID_ARGUMENT")
                cards = [wire.card(project, world.projects.shown_at(project)) for project in shown]
                return wire.result("projects", wire.listing(cards, next_cursor))
        return wire.call_error("projects", INVALID, "PUBLIC_ERROR_INVALID_ARGUMENT")

    def _project(self, world: World, arguments: list) -> Answer:
        match arguments:
            case [str(path), None, None, None, [1]] if path.startswith("projects/"):
                project = world.projects.find(path.removeprefix("projects/"))
                if project is None or not world.moved:
                    return wire.call_error("project", NOT_FOUND, "PUBLIC_ERROR_NOT_FOUND")
                entries = world.entries_in(project.id)
                return wire.result("project", wire.media(entries, lambda entry: self._preview(world, entry)))
        return wire.call_error("project", INVALID, "PUBLIC_ERROR_INVALID_ARGUMENT")

    def _address(self, world: World, arguments: list) -> Answer:
        match arguments:
            case [str(asset_id)]:
                entry = world.find_picture(asset_id) if world.moved else None
                if entry is None or entry.state != 3:
                    return wire.result("address", None)
                url = self.base_url + world.asset_path(entry)
                return wire.result("address", wire.record(entry, self._preview(world, entry), url))
        return wire.call_error("address", INVALID, "PUBLIC_ERROR_INVALID_ARGUMENT")

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
