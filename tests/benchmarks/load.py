"""Responsiveness under load: ten tabs poll while downloads run at full speed and a sync walks."""

import threading
import time
from collections.abc import Iterator
from statistics import median

from webapp.demo import FlowServer, World

from .downloads import media_service
from .measuring import Row, p95, seconds_of
from .servers import FLOWSHELF, Browser, serving, spawned, tabs
from .shelves import jpeg, shelf_of

TABS = 10
SETTINGS = {"PAGE_SIZE": "100", "PAGE_DELAY": "0.3", "DOWNLOAD_WORKERS": "8", "HISTORIES": "ASSET_MANAGER"}


def measure(quick: bool) -> Iterator[Row]:
    seconds, shelved, uploaded = (5, 20_000, 6_000) if quick else (20, 60_000, 12_000)
    with (
        spawned(_serve_flow, uploaded) as (labs_url, cookies),
        media_service(jpeg(100_000)) as media_url,
        shelf_of(shelved) as data_dir,
    ):
        settings = SETTINGS | {"LABS_URL": labs_url, "MEDIA_URL": media_url}
        environ = {f"FLOWSHELF_{name}": value for name, value in settings.items()}
        with serving(FLOWSHELF, data_dir, **environ) as (url, _), Browser(url) as browser:
            yield from _rows(url, browser, cookies, seconds)


def _serve_flow(ready, count: int) -> None:
    with FlowServer(World(uploaded=count, tiny_pictures=True)) as flow:
        ready.send((flow.url, flow.world.cookie_header()))
        threading.Event().wait()


def _rows(url: str, browser: Browser, cookies: str, seconds: float) -> Iterator[Row]:
    profiles = browser.api("GET", "/api/profiles")["data"]
    profile = next(one["profileId"] for one in profiles if one["name"] == "Ada")
    browser.api("PUT", f"/api/profiles/{profile}/cookies", {"cookies": cookies, "sameAccount": True})
    idle = _page_milliseconds(browser, seconds / 4)
    asked = {"profileId": profile, "wait": False}
    browser.api("POST", "/api/image-veo3/download-batch", asked | {"pending": 100_000})
    browser.api("POST", "/api/image-veo3/sync-metadata", asked | {"mode": "all"})
    before = browser.api("GET", "/healthz")["queue"]
    with tabs(url, TABS, _poll, lambda: 1.0):
        loaded = _page_milliseconds(browser, seconds)
    after = browser.api("GET", "/healthz")["queue"]
    what = f"gallery under load, {TABS} polling tabs, p95"
    yield Row(what, p95(loaded), "ms", "<= 150 ms", "idle", p95(idle))
    yield Row("the same, median", median(loaded), "ms", "", "idle", median(idle))
    yield Row("images downloaded meanwhile", (before["wanted"] - after["wanted"]) / seconds, "/s")
    yield Row("downloads still queued at the end", after["wanted"], "", ">= 1")
    yield Row("syncs still running at the end", after["syncs"], "", ">= 1")


def _poll(browser: Browser) -> None:
    browser.get("/panels/status")


def _page_milliseconds(browser: Browser, seconds: float) -> list[float]:
    values, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        values.append(seconds_of(lambda: browser.get("/")) * 1000)
        time.sleep(0.1)
    return values
