"""Metadata: a long history in pages of 18 without pauses, beside fetching and parsing the same pages.

The pages lie ready in another process, so that what is measured is not the simulated Flow.
"""

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from itertools import pairwise
from urllib.parse import unquote

import requests

from tests.benchmarks.measuring import Row, Scale, at_most, faster_than, in_own_process, resident_mb
from tests.benchmarks.media_server import request_of, responding
from tests.benchmarks.working import HISTORY, sync, working
from webapp.database.states import SyncMode
from webapp.demo import FlowServer, World
from webapp.demo.service import HISTORY_PATH
from webapp.store import runs

PAGE_SIZE = 18
PARTS = 10


def measure(scale: Scale) -> Iterator[Row]:
    count = scale.of(100_000, 5_000)
    pages = count // PAGE_SIZE
    with FlowServer(World(uploaded=PAGE_SIZE, tiny_pictures=True)) as flow, serving(pages, flow.url) as url:
        cookies = flow.world.cookie_header()
        bare = pages / in_own_process(_bare_seconds, url, pages)
        seconds, rates, grown, quick_pages = in_own_process(_ours, url, cookies, pages)
    yield faster_than(
        f"{pages * PAGE_SIZE:,} images in pages of {PAGE_SIZE}: pages",
        pages / seconds,
        "requests and json, nothing stored",
        bare,
        0.5,
    )
    yield Row("the same, images", f"{pages * PAGE_SIZE / seconds:,.0f} /s")
    yield at_most("rate of the first tenth by that of the last", rates[0] / rates[-1], "x", 1.1)
    yield at_most("memory that it grew by, from the first tenth on", grown, "MB", 20)
    yield at_most("quick sync of the complete account", quick_pages, "pages", 1)


def _ours(url: str, cookies: str, pages: int) -> tuple[float, list[float], float, int]:
    """Seconds, pages a second in each tenth, MB grown, and the pages of a quick sync afterwards."""
    with working(url, cookies, page_size=PAGE_SIZE) as (work, profile_id):
        marks: list[tuple[float, float]] = []
        done = threading.Event()
        part = pages // PARTS

        def watch() -> None:
            from webapp import store

            with store.connection():
                while not done.wait(0.05):  # each look costs the sync half a millisecond
                    run = runs.find_last_run(profile_id, "sync")
                    if run and run.page_count >= len(marks) * part:
                        marks.append((time.perf_counter(), run.page_count, resident_mb()))

        watcher = threading.Thread(target=watch)
        watcher.start()
        seconds = sync(work, profile_id, SyncMode.ALL)
        done.set()
        watcher.join()
        rates = [(later[1] - one[1]) / (later[0] - one[0]) for one, later in pairwise(marks)]
        sync(work, profile_id)
        return seconds, rates, resident_mb() - marks[1][2], runs.find_last_run(profile_id, "sync").page_count


def _bare_seconds(url: str, pages: int) -> float:
    began = time.perf_counter()
    with requests.Session() as session:
        cursor = None
        for _ in range(pages):
            asked = {"json": {"type": HISTORY, "pageSize": PAGE_SIZE, "cursor": cursor}}
            response = session.get(f"{url}{HISTORY_PATH}", params={"input": json.dumps(asked)}).json()
            cursor = response["result"]["data"]["json"]["result"].get("nextPageToken")
    return time.perf_counter() - began


def serving(pages: int, labs_url: str) -> AbstractContextManager[str]:
    """A labs service of `pages` history pages; what else is asked of it, the one at `labs_url` answers."""
    return responding(_response, pages, labs_url)


def _response(connection: socket.socket, pages: int, labs_url: str) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection:
        while asked := request_of(connection):
            path = asked.split(b" ")[1].decode()
            if path.startswith(HISTORY_PATH):
                found = re.search(r'"cursor":\s*"page-(\d+)', unquote(path).replace("+", " "))
                body = _page(int(found[1]) if found else 0, pages)
            else:
                cookie = re.search(rb"(?im)^cookie: *(.*?)\r$", asked)
                headers = {"Cookie": cookie[1].decode()} if cookie else {}
                body = requests.get(labs_url + path, headers=headers, timeout=10).content
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)


def _page(number: int, pages: int) -> bytes:
    result = {"userWorkflows": [_entry(number * PAGE_SIZE + place) for place in range(PAGE_SIZE)]}
    if number + 1 < pages:
        result["nextPageToken"] = f"page-{number + 1}-{'x' * 180}"
    whole = {"result": {"data": {"json": {"result": result, "status": 200, "statusText": "OK"}}}}
    return json.dumps(whole, separators=(",", ":")).encode()


def _entry(number: int) -> dict:
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_760_000_000 - 60 * number))
    name = f"CAMSJ{number:0157d}"
    prompt = f"a red kite above the dunes, {number} in soft light, wide shot, oil on canvas"
    ids = {"mediaType": "IMAGE", "workflowId": f"w-{number:034d}", "mediaKey": f"k-{number:034d}"}
    shown = {"prompt": prompt, "modelNameType": "GEM_PIX", "aspectRatio": "IMAGE_ASPECT_RATIO_LANDSCAPE"}
    return {
        "name": name,
        "createTime": moment,
        "media": {"name": name, "image": shown, "mediaGenerationId": ids},
    }
