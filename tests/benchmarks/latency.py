"""Hidden latency: a service that takes half a second per history page and a second per image, and one that
refuses more than four images at once."""

from collections.abc import Iterator
from math import ceil

from webapp.demo import FlowServer, World

from .measuring import Row, seconds_of
from .phases import download_seconds, opened, sync

WORKERS, MAX_PARALLEL = 8, 4
PAGE_SECONDS, USUAL_PAUSE_SECONDS = 0.5, 1.0
RETRY_PAUSES = (0.25, 0.5, 1.0, 2.0)
IDEAL = "every permitted connection always busy"


def measure(quick: bool) -> Iterator[Row]:
    for count, target in ((18, "<= 1 s"), (100, "<= 10 s")):
        what = f"metadata of {count} images, {PAGE_SECONDS} s a page, the usual pauses"
        yield Row(what, sync_seconds(count), "s", target)
    for count, target in ((18, "<= 3.6 s"), (24 if quick else 100, "<= 15 s")):
        what = f"{count} images, 1 s each, {WORKERS} workers"
        yield Row(what, seconds_for(count), "s", target, IDEAL, ceil(count / WORKERS))
    count = 12 if quick else 60
    what = f"{count} images, 1 s each, 429 above {MAX_PARALLEL} at once"
    yield Row(what, seconds_for(count, limited=True), "s", "<= 1.3x", IDEAL, ceil(count / MAX_PARALLEL))


def sync_seconds(count: int) -> float:
    with (
        FlowServer(
            World(uploaded=count, tiny_pictures=True), latency_seconds={"history": PAGE_SECONDS}
        ) as flow,
        opened(flow.url, flow.world.cookie_header(), page_delay_seconds=USUAL_PAUSE_SECONDS) as shelf,
    ):
        return seconds_of(lambda: sync(*shelf))


def seconds_for(count: int, *, limited: bool = False) -> float:
    settings = {"download_workers": WORKERS, "retry_pauses_seconds": RETRY_PAUSES}
    with (
        FlowServer(World(uploaded=count, tiny_pictures=True)) as flow,
        opened(flow.url, flow.world.cookie_header(), **settings) as shelf,
    ):
        sync(*shelf)
        flow.latency_seconds = {"media": 1.0}
        if limited:
            flow.limit_parallel("media", MAX_PARALLEL)
        return download_seconds(*shelf)
