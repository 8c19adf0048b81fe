"""Download runs: every failure of the service or the disk ends in the right state, with a sentence."""

import contextlib
import re
import subprocess
import threading
from pathlib import Path

import pytest

from webapp import store
from webapp.background.worker_pool import WorkerPool
from webapp.database.base import db
from webapp.database.models import Download, Image
from webapp.database.states import DownloadState, RunKind, RunState
from webapp.demo import World
from webapp.storage import is_in_trash
from webapp.store import runs
from webapp.store.gallery import counts, images
from webapp.store.runs import downloads
from webapp.web.services import background_of


@pytest.fixture
def fetch(shelf, profile_id, world):
    """Download images by name and wait. Returns the run, and the images with their latest downloads."""

    def fetch(*names):
        ids = images.find_ids(profile_id, names)
        run = shelf.downloads.request(profile_id, [ids[name] for name in names])
        run = run and shelf.downloads.wait_for_run(run.id)
        by_name = {image.name: image for image in downloads.list_outcomes(ids.values())}
        return run, [by_name[name] for name in names]

    return fetch


def content(image):
    return Path(image.file_path).read_bytes()


def test_all_images_of_a_history_are_downloaded_byte_for_byte(shelf, profile_id, world, flow, config):
    run = shelf.downloads.request_pending(profile_id)
    run = shelf.downloads.wait_for_run(run.id)
    assert (run.state, run.done_count, run.failed_count) == (RunState.DONE, 40, 0)
    for image in Image.select():
        assert content(image) == world.content(image.name)
        assert image.size_bytes == len(content(image))
        assert image.file_path == str(config.images_dir / profile_id / f"{image.media_key}.jpg")
    assert run.done_bytes == sum(image.size_bytes for image in Image.select())
    assert flow.count("session") == 1
    assert flow.count("page") == flow.count("script") == 1


def test_a_limit_downloads_the_newest_pending_images(shelf, profile_id, world):
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
def test_transient_failures_are_retried_until_the_image_is_whole(fetch, flow, world, break_it):
    break_it(flow)
    run, (image,) = fetch(world.names()[0])
    assert (run.state, run.failed_count) == (RunState.DONE, 0)
    assert content(image) == world.content(image.name)


def bend(flow, name, count=5, **fields):
    """Change fields of the next five responses of the media service, which all describe one image."""
    response = flow.media_response(name)
    response["userUploadedImage"] |= fields
    flow.respond_next("media", response, count=count)


@pytest.mark.parametrize(
    ("picture", "sentence"),
    [
        ("%%% no base64", "damaged"),
        ("bm8gcGljdHVyZQ==", "not an image"),
    ],
)
def test_bytes_that_are_no_picture_fail_the_image_and_leave_no_file(
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


def test_a_truncated_picture_inside_whole_json_fails_the_image(fetch, world, config):
    name = world.names()[0]
    world.change(name, content=world.content(name)[:-40])
    _, (image,) = fetch(name)
    assert "cut off" in image.latest_download.error
    assert image.local_path is None


@pytest.mark.parametrize(("kind", "suffix"), [("PNG", ".png"), ("WEBP", ".webp")])
def test_the_suffix_of_a_file_matches_its_bytes(fetch, world, kind, suffix):
    name = world.names()[0]
    world.change(name, picture_format=kind)
    _, (image,) = fetch(name)
    assert image.local_path.endswith(f"{image.media_key}{suffix}")
    assert content(image) == world.content(name)


def test_an_image_gone_upstream_fails_permanently_and_is_not_pending_any_more(
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
        paths = [Path(image.file_path) for image in Image.select()]
        assert {path.parent for path in paths} == {folder}
        assert len({path.name.lower() for path in paths}) == 70
        assert all(content(image) == world.content(image.name) for image in Image.select())


def test_ten_refusals_in_a_row_pause_the_run(shelf, profile_id, world, flow):
    flow.fail_next(403, count=40)
    run = shelf.downloads.request_pending(profile_id)
    run = shelf.downloads.wait_for_run(run.id)
    assert run.state == RunState.PAUSED
    assert "10 images in a row failed" in run.error
    assert downloads.count_left(run.id) >= 40 - 10 - 5  # up to five other threads may have a download
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


def test_a_run_whose_cookies_expire_waits_and_new_cookies_resume_it(shelf, profile_id, flow, world):
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


def test_pause_keeps_the_queue_and_cancel_empties_it(shelf, profile_id, flow):
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


def test_cancel_also_drops_downloads_that_wait_for_a_retry(shelf, profile_id, flow, wait_until):
    flow.fail_next(429, count=12, retry_after=60)
    run = shelf.downloads.request_pending(profile_id)
    wait_until(lambda: shelf.connections.cooldown(profile_id))
    shelf.downloads.cancel(profile_id)
    wait_until(lambda: not Download.select().where(Download.run == run.id).exists())
    assert counts.count_downloadable(profile_id) == 40


def test_a_damaged_file_can_be_downloaded_again(shelf, fetch, world):
    name = world.names()[0]
    _, (image,) = fetch(name)
    Path(image.file_path).write_bytes(content(image)[:50])
    images.mark_damaged([image.id], "2026-11-22T00:00:00.000000Z")
    _, (again,) = fetch(name)
    assert content(again) == world.content(name)
    assert again.damaged_at is None


def test_a_run_resumed_while_detached_threads_work_downloads_nothing_twice(shelf, profile_id, flow, world):
    with flow.holding("media", at=3) as gate:
        run = shelf.downloads.request_pending(profile_id)
        assert gate.reached.wait(5)
        shelf.downloads.pause(profile_id)
        shelf.downloads.resume(profile_id)
        gate.release()
    run = shelf.downloads.wait_for_run(run.id)
    assert (run.state, run.done_count) == (RunState.DONE, 40)
    assert {flow.count("media", name=name) for name in world.names()} <= {0, 1}


def test_a_download_that_a_detached_thread_releases_after_a_resume_is_claimed_again(
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


def test_repeated_requests_download_nothing_twice(shelf, profile_id, flow, world):
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


def test_a_run_without_downloads_ends_with_the_last_thread_of_the_run_before(shelf, profile_id):
    before = runs.get_run(shelf.downloads.request_pending(profile_id, limit=1).id)
    shelf.downloads.wait_for_run(before.id)
    ending = WorkerPool(before)
    ending.threads.add(threading.current_thread())
    shelf.downloads._thread_counts[profile_id] += 1  # this thread, another one has ended that run already
    empty = downloads.request_downloads(profile_id, [], None)
    shelf.downloads.ensure_running(empty.id)
    assert runs.get_run(empty.id).state == RunState.RUNNING
    shelf.downloads._end_worker(ending)
    assert runs.get_run(empty.id).state == RunState.DONE


def test_an_image_requested_again_after_a_cancel_is_downloaded(shelf, profile_id, flow, world, fetch):
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


def test_removing_a_profile_with_its_files_during_a_run_leaves_them_in_the_trash_only(
    work, world, config, wait_until
):
    for _ in range(8):
        with store.connection():
            profile_id = work.accounts.add("Ada", world.cookie_header()).id
            work.syncs.wait(work.syncs.start(profile_id).id)
            run = work.downloads.request_pending(profile_id)
            wait_until(lambda run=run: runs.get_run(run.id).done_count > 5)
            work.remove_profile(profile_id, with_files=True)
    work.stop()
    left = [path for path in config.images_dir.rglob("*") if path.is_file()]
    assert [path for path in left if not is_in_trash(path)] == []


def test_a_run_whose_pause_could_not_be_stored_is_paused_later(running, config, world, wait_until, caplog):
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


def test_a_missing_folder_pauses_the_run_and_changes_no_row(shelf, profile_id, config, fetch, world):
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


def profile_with_one_file(work, world):
    """A profile with one downloaded picture, by which the size of the others is estimated."""
    profile = work.accounts.add("Ada", world.cookie_header())
    work.syncs.wait(work.syncs.start(profile.id).id)
    run = work.downloads.request(profile.id, list(images.find_ids(profile.id, world.names()[-1:]).values()))
    assert work.downloads.wait_for_run(run.id).done_count == 1
    return profile


def test_a_full_disk_pauses_the_run_and_resume_continues_once_there_is_space(
    running, world, flow, tiny_disk, wait_until
):
    app = running(storage_roots=(tiny_disk,))
    work = background_of(app)
    ballast = tiny_disk / "ballast"
    with store.connection():
        profile = profile_with_one_file(work, world)
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


def test_a_batch_that_will_not_fit_is_refused_with_the_needed_and_the_free_space(running, world, tiny_disk):
    app = running(storage_roots=(tiny_disk,))
    work, client = background_of(app), app.test_client()
    with store.connection():
        profile = profile_with_one_file(work, world)
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


def test_a_run_survives_a_full_disk_under_the_database(running, world, flow, tiny_disk, wait_until):
    """Once there is space it continues: after Resume if the pause could be stored, else by itself."""
    subprocess.run(["mount", "-o", "remount,size=6m", str(tiny_disk)], check=True)
    app = running(data_dir=tiny_disk / "shelf")
    work, client = background_of(app), app.test_client()
    with store.connection():
        profile = profile_with_one_file(work, world)
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


def test_a_429_pauses_all_threads_of_the_profile(running, flow, world):
    """After one 429 with a pause, no thread sends a request until the pause is over."""
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
    # Requests in flight at that moment get their response; the others wait about a second.
    late = [moment for moment in asked if moment - asked[0] > 0.9]
    assert len(late) >= 9


def test_two_profiles_download_at_the_same_time(work, profile_id, world, flow):
    other = World(seed=9, uploaded=8, tiny_pictures=True, email="bob@example.com")
    flow.add_world(other)
    with store.connection():
        second = work.accounts.add("Bob", other.cookie_header()).id
        for each in (profile_id, second):
            work.syncs.wait(work.syncs.start(each).id)
        begun = [work.downloads.request_pending(each) for each in (profile_id, second)]
        ended = [work.downloads.wait_for_run(run.id) for run in begun]
        assert [run.done_count for run in ended] == [70, 8]
