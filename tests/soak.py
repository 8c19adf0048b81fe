"""Hours of use in minutes: tabs poll while syncs, downloads, faults and new cookies follow one another.

    python tests/soak.py --minutes 5 [--tabs 10]

Runs a real `flowshelf serve` and reads its memory, threads, open files and sockets from /proc (Linux only).
Exits 1 when one of them is higher in the last third of the time than in the first, after a warm-up.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from statistics import median

import click
from benchmarks.measuring import memory_mb
from benchmarks.servers import Browser
from chaos import Server
from test_process import BATCH, SYNC

from webapp.config import Config
from webapp.demo import FlowServer, World

POLLED = (
    *("/panels/sync", "/panels/download", "/panels/status", "/panels/strip"),
    *("/messages/new", "/", "/status", "/activity", "/healthz"),
)
# How much the median of the last third may be above that of the first.
ALLOWANCES = {"MB": 12.0, "threads": 2, "files": 8, "sockets": 8}
Sample = dict[str, float]


def sample(process_id: int) -> Sample:
    """What a process uses at this moment."""
    folder, links = Path(f"/proc/{process_id}"), []
    for path in (folder / "fd").iterdir():
        with suppress(OSError):  # closed in the meantime
            links.append(str(path.readlink()))
    sockets = sum(link.startswith("socket:") for link in links)
    threads = len(list((folder / "task").iterdir()))
    files = len(links) - sockets
    return {"MB": memory_mb(process_id), "threads": threads, "files": files, "sockets": sockets}


def run(data_dir: Path, seconds: float, tab_count: int, say: Callable[[str], None]) -> list[str]:
    """What grew; empty when everything stayed flat."""
    world, rng = World(uploaded=200, generated=100, tiny_pictures=True), Random(7)
    with FlowServer(world, latency_seconds={"media": 0.02, "history": 0.02}) as flow:
        shelf = Server(Config(data_dir, labs_url=flow.url, media_url=flow.url))
        shelf.serve()

        def look(browser: Browser) -> None:
            browser.get(rng.choice(POLLED))

        try:
            with tabs(shelf.url, tab_count, look, lambda: rng.uniform(0.2, 1.0)):
                samples = list(rounds(shelf, flow, time.monotonic() + seconds, say))
        finally:
            shelf.kill()
        say(f"{len(samples)} rounds, {flow.count('media')} image requests")
    return list(growth(samples, say))


@contextmanager
def tabs(url: str, count: int, look: Callable[[Browser], object], pause: Callable[[], float]) -> Iterator:
    """Threads that each `look` at a page over their own connection, again after `pause()` seconds."""
    over = threading.Event()

    def poll() -> None:
        with Browser(url) as browser:
            while not over.wait(pause()):
                look(browser)

    with ThreadPoolExecutor(count) as pool:
        polling = [pool.submit(poll) for _ in range(count)]
        try:
            yield
        finally:
            over.set()
    for tab in polling:
        tab.result()


def rounds(shelf: Server, flow: FlowServer, until: float, say: Callable[[str], None]) -> Iterator[Sample]:
    """Each round: new images at Flow, faults, a sync and its downloads; in every fifth, new cookies."""
    cookies = {"cookies": flow.world.cookie_header()}
    profile_id = shelf.ask("/api/profiles", {"name": "Ada", **cookies})["profileId"]
    number = 0
    while time.monotonic() < until:
        flow.world.add_uploaded(12)
        flow.fail_next(429, retry_after=0)
        flow.drop_next("media")
        flow.fail_next(500, "history")
        shelf.ask(SYNC, {"profileId": profile_id, "mode": "new"})
        shelf.ask(BATCH, {"profileId": profile_id, "pending": True})
        number += 1
        if number % 5 == 0:
            shelf.ask(f"/api/profiles/{profile_id}/cookies", cookies, "PUT")
        used = sample(shelf.process.pid)
        if number % 20 == 1:
            say(f"{until - time.monotonic():4.0f} s left: {used}; {flow.count('media')} image requests")
        yield used


def growth(samples: list[Sample], say: Callable[[str], None]) -> Iterator[str]:
    """Compares medians of thirds, after a quarter of the time for the warm-up."""
    steady = samples[len(samples) // 4 :]
    third = max(1, len(steady) // 3)
    for name, allowance in ALLOWANCES.items():
        values = [one[name] for one in steady]
        first, last = median(values[:third]), median(values[-third:])
        say(f"{name}: {first:g} at first, {last:g} at the end, {max(values):g} at most")
        if last - first > allowance:
            yield f"{name} grew from {first:g} to {last:g}"


@click.command()
@click.option("--minutes", default=5.0)
@click.option("--tabs", "tab_count", default=10)
def main(minutes: float, tab_count: int) -> None:
    """Does anything grow in a running Flowshelf?"""
    with tempfile.TemporaryDirectory(prefix="flowshelf-soak-") as folder:
        found = run(Path(folder, "data"), minutes * 60, tab_count, click.echo)
    click.echo("\n".join(found) or "Flat.")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
