"""Metadata: a long history in pages of 18 without pauses, compared with only fetching and parsing it.

Another process makes the history pages, so that the simulated Flow is not what is measured.
"""

import json
import re
import time
from collections.abc import Iterator
from itertools import pairwise
from urllib.parse import unquote

import requests

from webapp.database.states import SyncMode
from webapp.demo import FlowServer, World
from webapp.demo.service import HISTORY_PATH
from webapp.store import runs

from .measuring import PEAKS, Row, in_own_process, memory_mb
from .phases import HISTORY, opened, start_sync, sync
from .servers import serve_bodies, spawned

PAGE_SIZE, TENTHS = 18, 10


def measure(quick: bool) -> Iterator[Row]:
    pages = (5_000 if quick else 100_000) // PAGE_SIZE
    with (
        FlowServer(World(uploaded=PAGE_SIZE, tiny_pictures=True)) as flow,
        spawned(serve_bodies, _body, pages, flow.url) as url,
    ):
        bare = in_own_process(_bare_seconds, url, pages)
        seconds, rates, grown, peak, quick_pages = in_own_process(
            _ours, url, flow.world.cookie_header(), pages
        )
    PEAKS.append(peak)
    what = f"{pages * PAGE_SIZE:,} images in pages of {PAGE_SIZE}: pages"
    yield Row(what, pages / seconds, "/s", ">= 0.5x", "requests and json, nothing stored", pages / bare)
    yield Row("rate of the first tenth by that of the last", rates[0] / rates[-1], "", "<= 1.1")
    yield Row("memory growth after the first tenth", grown, "MB", "<= 20 MB")
    yield Row("quick sync of the complete account", quick_pages, "pages", "<= 1 pages")


def _ours(url: str, cookies: str, pages: int) -> tuple[float, list[float], float, float, int]:
    """Seconds, pages per second in each tenth, MB grown and at most, the pages of a quick sync afterwards."""
    with opened(url, cookies, page_size=PAGE_SIZE) as (work, profile_id):
        marks: list[tuple[float, int, float]] = []
        began = time.perf_counter()
        run = runs.get_run(start_sync(work, profile_id, SyncMode.ALL))
        while run.state == "running":
            if run.page_count >= len(marks) * (pages // TENTHS):
                marks.append((time.perf_counter(), run.page_count, memory_mb()))
            time.sleep(0.05)  # each look costs the sync half a millisecond
            run = runs.get_run(run.id)
        seconds = time.perf_counter() - began
        assert run.state == "done", run.error
        rates = [(later[1] - one[1]) / (later[0] - one[0]) for one, later in pairwise(marks)]
        sync(work, profile_id)
        last = runs.find_last_run(profile_id, "sync")
        return seconds, rates, memory_mb() - marks[1][2], memory_mb(peak=True), last.page_count


def _bare_seconds(url: str, pages: int) -> float:
    began, cursor = time.perf_counter(), None
    with requests.Session() as session:
        for _ in range(pages):
            asked = {"json": {"type": HISTORY, "pageSize": PAGE_SIZE, "cursor": cursor}}
            response = session.get(f"{url}{HISTORY_PATH}", params={"input": json.dumps(asked)}).json()
            cursor = response["result"]["data"]["json"]["result"].get("nextPageToken")
    return time.perf_counter() - began


def _body(head: bytes, pages: int, labs_url: str) -> tuple[bytes]:
    """A history page; everything else comes from the simulated Flow at `labs_url`."""
    path = head.split(b" ")[1].decode()
    if not path.startswith(HISTORY_PATH):
        cookie = re.search(rb"(?im)^cookie: *(.*?)\r$", head)
        headers = {"Cookie": cookie[1].decode()} if cookie else {}
        return (requests.get(labs_url + path, headers=headers, timeout=10).content,)
    cursor = re.search(r'"cursor":\s*"page-(\d+)', unquote(path).replace("+", " "))
    number = int(cursor[1]) if cursor else 0
    result = {"userWorkflows": [_entry(number * PAGE_SIZE + place) for place in range(PAGE_SIZE)]}
    if number + 1 < pages:
        result["nextPageToken"] = f"page-{number + 1}-{'x' * 180}"
    whole = {"result": {"data": {"json": {"result": result, "status": 200, "statusText": "OK"}}}}
    return (json.dumps(whole, separators=(",", ":")).encode(),)


def _entry(number: int) -> dict:
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_760_000_000 - 60 * number))
    name = f"CAMSJ{number:0157d}"
    prompt = f"a red kite above the dunes, {number} in soft light, wide shot, oil on canvas"
    ids = {"mediaType": "IMAGE", "workflowId": f"w-{number:034d}", "mediaKey": f"k-{number:034d}"}
    image = {"prompt": prompt, "modelNameType": "GEM_PIX", "aspectRatio": "IMAGE_ASPECT_RATIO_LANDSCAPE"}
    media = {"name": name, "image": image, "mediaGenerationId": ids}
    return {"name": name, "createTime": moment, "media": media}
