"""Whole pages that are sent again as long as nothing was written to the database, for a second at most.

Under load many browsers ask for the same page. One thread renders it, the others wait for the result: threads
that render at the same time only take the interpreter from each other. What a page depends on besides the
database is in its key, or holds for a second (the clock, troubles of the background work).

Each response has an ETag, so that whoever asks again gets 304 while the page is the same. Browsers store no
page (`security`): on Back they would show it without asking.
"""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import ParamSpec

from flask import current_app, make_response, request
from flask.typing import ResponseReturnValue
from flask.wrappers import Response

from webapp import store
from webapp.web import access

MAX_SECONDS = 1.0
MAX_PAGES = 64
# What a page depends on besides its URL.
COOKIES = ("density", "theme", "zone")
HEADERS = ("HX-Request", "HX-Target")

Key = tuple[object, ...]
ParametersT = ParamSpec("ParametersT")


@dataclass(frozen=True, slots=True)
class Rendering:
    """What a view has made. `version` is that of the database when it began."""

    version: int
    made_at: float
    content: bytes
    headers: list[tuple[str, str]]
    etag: str

    def is_current(self, asked: int) -> bool:
        """Whether it shows all that was written when somebody asked, which is what `asked` counts."""
        return self.version >= asked and time.monotonic() - self.made_at < MAX_SECONDS


@dataclass(slots=True)
class Page:
    """What was rendered last for one key. `turn` guards it, and tells when another rendering ends."""

    turn: threading.Condition = field(default_factory=threading.Condition)
    is_rendering: bool = False
    latest: Rendering | None = None

    def find_current(self, asked: int) -> Rendering | None:
        return self.latest if self.latest and self.latest.is_current(asked) else None


class PageCache:
    """The pages of one app that were asked for last."""

    def __init__(self) -> None:
        self._pages: OrderedDict[Key, Page] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, key: Key) -> Page:
        with self._lock:
            page = self._pages.setdefault(key, Page())
            self._pages.move_to_end(key)
            if len(self._pages) > MAX_PAGES:
                self._pages.popitem(last=False)
            return page


def cached_page(
    view: Callable[ParametersT, ResponseReturnValue],
) -> Callable[ParametersT, ResponseReturnValue]:
    """Send the page of a view again while it is current. The view must depend on nothing but the key."""

    @wraps(view)
    def respond(*args: ParametersT.args, **kwargs: ParametersT.kwargs) -> ResponseReturnValue:
        page = _pages().find(_key())
        # Before waiting: while a sync writes, each of those who wait would otherwise render the page again.
        asked = store.version()
        with page.turn:
            # All who asked before a rendering began take what it made, whoever of them came first.
            page.turn.wait_for(lambda: page.find_current(asked) or not page.is_rendering)
            if found := page.find_current(asked):
                return _sent(found)
            page.is_rendering = True
        try:
            return _render(page, lambda: make_response(view(*args, **kwargs)))
        finally:
            with page.turn:
                page.is_rendering = False
                page.turn.notify_all()

    return respond


def _render(page: Page, make: Callable[[], Response]) -> ResponseReturnValue:
    version = store.version()  # before rendering: what is written meanwhile makes the page old
    response = make()
    if response.status_code != 200:
        return response
    content = response.get_data()
    headers = [(name, text) for name, text in response.headers if name != "Content-Length"]
    etag = hashlib.sha256(content).hexdigest()[:32]
    page.latest = Rendering(version, time.monotonic(), content, headers, etag)
    return _sent(page.latest)


def _sent(rendering: Rendering) -> ResponseReturnValue:
    found = Response(rendering.content, headers=rendering.headers)
    found.set_etag(rendering.etag)
    return found.make_conditional(request)


def _pages() -> PageCache:
    """Those of the current app."""
    found: PageCache = current_app.extensions.setdefault("flowshelf.pages", PageCache())
    return found


def _key() -> Key:
    cookies = tuple(request.cookies.get(name) for name in COOKIES)
    headers = tuple(request.headers.get(name) for name in HEADERS)
    return access.role(), request.script_root, request.full_path, cookies, headers
