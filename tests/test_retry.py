"""Retry policy and throttle: the threads of a profile slow down, pause and recover together."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from email.utils import formatdate
from itertools import pairwise

import pytest

from webapp import store
from webapp.cli.api_client import LocalClient
from webapp.cli.progress import describe_sync, follow
from webapp.database.models import Download
from webapp.database.states import DownloadState, RunKind, RunState
from webapp.errors import FlowUnavailable, GoneUpstream, SlowDown, SourceClosed
from webapp.sources.retry import RetryPolicy
from webapp.sources.throttle import FAILURES_UNTIL_OPEN, Stopped
from webapp.store import runs
from webapp.store.gallery import images
from webapp.store.runs import downloads
from webapp.web.services import background_of

NEVER = threading.Event()
MAX_PAUSE, RECOVERY_SECONDS = 0.125, 0.5


class Clock:
    """A clock that a test advances."""

    def __init__(self):
        self.seconds = 1000.0

    def __call__(self):
        return self.seconds


class Service:
    """Accepts `max_active` requests at once, refuses more, and responds to none until `release`."""

    def __init__(self, max_active):
        self.max_active, self.active, self.highest = max_active, 0, 0
        self.changed = threading.Condition()
        self.is_released = False

    def ask(self):
        with self.changed:
            if self.active >= self.max_active:
                raise SlowDown("too many", 0.0)
            self.active += 1
            self.highest = max(self.highest, self.active)
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.is_released, 10)
            self.active -= 1

    def release(self):
        with self.changed:
            self.is_released = True
            self.changed.notify_all()

    def reached(self, active):
        with self.changed:
            return self.changed.wait_for(lambda: self.active == active, 5)


@pytest.fixture
def shelf(running, flow, world):
    """Starts an app with the given settings and a profile with 70 synced images; the database stays open."""
    with ExitStack() as opened:

        def shelf(**settings):
            work = background_of(running(**settings))
            opened.enter_context(store.connection())
            profile = work.accounts.add("Ada", world.cookie_header())
            work.syncs.wait(work.syncs.start(profile.id).id)
            flow.reset()
            return work, profile.id

        yield shelf


def fail(error):
    def call():
        raise error

    return call


@pytest.mark.proof
def test_a_server_that_allows_four_requests_at_once_is_used_to_its_capacity(shelf, flow):
    work, profile_id = shelf(download_workers=8, retry_pauses_seconds=(1.0, 2.0, 4.0, 8.0))
    work.downloads.wait_for_run(work.downloads.request_pending(profile_id, limit=1).id)  # signed in by now
    flow.reset()
    flow.latency_seconds = {"media": 1.0}
    flow.limit_parallel("media", 4)
    began = time.monotonic()
    run = work.downloads.wait_for_run(work.downloads.request_pending(profile_id, limit=18).id)
    seconds = time.monotonic() - began
    assert (run.state, run.done_count) == (RunState.DONE, 18)
    assert seconds < 1.3 * 5
    assert flow.count("media") <= 18 + 4


def test_concurrency_falls_to_what_the_service_accepted_and_grows_again():
    clock, service = Clock(), Service(2)
    retry = RetryPolicy((0.0, 0.0, MAX_PAUSE), clock)
    with ThreadPoolExecutor(5) as pool:
        asked = [pool.submit(retry.call, service.ask, NEVER) for _ in range(5)]
        assert service.reached(2)
        service.max_active = 5
        for count in (3, 4):
            clock.seconds += RECOVERY_SECONDS
            assert service.reached(count)
        clock.seconds += RECOVERY_SECONDS
        assert service.reached(5)
        service.release()
        for each in asked:
            each.result(5)


@pytest.mark.parametrize("form", [str, lambda seconds: formatdate(time.time() + seconds, usegmt=True)])
def test_all_threads_obey_retry_after_in_seconds_and_as_a_date(shelf, flow, form):
    work, profile_id = shelf(download_workers=4)
    flow.fail_next(503, retry_after=form(3))  # a date has whole seconds: up to one less
    run = work.downloads.request_pending(profile_id, limit=10)
    assert work.downloads.wait_for_run(run.id).state == RunState.DONE
    asked = [request.at - flow.log[0].at for request in flow.asked("media")]
    assert len([moment for moment in asked if moment > 0.9]) >= 7


def test_while_the_service_is_down_single_probes_are_sent_and_no_image_fails(shelf, flow, wait_until):
    work, profile_id = shelf()
    with flow.holding("media", at=1) as gate:
        run = work.downloads.request_pending(profile_id)
        assert gate.reached.wait(5)
        flow.fail_next(500, count=100_000)
        gate.release()
    wait_until(lambda: (cooldown := work.connections.cooldown(profile_id)) and cooldown.reason)
    with pytest.raises(FlowUnavailable, match="goes on by itself"):
        work.downloads.wait_for_run(run.id)
    before = flow.count("media")
    wait_until(lambda: flow.count("media") > before + 16)
    probes = [request.path for request in flow.asked("media")[before:]]
    # Each image is tried once before any is tried again, except those that were under way before.
    assert len(set(probes)) >= len(probes) - work.downloads._config.download_workers
    assert runs.get_run(run.id).failed_count == 0
    flow.reset()
    wait_until(lambda: runs.get_run(run.id).state == RunState.DONE)
    assert (runs.get_run(run.id).done_count, flow.violations) == (70, [])
    assert work.connections.cooldown(profile_id) is None


def test_an_image_that_never_succeeds_fails_after_all_others_are_downloaded(
    shelf, flow, world, wait_until, monkeypatch
):
    work, profile_id = shelf(retry_pauses_seconds=(0.01, 0.01))
    broken = world.names()[3]
    response = flow.service.response
    monkeypatch.setattr(
        flow.service,
        "response",
        lambda request, first_page: (
            fail(ValueError("broken"))() if request.path.endswith(broken) else response(request, first_page)
        ),
    )
    run = work.downloads.request_pending(profile_id)
    wait_until(lambda: runs.get_run(run.id).state == RunState.DONE)
    run = runs.get_run(run.id)
    assert (run.done_count, run.failed_count) == (69, 1)
    (image,) = downloads.list_outcomes(images.find_ids(profile_id, [broken]).values())
    assert (image.latest_download.error_code, image.latest_download.is_permanent) == (
        "flow_unavailable",
        False,
    )
    flow._journal.clear()  # the exception in the simulated Flow was intended


def test_concurrent_failures_count_as_one():
    retry, barrier = RetryPolicy((0.0,)), threading.Barrier(8)

    def call():
        barrier.wait(5)
        raise FlowUnavailable("away")

    with ThreadPoolExecutor(8) as pool:
        for each in [pool.submit(retry.call, call, NEVER) for _ in range(8)]:
            assert isinstance(each.exception(10), FlowUnavailable)
    assert retry.cooldown() is None


def test_any_response_closes_the_circuit():
    clock = Clock()
    retry = RetryPolicy((0.0, 0.0, 0.0, MAX_PAUSE), clock)
    with pytest.raises(FlowUnavailable):
        retry.call(fail(FlowUnavailable("no answer at all")), NEVER)
    cooldown = retry.cooldown()
    assert cooldown.reason == "no answer at all"
    assert 0.75 * RECOVERY_SECONDS <= cooldown.seconds <= 1.25 * RECOVERY_SECONDS
    clock.seconds += cooldown.seconds
    with pytest.raises(GoneUpstream):
        retry.call(fail(GoneUpstream("deleted")), NEVER)
    assert retry.cooldown() is None


def test_each_failed_probe_doubles_the_cooldown_up_to_a_maximum_and_retry_after_counts_if_longer():
    clock = Clock()
    retry = RetryPolicy((0.0, 0.0, 0.0, MAX_PAUSE), clock)
    cooldowns = []
    for error in [FlowUnavailable("away")] * 5 + [SlowDown("away", 3000.0)]:
        with pytest.raises(FlowUnavailable):
            retry.call(fail(error), NEVER)
        cooldowns.append(retry.cooldown().seconds)
        clock.seconds += cooldowns[-1]
    expected = [RECOVERY_SECONDS * factor for factor in (1, 2, 4, 4, 4)]
    assert all(0.75 * e <= got <= 1.25 * e for got, e in zip(cooldowns, expected, strict=False))
    assert cooldowns[5] == 3000.0


def test_pauses_grow_and_are_jittered():
    asked = []

    def call():
        asked.append(time.monotonic())
        raise FlowUnavailable("away")

    for _ in range(2):
        with pytest.raises(FlowUnavailable):
            RetryPolicy((0.04, 0.08, 0.16)).call(call, NEVER)
    pauses = [later - earlier for earlier, later in pairwise(asked)]
    for pause, expected in zip(pauses[:3] + pauses[4:], (0.04, 0.08, 0.16) * 2, strict=True):
        assert pause >= 0.75 * expected
    assert pauses[0] != pauses[4]


def test_a_call_to_a_closed_source_is_not_retried_and_does_not_count_as_a_failure():
    retry, asked = RetryPolicy((0.0,) * FAILURES_UNTIL_OPEN), []

    def call():
        asked.append(1)
        raise SourceClosed("other cookies came")

    with pytest.raises(SourceClosed):
        retry.call(call, NEVER)
    assert len(asked) == 1


def test_a_thread_that_waits_for_a_permit_stops_at_once():
    clock, stop = Clock(), threading.Event()
    retry = RetryPolicy((0.0, 0.0, 0.0, MAX_PAUSE), clock)
    with pytest.raises(FlowUnavailable):
        retry.call(fail(FlowUnavailable("away")), NEVER)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(retry.call, lambda: "answer", stop)
        stop.set()
        assert isinstance(waiting.exception(5), Stopped)
    clock.seconds += 100
    assert retry.call(lambda: "answer", NEVER) == "answer"


def test_a_run_is_paused_at_once_during_a_cooldown_and_keeps_its_downloads(shelf, flow, wait_until):
    work, profile_id = shelf(retry_pauses_seconds=(0.0, 0.0, 0.0, 15.0))
    flow.fail_next(503, count=1000)
    run = work.downloads.request_pending(profile_id)
    wait_until(lambda: work.connections.cooldown(profile_id))
    work.downloads.pause(profile_id)
    wait_until(lambda: not Download.select().where(Download.state == DownloadState.RUNNING).exists())
    assert (runs.get_run(run.id).state, downloads.count_left(run.id)) == (RunState.PAUSED, 70)


def test_the_panels_show_the_next_try_and_the_reason(running, world, flow, wait_until):
    app = running(retry_pauses_seconds=(0.0, 0.0, 0.0, 1.0))
    work = background_of(app)
    with store.connection():
        profile_id = work.accounts.add("Ada", world.cookie_header()).id
        flow.fail_next(500, kind="history", count=1000)
        work.syncs.start(profile_id)
        wait_until(lambda: (cooldown := work.connections.cooldown(profile_id)) and cooldown.reason)
    page = app.test_client().get("/status").text
    assert "<strong>Flow does not respond.</strong> Flowshelf tries again by itself; next attempt in" in page
    assert "reported an internal error (500)" in page


def test_the_api_and_the_terminal_report_that_a_run_waits_for_flow_and_the_run_continues(
    running, world, flow, wait_until
):
    app = running(retry_pauses_seconds=(0.0, 0.0, 0.0, 1.0))
    work = background_of(app)
    with store.connection():
        profile_id = work.accounts.add("Ada", world.cookie_header()).id
    flow.fail_next(500, kind="history", count=1000)
    asked = {"profileId": profile_id}
    response = app.test_client().post("/api/image-veo3/sync-metadata", json=asked)
    assert (response.status_code, response.json["code"]) == (503, "flow_unavailable")
    with store.connection():
        run_id = runs.find_open_run(profile_id, RunKind.SYNC).id
    client = LocalClient(app)
    with pytest.raises(FlowUnavailable, match="goes on by itself"):
        follow(client, client.get_sync_run, run_id, describe_sync, quiet=True)
    flow.reset()
    cooldown, began = work.connections.cooldown(profile_id).seconds, time.monotonic()
    shelf = LocalClient(app)
    shelf.request("PUT", f"/api/profiles/{profile_id}/cookies", {"cookies": world.cookie_header()})
    wait_until(lambda: shelf.get_sync_run(run_id)["state"] == "done")
    assert time.monotonic() - began < cooldown, "accepted cookies show that Flow is back: the run resumes"


def test_downloads_obey_a_retry_after_that_the_sync_received(shelf, flow, wait_until):
    work, profile_id = shelf()
    flow.fail_next(429, kind="history", retry_after=2)
    sync = work.syncs.start(profile_id)
    wait_until(lambda: work.connections.cooldown(profile_id))
    run = work.downloads.request_pending(profile_id, limit=3)
    assert work.downloads.wait_for_run(run.id).done_count == 3
    assert work.syncs.wait(sync.id).state == RunState.DONE
    (refused, *_), (first, *_) = flow.asked("history"), flow.asked("media")
    assert first.at - refused.at > 1.5


def test_a_caller_waits_while_a_probe_is_under_way(shelf, flow, wait_until):
    work, profile_id = shelf()
    flow.fail_next(500, kind="history", count=5)
    with flow.holding("history", at=6) as gate:
        run = work.syncs.start(profile_id)
        assert gate.reached.wait(5)
        assert work.connections.cooldown(profile_id).reason
        work.connections.require_available(profile_id)  # raises nothing while a probe is under way
        gate.release()
    wait_until(lambda: runs.get_run(run.id).state == RunState.DONE)
    assert work.syncs.wait(run.id).state == RunState.DONE
