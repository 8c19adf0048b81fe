"""Responsive under load: ten tabs that poll, while a batch runs at full speed and a sync walks."""

import multiprocessing
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks import media_server
from tests.benchmarks.measuring import Row, Scale, at_most, median, number, p95
from tests.benchmarks.serving import Browser, flowshelf
from webapp.demo import FlowServer, World

TABS = 10
EVERY_SECONDS = 1.0
PAGE_SIZE = 100


def measure(scale: Scale) -> Iterator[Row]:
    seconds, known = scale.of(20, 5), scale.of(16_000, 3_000)
    with (
        tempfile.TemporaryDirectory(prefix="flowshelf-bench-") as folder,
        _flow(known + scale.of(8_000, 2_000)) as (url, cookies),
        media_server.serving(media_server.picture(100_000)) as media_url,
    ):
        with _working(folder, url, media_url, page_delay=0.0) as ours, Browser(ours) as browser:
            browser.post("/profiles", name="Ada", cookies=cookies)
            some = {"profileId": _profile_of(browser), "maxPages": known // PAGE_SIZE}
            browser.post_json("/api/image-veo3/sync-metadata", some)
        with _working(folder, url, media_url, page_delay=0.3) as ours, Browser(ours) as browser:
            profile = _profile_of(browser)
            browser.post_json("/api/image-veo3/download-batch", _download(profile))
            browser.post_json("/api/image-veo3/sync-metadata", _walk(profile))
            before = browser.get_json("/healthz")["queue"]
            values = _polled(ours, seconds)
            after = browser.get_json("/healthz")["queue"]
    rate = (before["wanted"] - after["wanted"]) / seconds
    left = f"{after['wanted']:,} images, {after['syncs']} walk"
    is_honest = bool(after["wanted"] and after["syncs"])
    yield at_most(f"gallery under load, {TABS} polling tabs, p95", p95(values), "ms", 150)
    yield at_most("the same, median", median(values), "ms")
    yield Row("images downloaded meanwhile", f"{number(rate)} /s")
    yield Row("still to do when the measurement ended", left, target="some of both", is_met=is_honest)


def _download(profile: str) -> dict:
    return {"profileId": profile, "pending": 100_000, "wait": False}


def _walk(profile: str) -> dict:
    return {"profileId": profile, "mode": "resume", "wait": False}


def _profile_of(browser: Browser) -> str:
    return browser.get_json("/api/profiles")["data"][0]["profileId"]


@contextmanager
def _working(folder: str, labs_url: str, media_url: str, *, page_delay: float) -> Iterator[str]:
    environ = {
        "FLOWSHELF_LABS_URL": labs_url,
        "FLOWSHELF_MEDIA_URL": media_url,
        "FLOWSHELF_PAGE_DELAY": str(page_delay),
        "FLOWSHELF_PAGE_SIZE": str(PAGE_SIZE),
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
