"""Hands each request to the service that it is meant for, and serves the pictures themselves."""

import re
from collections.abc import Mapping, Sequence
from html import escape

from webapp.demo import accounts_google
from webapp.demo.browsers import SIGN_IN_PATH, Browsers
from webapp.demo.flow_google.frames import CALLS
from webapp.demo.flow_google.service import CALL_PATH, FlowGoogleService
from webapp.demo.journal import ACCOUNT_PATH, FLOW_GOOGLE_KINDS, LABS_KINDS, ROTATION, Request
from webapp.demo.labs.service import HISTORY_PATH, MEDIA_PATH, SESSION_PATH, LabsService
from webapp.demo.labs.web_page import SCRIPT_PATH
from webapp.demo.leaks import leak_of
from webapp.demo.responses import Response, error_of, text_response, xml_error
from webapp.demo.urls import Urls
from webapp.demo.world import World

_PROJECT_PATH = re.compile(r"(?:/u/\d+)?/project/([^/]+)")
PROJECT_PAGE = "<!doctype html><title>Simulated Flow</title><p>This is project {} of the simulated Flow.</p>"
_KINDS = {HISTORY_PATH: "history", SESSION_PATH: "session", "/fx": "page", "/fx/": "page", "/": "start"}
_KINDS |= {accounts_google.PATH: ROTATION}
_PREFIXES = {SCRIPT_PATH: "script", MEDIA_PATH: "media", "/pictures/": "picture", "/image/": "picture"}


def kind_of(path: str, query: Mapping[str, str]) -> str:
    """Return the kind of a request (see `journal`)."""
    path = ACCOUNT_PATH.sub("", path, count=1) if ACCOUNT_PATH.match(path) else path
    if path == CALL_PATH:
        return CALLS.get(query.get("rpcids", ""), "call")
    if path in _KINDS:
        return _KINDS[path]
    return next((kind for prefix, kind in _PREFIXES.items() if path.startswith(prefix)), "other")


class Service:
    """All services of the simulated Flow, for one account or several."""

    def __init__(self, worlds: Sequence[World]) -> None:
        self.worlds = list(worlds)
        self.urls = Urls()
        self.labs = LabsService(self.worlds, self.urls)
        self.browsers = Browsers(self.worlds)
        self.google = FlowGoogleService(self.worlds, self.browsers, self.urls)

    def response(self, request: Request, first_page: bool = False) -> Response:
        """Return the true response; with `first_page` a history call ignores its cursor."""
        if request.kind in FLOW_GOOGLE_KINDS:
            return self.google.response(request)
        if request.kind == ROTATION:
            return accounts_google.response(request, self.worlds)
        if request.method != "GET":
            return error_of(request.kind, 405)
        if request.path == SIGN_IN_PATH:
            return self.browsers.page(request)
        if request.kind in (*LABS_KINDS, "media"):
            return self.labs.response(request, first_page)
        return self._picture(request) if request.kind == "picture" else _page_of(request.path)

    def _picture(self, request: Request) -> Response:
        if leak_of(request):
            return xml_error(400, "InvalidRequest", "Unexpected credentials.")
        picture_id = request.path.removeprefix("/pictures/").removeprefix("/image/")
        expires, signature = (request.query.get(name, "") for name in ("Expires", "Signature"))
        world = next((one for one in self.worlds if one.is_signed(picture_id, expires, signature)), None)
        if world is None:
            return xml_error(403, "SignatureDoesNotMatch", "The signature does not match.")
        if int(expires) <= world.now().timestamp():
            return xml_error(403, "ExpiredToken", "The provided token has expired.")
        entry = world.find_picture(picture_id)
        if entry is None:
            return xml_error(404, "NoSuchKey", "The specified key does not exist.")
        headers = (("Cache-Control", "private, max-age=86400"),)
        return Response(200, world.content_of(entry), f"image/{entry.picture_format.lower()}", headers)


def _page_of(path: str) -> Response:
    """The page of a project, which “Open in Flow” opens; otherwise 404."""
    if found := _PROJECT_PATH.fullmatch(path):
        return text_response(200, PROJECT_PAGE.format(escape(found[1])))
    return error_of("page", 404)
