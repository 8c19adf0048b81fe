"""Pages in a real browser. A test fails on errors in the console, and on requests to other hosts."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask import Flask
from playwright.sync_api import Browser, ConsoleMessage, Page

from webapp import store
from webapp.background import Background
from webapp.demo import FlowServer, World
from webapp.demo.entries import Kind
from webapp.store.gallery import selections
from webapp.store.gallery.filters import Filter, Selection

# Chromium logs every error response, and htmx logs lost connections. A test that provokes one declares it.
ERROR_LOGGED = "Failed to load resource: the server responded with a status of {}"
OFFLINE_LOGGED = ("Failed to load resource: net::ERR_INTERNET_DISCONNECTED", "htmx:")
# htmx logs a request that a newer one replaces, or that was under way when its page was left. Not a fault:
# a request that fails is logged as htmx:sendError or htmx:responseError as well.
REPLACED_LOGGED = ("htmx:afterRequest", "htmx:sendAbort")
MILLISECONDS = 8000
# Shortens the pauses between polls, so that tests are fast.
QUICK = "const wait = setTimeout; window.setTimeout = (act, pause, ...rest) => wait(act, pause / 5, ...rest);"
OUTCOME = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    report = yield
    item.stash[OUTCOME] = report.passed and item.stash.get(OUTCOME, True)
    return report


@pytest.fixture
def world() -> World:
    """Three history pages of uploads and one of generated images, on one page of the gallery.

    All rows have a preview URL, so that no card requests one from the media service in the background.
    """
    return World(uploaded=24, generated=6, videos=1, tiny_pictures=True, fife_url_kinds=Kind)


@pytest.fixture
def grace(flow: FlowServer) -> World:
    """Another account, with more images than one page of the gallery shows."""
    world = World(seed=2, uploaded=70, email="grace@example.com", owner="Grace Example", tiny_pictures=True)
    flow.add_world(world)
    return world


@pytest.fixture
def app(running: Callable[..., Flask]) -> Flask:
    """With long timeouts, because gates of the simulated Flow stay closed while a test looks at a page."""
    return running(page_size=10, timeout_seconds=(5.0, 60.0))


@dataclass
class Watch:
    """Records console and requests of all pages of a test."""

    hosts: set[str]
    pages: list[Page] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    provoked: list[str] = field(default_factory=list)

    def follow(self, page: Page) -> None:
        self.pages.append(page)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.errors.append(f"page error: {error}"))
        page.on("request", lambda request: self.urls.append(request.url))

    def expect_status(self, status: int) -> None:
        """The test provokes a response with this status."""
        self.provoked.append(ERROR_LOGGED.format(status))

    def expect_no_network(self) -> None:
        self.provoked.extend(OFFLINE_LOGGED)

    @property
    def complaints(self) -> list[str]:
        strange = [url for url in self.urls if urlsplit(url).netloc not in self.hosts | {""}]
        return self.errors + [f"request to another host: {url}" for url in strange]

    def _on_console(self, message: ConsoleMessage) -> None:
        line = f"console {message.type}: {message.text} ({message.location.get('url', '')})"
        self.console.append(line)
        is_known = any(message.text.startswith(start) for start in (*self.provoked, *REPLACED_LOGGED))
        if message.type in ("error", "warning") and not is_known:
            self.errors.append(line)

    def save_evidence(self) -> Path:
        """Saves screenshots and the console to a temporary folder."""
        folder = Path(tempfile.mkdtemp(prefix="flowshelf-browser-"))
        for number, page in enumerate(page for page in self.pages if not page.is_closed()):
            page.screenshot(path=folder / f"page-{number}.png", full_page=True)
        (folder / "console.txt").write_text("\n".join([*self.console, "", *self.complaints, "", *self.urls]))
        return folder


@pytest.fixture
def watch(live_url: str, flow: FlowServer, request: pytest.FixtureRequest) -> Iterator[Watch]:
    """Fails a test on errors in the console and on requests to other hosts."""
    watch = Watch({urlsplit(live_url).netloc, flow.picture_host})
    yield watch
    try:
        if watch.complaints or not request.node.stash.get(OUTCOME, False):
            print(f"\nScreenshots and console: {watch.save_evidence()}")
        assert watch.complaints == []
    finally:
        for page in watch.pages:
            page.context.close()


@pytest.fixture
def open_page(chromium: Browser, live_url: str, watch: Watch) -> Callable[..., Page]:
    """Opens a page in a browser context of its own, at a path of the dashboard."""

    def open_page(path: str = "/", **options: object) -> Page:
        context = chromium.new_context(**{"base_url": live_url, "reduced_motion": "reduce"} | options)
        context.set_default_timeout(MILLISECONDS)
        context.add_init_script(QUICK)
        page = context.new_page()
        watch.follow(page)
        page.goto(path, wait_until="domcontentloaded")
        return page

    return open_page


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """The gallery in a new browser."""
    return open_page()


@pytest.fixture
def synced(work: Background, profile_id: str) -> str:
    """The id of Ada's profile, synced, without downloads."""
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id).id)
    return profile_id


@pytest.fixture
def shelf(synced: str) -> list[str]:
    """The ids of all images, newest first."""
    with store.connection():
        return selections.list_ids(Selection(everything=Filter()))
