"""Scheduled quick syncs: when they start, when they must not, and what they download."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from webapp import store
from webapp.database.models import Image, Profile, Run
from webapp.database.states import Health, RunKind, RunState, ScheduleKind
from webapp.store import runs
from webapp.store.runs import schedules
from webapp.times import timestamp
from webapp.web.services import background_of


def now():
    return datetime.now(UTC)


@pytest.fixture
def shelf(work, profile_id):
    """A profile that was synced just now, and an open database connection."""
    with store.connection():
        run = work.syncs.start(profile_id)
        assert work.syncs.wait(run.id).state == RunState.DONE
        yield work


@pytest.fixture
def last_run(profile_id):
    return lambda: runs.find_last_run(profile_id, RunKind.SYNC)


@pytest.fixture
def restarted(running):
    """The next process on the same data folder; started in a thread, because this one has a connection
    open."""

    def restart():
        with ThreadPoolExecutor(1) as pool:
            return background_of(pool.submit(running).result())

    return restart


def hourly(profile_id, hours=6, downloads_new=False):
    schedules.set_schedule(profile_id, ScheduleKind.HOURLY, hours=hours, downloads_new=downloads_new)


def test_no_sync_starts_before_its_hours_after_the_last_one_are_over(shelf, profile_id, last_run):
    hourly(profile_id)
    first = last_run()
    assert shelf.schedule.start_due(now()) == 60
    shelf.schedule.start_due(now() + timedelta(hours=5, minutes=59))
    assert last_run().id == first.id


def test_the_thread_sleeps_no_longer_than_until_the_sync_is_due(shelf, profile_id):
    hourly(profile_id)
    due = schedules.next_due(schedules.get_schedule(profile_id), now())
    assert shelf.schedule.start_due(due - timedelta(seconds=20)) == pytest.approx(20)


def test_a_due_sync_starts_once(shelf, profile_id, last_run):
    hourly(profile_id)
    first, later = last_run(), now() + timedelta(hours=6, minutes=1)
    shelf.schedule.start_due(later)
    run = shelf.syncs.wait(last_run().id)
    assert run.id != first.id
    assert (run.mode, run.is_scheduled, run.state) == ("new", True, RunState.DONE)


def test_without_a_schedule_the_thread_sleeps_until_it_is_woken(shelf):
    assert shelf.schedule.start_due(now()) is None


def test_a_profile_that_was_never_synced_is_due_at_once(work, profile_id, last_run):
    with store.connection():
        hourly(profile_id)
        work.schedule.start_due(now())
        assert work.syncs.wait(last_run().id).state == RunState.DONE


def test_no_sync_starts_while_another_is_open(shelf, profile_id, flow, last_run):
    hourly(profile_id)
    with flow.holding("history") as gate:
        run = shelf.syncs.start(profile_id)
        gate.reached.wait(5)
        shelf.schedule.start_due(now() + timedelta(days=30))
        assert last_run().id == run.id
        assert not last_run().is_scheduled


@pytest.mark.parametrize("health", [Health.WAITING_FOR_COOKIES, Health.MOVED])
def test_no_sync_starts_while_the_profile_needs_a_person(shelf, profile_id, last_run, health):
    for kind in (ScheduleKind.HOURLY, ScheduleKind.AT_START):
        schedules.set_schedule(profile_id, kind, hours=1, downloads_new=False)
        Profile.update(health=health).execute()
        first = last_run()
        shelf.schedule.start_due(now() + timedelta(days=30))
        assert last_run().id == first.id


def test_a_clock_that_was_set_back_does_not_stop_the_schedule(shelf, profile_id):
    hourly(profile_id)
    Run.update(finished_at=timestamp(now() + timedelta(days=400))).execute()
    moment = now()
    assert schedules.next_due(schedules.get_schedule(profile_id), moment) == moment


def test_an_overdue_sync_starts_at_once_after_a_restart(shelf, profile_id, restarted, last_run, wait_until):
    hourly(profile_id)
    first = last_run()
    Run.update(finished_at=timestamp(now() - timedelta(hours=7))).execute()
    restarted()
    wait_until(lambda: last_run().id != first.id and last_run().state == RunState.DONE)
    assert last_run().is_scheduled


def test_a_restart_does_not_make_a_sync_due(shelf, profile_id, restarted, last_run):
    hourly(profile_id)
    first = last_run()
    again = restarted()
    again.schedule.start_due(now())
    assert last_run().id == first.id


def test_a_sync_at_each_start_starts_once_per_start(shelf, profile_id, restarted, last_run, wait_until):
    schedules.set_schedule(profile_id, ScheduleKind.AT_START, hours=6, downloads_new=False)
    first = last_run()
    shelf.schedule.start_due(now())
    assert last_run().id == first.id
    again = restarted()
    wait_until(lambda: last_run().id != first.id and last_run().state == RunState.DONE)
    second = last_run()
    again.schedule.start_due(now())
    assert last_run().id == second.id


def test_only_the_images_that_a_scheduled_sync_stored_are_downloaded(
    shelf, profile_id, world, last_run, wait_until
):
    hourly(profile_id, downloads_new=True)
    new = world.add_generated(3)
    shelf.schedule.start_due(now() + timedelta(hours=7))
    shelf.syncs.wait(last_run().id)
    run = runs.find_last_run(profile_id, RunKind.DOWNLOAD)
    shelf.downloads.wait_for_run(run.id)
    here = {image.name for image in Image.select().where(Image.local_path.is_null(False))}
    assert here == set(new)


def test_a_scheduled_sync_without_downloads_downloads_nothing(shelf, profile_id, world, last_run):
    hourly(profile_id)
    world.add_generated(3)
    shelf.schedule.start_due(now() + timedelta(hours=7))
    assert shelf.syncs.wait(last_run().id).synced_count == 3
    assert runs.find_last_run(profile_id, RunKind.DOWNLOAD) is None


def test_the_thread_starts_what_a_person_has_just_scheduled(shelf, profile_id, client, last_run, wait_until):
    first = last_run()
    Run.update(finished_at=timestamp(now() - timedelta(hours=3))).execute()
    form = {"kind": "hourly", "hours": "2", "downloads_new": "yes"}
    response = client.post(f"/profiles/{profile_id}/schedule", data=form)
    assert response.status_code == 303
    wait_until(lambda: last_run().id != first.id and last_run().state == RunState.DONE)
    page = client.get(f"/profiles/{profile_id}").text
    assert "Automatic sync: every 2 hours, then new images are downloaded. Next sync: in" in page
    assert "Next sync: in" in client.get("/activity").text


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"kind": "always"},
        {"kind": "hourly", "hours": "0"},
        {"kind": "hourly", "hours": "-3"},
        {"kind": "hourly", "hours": "999999999999"},
    ],
)
def test_an_invalid_schedule_is_refused(profile_id, client, form):
    assert client.post(f"/profiles/{profile_id}/schedule", data=form).status_code == 400


def test_stopping_does_not_wait_for_the_next_sync(shelf, profile_id):
    hourly(profile_id, hours=700)
    shelf.schedule.wake()
    shelf.stop()
    assert not shelf.schedule._thread.is_alive()


def test_removing_a_profile_removes_its_schedule(shelf, profile_id):
    hourly(profile_id)
    shelf.remove_profile(profile_id)
    assert schedules.list_schedules(ScheduleKind.HOURLY) == []
