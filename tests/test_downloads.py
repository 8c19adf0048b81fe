"""Download runs: each way in which a far side or a disk can fail ends in the right state and a sentence."""

import contextlib
import re
import subprocess
import threading
from pathlib import Path

import pytest

from webapp import store
from webapp.database.models import Download, Image, db
from webapp.database.states import DownloadState, RunKind, RunState
from webapp.demo import World
from webapp.store import runs
from webapp.store.gallery import counts, images
from webapp.store.runs import downloads
from webapp.web.services import background_of


@pytest.fixture
def fetch(shelf, profile_id, world):
    """Download images by name and wait; the run, and the images with their wishes in that order."""

    def fetch(*names):
        ids = images.find_ids(profile_id, names)
        run = shelf.downloads.request(profile_id, [ids[name] for name in names])
        run = run and shelf.downloads.wait_for_run(run.id)
        by_name = {image.name: image for image in downloads.list_outcomes(ids.values())}
        return run, [by_name[name] for name in names]

    return fetch


def content(image):
    return Path(image.local_path).read_bytes()


def test_a_hundred_percent_of_a_history_arrives_byte_for_byte(shelf, profile_id, world, flow, config):
    run = shelf.downloads.request_pending(profile_id)
    run = shelf.downloads.wait_for_run(run.id)
    assert (run.state, run.done_count, run.failed_count) == (RunState.DONE, 40, 0)
    for image in Image.select():
        assert content(image) == world.content(image.name)
        assert image.size_bytes == len(content(image))
        assert image.local_path == str(config.images_dir / profile_id / f"{image.media_key}.jpg")
    assert run.done_bytes == sum(image.size_bytes for image in Image.select())
    assert flow.count("session") == 1
    assert flow.count("page") == flow.count("script") == 1


def test_the_newest_so_many_are_taken_and_what_is_there_is_left(shelf, profile_id, world):
    run = shelf.downloads.request_pending(profile_id, limit=5)
    shelf.downloads.wait_for_run(run.id)
    names = {image.name for image in Image.select().where(Image.local_path.is_null(False))}
    assert names == set(world.names()[:5])
    run = shelf.downloads.request_pending(profile_id)
    assert shelf.downloads.wait_for_run(run.id).done_count == 35
    assert shelf.downloads.request_pending(profile_id) is None


@pytest.mark.parametrize(
    "break_it",
    [
        lambda flow: flow.fail_next(429, retry_after=0),
        lambda flow: flow.fail_next(503, count=4),
        lambda flow: flow.fail_next(500, count=3),
        lambda flow: flow.cut_next("media", at_bytes=300),
        lambda flow: flow.drop_next("media"),
        lambda flow: flow.respond_next("media", b"{", content_type="application/json"),
        lambda flow: flow.fail_next(401, reason="ACCESS_TOKEN_EXPIRED"),
        lambda flow: flow.world.expire_tokens(),
        lambda flow: flow.world.change_key(),
        lambda flow: flow.fail_next(500, kind="session"),
        lambda flow: flow.cut_next("script", at_bytes=10),
    ],
    ids=["429", "503", "500", "cut", "dropped", "broken-json", "401", "token", "key", "session", "script"],
)
def test_what_passes_is_asked_again_until_it_is_whole(fetch, flow, world, break_it):
    break_it(flow)
    run, (image,) = fetch(world.names()[0])
    assert (run.state, run.failed_count) == (RunState.DONE, 0)
    assert content(image) == world.content(image.name)


def bend(flow, name, count=5, **fields):
    """Let the media service answer for an image in another way, five times as often as it is asked."""
    response = flow.media_response(name)
    response["userUploadedImage"] |= fields
    flow.respond_next("media", response, count=count)


@pytest.mark.parametrize(
    ("picture", "sentence"),
    [
        ("%%% no base64", "damaged"),
        ("bm8gcGljdHVyZQ==", "not a picture"),
    ],
)
def test_what_is_no_picture_fails_in_a_sentence_and_leaves_no_file(
    fetch, flow, world, config, picture, sentence
):
    name = world.names()[0]
    bend(flow, name, image=picture)
    run, (image,) = fetch(name)
    assert image.local_path is None
    assert (image.latest_download.state, image.latest_download.is_permanent) == (DownloadState.FAILED, False)
    assert sentence in image.latest_download.error
    assert run.failed_count == 1
    assert [path for path in config.images_dir.rglob("*") if path.is_file()] == []


def test_a_picture_that_is_cut_inside_whole_json_is_noticed(fetch, world, config):
    name = world.names()[0]
    world.change(name, content=world.content(name)[:-40])
    _, (image,) = fetch(name)
    assert "cut off" in image.latest_download.error
    assert image.local_path is None


@pytest.mark.parametrize(("kind", "suffix"), [("PNG", ".png"), ("WEBP", ".webp")])
def test_the_ending_of_a_file_is_that_of_its_bytes(fetch, world, kind, suffix):
    name = world.names()[0]
    world.change(name, picture_format=kind)
    _, (image,) = fetch(name)
    assert image.local_path.endswith(f"{image.media_key}{suffix}")
    assert content(image) == world.content(name)


def test_what_is_gone_upstream_is_permanent_and_marked_and_not_asked_for_again(
    fetch, shelf, profile_id, world
):
    name = world.names()[0]
    world.delete(name)
    _, (image,) = fetch(name)
    assert (image.latest_download.error_code, image.latest_download.is_permanent) == ("gone_upstream", True)
    assert image.gone_upstream_at
    run = shelf.downloads.request_pending(profile_id)
    assert shelf.downloads.wait_for_run(run.id).done_count == 39


def test_a_media_key_that_is_a_path_never_leaves_the_folder(work, profile_id, world, config):
    evil, twin, other = world.names()[:3]
    world.change(evil, media_key="../../../etc/passwd")
    world.change(twin, media_key=world.entry(other).media_key.upper())
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id).id)
        work.downloads.wait_for_run(work.downloads.request_pending(profile_id).id)
        folder = config.images_dir / profile_id
        paths = [Path(image.local_path) for image in Image.select()]
        assert {path.parent for path in paths} == {folder}
        assert len({path.name.lower() for path in paths}) == 70
        assert all(content(image) == world.content(image.name) for image in Image.select())


def test_ten_refusals_in_a_row_pause_the_downloads_and_ask(shelf, profile_id, world, flow):
    flow.fail_next(403, count=40)
    run = shelf.downloads.request_pending(profile_id)
    run = shelf.downloads.wait_for_run(run.id)
    assert run.state == RunState.PAUSED
    assert "10 images in a row failed" in run.error
    assert downloads.count_left(run.id) >= 40 - 10 - 5  # the others of a crew of six may be under way
    flow.reset()
    shelf.downloads.resume(profile_id)
    run = shelf.downloads.wait_for_run(run.id)
    assert run.state == RunState.DONE
    assert run.done_count + run.failed_count == 40


def test_a_key_that_flow_never_accepts_pauses_the_run_and_fails_no_image(shelf, profile_id, flow):
    flow.fail_next(400, count=200, reason="API_KEY_INVALID")
    run = shelf.downloads.request_pending(profile_id)
    run = shelf.downloads.wait_for_run(run.id)
    assert (run.state, run.failed_count) == (RunState.PAUSED, 0)
    assert "key" in run.error
    assert downloads.count_left(run.id) == 40


def test_cookies_that_die_in_the_middle_stop_everything_and_good_ones_let_it_go_on(
    shelf, profile_id, flow, world
):
    with flow.holding("media", at=4) as gate:
        run = shelf.downloads.request_pending(profile_id)
        assert gate.reached.wait(5)
        world.sign_out()
        world.expire_tokens()
        gate.release()
    run = shelf.downloads.wait_for_run(run.id)
    assert (run.state, run.failed_count) == (RunState.WAITING, 0)
    world.sign_in()
    shelf.replace_cookies(profile_id, world.cookie_header())
    run = shelf.downloads.wait_for_run(run.id)
    assert (run.state, run.done_count, run.failed_count) == (RunState.DONE, 40, 0)


def test_pause_keeps_the_wishes_and_cancel_drops_those_not_begun(shelf, profile_id, flow):
    with flow.holding("media") as gate:
        run = shelf.downloads.request_pending(profile_id)
        assert gate.reached.wait(5)
        shelf.downloads.pause(profile_id)
        assert runs.get_run(run.id).state == RunState.PAUSED
        assert downloads.count_left(run.id) == 40
        shelf.downloads.cancel(profile_id)
        gate.release()
    assert runs.get_run(run.id).state == RunState.CANCELLED
    assert not Download.select().where(Download.state == DownloadState.QUEUED).exists()


def test_a_cancelled_wish_that_waited_for_its_next_try_is_dropped_too(shelf, profile_id, flow, wait_until):
    flow.fail_next(429, count=12, retry_after=60)
    run = shelf.downloads.request_pending(profile_id)
    wait_until(lambda: shelf.connections.cooldown(profile_id))
    shelf.downloads.cancel(profile_id)
    wait_until(lambda: not Download.select().where(Download.run == run.id).exists())
    assert counts.count_downloadable(profile_id) == 40


def test_a_damaged_file_can_be_downloaded_again(shelf, fetch, world):
    name = world.names()[0]
    _, (image,) = fetch(name)
    Path(image.local_path).write_bytes(content(image)[:50])
    images.mark_damaged([image.id], "2026-11-22T00:00:00.000000Z")
    _, (again,) = fetch(name)
    assert content(again) == world.content(name)
    assert again.damaged_at is None


def test_a_run_that_is_resumed_while_its_old_threads_still_fetch_fetches_nothing_twice(
    shelf, profile_id, flow, world
):
    with flow.holding("media", at=3) as gate:
        run = shelf.downloads.request_pending(profile_id)
        assert gate.reached.wait(5)
        shelf.downloads.pause(profile_id)
        shelf.downloads.resume(profile_id)
        gate.release()
    run = shelf.downloads.wait_for_run(run.id)
    assert (run.state, run.done_count) == (RunState.DONE, 40)
    assert {flow.count("media", name=name) for name in world.names()} <= {0, 1}


def test_a_wish_that_an_old_thread_puts_back_after_a_resume_is_taken_up_again(
    shelf, profile_id, flow, running
):
    flow.fail_next(500)
    with flow.holding("media") as gate:
        run = shelf.downloads.request_pending(profile_id, limit=1)
        assert gate.reached.wait(5)
        shelf.downloads.pause(profile_id)
        shelf.downloads.resume(profile_id)
        gate.release()
    run = shelf.downloads.wait_for_run(run.id)
    assert (run.state, run.done_count) == (RunState.DONE, 1)


def test_pressing_pause_and_resume_does_not_multiply_the_workers(shelf, profile_id, flow, config):
    with flow.holding("media") as gate:
        run = shelf.downloads.request_pending(profile_id)
        assert gate.reached.wait(5)
        for _ in range(5):
            shelf.downloads.pause(profile_id)
            shelf.downloads.resume(profile_id)
        gate.release()
    assert shelf.downloads.wait_for_run(run.id).done_count == 40
    assert flow.max_parallel("media") <= config.download_workers


def test_asking_again_and_again_fetches_nothing_twice(shelf, profile_id, flow, world):
    ids = list(images.find_ids(profile_id, world.names()).values())

    def ask():
        with store.connection():
            for start in range(0, 40, 5):
                shelf.downloads.request(profile_id, ids[start:])

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    while run := runs.find_open_run(profile_id, RunKind.DOWNLOAD):
        shelf.downloads.wait_for_run(run.id)
    assert {flow.count("media", name=name) for name in world.names()} <= {0, 1}
    assert len(flow.asked("media")) == 40


def test_what_is_asked_for_again_after_a_cancel_arrives(shelf, profile_id, flow, world, fetch):
    with flow.holding("media") as gate:
        shelf.downloads.request_pending(profile_id, limit=1)
        assert gate.reached.wait(5)
        shelf.downloads.cancel(profile_id)
        run = shelf.downloads.request(
            profile_id, [images.find_ids(profile_id, world.names()[:1]).popitem()[1]]
        )
        gate.release()
    assert shelf.downloads.wait_for_run(run.id).done_count == 1
    assert counts.count_profile(profile_id).downloaded == 1


def test_a_profile_removed_with_its_files_in_the_middle_leaves_none(work, world, config, wait_until):
    for _ in range(8):
        with store.connection():
            profile_id = work.accounts.add("Ada", world.cookie_header()).id
            work.syncs.wait(work.syncs.start(profile_id).id)
            run = work.downloads.request_pending(profile_id)
            wait_until(lambda run=run: runs.get_run(run.id).done_count > 5)
            work.remove_profile(profile_id, with_files=True)
    work.stop()
    assert [path for path in config.images_dir.rglob("*") if path.is_file()] == []


def test_a_run_whose_pause_could_not_be_written_down_is_paused_when_it_can(
    running, config, world, wait_until, caplog
):
    work = background_of(running(download_workers=1))
    with store.connection():
        profile_id = work.accounts.add("Ada", world.cookie_header()).id
        work.syncs.wait(work.syncs.start(profile_id).id)
        fails = "WHEN new.state = 'paused' BEGIN SELECT abs(-9223372036854775807 - 1); END"
        db.execute_sql(f"CREATE TRIGGER disk_is_full BEFORE UPDATE OF state ON run {fails}")
        config.images_dir.rename(config.data_dir / "unplugged")
        run = work.downloads.request_pending(profile_id)
        wait_until(lambda: f"download {run.id}: cannot go on now" in caplog.text)
        db.execute_sql("DROP TRIGGER disk_is_full")
        wait_until(lambda: runs.get_run(run.id).state == RunState.PAUSED)


def test_a_folder_that_vanished_pauses_the_run_and_changes_no_row(shelf, profile_id, config, fetch, world):
    _, (image,) = fetch(world.names()[0])
    config.images_dir.rename(config.data_dir / "unplugged")
    run = shelf.downloads.request_pending(profile_id)
    run = shelf.downloads.wait_for_run(run.id)
    assert (run.state, run.error_code, run.failed_count) == (RunState.PAUSED, "folder_gone", 0)
    assert "is not there" in run.error
    assert images.get_image(image.id).local_path == image.local_path
    (config.data_dir / "unplugged").rename(config.images_dir)
    shelf.downloads.resume(profile_id)
    assert shelf.downloads.wait_for_run(run.id).state == RunState.DONE


def a_first_one(work, world):
    """A profile with one picture, which tells how large they are."""
    profile = work.accounts.add("Ada", world.cookie_header())
    work.syncs.wait(work.syncs.start(profile.id).id)
    run = work.downloads.request(profile.id, list(images.find_ids(profile.id, world.names()[-1:]).values()))
    assert work.downloads.wait_for_run(run.id).done_count == 1
    return profile


def test_a_full_disk_pauses_the_run_and_room_lets_it_go_on(running, world, flow, tiny_disk, wait_until):
    app = running(storage_roots=(tiny_disk,))
    work = background_of(app)
    ballast = tiny_disk / "ballast"
    with store.connection():
        profile = a_first_one(work, world)
        ids = list(images.find_ids(profile.id, world.names()[:20]).values())
        with flow.holding("media") as gate:
            run = work.downloads.request(profile.id, ids, tiny_disk / "ada")
            assert gate.reached.wait(5)
            fill(ballast)
            gate.release()
        run = work.downloads.wait_for_run(run.id)
        assert (run.state, run.error_code, run.failed_count) == (RunState.PAUSED, "disk_full", 0)
        assert "is full" in run.error
        wait_until(lambda: not list((tiny_disk / "ada").glob(".flowshelf-*")))
        ballast.unlink()
        work.downloads.resume(profile.id)
        run = work.downloads.wait_for_run(run.id)
        assert (run.state, run.done_count) == (RunState.DONE, 20)


def test_a_batch_that_will_not_fit_is_refused_with_what_it_needs_and_what_is_free(running, world, tiny_disk):
    app = running(storage_roots=(tiny_disk,))
    work, client = background_of(app), app.test_client()
    with store.connection():
        profile = a_first_one(work, world)
        names = world.names()[:20]
    (tiny_disk / "ballast").write_bytes(b"x" * 198_000)
    body = {"profileId": profile.id, "imageNames": names, "localStoragePath": str(tiny_disk / "ada")}
    response = client.post("/api/image-veo3/download-batch", json=body)
    assert (response.status_code, response.get_json()["code"]) == (507, "disk_full")
    assert re.match(
        r"20 images need about [\d.]+ MB.* has 0\.0 MB free\. Make room", response.get_json()["error"]
    )
    (tiny_disk / "ballast").unlink()
    assert client.post("/api/image-veo3/download-batch", json=body).get_json()["data"]["downloaded"] == 20


def test_a_full_disk_under_the_database_is_waited_out(running, world, flow, tiny_disk, wait_until):
    """Once there is room it goes on: by Resume where the pause could be written down, else by itself."""
    subprocess.run(["mount", "-o", "remount,size=6m", str(tiny_disk)], check=True)
    app = running(data_dir=tiny_disk / "shelf")
    work, client = background_of(app), app.test_client()
    with store.connection():
        profile = a_first_one(work, world)
    with flow.holding("media", at=3) as gate:
        body = {"profileId": profile.id, "pending": True, "wait": False}
        client.post("/api/image-veo3/download-batch", json=body)
        assert gate.reached.wait(5)
        fill(tiny_disk / "ballast")
        response = client.post("/api/image-veo3/sync-metadata", json={"profileId": profile.id, "wait": False})
        assert (response.status_code, response.get_json()["code"]) == (507, "disk_full")
        gate.release()
    (tiny_disk / "ballast").unlink()

    def is_complete():
        work.downloads.resume(profile.id)
        return counts.count_profile(profile.id).downloaded == 70

    with store.connection():
        wait_until(is_complete)


def fill(path):
    """Write until the disk takes no further byte."""
    with open(path, "wb", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * size)


def test_slowing_down_is_for_the_whole_profile(running, flow, world):
    """One 429 with a pause: nobody of the crew asks until it is over."""
    work = background_of(running(download_workers=4))
    with store.connection():
        profile = work.accounts.add("Ada", world.cookie_header())
        work.syncs.wait(work.syncs.start(profile.id).id)
        flow.reset()
        flow.fail_next(429, retry_after=1)
        run = work.downloads.request_pending(profile.id, limit=12)
        assert work.downloads.wait_for_run(run.id).state == RunState.DONE
    asked = [request.at for request in flow.asked("media")]
    assert len(asked) == 13
    # Those under way at that moment are answered; the others wait about a second.
    late = [moment for moment in asked if moment - asked[0] > 0.9]
    assert len(late) >= 9


def test_two_profiles_of_one_shelf_download_side_by_side(work, profile_id, world, flow):
    other = World(seed=9, uploaded=8, tiny_pictures=True, email="bob@example.com")
    flow.add_world(other)
    with store.connection():
        second = work.accounts.add("Bob", other.cookie_header()).id
        for each in (profile_id, second):
            work.syncs.wait(work.syncs.start(each).id)
        begun = [work.downloads.request_pending(each) for each in (profile_id, second)]
        ended = [work.downloads.wait_for_run(run.id) for run in begun]
        assert [run.done_count for run in ended] == [70, 8]
