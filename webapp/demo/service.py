"""How Flow answers one request of a client, and on what grounds it refuses."""

import json
from collections.abc import Mapping, Sequence
from urllib.parse import unquote

from webapp.demo.account.google_sign_in import OWN
from webapp.demo.account.labs_sign_in import COOKIE
from webapp.demo.account.pagination import CursorRefused
from webapp.demo.entries import Entry
from webapp.demo.flow_google import service as flow_google
from webapp.demo.flow_google.frames import CALLS
from webapp.demo.flow_google.service import FlowGoogle
from webapp.demo.journal import Request
from webapp.demo.labs import payloads as wire
from webapp.demo.labs.payloads import Response
from webapp.demo.world import HistoryRefused, World

HISTORY_PATH = f"/fx/api/trpc/{wire.HISTORY_PROCEDURE}"
SESSION_PATH = "/fx/api/auth/session"
LABS_KINDS = ("history", "session", "page", "script")
MAX_COOKIE_BYTES = 8192
_MIGRATED = "Flow RPCs have been deprecated and disabled. Flow has migrated to https://flow.google.com."
_SCRIPT = "/fx/_next/static/chunks/pages/_app-"


def kind_of(path: str, query: Mapping[str, str]) -> str:
    """Which part of Flow a path belongs to; at the new one a call is told by its name."""
    if path == flow_google.CALL_PATH:
        return CALLS.get(query.get("rpcids", ""), "call")
    if path in _KINDS:
        return _KINDS[path]
    return next((kind for start, kind in _STARTS.items() if path.startswith(start)), "other")


_KINDS = {HISTORY_PATH: "history", SESSION_PATH: "session", "/fx": "page", "/fx/": "page", "/": "start"}
_STARTS = {_SCRIPT: "script", "/v1/media/": "media", "/pictures/": "picture", "/image/": "picture"}


class Service:
    """Answers for one or more accounts; the first world's API key is the one the page carries."""

    def __init__(self, worlds: Sequence[World]) -> None:
        self.worlds = list(worlds)
        self.google = FlowGoogle(self.worlds, self.picture_url)
        self.base_url = ""
        self.script_is_absolute = False
        self._responses = {
            "session": self._session,
            "page": self._page,
            "script": self._script,
            "media": self._media,
            "picture": self._picture,
        }

    def response(self, request: Request, first_page: bool = False) -> Response:
        """What Flow says; with `first_page` history forgets the cursor, as in circular pagination."""
        if request.kind in flow_google.KINDS:
            return self.google.response(request)
        if request.method != "GET":
            return wire.error_of(request.kind, 405)
        if request.kind in LABS_KINDS and len(request.headers.get("cookie", "")) > MAX_COOKIE_BYTES:
            return wire.error_of("page", 431)
        if request.kind == "history":
            return self._history(request, first_page)
        return self._responses.get(request.kind, _unknown)(request)

    def _history(self, request: Request, first_page: bool) -> Response:
        if leak_of(request):
            return wire.trpc_error(400, "Request contains credentials of another service")
        if not request.headers.get("referer", "").startswith(f"{_labs(request)}/fx/tools/flow"):
            return wire.trpc_error(403, "Forbidden")
        if not request.headers.get("content-type", "").startswith("application/json"):
            return wire.trpc_error(415, "Unsupported content-type")
        world = self._owner(request)
        if world is None:
            return wire.trpc_error(401, "Unauthorized")
        if world.moved:
            return wire.trpc_error(404, _MIGRATED)
        return self._history_page(world, request.query.get("input", ""), first_page)

    def _history_page(self, world: World, text: str, first_page: bool) -> Response:
        try:
            history, size, cursor = parsed_input(text)
            page = world.page(history, size, None if first_page else cursor)
        except HistoryRefused:
            return wire.trpc_error(400, "Invalid enum value for type")
        except CursorRefused:
            return wire.trpc_error(400, "Request contains an invalid argument.")
        except ValueError as error:
            return wire.trpc_error(400, f"Invalid input: {error}")
        rows = [wire.row(entry, self._row_url(world, entry)) for entry in page.entries]
        return wire.history_page(rows, page.next_cursor)

    def _row_url(self, world: World, entry: Entry) -> str | None:
        return self.picture_url(world, entry) if world.lists_fife_url(entry) else None

    def _session(self, request: Request) -> Response:
        world = self._owner(request)
        if world is None:
            return wire.json_response({})
        body, cookies = world.session(request.cookies)
        return wire.json_response(body, headers=tuple(("Set-Cookie", line) for line in cookies))

    def _page(self, request: Request) -> Response:
        world = self._owner(request)
        if world is not None and world.moved:
            return Response(308, b"", "text/html", (("Location", "https://flow.google.com/"),))
        source = f"{_SCRIPT}{self.worlds[0].build}.js"
        return wire.flow_page(f"{self.base_url}{source}" if self.script_is_absolute else source)

    def _script(self, request: Request) -> Response:
        world = self.worlds[0]
        if request.path != f"{_SCRIPT}{world.build}.js":
            return wire.error_of("script", 404)
        return wire.flow_script(world.key, world.decoy_key)

    def _media(self, request: Request) -> Response:
        if request.query.get("key") != self.worlds[0].key:
            return wire.google_error(400, "API key not valid.", "API_KEY_INVALID")
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        world = next((world for world in self.worlds if world.accepts_token(token)), None)
        if world is None:
            return wire.google_error(401, "Request had invalid authentication credentials.")
        labs = _labs(request)
        if (request.headers.get("referer"), request.headers.get("origin")) != (f"{labs}/", labs):
            return wire.google_error(403, "This referer is blocked.", "API_KEY_HTTP_REFERRER_BLOCKED")
        return self._named_media(world, request)

    def _named_media(self, world: World, request: Request) -> Response:
        name = unquote(request.path.removeprefix("/v1/media/"))
        entry = world.find(name)
        if entry is None:
            return self._no_media(world, name)
        with_bytes = entry.inline and request.query.get("returnUriOnly") != "true"
        return wire.json_response(self.media(world, entry, with_bytes))

    def _no_media(self, world: World, name: str) -> Response:
        if world.is_deleted(name):
            return wire.google_error(404, "Requested entity was not found.")
        if any(other.find(name) for other in self.worlds):
            return wire.google_error(403, "The caller does not have permission")
        return wire.google_error(400, "Request contains an invalid argument.")

    def media(self, world: World, entry: Entry, with_bytes: bool = True) -> dict:
        content = world.content_of(entry) if with_bytes else None
        return wire.media(entry, self.picture_url(world, entry), content)

    def picture_url(self, world: World, entry: Entry) -> str:
        return self.base_url + world.picture_path(entry)

    def _picture(self, request: Request) -> Response:
        if leak_of(request):
            return wire.xml_error(400, "InvalidRequest", "Unexpected credentials.")
        picture_id = request.path.removeprefix("/pictures/").removeprefix("/image/")
        expires, signature = (request.query.get(name, "") for name in ("Expires", "Signature"))
        world = next((one for one in self.worlds if one.is_signed(picture_id, expires, signature)), None)
        if world is None:
            return wire.xml_error(403, "SignatureDoesNotMatch", "The signature does not match.")
        if int(expires) <= world.now().timestamp():
            return wire.xml_error(403, "ExpiredToken", "The provided token has expired.")
        entry = world.find_picture(picture_id)
        if entry is None:
            return wire.xml_error(404, "NoSuchKey", "The specified key does not exist.")
        kept = (("Cache-Control", "private, max-age=86400"),)
        return Response(200, world.content_of(entry), f"image/{entry.picture_format.lower()}", kept)

    def _owner(self, request: Request) -> World | None:
        return next((world for world in self.worlds if world.is_owner(request.cookies)), None)


def parsed_input(text: str) -> tuple[str, int, str | None]:
    """History, page size and cursor of a history call. Raises ValueError.

    superjson's note "this null was undefined" wins over a real cursor, which is how page 1 comes
    back when a client sends the note with every page.
    """
    whole = json.loads(text)
    asked = whole.get("json") if isinstance(whole, dict) else None
    if not isinstance(asked, dict):
        raise ValueError("json is missing")
    history, size, cursor = (asked.get(name) for name in ("type", "pageSize", "cursor"))
    if not isinstance(history, str):
        raise ValueError("type must be a string")
    if type(size) is not int or size < 1:
        raise ValueError("pageSize must be a positive integer")
    if cursor is not None and not isinstance(cursor, str):
        raise ValueError("cursor must be a string")
    if asked.get("responseScope", "RESPONSE_SCOPE_UNSPECIFIED") != "RESPONSE_SCOPE_UNSPECIFIED":
        raise ValueError("responseScope is unknown")
    return history, size, None if _note_says_undefined(whole) else cursor


def _note_says_undefined(whole: dict) -> bool:
    note = whole.get("meta")
    values = note.get("values") if isinstance(note, dict) else None
    return isinstance(values, dict) and values.get("cursor") == ["undefined"]


def leak_of(request: Request) -> str | None:
    """The secret that a request carries to where it does not belong.

    A browser that shows the dashboard's previews sends the dashboard's own cookie along, because
    ports of one host share cookies: from a browser only a cookie of Flow counts as a leak.
    """
    secrets = {"authorization", "x-goog-api-key"} if request.kind != "media" else set()
    found = sorted(secrets & request.headers.keys())
    if request.kind in LABS_KINDS and "key" in request.query:
        found.append("key")
    if request.kind in ("media", "picture", "other"):
        is_browser = "sec-fetch-mode" in request.headers
        if any(name.startswith((COOKIE, OWN)) or not is_browser for name in request.cookies):
            found.append("cookie")
    other = {OWN} if request.kind in LABS_KINDS else {COOKIE} if request.kind in flow_google.KINDS else set()
    found += ["cookie of the other service"] if other & request.cookies.keys() else []
    return " and ".join(found) or None


def _labs(request: Request) -> str:
    return f"http://{request.headers.get('host', '')}"


def _unknown(request: Request) -> Response:
    return wire.error_of("page", 404)
