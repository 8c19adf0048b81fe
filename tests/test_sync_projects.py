"""Sync runs over projects: which are read again, where a walk rests, and what may be called gone."""

from datetime import UTC, datetime, timedelta

import pytest
from bs4 import BeautifulSoup

from webapp import background_of, store
from webapp.demo import World
from webapp.demo.entries import Kind
from webapp.demo.faults import NO_FAULT, Fault
from webapp.demo.flow_google_wire import call_error
from webapp.models import Image, Project
from webapp.sources.flow_google import PROJECTS
from webapp.states import RunState, SyncMode
from webapp.store import histories, projects, runs

DENIED = 7


@pytest.fixture
def world() -> World:
    """An account that has moved. Its clock is behind, so that what changes there has settled here."""
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
    """Sync and wait; the run as it ended, and how many projects were read for it."""

    def sync(mode=SyncMode.NEW, **asked):
        flow.reset()
        run = work.syncs.wait(work.syncs.start(profile_id, mode=mode, **asked).id)
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
    """One with some images, but fewer than a tenth of all."""
    return next(each for each in reversed(world.projects.ids()) if 0 < len(keys_in(world, each)) <= 3)


def test_a_first_sync_reads_every_project_and_keeps_what_it_is_called(sync, world, profile_id):
    run, read_count = sync()
    ids = world.projects.ids()
    assert (run.state, read_count, run.page_count) == (RunState.DONE, len(ids), len(ids))
    assert keys() == true_keys(world)
    assert histories.list_gaps(profile_id) == []
    titles = {project.remote_id: project.title for project in projects.list_projects(profile_id)}
    assert titles == {each: world.projects.find(each).title for each in ids}


def test_a_quick_sync_reads_all_projects_while_the_listing_was_not_seen_to_show_changes(sync, world):
    sync()
    world.add_generated(2, project_id=world.projects.ids()[-1])
    for _ in range(2):
        _, read_count = sync()
        assert read_count == len(world.projects.ids())
    assert keys() == true_keys(world)


def test_a_quick_sync_reads_what_changed_once_the_listing_was_seen_to_show_it(sync, world):
    world.projects.tells_changes = True
    sync()
    assert sync()[1] == len(world.projects.ids())
    world.add_generated(project_id=world.projects.ids()[-1])
    assert [sync()[1], sync()[1]] == [1, 0]
    world.add_generated(project_id=world.projects.ids()[-1])
    world.add_uploaded()
    run, read_count = sync()
    assert (read_count, run.synced_count, run.state) == (2, 2, RunState.DONE)
    assert keys() == true_keys(world)


def test_what_changed_a_moment_ago_is_read_again(sync, world, flow):
    world.projects.tells_changes = True
    sync()
    world.add_generated(project_id=world.projects.ids()[-1])
    sync()
    world._ahead = timedelta()
    world.add_generated(project_id=world.projects.ids()[-1])
    assert [sync()[1], sync()[1]] == [1, 1]


def test_a_full_sync_reads_every_project_whatever_the_listing_shows(sync, world, profile_id):
    world.projects.tells_changes = True
    sync()
    world.add_generated(project_id=world.projects.ids()[-1])
    sync()
    renamed = world.projects.ids()[3]
    world.projects.rename(renamed, "Another title")
    assert sync(SyncMode.FULL)[1] == len(world.projects.ids())
    assert projects.find_title(profile_id, renamed) == "Another title"


def test_pause_ends_a_walk_between_projects_and_resume_goes_on_there(
    work, sync, world, flow, profile_id, wait_until
):
    with flow.holding("project", at=3) as gate:
        run = work.syncs.start(profile_id)
        assert gate.reached.wait(5)
        work.syncs.pause(profile_id)
        gate.release()
        wait_until(lambda: runs.get_run(run.id).state == RunState.PAUSED)
    assert Project.select().count() == 3
    run, read_count = sync(SyncMode.RESUME)
    assert (run.state, read_count) == (RunState.DONE, len(world.projects.ids()) - 3)
    assert keys() == true_keys(world)


def test_a_walk_whose_process_was_killed_goes_on_between_projects(
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


def test_new_projects_at_the_head_do_not_keep_a_walk_from_those_below(
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


def test_a_full_sync_marks_what_a_project_holds_no_more(sync, world):
    sync()
    deleted = world.names("PINHOLE", Kind.GENERATED)[5]
    key = world.entry(deleted).media_key
    world.delete(deleted)
    run, _ = sync(SyncMode.FULL)
    assert gone() == {key}
    assert run.note.startswith("1 image of the shelf no longer stands")


def test_images_of_a_project_that_is_not_there_any_more_are_gone(sync, world):
    sync()
    project_id = small_project(world)
    of_project = keys_in(world, project_id)
    world.remove_project(project_id)
    _, read_count = sync(SyncMode.FULL)
    assert gone() == of_project
    assert read_count == len(world.projects.ids()) + 1
    assert sync(SyncMode.FULL)[1] == len(world.projects.ids())  # nobody asks after it for ever


def test_a_project_that_moves_in_the_listing_meanwhile_is_asked_for_and_not_called_gone(
    work, sync, world, flow, profile_id
):
    world.projects.tells_changes = True
    sync()
    last = small_project(world)
    with flow.holding("project", at=2) as gate:
        run = work.syncs.start(profile_id, mode=SyncMode.FULL)
        assert gate.reached.wait(5)
        world.add_generated(project_id=last)  # it stands at the head now, where the walk has been
        gate.release()
        assert work.syncs.wait(run.id).state == RunState.DONE
    assert gone() == set()
    assert keys() == true_keys(world)


def test_nothing_is_said_of_a_project_that_is_not_ours_to_read(sync, world, flow):
    sync()
    denied = small_project(world)

    def deny(request):
        is_it = request.kind == "project" and denied.encode() in request.body
        return Fault(call_error("project", DENIED, "PUBLIC_ERROR_PERMISSION_DENIED")) if is_it else NO_FAULT

    flow.leave_faults_to(deny)
    flow.reset = flow._journal.clear
    run, _ = sync(SyncMode.FULL)
    assert (run.state, gone(), run.note) == (RunState.DONE, set(), None)


def test_a_full_sync_that_is_stopped_before_its_last_page_says_nothing_is_gone(sync, world):
    sync()
    removed = small_project(world)
    of_project = keys_in(world, removed)
    world.remove_project(removed)
    most = len(world.projects.ids())
    sync(SyncMode.FULL, max_pages=most - 1)
    assert gone() == set()
    sync(SyncMode.RESUME)
    assert gone() == of_project


def test_an_account_without_projects_is_told_so_in_one_sentence(work, flow, world, profile_id, sync):
    world.moved = False
    run, _ = sync()
    assert (run.state, run.synced_count) == (RunState.DONE, 0)
    assert run.note.startswith("flow.google.com lists no projects for this account.")


def test_the_histories_of_the_other_service_are_refused_by_name(work, client, profile_id):
    asked = {"profileId": profile_id, "history": "PINHOLE"}
    answer = client.post("/api/image-veo3/sync-metadata", json=asked)
    assert (answer.status_code, answer.json["error"]) == (
        400,
        f"There is no history PINHOLE. Histories here: {PROJECTS}.",
    )


# In words


@pytest.fixture
def words(client):
    def words(address):
        page = BeautifulSoup(client.get(address).text, "html.parser")
        return " ".join(page.main.get_text(" ").split())

    return words


def test_the_panel_speaks_of_projects(work, flow, profile_id, words, wait_until):
    with store.connection(), flow.holding("project", at=3) as gate:
        run = work.syncs.start(profile_id)
        assert gate.reached.wait(5)
        assert "Reading project 3" in words("/")
        work.syncs.pause(profile_id)
        assert "Pausing after this project" in words("/")
        gate.release()
        wait_until(lambda: runs.get_run(run.id).state == RunState.PAUSED)
    said = words("/")
    assert "projects 3" in said
    assert "Projects: stopped just now at project 3, the rest is still to come." in said
    assert "Images older than" not in said
    assert "3 projects" in words(f"/runs/{run.id}")


def test_projects_of_the_same_title_can_be_told_apart(sync, world, client, profile_id):
    world.add_project("Twin" * 40)
    world.projects.rename(world.projects.ids()[-1], "Twin" * 40)
    sync()
    page = BeautifulSoup(client.get(f"/?profile={profile_id}").text, "html.parser")
    shown = [option.text for option in page.select("select[name=project] option")]
    twins = [each for each in shown if each.startswith("Twin")]
    assert len(twins) == len(set(twins)) == 2
    assert all(len(each) < 90 for each in twins)
    assert len(shown) == len(set(shown))


def test_an_answer_of_another_shape_stops_the_run_with_a_sample_to_attach(
    sync, work, flow, world, profile_id, words
):
    sync()
    url = "https://flow-content.google/image/a?Expires=1&Signature=secret-signature"
    flow.payload_next("project", {"odd": url, "token": world.google.token, **world.google.cookies()})
    run = work.syncs.wait(work.syncs.start(profile_id).id)
    assert (run.state, run.error_code) == (RunState.FAILED, "flow_changed")
    assert "What Flow answered, for a report" in words("/")
    said = words(f"/runs/{run.id}")
    assert "the media of a project cannot be read" in said
    assert '{"odd":"https://flow-content.google/image/a?' in said
    secrets = ["secret-signature", world.google.token, *world.google.cookies().values()]
    assert [secret for secret in secrets if secret in said] == []
    assert sync()[0].state == RunState.DONE


def test_an_image_says_where_it_stands_in_flow_and_shows_its_versions(sync, world, profile_id, client, words):
    original = world.names("PINHOLE", Kind.GENERATED)[3]
    version = world.add_version(original)
    world.change(original, is_archived=True)
    sync()
    entry = world.entry(version)
    image = Image.get(Image.media_key == entry.media_key)
    said = words(f"/images/{image.id}")
    assert f"Project {world.projects.find(entry.project_id).title}" in said
    assert "Version derived In Flow archived" in said
    shown = words(f"/?profile={profile_id}&card={entry.workflow_id}")
    assert "Of" in shown
    assert ": 2 images" in shown
    asked = {"profileId": profile_id}
    listed = client.post("/api/image-veo3/get-local-images", json=asked).json["data"]
    value = next(each for each in listed if each["id"] == image.id)
    assert (value["projectId"], value["version"], value["isArchived"]) == (
        entry.project_id,
        "derived",
        True,
    )
