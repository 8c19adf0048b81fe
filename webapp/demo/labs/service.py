"""How the simulated labs.google and its media service answer a request, and when they refuse it."""

import json
from collections.abc import Sequence
from urllib.parse import unquote

from webapp.demo.account.pagination import CursorRefused
from webapp.demo.entries import Entry
from webapp.demo.journal import LABS_KINDS, Request
from webapp.demo.labs import payloads, web_page
from webapp.demo.leaks import leak_of
from webapp.demo.responses import (
    HISTORY_PROCEDURE,
    Response,
    error_of,
    google_error,
    json_response,
    trpc_error,
)
from webapp.demo.urls import Urls
from webapp.demo.world import HistoryRefused, World

HISTORY_PATH = f"/fx/api/trpc/{HISTORY_PROCEDURE}"
SESSION_PATH = "/fx/api/auth/session"
MEDIA_PATH = "/v1/media/"
MAX_COOKIE_BYTES = 8192
_MIGRATED = "Flow RPCs have been deprecated and disabled. Flow has migrated to https://flow.google.com."
_UNDEFINED = ["undefined"]


class LabsService:
    """Answers for all accounts. The API key in the script, and the one accepted, is the first account's.

    `script_is_absolute`: the page refers to the script by an absolute URL.
    """

    def __init__(self, worlds: Sequence[World], urls: Urls) -> None:
        self.script_is_absolute = False
        self._worlds = worlds
        self._urls = urls

    def response(self, request: Request, first_page: bool = False) -> Response:
        """Return the response to a GET request; with `first_page` a history call ignores its cursor."""
        if request.kind in LABS_KINDS and len(request.headers.get("cookie", "")) > MAX_COOKIE_BYTES:
            return error_of("page", 431)
        match request.kind:
            case "history":
                return self._history(request, first_page)
            case "session":
                return self._session(request)
            case "script":
                return self._script(request)
            case "media":
                return self._media(request)
        return self._page(request)

    def media(self, world: World, entry: Entry, with_bytes: bool = True) -> payloads.Media:
        """Return the JSON that the media service sends for an entry."""
        content = world.content_of(entry) if with_bytes else None
        return payloads.media(entry, self._urls.picture(world, entry), content)

    def _history(self, request: Request, first_page: bool) -> Response:
        if leak_of(request):
            return trpc_error(400, "Request contains credentials of another service")
        if not request.headers.get("referer", "").startswith(f"{request.origin}/fx/tools/flow"):
            return trpc_error(403, "Forbidden")
        if not request.headers.get("content-type", "").startswith("application/json"):
            return trpc_error(415, "Unsupported content-type")
        world = self._owner(request)
        if world is None:
            return trpc_error(401, "Unauthorized")
        if world.moved:
            return trpc_error(404, _MIGRATED)
        return self._history_page(world, request.query.get("input", ""), first_page)

    def _history_page(self, world: World, text: str, first_page: bool) -> Response:
        try:
            history, size, cursor = parsed_input(text)
            page = world.page(history, size, None if first_page else cursor)
        except HistoryRefused:
            return trpc_error(400, "Invalid enum value for type")
        except CursorRefused:
            return trpc_error(400, "Request contains an invalid argument.")
        except ValueError as error:
            return trpc_error(400, f"Invalid input: {error}")
        rows = [payloads.row(entry, self._urls.preview(world, entry)) for entry in page.entries]
        return payloads.history_page(rows, page.next_cursor)

    def _session(self, request: Request) -> Response:
        world = self._owner(request)
        if world is None:
            return json_response({})
        body, set_cookies = world.session(request.cookies)
        return json_response(body, headers=tuple(("Set-Cookie", line) for line in set_cookies))

    def _page(self, request: Request) -> Response:
        world = self._owner(request)
        if world is not None and world.moved:
            return Response(308, b"", "text/html", (("Location", "https://flow.google.com/"),))
        path = web_page.script_path(self._worlds[0].build)
        return web_page.flow_page(f"{self._urls.base}{path}" if self.script_is_absolute else path)

    def _script(self, request: Request) -> Response:
        world = self._worlds[0]
        if request.path != web_page.script_path(world.build):
            return error_of("script", 404)
        return web_page.flow_script(world.key, world.decoy_key)

    def _media(self, request: Request) -> Response:
        if request.query.get("key") != self._worlds[0].key:
            return google_error(400, "API key not valid.", "API_KEY_INVALID")
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        world = next((world for world in self._worlds if world.accepts_token(token)), None)
        if world is None:
            return google_error(401, "Request had invalid authentication credentials.")
        origin = request.origin
        if (request.headers.get("referer"), request.headers.get("origin")) != (f"{origin}/", origin):
            return google_error(403, "This referer is blocked.", "API_KEY_HTTP_REFERRER_BLOCKED")
        return self._named_media(world, request)

    def _named_media(self, world: World, request: Request) -> Response:
        name = unquote(request.path.removeprefix(MEDIA_PATH))
        entry = world.find(name)
        if entry is None:
            return self._no_media(world, name)
        with_bytes = entry.inline and request.query.get("returnUriOnly") != "true"
        return json_response(self.media(world, entry, with_bytes))

    def _no_media(self, world: World, name: str) -> Response:
        if world.is_deleted(name):
            return google_error(404, "Requested entity was not found.")
        if any(other.find(name) for other in self._worlds):
            return google_error(403, "The caller does not have permission")
        return google_error(400, "Request contains an invalid argument.")

    def _owner(self, request: Request) -> World | None:
        return next((world for world in self._worlds if world.is_owner(request.cookies)), None)


def parsed_input(text: str) -> tuple[str, int, str | None]:
    """Return history, page size and cursor of a history call. Raises ValueError.

    superjson's note "this null was undefined" wins over a real cursor: page 1 comes again and again for
    a client that sends the note with every page.
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
    match whole:
        case {"meta": {"values": {"cursor": noted}}} if noted == _UNDEFINED:
            return history, size, None
    return history, size, cursor
