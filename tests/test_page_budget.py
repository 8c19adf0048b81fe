"""The rate limit for history pages: the first are immediate, later ones wait, a 429 empties the bucket."""

import threading
import time
from collections.abc import Iterator

import pytest

from webapp import store
from webapp.database.states import RunState
from webapp.demo import FlowServer, World
from webapp.sources.page_budget import SIZE, PageBudget
from webapp.sources.throttle import Stopped
from webapp.web.services import background_of

NEVER = threading.Event()


class Clock:
    """A clock that a test or a wait advances."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Waiting:
    """An event that is never set; a wait is recorded and advances the clock."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.waits = clock, []

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.clock.seconds += seconds
        return False


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def waiting(clock: Clock) -> Waiting:
    return Waiting(clock)


def test_the_first_ten_pages_are_immediate_and_later_ones_wait_for_the_delay(clock, waiting):
    budget = PageBudget(2.0, clock)
    for _ in range(SIZE + 20):
        budget.take(waiting)
    assert waiting.waits[:SIZE] == [0.0] * SIZE
    # A wait that was a quarter too short is made up for by the next: debts lie between 2/3 and 4/3 tokens.
    assert all(2 / 3 * 1.5 <= seconds <= 4 / 3 * 2.5 for seconds in waiting.waits[SIZE:])
    assert 34 <= clock.seconds <= 46


def test_the_delay_is_measured_from_request_to_request(clock, waiting):
    budget = PageBudget(2.0, clock)
    for _ in range(SIZE + 20):
        budget.take(waiting)
        clock.seconds += 2.0  # a slow response
    assert waiting.waits == [0.0] * (SIZE + 20)


def test_an_unused_bucket_is_full_and_does_not_overflow(clock, waiting):
    budget = PageBudget(1.0, clock)
    clock.seconds += 1_000_000
    for _ in range(SIZE + 1):
        budget.take(waiting)
    assert waiting.waits[:SIZE] == [0.0] * SIZE
    assert waiting.waits[SIZE] > 0


def test_after_slow_down_the_next_page_waits(clock, waiting):
    budget = PageBudget(2.0, clock)
    budget.drain()
    budget.take(waiting)
    assert 1.5 <= waiting.waits[0] <= 2.5


def test_without_a_delay_no_page_waits(clock, waiting):
    budget = PageBudget(0.0, clock)
    budget.drain()
    for _ in range(1000):
        budget.take(waiting)
    assert set(waiting.waits) == {0.0}


def test_a_thread_that_waits_for_a_page_stops_at_once():
    budget, stopping = PageBudget(60.0), threading.Event()
    budget.drain()
    threading.Timer(0.05, stopping.set).start()
    began = time.monotonic()
    with pytest.raises(Stopped):
        budget.take(stopping)
    assert time.monotonic() - began < 5


@pytest.fixture
def slow_flow() -> Iterator[FlowServer]:
    """A hundred images in pages of eighteen, each page after 0.3 seconds."""
    with FlowServer(World(uploaded=100, tiny_pictures=True), latency_seconds={"history": 0.3}) as flow:
        yield flow


def test_a_sync_of_a_hundred_images_takes_no_longer_than_its_requests(running, slow_flow):
    urls = {"labs_url": slow_flow.url, "media_url": slow_flow.url, "flow_url": slow_flow.url}
    work = background_of(running(page_delay_seconds=1.0, **urls))
    with store.connection():
        profile_id = work.accounts.add("Ada", slow_flow.world.cookie_header()).id
        began = time.monotonic()
        run = work.syncs.wait(work.syncs.start(profile_id, histories=("ASSET_MANAGER",)).id)
    assert (run.state, run.synced_count) == (RunState.DONE, 100)
    assert time.monotonic() - began < 2.5 + 0.6  # six pages of 0.3 s, and a reserve for a busy machine
