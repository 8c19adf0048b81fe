"""Responsive under load: ten tabs that poll, while a batch runs at full speed and a sync walks."""

import multiprocessing
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks import media_server
from tests.benchmarks.measuring import Row, Scale, at_most, median, p95
from tests.benchmarks.serving import Browser, flowshelf
from webapp.demo import FlowServer, World

TABS = 10
EVERY_SECONDS = 1.0


def measure(scale: Scale) -> Iterator[Row]:
    seconds = scale.of(20, 5)
    with (
        tempfile.TemporaryDirectory(prefix="flowshelf-bench-") as folder,
        _flow(scale.of(9_000, 3_000)) as flow,
    ):
        url, cookies = flow
        with (
            media_server.serving(media_server.picture(100_000)) as media_url,
            _working(folder, url, media_url) as ours,
        ):
            with Browser(ours) as browser:
                browser.post("/profiles", name="Ada", cookies=cookies)
                profile = _profile_of(browser)
                browser.post_json(
                    "/api/image-veo3/sync-metadata", {"profileId": profile, "maxPages": scale.of(50, 15)}
                )
                browser.post_json("/api/image-veo3/download-batch", _wish(profile))
                browser.post_json("/api/image-veo3/sync-metadata", _walk(profile))
            values = _polled(ours, seconds)
            with Browser(ours) as browser:
                left = browser.get_json("/healthz")
    yield at_most(f"gallery under load, {TABS} polling tabs, p95", p95(values), "ms", 150)
    yield at_most("the same, median", median(values), "ms")
    yield Row("wishes still open when the measurement ended", str(left["queue"]))


def _wish(profile: str) -> dict:
    return {"profileId": profile, "pending": 100_000, "wait": False}


def _walk(profile: str) -> dict:
    return {"profileId": profile, "mode": "resume", "wait": False}


def _profile_of(browser: Browser) -> str:
    return browser.get_json("/api/profiles")["data"][0]["profileId"]


@contextmanager
def _working(folder: str, labs_url: str, media_url: str) -> Iterator[str]:
    environ = {
        "FLOWSHELF_LABS_URL": labs_url,
        "FLOWSHELF_MEDIA_URL": media_url,
        "FLOWSHELF_PAGE_DELAY": "0.3",
        "FLOWSHELF_PAGE_SIZE": "100",
        "FLOWSHELF_DOWNLOAD_WORKERS": "8",
        "FLOWSHELF_HISTORIES": "ASSET_MANAGER",
    }
    with flowshelf(Path(folder, "data"), **environ) as (url, _):
        yield url


@contextmanager
def _flow(count: int) -> Iterator[tuple[str, str]]:
    """A simulated Flow in a process of its own: its address and the cookies of its account."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve_flow, args=(count, there), daemon=True)
    process.start()
    try:
        yield here.recv()
    finally:
        process.terminate()
        process.join()


def _serve_flow(count: int, ready) -> None:
    with FlowServer(World(uploaded=count, tiny_pictures=True)) as flow:
        ready.send((flow.url, flow.world.cookie_header()))
        threading.Event().wait()


def _polled(url: str, seconds: float) -> list[float]:
    """Milliseconds of the gallery page that one more visitor waits, while tabs ask for their panels."""
    over = threading.Event()
    tabs = [threading.Thread(target=_tab, args=(url, over, n / TABS)) for n in range(TABS)]
    for tab in tabs:
        tab.start()
    values, until = [], time.monotonic() + seconds
    with Browser(url) as browser:
        while time.monotonic() < until:
            began = time.perf_counter()
            browser.get("/")
            values.append((time.perf_counter() - began) * 1000)
            time.sleep(0.1)
    over.set()
    for tab in tabs:
        tab.join()
    return values


def _tab(url: str, over: threading.Event, after_seconds: float) -> None:
    with Browser(url) as browser:
        over.wait(after_seconds)
        while not over.wait(EVERY_SECONDS):
            browser.get("/panels/sync")
            browser.get("/panels/download")
