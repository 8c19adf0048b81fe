"""Latency hidden: a service that takes a second for each image, and one that bears only four at once."""

from collections.abc import Iterator

from tests.benchmarks.measuring import Row, Scale, at_most
from tests.benchmarks.working import download, sync, working
from webapp.demo import FlowServer, World

WORKERS = 8
SECONDS = 1.0
MAX_AT_ONCE = 4
CALM = (0.25, 0.5, 1.0, 2.0)


def measure(scale: Scale) -> Iterator[Row]:
    yield at_most("18 images, 1 s each, 8 workers", seconds_for(18), "s", 3.6)
    yield at_most("100 images, 1 s each, 8 workers", seconds_for(scale.of(100, 24)), "s", 15)
    count = scale.of(60, 12)
    best = count / MAX_AT_ONCE * SECONDS
    what = f"{count} images, 1 s each, 429 above {MAX_AT_ONCE} at once, by the best possible ({best:.0f} s)"
    yield at_most(what, seconds_for(count, limited=True) / best, "x", 1.3)


def seconds_for(count: int, *, limited: bool = False) -> float:
    world = World(uploaded=count, tiny_pictures=True)
    with FlowServer(world) as flow:
        cookies = world.cookie_header()
        with working(flow.url, cookies, download_workers=WORKERS, retry_pauses_seconds=CALM) as opened:
            sync(*opened)
            flow.latency_seconds = {"media": SECONDS}
            if limited:
                flow.limit_parallel("media", MAX_AT_ONCE)
            return download(*opened)
