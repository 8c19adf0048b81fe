"""A server that runs for a long time: a full queue when it ends, clocks that jump, and laptops that sleep."""

import contextlib
import signal
import socket
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from test_process import BATCH, SYNC, Shelf

from webapp import store, times
from webapp.database.models import Run
from webapp.database.states import RunKind, RunState, ScheduleKind
from webapp.demo import FlowServer, World
from webapp.store import runs
from webapp.store.runs import schedules

MANY = 10_000


@pytest.fixture
def crowded(config):
    """A server with a profile of ten thousand images, and its simulated Flow."""
    world = World(uploaded=MANY, tiny_pictures=True)
    with FlowServer(world) as flow:
        shelf = Shelf(replace(config, labs_url=flow.url, media_url=flow.url))
        shelf._environ["FLOWSHELF_PAGE_SIZE"] = "1000"
        shelf.serve()
        profile_id = shelf.ask("/api/profiles", {"name": "Ada", "cookies": world.cookie_header()})[
            "profileId"
        ]
        assert shelf.ask(SYNC, {"profileId": profile_id})["synced"] == MANY
        yield shelf, profile_id, flow
        if shelf.process.poll() is None:
            shelf.kill()


@pytest.mark.proof
def test_with_ten_thousand_queued_downloads_a_server_ends_within_three_seconds_and_continues_later(
    crowded, wait_until
):
    shelf, profile_id, flow = crowded
    with flow.holding("media", at=20) as gate:
        run_id = shelf.ask(BATCH, {"profileId": profile_id, "pending": True, "wait": False})["runId"]
        assert gate.reached.wait(20)
        code, seconds = shelf.kill(signal.SIGTERM)
    assert (code, seconds < 3) == (0, True)
    before = flow.count("media")
    shelf.serve()
    wait_until(lambda: flow.count("media") > before + 50)
    code, seconds = shelf.kill(signal.SIGTERM)
    assert (code, seconds < 3) == (0, True)
    with contextlib.closing(sqlite3.connect(shelf.data_dir / "flowshelf.sqlite3")) as database:
        downloads = database.execute(
            "SELECT state, count(*) FROM download WHERE run_id = ? GROUP BY state", [run_id]
        )
        counts = dict(downloads.fetchall())
    assert sum(counts.values()) == MANY
    assert "failed" not in counts


@pytest.fixture
def hourly(work, profile_id):
    with store.connection():
        schedules.set_schedule(profile_id, ScheduleKind.HOURLY, hours=1, downloads_new=False)
        work.syncs.wait(work.syncs.start(profile_id).id)
        yield schedules.get_schedule(profile_id)


def ended(run, moment):
    Run.update(started_at=times.timestamp(moment), finished_at=times.timestamp(moment)).where(
        Run.id == run.id
    ).execute()


@pytest.mark.parametrize("hours", [0.5, 5, 24 * 365 * 30])
def test_a_clock_that_was_set_back_causes_one_early_sync_and_not_one_a_minute(
    work, profile_id, hourly, hours
):
    moment = datetime.now(UTC)
    ended(runs.find_last_run(profile_id, RunKind.SYNC), moment + timedelta(hours=hours))
    assert schedules.next_due(hourly, moment) == moment
    work.schedule.start_due(moment)
    early = runs.find_last_run(profile_id, RunKind.SYNC)
    work.syncs.wait(early.id)
    assert early.is_scheduled
    later = datetime.now(UTC) + timedelta(minutes=5)
    assert schedules.next_due(hourly, later) > later + timedelta(minutes=50)


def test_a_clock_that_jumps_ahead_causes_one_sync(work, profile_id, hourly):
    jumped = datetime.now(UTC) + timedelta(days=3)
    assert schedules.next_due(hourly, jumped) <= jumped
    work.schedule.start_due(jumped)
    run = runs.find_last_run(profile_id, RunKind.SYNC)
    assert work.syncs.wait(run.id).is_scheduled
    ended(run, jumped)
    assert schedules.next_due(hourly, jumped) == jumped + timedelta(hours=1)


def test_after_the_clock_was_set_back_the_newest_run_is_still_the_newest(work, profile_id):
    with store.connection():
        first = work.syncs.wait(work.syncs.start(profile_id).id)
        ended(first, datetime.now(UTC) + timedelta(days=1))
        second = work.syncs.wait(work.syncs.start(profile_id).id)
        assert runs.find_last_run(profile_id, RunKind.SYNC).id == second.id
        assert runs.find_last_sync_in(profile_id, "PINHOLE").id == second.id


def test_pages_can_show_runs_that_ended_before_they_began(work, client, profile_id):
    with store.connection():
        run = work.syncs.wait(work.syncs.start(profile_id).id)
        Run.update(started_at=times.timestamp(datetime.now(UTC) + timedelta(days=2))).where(
            Run.id == run.id
        ).execute()
        for path in ("/", "/activity", f"/runs/{run.id}", "/overview"):
            assert client.get(path).status_code in (200, 404)


@pytest.mark.parametrize("days", [-400, 400])
def test_a_token_whose_expiry_is_wrong_after_a_jump_of_the_clock_is_used_or_renewed(
    work, profile_id, world, days
):
    """The clocks of the service and of this machine are `days` apart. An expiry in the past is ignored, and
    one in the far future does no harm."""
    world._ahead = timedelta(days=days)
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id).id)
        run = work.downloads.request_pending(profile_id, limit=5)
        run = work.downloads.wait_for_run(run.id)
        assert (run.state, run.done_count, run.failed_count) == (RunState.DONE, 5, 0)


def test_connections_that_broke_while_a_laptop_slept_are_opened_again(work, profile_id, flow):
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id).id)
        work.downloads.wait_for_run(work.downloads.request_pending(profile_id, limit=6).id)
        for open_socket in list(flow._http._open):
            with contextlib.suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)
        run = work.downloads.wait_for_run(work.downloads.request_pending(profile_id, limit=20).id)
        assert (run.state, run.failed_count) == (RunState.DONE, 0)
