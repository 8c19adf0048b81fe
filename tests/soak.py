"""A long day in little: tabs that poll, syncs and downloads, faults and new cookies; does anything grow?

    python tests/soak.py --minutes 5 [--tabs 10]

A real `flowshelf serve`; its memory, threads, open files and sockets are read from /proc (so Linux only)
and printed. Exits 1 when the last third of the time needs more than the first third after a warm-up.
"""

import argparse
import http.client
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

from chaos import Victim
from test_process import BATCH, SYNC

from webapp.config import Config
from webapp.demo import FlowServer, World

POLLED = ("/panels/sync", "/panels/download", "/panels/strip", "/messages/new", "/", "/activity", "/healthz")
# What may come on top between the first third and the last.
ALLOWANCES = {"memory_mb": 12.0, "threads": 2, "files": 8, "sockets": 8}


@dataclass(frozen=True)
class Sample:
    memory_mb: float
    threads: int
    files: int
    sockets: int

    def __str__(self) -> str:
        return f"{self.memory_mb:.1f} MB, {self.threads} threads, {self.files} files, {self.sockets} sockets"


def sample(process_id: int) -> Sample:
    """What /proc says of a process."""
    folder = Path(f"/proc/{process_id}")
    status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    links = [_link(path) for path in (folder / "fd").iterdir()]
    sockets = sum(link.startswith("socket:") for link in links)
    return Sample(
        memory_mb=int(status["VmRSS"].split()[0]) / 1024,
        threads=int(status["Threads"]),
        files=len(links) - sockets,
        sockets=sockets,
    )


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:  # it was closed just now
        return ""


class Tabs:
    """Browsers that look at panels and pages, each over a connection of its own that it keeps."""

    def __init__(self, url: str, over: threading.Event) -> None:
        self._address, self._over = urlsplit(url).netloc, over
        self.responses: dict[int, int] = {}
        self._lock = threading.Lock()

    def look(self, number: int) -> None:
        rng, connection = Random(number), http.client.HTTPConnection(self._address, timeout=30)
        while not self._over.wait(rng.uniform(0.2, 1.0)):
            connection.request("GET", rng.choice(POLLED))
            response = connection.getresponse()
            response.read()
            with self._lock:
                self.responses[response.status] = self.responses.get(response.status, 0) + 1
            if rng.random() < 0.05:  # a tab is closed and another opened
                connection.close()
        connection.close()


def run(folder: Path, *, seconds: float, tabs: int, say: Callable[[str], None] = print) -> list[str]:
    """What grew, in words; nothing when all stayed flat."""
    world = World(uploaded=200, generated=100, tiny_pictures=True)
    with FlowServer(world, latency_seconds={"media": 0.02, "history": 0.02}) as flow:
        shelf = Victim(Config(folder / "data", labs_url=flow.url, media_url=flow.url))
        shelf.serve()
        try:
            samples = live(shelf, flow, seconds, tabs, say)
        finally:
            shelf.kill()
    return grown(samples, say)


def live(shelf: Victim, flow: FlowServer, seconds: float, tabs: int, say) -> list[Sample]:
    world, over = flow.world, threading.Event()
    profile_id = shelf.ask("/api/profiles", {"name": "Ada", "cookies": world.cookie_header()})["profileId"]
    looking, samples, until = Tabs(shelf.url, over), [], time.monotonic() + seconds
    with ThreadPoolExecutor(tabs) as pool:
        opened = [pool.submit(looking.look, number) for number in range(tabs)]
        try:
            while time.monotonic() < until:
                work(shelf, flow, profile_id, len(samples))
                samples.append(sample(shelf.process.pid))
                if len(samples) % 20 == 1:
                    images = shelf.state()["images"]
                    say(f"{until - time.monotonic():4.0f} s to go: {samples[-1]}; {images} images")
        finally:
            over.set()
    for tab in opened:
        tab.result()
    say(
        f"{len(samples)} rounds, {flow.count('media')} images asked for, answers to tabs: {looking.responses}"
    )
    return samples


def work(shelf: Victim, flow: FlowServer, profile_id: str, number: int) -> None:
    """One round: something new at Flow, something that goes wrong, a sync, its downloads, perhaps a paste."""
    flow.world.add_uploaded(12)
    flow.fail_next(429, retry_after=0)
    flow.drop_next("media")
    flow.fail_next(500, "history")
    shelf.ask(SYNC, {"profileId": profile_id, "mode": "new"})
    shelf.ask(BATCH, {"profileId": profile_id, "pending": True})
    if number % 5 == 4:
        cookies = {"cookies": flow.world.cookie_header()}
        shelf.ask(f"/api/profiles/{profile_id}/cookies", cookies, "PUT")


def grown(samples: list[Sample], say) -> list[str]:
    """Thirds are compared by their medians, after a quarter of the time for warming up."""
    steady = samples[len(samples) // 4 :]
    third = max(1, len(steady) // 3)
    found = []
    for field in fields(Sample):
        first, last = (
            statistics.median(getattr(one, field.name) for one in some)
            for some in (steady[:third], steady[-third:])
        )
        most = max(getattr(one, field.name) for one in steady)
        say(f"{field.name}: {first:g} at first, {last:g} in the end, {most:g} at most")
        if last - first > ALLOWANCES[field.name]:
            found.append(f"{field.name} grew from {first:g} to {last:g}")
    return found


def cli() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--tabs", type=int, default=10)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flowshelf-soak-") as folder:
        found = run(Path(folder), seconds=asked.minutes * 60, tabs=asked.tabs)
    print("\n".join(found) or "Flat.")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    cli()
