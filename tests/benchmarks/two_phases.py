"""How fast the two phases are against the simulated Flow, beside what the seed promised.

    python tests/benchmarks/two_phases.py

Prints figures and asserts nothing: machines differ. The peers in the same run are bare `requests`
asking for the same pages and storing nothing, and one picture after the other.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from webapp import create_app, store
from webapp.background import Background
from webapp.config import Config
from webapp.database.states import RunState
from webapp.demo import FlowServer, World
from webapp.store import runs
from webapp.web.services import background_of

REPEATS = 3
LATENCY_SECONDS = 1.0


def main() -> None:
    rows = [
        ("a page of 18, metadata", "< 1 s", timed(lambda: sync_seconds(18))),
        ("100 images, metadata, no pauses", "5 to 10 s with pauses", timed(lambda: sync_seconds(100))),
        ("the same pages by bare requests, nothing stored", "-", timed(lambda: bare_seconds(100))),
        ("18 images, 1 s latency, 8 workers", "20 to 40 s", timed(lambda: download_seconds(18, 8), 1)),
        ("100 images, 1 s latency, 8 workers", "2 to 4 min", timed(lambda: download_seconds(100, 8), 1)),
        ("18 images, 1 s latency, one after the other", "-", timed(lambda: download_seconds(18, 1), 1)),
    ]
    print(f"{'what':52} {'the seed':>22} {'here':>10}")
    for what, seed, seconds in rows:
        print(f"{what:52} {seed:>22} {seconds:8.2f} s")


def timed(measure: Callable[[], float], repeats: int = REPEATS) -> float:
    return statistics.median(measure() for _ in range(repeats))


def sync_seconds(count: int) -> float:
    with FlowServer(World(uploaded=count)) as flow, open_work(flow) as (work, profile_id):
        return sync(work, profile_id)


def download_seconds(count: int, workers: int) -> float:
    with FlowServer(World(uploaded=count)) as flow, open_work(flow, download_workers=workers) as opened:
        work, profile_id = opened
        sync(work, profile_id)
        for name in flow.world.names():
            flow.world.content(name)  # drawn before the clock starts
        flow.latency_seconds = {"media": LATENCY_SECONDS}
        began = time.perf_counter()
        run = work.downloads.request_pending(profile_id)
        run = work.downloads.wait_for_run(run.id)
        assert (run.state, run.done_count) == (RunState.DONE, count)
        return time.perf_counter() - began


def sync(work, profile_id: str) -> float:
    began = time.perf_counter()
    run = work.syncs.start(profile_id, histories=("ASSET_MANAGER",))
    assert work.syncs.wait(run.id).state == RunState.DONE, runs.get_run(run.id).error
    return time.perf_counter() - began


def bare_seconds(count: int) -> float:
    """Fetch and parse the same pages with one requests.Session, and store nothing."""
    with FlowServer(World(uploaded=count)) as flow, requests.Session() as session:
        session.headers.update(
            {
                "cookie": flow.world.cookie_header(),
                "referer": f"{flow.url}/fx/tools/flow",
                "content-type": "application/json",
            }
        )
        began = time.perf_counter()
        cursor = None
        while True:
            cursor = fetch_page(session, flow.url, cursor).get("nextPageToken")
            if cursor is None:
                return time.perf_counter() - began


def fetch_page(session: requests.Session, url: str, cursor: str | None) -> dict:
    asked = {"type": "ASSET_MANAGER", "pageSize": 18, "responseScope": "RESPONSE_SCOPE_UNSPECIFIED"}
    body = {"json": asked | {"cursor": cursor}}
    if cursor is None:
        body["meta"] = {"values": {"cursor": ["undefined"]}}
    response = session.get(
        f"{url}/fx/api/trpc/media.fetchUserHistoryDirectly", params={"input": json.dumps(body)}
    )
    return response.json()["result"]["data"]["json"]["result"]


@contextmanager
def open_work(flow: FlowServer, **settings) -> Iterator[tuple[Background, str]]:
    """A data folder, its background and a profile for the time of a measurement."""
    with tempfile.TemporaryDirectory() as folder:
        urls = {"labs_url": flow.url, "media_url": flow.url}
        config = Config(data_dir=Path(folder), page_delay_seconds=0, **urls, **settings)
        work = background_of(create_app(config))
        work.start()
        try:
            with store.connection():
                yield work, work.accounts.add("Ada", flow.world.cookie_header()).id
        finally:
            work.stop()


if __name__ == "__main__":
    main()
