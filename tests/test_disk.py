"""Disks that fill up, turn read-only, go away and come back; files that a person deletes or changes."""

import ctypes
import hashlib
import os
import shutil
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from PIL import Image as Picture

from webapp import create_app, database, make_data_folder, store
from webapp.database.states import RunState
from webapp.errors import FolderGone
from webapp.maintenance import doctor
from webapp.store.gallery import counts, images
from webapp.web.services import background_of

SYNC = "/api/image-veo3/sync-metadata"
SINGLE = "/api/image-veo3/download-single"
BATCH = "/api/image-veo3/download-batch"


@pytest.fixture
def ask(client, profile_id):
    """A channel of the API, as the profile: status and answer."""

    def asked(path, **body):
        answer = client.post(path, json={"profileId": profile_id} | body)
        return answer.status_code, answer.get_json()

    return asked


@contextmanager
def read_only(folder):
    """The folder as if on a disk that the system has set to read-only."""
    if subprocess.run(["mount", "--bind", folder, folder], check=False, capture_output=True).returncode:
        pytest.skip("only root can set a folder to read-only for everybody")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_read_only_data_folder_is_said_the_gallery_works_and_it_goes_on_afterwards(
    ask, client, config, world
):
    ask(SYNC, maxPages=1)
    with read_only(config.data_dir):
        for path in (SYNC, SINGLE):
            status, answer = ask(path, imageName=world.names()[0])
            assert (status, answer["code"]) == (409, "folder_gone")
            assert "cannot be written to" in answer["error"]
        assert client.get("/").status_code == 200
        assert client.get("/healthz").get_json()["ready"] is False
        assert "images" in client.get("/api/profiles").get_json()["data"][0]
    assert ask(SYNC)[1]["data"]["synced"] > 0
    assert ask(SINGLE, imageName=world.names()[0])[0] == 200


def test_read_only_pictures_pause_the_downloads_and_they_go_on(ask, client, config, world, work, profile_id):
    ask(SYNC)
    with read_only(config.images_dir):
        status, answer = ask(BATCH, pending=True)
        assert (status, answer["code"]) == (409, "folder_gone")
        assert "Read-only file system" in answer["error"]
    with store.connection():
        work.downloads.resume(profile_id)
    assert ask(BATCH, pending=True)[0] == 200
    with store.connection():
        assert counts.count_profile(profile_id).downloaded == 40


def test_a_data_folder_that_goes_away_is_said_and_it_is_well_when_it_is_back(ask, client, config, tmp_path):
    ask(SYNC)
    with unplugged(config.data_dir, tmp_path):
        for path in ("/", "/api/profiles"):
            answer = client.get(path)
            assert answer.status_code == 409
            assert "not there" in answer.get_data(as_text=True)
        assert not config.data_dir.exists()
    assert client.get("/api/profiles").get_json()["data"][0]["images"] == 40


def test_a_database_that_was_deleted_by_hand_is_not_made_anew_under_the_work(ask, client, config, tmp_path):
    ask(SYNC)
    shutil.copy(config.database_path, tmp_path / "kept")
    for file in config.data_dir.glob("flowshelf.sqlite3*"):
        file.rename(tmp_path / file.name)
    status, answer = ask(SYNC)
    assert (status, answer["code"]) == (409, "folder_gone")
    assert not config.database_path.exists()
    for file in tmp_path.glob("flowshelf.sqlite3*"):
        file.rename(config.data_dir / file.name)
    assert client.get("/api/profiles").get_json()["data"][0]["images"] == 40


@contextmanager
def unplugged(folder, elsewhere):
    """The folder as if its disk was taken out, until the block ends."""
    folder.rename(elsewhere / "unplugged")
    try:
        yield
    finally:
        (elsewhere / "unplugged").rename(folder)


def test_a_sync_whose_data_folder_goes_away_under_it_ends_well(
    ask, config, flow, work, tmp_path, caplog, wait_until
):
    with flow.holding("history", at=2) as gate:
        run_id = ask(SYNC, wait=False)[1]["data"]["runId"]
        assert gate.reached.wait(5)
        with unplugged(config.data_dir, tmp_path):
            gate.release()
            wait_until(lambda: f"Sync run {run_id} cannot go on now" in caplog.text)
    with store.connection():
        run = work.syncs.wait(run_id)
    assert (run.state, run.synced_count) == (RunState.DONE, 40)


def test_downloads_that_lose_the_whole_data_folder_pause_and_go_on(
    ask, config, flow, work, tmp_path, profile_id
):
    ask(SYNC)
    with flow.holding("media", at=9) as gate, store.connection():
        run_id = ask(BATCH, pending=True, wait=False)[1]["data"]["runId"]
        assert gate.reached.wait(5)
        with unplugged(config.data_dir, tmp_path):
            gate.release()
            run = work.downloads.wait_for_run(run_id)
        assert (run.state, run.error_code, run.failed_count) == (RunState.PAUSED, "folder_gone", 0)
        work.downloads.resume(profile_id)
        assert work.downloads.wait_for_run(run_id).state == RunState.DONE
        assert counts.count_profile(profile_id).downloaded == 40


def got(client, path):
    """Status, kind and body; what is not read would leave its file open."""
    with client.get(path) as answer:
        return answer.status_code, answer.mimetype, answer.data


@pytest.fixture
def image(ask, world, work, profile_id):
    """One image with its file."""
    ask(SYNC)
    ask(SINGLE, imageName=world.names()[0])
    with store.connection():
        (found,) = images.list_with_file(profile_id=profile_id)
    return found


def test_a_file_that_was_deleted_by_hand_is_said_and_pending_again(image, client, ask):
    Path(image.local_path).unlink()
    status, _, body = got(client, f"/images/{image.id}/file")
    assert (status, b"deleted or moved outside of Flowshelf" in body) == (404, True)
    with store.connection():
        assert images.get_image(image.id).local_path is None
    assert ask(SINGLE, imageName=image.name)[0] == 200
    assert got(client, f"/images/{image.id}/file")[0] == 200


def test_a_picture_that_was_changed_by_hand_is_shown_as_it_is_now(image, client, caplog):
    old = got(client, f"/images/{image.id}/thumbnail/320")[2]
    Picture.new("RGB", (30, 20), "red").save(image.local_path)
    other = Path(image.local_path).read_bytes()
    assert got(client, f"/images/{image.id}/file")[2] == other
    assert "was changed by hand" in caplog.text
    with store.connection():
        row = images.get_image(image.id)
    assert (row.size_bytes, row.sha256) == (len(other), hashlib.sha256(other).hexdigest())
    assert (row.width, row.height) == (30, 20)
    assert got(client, f"/images/{image.id}/thumbnail/320")[2] != old
    assert client.post("/api/verify", json={}).get_json()["data"]["isWell"]
    with client.get(f"/images/{image.id}/file?v={image.sha256[:12]}") as answer:
        assert "no-cache" in answer.headers["Cache-Control"]


def test_a_picture_that_was_cut_by_hand_is_damaged_and_can_be_fetched_again(image, client, ask, world):
    Path(image.local_path).write_bytes(world.content(image.name)[:-30])
    got(client, f"/images/{image.id}/file")
    with store.connection():
        assert images.get_image(image.id).damaged_at
    assert ask(SINGLE, imageName=image.name)[0] == 200
    assert got(client, f"/images/{image.id}/file")[2] == world.content(image.name)


def test_a_folder_of_pictures_that_went_away_is_said_and_no_row_changes(image, client, config, tmp_path):
    with unplugged(config.images_dir, tmp_path):
        status, _, body = got(client, f"/images/{image.id}/file")
        assert (status, b"connect it again" in body) == (409, True)
    assert got(client, f"/images/{image.id}/file")[0] == 200


def test_a_thumbnail_that_cannot_be_kept_is_the_picture_itself(image, client, config, world):
    with read_only(config.thumbnails_dir):
        assert got(client, f"/images/{image.id}/thumbnail/320")[2] == world.content(image.name)
    assert got(client, f"/images/{image.id}/thumbnail/320")[1] == "image/webp"


def test_a_read_only_folder_can_be_copied_from(config, tmp_path):
    create_app(config)
    assert not list(config.data_dir.glob("*-wal"))
    with read_only(config.data_dir):
        database.copy_database(config.database_path, tmp_path / "copy")
    assert database.check(tmp_path / "copy").version == database.latest_version()


def test_a_start_on_a_read_only_folder_ends_with_a_sentence(config):
    make_data_folder(config)
    with read_only(config.data_dir), pytest.raises(FolderGone, match="cannot be written to"):
        create_app(config)


@contextmanager
def cut_off(folder):
    """The folder as on a network disk whose connection broke: whoever looks at it gets an error."""
    with suppress(OSError), open("/dev/fuse", "r+b", buffering=0) as driver:
        options = f"fd={driver.fileno()},rootmode=40000,user_id=0,group_id=0".encode()
        ctypes.CDLL(None).mount(b"nobody", bytes(folder), b"fuse", 0, options)
    if os.path.isdir(folder):
        pytest.skip("only root can mount a disk that does not answer")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_disk_that_does_not_answer_loses_no_picture_and_is_said(
    ask, client, config, world, work, profile_id, wait_until
):
    ask(SYNC)
    assert ask(SINGLE, imageName=world.names()[0])[0] == 200
    with store.connection():
        (image,) = images.list_with_file()
    with cut_off(config.images_dir):
        for path, asked in ((SINGLE, {"imageName": world.names()[0]}), (BATCH, {"pending": True})):
            status, answer = ask(path, **asked)
            assert (status, answer["code"]) == (409, "folder_gone")
            assert "not connected" in answer["error"]
        assert ask("/api/verify", setPending=True)[1]["data"]["counts"] == {"folder_gone": 1}
        assert client.get(f"/images/{image.id}/file").status_code == 409
        assert client.get(f"/images/{image.id}/thumbnail/320").status_code == 409
        wrong = [finding for finding in doctor.disks(config) if not finding.is_well]
        assert "not connected" in wrong[0].sentence
    with store.connection():
        assert images.get_image(image.id).local_path == image.local_path
    assert client.get(f"/images/{image.id}/file").data == world.content(image.name)


def test_a_start_while_a_folder_of_wishes_does_not_answer_keeps_them(running, config, world, tmp_path, flow):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    work = background_of(running(storage_roots=(folder,)))
    with store.connection():
        profile_id = work.accounts.add("Ada", world.cookie_header()).id
        work.syncs.wait(work.syncs.start(profile_id).id)
        ids = list(images.find_ids(profile_id, world.names()[:20]).values())
        with flow.holding("media") as gate:
            run = work.downloads.request(profile_id, ids, folder)
            assert gate.reached.wait(5)
            work.stop()
            gate.release()
    with cut_off(folder):
        work = background_of(running(storage_roots=(folder,)))
        with store.connection():
            run = work.downloads.wait_for_run(run.id)
    assert (run.state, run.error_code, run.failed_count) == (RunState.PAUSED, "folder_gone", 0)
    with store.connection():
        work.downloads.resume(profile_id)
        assert work.downloads.wait_for_run(run.id).done_count == 20


def test_a_folder_name_that_no_disk_can_hold_is_refused_with_a_sentence(ask, config, world):
    ask(SYNC)
    folder = config.images_dir / ("a" * 300)
    status, answer = ask(SINGLE, imageName=world.names()[0], localStoragePath=str(folder))
    assert (status, answer["code"]) == (400, "bad_path")


def test_a_folder_that_is_a_link_to_itself_is_refused_with_a_sentence(ask, config, world):
    ask(SYNC)
    folder = config.images_dir / "round"
    folder.symlink_to(folder)
    status, answer = ask(SINGLE, imageName=world.names()[0], localStoragePath=str(folder))
    assert (status, answer["code"]) == (400, "bad_path")
