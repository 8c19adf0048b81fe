"""Sync runs of flow.google.com: which projects are read again, failures, cooldowns, and what is marked as
gone."""

import re
import threading
from datetime import UTC, datetime, timedelta

import pytest
from bs4 import BeautifulSoup

from webapp import store
from webapp.database.models import Image, Profile, Project
from webapp.database.states import RunState, SyncMode
from webapp.demo import World
from webapp.demo.entries import Kind
from webapp.demo.faults import NO_FAULT, Fault
from webapp.demo.flow_google.frames import call_error, transport_error
from webapp.demo.flow_google.records import Shown, record
from webapp.errors import UnusualActivity
from webapp.sources.flow_google import PROJECTS
from webapp.sources.retry import RetryPolicy
from webapp.store import profiles, runs
from webapp.store.history import projects, walks
from webapp.store.history.projects import QUICK_FAILED, QUICK_IN_TURN, QUICK_RECENT
from webapp.sync.missing import answer_question
from webapp.times import timestamp
from webapp.web.services import background_of


@pytest.fixture
def world() -> World:
    """An account that has moved. Its images are a day old, so that new ones are newer."""
    world = World(generated=40, videos=2, tiny_pictures=True, now=datetime.now(UTC) - timedelta(days=1))
    world.projects.page_size = 4
    world.migrate()
    return world


@pytest.fixture
def profile_id(work, world):
    with store.connection():
        return work.accounts.add("Grace", world.google.cookie_header()).id


@pytest.fixture
def sync(work, profile_id, flow):
    """Syncs and waits; returns the run as it ended and how many projects were requested."""

    def sync(mode=SyncMode.NEW, **request):
        flow.reset()
        run = work.syncs.wait(work.syncs.start(profile_id, mode=mode, **request).id)
        return run, flow.count("project")

    with store.connection():
        yield sync


def keys():
    return {image.media_key for image in Image.select()}


def gone():
    return {image.media_key for image in Image.select().where(Image.gone_upstream_at.is_null(False))}


def true_keys(world):
    names = world.names("ASSET_MANAGER", Kind.UPLOADED) + world.names("PINHOLE", Kind.GENERATED)
    return {world.entry(name).media_key for name in names}


def keys_in(world, project_id):
    return {
        entry.media_key for entry in world.entries_in(project_id) if entry.kind in ("uploaded", "generated")
    }


def small_project(world):
    """A project with one to three images, fewer than a tenth of all."""
    return next(each for each in reversed(world.projects.ids()) if 0 < len(keys_in(world, each)) <= 3)


def test_a_first_sync_reads_every_project_and_stores_its_title(sync, world, profile_id):
    run, read_count = sync()
    ids = world.projects.ids()
    assert (run.state, read_count, run.page_count) == (RunState.DONE, len(ids), len(ids))
    assert keys() == true_keys(world)
    assert walks.list_gaps(profile_id) == []
    titles = {project.remote_id: project.title for project in projects.list_projects(profile_id)}
    assert titles == {each: world.projects.find(each).title for each in ids}


def test_a_quick_sync_of_few_projects_reads_them_all(sync, world):
    sync()
    world.add_generated(2, project_id=world.projects.ids()[-1])
    run, read_count = sync()
    assert (run.state, run.synced_count, read_count) == (RunState.DONE, 2, len(world.projects.ids()))
    assert keys() == true_keys(world)


def test_a_full_sync_reads_every_project_and_takes_over_new_titles(sync, world, profile_id):
    sync()
    renamed = world.projects.ids()[3]
    world.projects.rename(renamed, "Another title")
    assert sync(SyncMode.FULL)[1] == len(world.projects.ids())
    assert projects.find_title(profile_id, renamed) == "Another title"


@pytest.fixture
def many(world):
    """More projects than a quick sync reads. Each of the newest five has an image."""
    for _ in range(40):
        world.add_project("One of many")
    world.projects.page_size = 20
    for project_id in world.projects.ids()[:5]:
        world.add_generated(project_id=project_id)
    return world.projects.ids()


def requested_projects(flow):
    """The ids of the requested projects, in order."""
    return [re.search(rb"projects%2F([\w-]+)", request.body)[1].decode() for request in flow.asked("project")]


def test_a_quick_sync_reads_new_and_active_projects_and_thirty_others_in_turn(sync, world, flow, many):
    assert sync()[1] == len(many)
    new = world.add_project("New")
    _, read_count = sync()
    requested = requested_projects(flow)
    assert (read_count, requested[0]) == (1 + QUICK_RECENT + QUICK_IN_TURN, new)
    assert set(many[:5]) <= set(requested)
    seen = set(requested)
    for _ in range(-(-len(many) // QUICK_IN_TURN)):
        assert sync()[1] <= QUICK_RECENT + QUICK_IN_TURN
        seen |= set(requested_projects(flow))
    assert seen == set(world.projects.ids())


def test_an_image_in_an_inactive_project_arrives_when_its_turn_comes(sync, world, many):
    sync()
    world.add_generated(project_id=many[-1])
    for _ in range(-(-len(many) // QUICK_IN_TURN)):
        sync()
    assert keys() == true_keys(world)


def test_an_interrupted_quick_sync_resumes_with_the_projects_that_it_had_chosen(
    work, sync, world, flow, profile_id, many
):
    sync()
    for _ in range(3):
        world.add_project("New")
    first, read_before = sync(max_pages=5)
    assert (first.state, read_before) == (RunState.DONE, 5)
    assert sync(SyncMode.RESUME)[1] == 3 + QUICK_RECENT + QUICK_IN_TURN - 5


def test_a_quick_sync_paused_at_its_head_is_resumed_as_a_quick_one(
    work, sync, flow, profile_id, many, wait_until
):
    sync()
    with flow.holding("projects") as gate:
        run = work.syncs.start(profile_id)
        assert gate.reached.wait(5)
        work.syncs.pause(profile_id)
        gate.release()
        wait_until(lambda: not work.syncs.has_thread(run.id))
    assert sync(SyncMode.RESUME)[1] == QUICK_RECENT + QUICK_IN_TURN


def test_an_ingredient_only_fills_in_values_that_are_missing(sync, world, profile_id):
    home, shows = world.projects.ids()[-1], world.add_project("Shows a reference")
    name = world.entries_in(home)[0].name
    world.change(name, is_archived=True, title="Its own title")
    world.add_ingredient(shows, name)
    run, _ = sync()
    entry = world.entry(name)
    image = Image.get(Image.media_key == entry.media_key)
    assert (image.project_id, image.title, image.is_archived) == (home, "Its own title", True)
    assert run.synced_count == len(true_keys(world))
    assert run.skipped_count == 0, "an image counts once, however many projects show it"
    sync()
    image = Image.get(Image.media_key == entry.media_key)
    assert (image.project_id, image.title, image.is_archived) == (home, "Its own title", True)


def test_an_ingredient_of_an_unlisted_project_is_stored_and_its_project_is_not_requested(
    sync, world, flow, profile_id
):
    key = world.add_archived_ingredient(world.projects.ids()[0], "Old logo")
    sync(SyncMode.FULL)
    image = Image.get(Image.media_key == key)
    assert (image.project_id, image.title, image.kind) == (world.archive_id, "Old logo", "uploaded")
    assert world.archive_id not in requested_projects(flow)
    assert gone() == set()


def test_ignored_records_are_counted_by_reason(sync, world, client):
    first = world.projects.ids()[0]
    names = world.names("PINHOLE", Kind.GENERATED)
    for name, state in zip(names, (2, 6, 4), strict=False):
        world.change(name, state=state)
    world.add_voice(first)
    world.odd_record(first, ["odd"])
    run, _ = sync()
    counts = client.get(f"/api/runs/{run.id}").json["data"]["counts"]
    assert counts["ignoredByReason"] == {
        "video": 2,
        "sound": 1,
        "not_ready": 2,
        "failed": 1,
        "unrecognised": 1,
    }
    assert counts["ignored"] == sum(counts["ignoredByReason"].values())
    page = BeautifulSoup(client.get("/status").text, "html.parser")
    assert "2 videos, 1 sound, 2 unfinished images, 1 image that failed in Flow, 1 unrecognised entry" in (
        " ".join(page.text.split())
    )


# Projects that cannot be read


@pytest.mark.parametrize("code", [3, 5, 7, 9, 13, 99])
def test_a_refused_project_is_reported_passed_over_and_tried_again(sync, world, code):
    refused, ids = small_project(world), world.projects.ids()
    world.refuse_project(refused, code, "PUBLIC_ERROR_MADE_UP")
    run, _ = sync()
    assert run.state == RunState.DONE
    assert keys() == true_keys(world) - keys_in(world, refused)
    assert run.note.startswith(f"1 of {len(ids)} projects could not be read (")
    assert Project.get(Project.remote_id == refused).read_at is None
    world.allow_project(refused)
    run, _ = sync()
    assert (run.note, keys()) == (None, true_keys(world))


def test_a_project_without_a_response_is_passed_over_while_the_service_responds(sync, world, flow):
    refused = small_project(world)

    def drop(request):
        is_it = request.kind == "project" and refused.encode() in request.body
        return Fault(drop=True) if is_it else NO_FAULT

    flow.leave_faults_to(drop)
    flow.reset = flow._journal.clear
    run, _ = sync()
    assert (run.state, keys()) == (RunState.DONE, true_keys(world) - keys_in(world, refused))
    assert "(no answer)" in run.note


def test_a_listing_page_that_keeps_failing_is_retried_with_pauses(work, profile_id, world, flow, wait_until):
    def fail_behind_the_head(request):
        is_it = request.kind == "projects" and b"%2C20%2Cnull%2C" not in request.body
        return Fault(call_error("projects", 13)) if is_it else NO_FAULT

    flow.leave_faults_to(fail_behind_the_head)
    with store.connection():
        run = work.syncs.start(profile_id)
        wait_until(lambda: work.connections.cooldown(profile_id) is not None)
        assert runs.get_run(run.id).state == RunState.RUNNING
        work.syncs.pause(profile_id)
    assert flow.count("projects") < 40


@pytest.mark.parametrize("status", [429, 503])
def test_a_rate_limit_on_projects_is_waited_for_and_not_counted_as_their_failure(
    work, sync, world, flow, profile_id, status, wait_until
):
    flow.fail_next(status, "project", count=9, retry_after=0)
    run_id = work.syncs.start(profile_id).id
    wait_until(lambda: runs.get_run(run_id).state != RunState.RUNNING)
    run = runs.get_run(run_id)
    assert (run.state, run.note, keys()) == (RunState.DONE, None, true_keys(world))


@pytest.mark.parametrize("status", [401, 403])
def test_a_single_project_that_responds_as_signed_out_is_passed_over(sync, world, flow, status):
    refused = small_project(world)

    def refuse(request):
        is_it = request.kind == "project" and refused.encode() in request.body
        return Fault(transport_error(status)) if is_it else NO_FAULT

    flow.leave_faults_to(refuse)
    flow.reset = flow._journal.clear
    run, _ = sync()
    assert (run.state, keys()) == (RunState.DONE, true_keys(world) - keys_in(world, refused))


def test_an_emptied_only_project_marks_nothing_as_gone(sync, world, profile_id):
    sync()
    only, *others = world.projects.ids()
    for each in others:
        world.remove_project(each)
    world.empty_project(only)
    run, _ = sync()
    assert (run.state, gone()) == (RunState.DONE, set())
    assert "1 of 1 projects could not be read (it came without records" in run.note


def test_a_caption_is_the_title_of_an_upload_until_it_has_one_and_replaces_none(sync, world):
    (name,) = world.add_uploaded()
    for title, caption, shown in (
        ("", "A kite", "A kite"),
        ("My kite", "A kite", "My kite"),
        ("", "A bird", "My kite"),
    ):
        world.change(name, title=title, caption=caption)
        sync(mode=SyncMode.FULL)
        assert Image.get(Image.media_key == world.entry(name).media_key).title == shown


def test_a_sample_for_a_report_contains_no_title_and_no_id(sync, work, world, flow, profile_id):
    cards = [[project_id, ["A secret title", None, [1789201863, 0]]] for project_id in world.projects.ids()]
    flow.payload_next("projects", [cards, 7])
    run = work.syncs.wait(work.syncs.start(profile_id).id)
    assert run.error_code == "flow_changed"
    assert "<text of 14>" in run.sample
    assert not [text for text in ("secret", *world.projects.ids()) if text in run.sample]


def test_a_quick_sync_tries_five_failed_projects_the_longest_untried_first(sync, world, flow, many):
    for project_id in many[10:22]:
        world.refuse_project(project_id)
    sync()
    tried = []
    for _ in range(3):
        sync()
        failed = [project_id for project_id in requested_projects(flow) if project_id in many[10:22]]
        assert len(failed) == QUICK_FAILED
        tried += failed
    assert set(tried) == set(many[10:22])


def test_a_full_sync_marks_nothing_of_a_project_that_could_not_be_read(sync, world):
    sync()
    refused, read = small_project(world), world.projects.ids()[0]
    for name in (world.entries_in(refused)[0].name, world.entries_in(read)[0].name):
        world.delete(name)
    world.refuse_project(refused)
    run, _ = sync(SyncMode.FULL)
    assert run.state == RunState.DONE
    assert len(gone()) == 1
    assert Image.get(Image.gone_upstream_at.is_null(False)).project_id == read


@pytest.mark.parametrize("state", [2, 4, 9])
def test_an_image_whose_record_was_seen_but_ignored_is_not_gone(sync, world, state):
    sync()
    name = world.names("PINHOLE", Kind.GENERATED)[0]
    world.change(name, state=state)
    sync(SyncMode.FULL)
    assert gone() == set()


def test_an_image_that_another_project_shows_is_not_gone(sync, world):
    sync()
    home, shows = small_project(world), world.projects.ids()[0]
    entry = world.entries_in(home)[0]
    world.add_ingredient(shows, entry.name)
    world.empty_project(home)
    sync(SyncMode.FULL)
    world.refuse_project(home)
    sync(SyncMode.FULL)
    assert gone() == set()


def on_day(number):
    """Date the last empty responses back by `number` days."""
    day = (datetime.now(UTC) - timedelta(days=number)).strftime("%Y-%m-%d")
    Project.update(empty_on=day).where(Project.empty_count > 0).execute()


def test_an_empty_response_counts_after_three_days_and_a_full_sync_then_asks(sync, world, profile_id):
    sync()
    emptied = small_project(world)
    world.empty_project(emptied)
    for day in (3, 2):
        run, _ = sync(SyncMode.FULL)
        assert "1 of" in run.note
        assert (gone(), walks.list_walks_with_question(profile_id)) == (set(), [])
        sync()
        assert Project.get(Project.remote_id == emptied).empty_count == 4 - day - 0, "one a day"
        on_day(day)
    run, _ = sync(SyncMode.FULL)
    (walk,) = walks.list_walks_with_question(profile_id)
    assert (gone(), walk.missing_count) == (set(), len(keys_in(world, emptied)))
    answer_question(walk.id, mark=True)
    assert gone() == keys_in(world, emptied)


def test_empty_responses_do_not_count_when_no_project_could_be_read(sync, world):
    sync()
    for project_id in world.projects.ids():
        world.empty_project(project_id)
    sync(SyncMode.FULL)
    assert gone() == set()
    assert not Project.select().where(Project.empty_count > 0).exists()


def test_a_sync_that_recognises_no_record_in_any_project_fails(sync, world):
    for project_id in world.projects.ids():
        world.remove_project(project_id)
    secret = "a secret of mine"
    for project_id in [world.add_project("One"), world.add_project("Two")]:
        world.odd_record(project_id, [secret, None, {secret: secret}])
    run, _ = sync(max_pages=None)
    assert (run.state, run.error_code) == (RunState.FAILED, "flow_changed")
    assert "record without an arm" in run.sample
    assert secret not in run.sample


def test_a_full_sync_that_saw_images_but_stored_none_fails(sync, world):
    for name in world.names("PINHOLE", Kind.GENERATED):
        world.change(name, state=2)
    assert sync(SyncMode.FULL)[0].error_code == "flow_changed"
    assert gone() == set()


def test_a_project_with_unrecognised_records_is_due_again_after_an_update(sync, world, flow, many):
    odd = many[-1]
    world.odd_record(odd, ["odd"])
    run, _ = sync()
    assert run.state == RunState.DONE
    assert "unrecognised" in run.ignored_reasons
    sync()
    assert odd not in requested_projects(flow), "it was read last, so its turn comes last"
    Project.update(reader_version="0.0.1").where(Project.remote_id == odd).execute()
    sync()
    assert odd in requested_projects(flow)


def test_a_deleted_project_is_requested_once_and_not_reported(sync, world, flow):
    sync()
    removed = small_project(world)
    of_project = keys_in(world, removed)
    world.remove_project(removed)
    run, _ = sync(SyncMode.FULL)
    assert "could not be read" not in run.note
    assert requested_projects(flow).count(removed) == 1
    assert gone() == of_project
    sync(SyncMode.FULL)
    assert removed not in requested_projects(flow)


def test_a_project_that_left_the_listing_but_still_exists_is_read(sync, world):
    unlisted = small_project(world)
    world.add_generated(project_id=unlisted)
    sync()
    world.unlist_project(unlisted)
    sync(SyncMode.FULL)
    assert gone() == set()
    deleted = world.entries_in(unlisted)[0]
    world.delete(deleted.name)
    sync(SyncMode.FULL)
    assert gone() == {deleted.media_key}


def test_images_of_another_profile_stay_its_own_and_are_stored_when_it_is_removed(
    work, sync, world, flow, client, profile_id
):
    sync()
    other = World(seed=2, email="grace@example.com", tiny_pictures=True)
    other.migrate()
    project_id = other.add_project("Shared")
    for name in world.names("PINHOLE", Kind.GENERATED)[:3]:
        other.odd_record(project_id, record_of(world, name))
    flow.add_world(other)
    second = work.accounts.add("Grace 2", other.google.cookie_header()).id
    run = work.syncs.wait(work.syncs.start(second).id)
    counts = client.get(f"/api/runs/{run.id}").json["data"]["counts"]
    assert (run.state, counts["synced"], counts["ignoredByReason"]["other_profile"]) == (RunState.DONE, 0, 3)
    said = " ".join(client.get(f"/status?profile={second}").text.split())
    assert "3 images belong to another profile" in said
    work.remove_profile(profile_id)
    run = work.syncs.wait(work.syncs.start(second).id)
    assert run.synced_count == 3


def record_of(world, name):
    """The record of an image in a project of another account."""
    shown = Shown(world.size_of(world.entry(name)), None, None, None)
    return record(world.entry(name), shown)


# Unusual activity


@pytest.fixture
def cooling_down(work, profile_id, world, wait_until):
    """A run during which Google reported unusual activity; it continues after the cooldown."""
    world.unusual_activity = True
    with store.connection():
        run = work.syncs.start(profile_id)
        wait_until(lambda: profiles.get_profile(profile_id).health == "unusual_activity")
    return run


def test_unusual_activity_starts_a_cooldown_of_an_hour_and_nothing_fails(
    work, cooling_down, flow, client, running, profile_id, wait_until
):
    asked_count = len(flow.log)
    waited = client.post("/api/image-veo3/sync-metadata", json={"profileId": profile_id, "mode": "new"})
    assert (waited.status_code, waited.json["code"]) == (503, "flow_unavailable")
    assert "unusual activity" in waited.json["error"]
    page = " ".join(BeautifulSoup(client.get("/status").text, "html.parser").text.split())
    assert "Google noticed unusual activity" in page
    assert client.post(f"/api/profiles/{profile_id}/check", json={}).status_code == 503
    restarted = background_of(running())
    wait_until(lambda: restarted.connections.cooldown(profile_id) is not None)
    assert restarted.connections.cooldown(profile_id).is_requested
    with store.connection():
        assert runs.get_run(cooling_down.id).state == RunState.RUNNING
        restarted.syncs.pause(profile_id)
        assert runs.get_run(cooling_down.id).state == RunState.PAUSED
    assert len(flow.log) == asked_count


def test_a_call_that_began_before_the_cooldown_does_not_end_it():
    reported, never = [], threading.Event()
    retry = RetryPolicy((0.0,), on_cooldown=reported.append)

    def slow_success():
        with pytest.raises(UnusualActivity):
            retry.call(refused, never)
        return "done"

    def refused():
        raise UnusualActivity(3600.0)

    assert retry.call(slow_success, never) == "done"
    assert [error is None for error in reported] == [False]
    assert retry.cooldown().is_requested


def test_unusual_activity_while_cookies_are_pasted_starts_a_cooldown_and_adds_no_profile(
    work, profile_id, world, client
):
    world.unusual_activity = True
    world.google.hides_email = True
    cookies = {"cookies": world.google.cookie_header()}
    for response in (
        client.post("/api/profiles", json=cookies | {"name": "Again"}),
        client.put(f"/api/profiles/{profile_id}/cookies", json=cookies),
    ):
        assert (response.status_code, "unusual activity" in response.json["error"]) == (503, True)
    with store.connection():
        assert [profile.id for profile in profiles.list_profiles()] == [profile_id]
        assert profiles.cooldown_seconds(profiles.get_profile(profile_id)) > 3500


def test_downloads_wait_during_a_cooldown_and_none_fails(work, sync, world, flow, profile_id, wait_until):
    sync()
    world.unusual_activity = True
    run = work.downloads.request(profile_id, [image.id for image in Image.select().limit(3)])
    wait_until(lambda: profiles.get_profile(profile_id).health == "unusual_activity")
    run = runs.get_run(run.id)
    assert (run.state, run.failed_count, run.done_count) == (RunState.RUNNING, 0, 0)
    work.downloads.pause(profile_id)


def test_a_cooldown_that_is_over_is_no_longer_shown(work, cooling_down, profile_id, client):
    def shown():
        (profile,) = client.get("/api/profiles").json["data"]
        page = BeautifulSoup(client.get(f"/profiles/{profile_id}").text, "html.parser")
        return profile["health"], profile["healthReason"], page.select_one(".chip").text.strip()

    health, reason, word = shown()
    assert (health, word) == ("unusual_activity", "Paused for an hour")
    assert "unusual activity" in reason
    with store.connection():
        work.syncs.pause(profile_id)
        Profile.update(cooldown_until=timestamp(datetime.now(UTC))).execute()
    assert shown() == ("well", None, "Signed in")


def test_after_the_cooldown_everything_continues_by_itself(cooling_down, world, profile_id, running):
    world.unusual_activity = False
    with store.connection():
        Profile.update(cooldown_until=timestamp(datetime.now(UTC))).execute()
    restarted = background_of(running())
    with store.connection():
        assert restarted.syncs.wait(cooling_down.id).state == RunState.DONE
        profile = profiles.get_profile(profile_id)
        assert (profile.health, profile.health_reason) == ("well", None)
        assert keys() == true_keys(world)


def test_pause_ends_a_walk_between_projects_and_resume_continues_there(
    work, sync, world, flow, profile_id, wait_until
):
    with flow.holding("project", at=3) as gate:
        run = work.syncs.start(profile_id)
        assert gate.reached.wait(5)
        work.syncs.pause(profile_id)
        gate.release()
        wait_until(lambda: runs.get_run(run.id).state == RunState.PAUSED)
    assert Project.select().where(Project.read_at.is_null(False)).count() == 2
    run, read_count = sync(SyncMode.RESUME)
    assert (run.state, read_count) == (RunState.DONE, len(world.projects.ids()) - 2)
    assert keys() == true_keys(world)


def test_a_walk_whose_process_was_killed_continues_between_projects(
    work, world, flow, profile_id, running, wait_until
):
    with flow.holding("project", at=3) as gate:
        with store.connection():
            run = work.syncs.start(profile_id)
        assert gate.reached.wait(5)
        restarted = background_of(running())
    with store.connection():
        assert restarted.syncs.wait(run.id).state == RunState.DONE
        assert keys() == true_keys(world)
    assert flow.count("project") == len(world.projects.ids()) + 1


def test_new_projects_at_the_head_do_not_hide_those_below_from_a_walk(
    work, sync, world, flow, profile_id, wait_until
):
    with flow.holding("project", at=3) as gate:
        run = work.syncs.start(profile_id)
        assert gate.reached.wait(5)
        before = true_keys(world)
        world.add_uploaded(6)
        gate.release()
        assert work.syncs.wait(run.id).state == RunState.DONE
    assert keys() >= before
    assert sync()[0].synced_count == 6
    assert keys() == true_keys(world)


def test_a_full_sync_marks_what_a_project_no_longer_contains(sync, world):
    sync()
    deleted = world.names("PINHOLE", Kind.GENERATED)[5]
    key = world.entry(deleted).media_key
    world.delete(deleted)
    run, _ = sync(SyncMode.FULL)
    assert gone() == {key}
    assert run.note.startswith("1 image on the shelf is no longer in this history")


def test_a_full_sync_stopped_before_its_last_page_marks_nothing(sync, world):
    sync()
    removed = small_project(world)
    of_project = keys_in(world, removed)
    world.remove_project(removed)
    most = len(world.projects.ids())
    sync(SyncMode.FULL, max_pages=most - 1)
    assert gone() == set()
    sync(SyncMode.RESUME)
    assert gone() == of_project


def test_an_account_without_projects_gets_one_sentence(work, flow, world, profile_id, sync):
    world.moved = False
    run, _ = sync()
    assert (run.state, run.synced_count) == (RunState.DONE, 0)
    assert run.note.startswith("flow.google.com lists no projects for this account.")


def test_the_histories_of_the_other_service_are_refused_by_name(work, client, profile_id):
    body = {"profileId": profile_id, "history": "PINHOLE"}
    response = client.post("/api/image-veo3/sync-metadata", json=body)
    assert (response.status_code, response.json["error"]) == (
        400,
        f"There is no history PINHOLE. This profile has: {PROJECTS}.",
    )


# What pages say


@pytest.fixture
def text_at(client):
    """Returns the text of a page's main part."""

    def text_at(url):
        page = BeautifulSoup(client.get(url).text, "html.parser")
        return " ".join(page.main.get_text(" ").split())

    return text_at


def test_the_panel_speaks_of_projects(work, flow, profile_id, text_at, wait_until):
    with store.connection(), flow.holding("project", at=3) as gate:
        run = work.syncs.start(profile_id)
        assert gate.reached.wait(5)
        assert "Reading project 3" in text_at("/status")
        work.syncs.pause(profile_id)
        wait_until(lambda: runs.get_run(run.id).state == RunState.PAUSED)
    said = text_at("/status")
    assert "projects 2" in said
    assert "Projects: incomplete, stopped just now at project 2." in said
    assert "Images older than" not in said
    assert "2 projects" in text_at(f"/runs/{run.id}")


def test_the_panel_says_which_project_has_been_unread_the_longest(sync, world, text_at):
    sync()
    assert "Projects: last synced just now. All projects have been read." in text_at("/status")
    Project.update(read_at="2026-10-03T12:00:00.000000Z", tried_walk_id=0).where(
        Project.remote_id == world.projects.ids()[-1]
    ).execute()
    assert "The one that has waited longest was read on 3 October 2026." in text_at("/status")
    Project.update(read_at=None).where(Project.remote_id == world.projects.ids()[0]).execute()
    assert "1 of them could not be read yet." in text_at("/status")


def test_projects_with_the_same_title_are_shown_differently(sync, world, client, profile_id):
    world.add_project("Twin" * 40)
    world.projects.rename(world.projects.ids()[-1], "Twin" * 40)
    sync()
    page = BeautifulSoup(client.get(f"/filters?profile={profile_id}").text, "html.parser")
    shown = [option.text for option in page.select("select[name=project] option")]
    twins = [each for each in shown if each.startswith("Twin")]
    assert len(twins) == len(set(twins)) == 2
    assert all(len(each) < 90 for each in twins)
    assert len(shown) == len(set(shown))


def test_a_project_of_an_unknown_shape_stops_the_run_with_a_redacted_sample(
    sync, work, flow, world, profile_id, text_at
):
    sync()
    url = "https://flow-content.google/image/a?Expires=1&Signature=secret-signature"
    flow.payload_next("project", {"odd": url, "token": world.google.token, **world.google.cookies()})
    run = work.syncs.wait(work.syncs.start(profile_id).id)
    assert (run.state, run.error_code) == (RunState.FAILED, "flow_changed")
    assert "Response of Flow" in text_at("/status")
    said = text_at(f"/runs/{run.id}")
    assert "the media of a project cannot be read" in said
    assert '"<field 0>": "<URL at flow-content.google>"' in said
    secrets = ["secret-signature", world.google.token, *world.google.cookies().values()]
    assert [secret for secret in secrets if secret in said] == []
    assert sync()[0].state == RunState.DONE


def test_the_page_of_an_image_names_its_project_and_links_its_versions(
    sync, world, profile_id, client, text_at
):
    original = world.names("PINHOLE", Kind.GENERATED)[3]
    version = world.add_version(original)
    world.change(original, is_archived=True)
    sync()
    entry = world.entry(version)
    image = Image.get(Image.media_key == entry.media_key)
    said = text_at(f"/images/{image.id}")
    assert f"Project {world.projects.find(entry.project_id).title}" in said
    assert "Version derived In Flow Archived" in said
    shown = text_at(f"/?profile={profile_id}&card={entry.workflow_id}")
    assert "2 images of" in shown
    body = {"profileId": profile_id}
    listed = client.post("/api/image-veo3/get-local-images", json=body).json["data"]
    value = next(each for each in listed if each["id"] == image.id)
    assert (value["projectId"], value["version"], value["isArchived"]) == (
        entry.project_id,
        "derived",
        True,
    )


def test_a_sync_does_not_replace_a_renewed_preview_that_is_still_valid(sync, work, world, flow, profile_id):
    sync()
    entry = world.entry(world.names("PINHOLE", Kind.GENERATED)[0])
    image = Image.get(Image.media_key == entry.media_key)
    listed = f"{flow.url}/asb/without-an-end"
    response = [None, [], [record(entry, Shown(world.size_of(entry), None, listed, None))]]
    for expires, is_kept in ((4_000_000_000, True), (1_000_000_000, False)):
        renewed = f"https://flow-content.google/image/x?Expires={expires}&Signature=s"
        Image.update(fife_url=renewed).where(Image.id == image.id).execute()
        flow.payload_next("project", response, count=len(world.projects.ids()))
        work.syncs.wait(work.syncs.start(profile_id).id)
        assert Image.get_by_id(image.id).fife_url == (renewed if is_kept else listed)
