"""Many clients at once, while nothing else happens, and while a sync and downloads run at full speed."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import requests

from webapp.demo import FlowServer, World

from .clients import USUAL, ask
from .downloads import media_service
from .measuring import Row
from .servers import FLOWSHELF, NGINX, PEERS, Browser, serving, spawned
from .shelves import give_files, jpeg, shelf_of

CLIENTS, TOO_MANY, FILES, EDGE = 50, 200, 60, 320
SETTINGS = {"PAGE_SIZE": "100", "PAGE_DELAY": "0.3", "DOWNLOAD_WORKERS": "8", "HISTORIES": "ASSET_MANAGER"}


def measure(quick: bool) -> Iterator[Row]:
    seconds, shelved, uploaded = (3, 20_000, 6_000) if quick else (20, 80_000, 20_000)
    with shelf_of(shelved) as data_dir:
        with serving(FLOWSHELF, data_dir) as (url, _):
            yield from _files(url, data_dir, seconds)
            yield from _peers(url, data_dir, seconds)
            yield from _pages(url, seconds)
        with (
            spawned(_serve_flow, uploaded) as (labs_url, cookies),
            media_service(jpeg(100_000)) as media_url,
        ):
            settings = SETTINGS | {"LABS_URL": labs_url, "MEDIA_URL": media_url}
            environ = {f"FLOWSHELF_{name}": value for name, value in settings.items()}
            with serving(FLOWSHELF, data_dir, **environ) as (url, _), Browser(url) as browser:
                yield from _busy(url, browser, cookies, seconds)


def _pages(url: str, seconds: int) -> Iterator[Row]:
    etag = requests.get(url, headers=USUAL, timeout=TOO_MANY).headers["ETag"]
    same = ask(url, "/", clients=CLIENTS, seconds=seconds, expected=304, If_None_Match=etag)
    yield Row(f"gallery, asked again unchanged, {CLIENTS} clients: 304", same.rate, "/s", ">= 500 /s")
    yield Row("other answers", same.others, "", "<= 0")
    many = ask(url, "/", clients=TOO_MANY, seconds=seconds, expected=200)
    yield Row(f"gallery, {TOO_MANY} clients", many.rate, "/s")
    yield Row("connections that broke, answers but 200 and 503 with Retry-After", many.lost, "", "<= 0")


def _files(url: str, data_dir: Path, seconds: int) -> Iterator[Row]:
    images = give_files(data_dir, FILES)
    thumbnails = [f"/images/{image_id}/thumbnail/{EDGE}" for image_id in images]
    with Browser(url) as browser:
        for path in thumbnails:
            browser.get(path)  # makes it
    asked = {"original files": [f"/images/{image_id}/file" for image_id in images], "thumbnails": thumbnails}
    found = {"original files": images.values(), "thumbnails": data_dir.rglob("*.webp")}
    for what, paths in asked.items():
        ours = ask(url, *paths, clients=CLIENTS, seconds=seconds).rate
        with serving(NGINX, data_dir) as nginx:
            same = [f"/{path.relative_to(data_dir)}" for path in found[what]]
            theirs = nginx and ask(nginx[0], *same, clients=CLIENTS, seconds=seconds).rate
        yield Row(f"{what}, {CLIENTS} clients", ours, "/s", ">= 1000 /s", NGINX.name, theirs)


def _peers(url: str, data_dir: Path, seconds: int) -> Iterator[Row]:
    ours = ask(url, FLOWSHELF.page, clients=CLIENTS, seconds=seconds)
    for peer in PEERS:
        with serving(peer, data_dir) as served:
            # datasette works on all of them at once, so the first answer takes nearly as long as fifty.
            theirs = served and ask(served[0], peer.page, clients=CLIENTS, seconds=4 * seconds).rate
        yield Row(f"a sorted page, {CLIENTS} clients", ours.rate, "/s", "", peer.name, theirs)


def _serve_flow(ready, count: int) -> None:
    with FlowServer(World(uploaded=count, tiny_pictures=True)) as flow:
        ready.send((flow.url, flow.world.cookie_header()))
        threading.Event().wait()


def _busy(url: str, browser: Browser, cookies: str, seconds: int) -> Iterator[Row]:
    profiles = browser.api("GET", "/api/profiles")["data"]
    profile = next(one["profileId"] for one in profiles if one["name"] == "Ada")
    browser.api("PUT", f"/api/profiles/{profile}/cookies", {"cookies": cookies, "sameAccount": True})
    asked = {"profileId": profile, "wait": False}
    browser.api("POST", "/api/image-veo3/download-batch", asked | {"pending": 100_000})
    browser.api("POST", "/api/image-veo3/sync-metadata", asked | {"mode": "all"})
    alone, _ = _downloaded(browser, lambda: time.sleep(seconds))
    loaded, answers = _downloaded(
        browser, lambda: ask(url, "/", clients=CLIENTS, seconds=seconds, expected=200)
    )
    what = f"gallery, {CLIENTS} clients, while a sync and downloads run"
    yield Row(what, answers.rate, "/s", ">= 100 /s")
    yield Row("the same, median", answers.median, "s", "<= 0.5 s")
    yield Row("the same, p99", answers.p99, "s", "<= 1 s")
    yield Row("the same, other answers and broken connections", answers.others + answers.lost, "", "<= 0")
    yield Row("images downloaded meanwhile", loaded, "/s", ">= 0.67x", "without the clients", alone)
    queue = browser.api("GET", "/healthz")["queue"]
    yield Row("downloads still queued at the end", queue["wanted"], "", ">= 1")
    yield Row("syncs still running at the end", queue["syncs"], "", ">= 1")


def _downloaded(browser: Browser, meanwhile: Callable):
    """The images per second that leave the queue during `meanwhile`, and what that returns."""
    began, before = time.perf_counter(), browser.api("GET", "/healthz")["queue"]["wanted"]
    result = meanwhile()
    after = browser.api("GET", "/healthz")["queue"]["wanted"]
    return (before - after) / (time.perf_counter() - began), result
