"""Disks that become read-only, go away and come back; files that a person deletes or changes."""

import ctypes
import os
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

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
    """Calls the API for the profile: status and JSON of the response."""

    def ask(path, **body):
        response = client.post(path, json={"profileId": profile_id} | body)
        return response.status_code, response.get_json()

    return ask


@contextmanager
def read_only(folder):
    """Inside the block the folder is read-only, as on a disk that the system has set so."""
    if subprocess.run(["mount", "--bind", folder, folder], check=False, capture_output=True).returncode:
        pytest.skip("only root can set a folder to read-only for everybody")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_with_a_read_only_data_folder_the_gallery_works_and_commands_resume_afterwards(
    ask, client, config, world
):
    ask(SYNC, maxPages=1)
    with read_only(config.data_dir):
        for path in (SYNC, SINGLE):
            status, response = ask(path, imageName=world.names()[0])
            assert (status, response["code"]) == (409, "folder_gone")
            assert "cannot be written to" in response["error"]
        assert client.get("/").status_code == 200
        assert client.get("/healthz").get_json()["ready"] is False
        assert "images" in client.get("/api/profiles").get_json()["data"][0]
    assert ask(SYNC)[1]["data"]["synced"] > 0
    assert ask(SINGLE, imageName=world.names()[0])[0] == 200


def test_a_read_only_image_folder_pauses_downloads_which_can_be_resumed(
    ask, client, config, world, work, profile_id
):
    ask(SYNC)
    with read_only(config.images_dir):
        status, response = ask(BATCH, pending=True)
        assert (status, response["code"]) == (409, "folder_gone")
        assert "Read-only file system" in response["error"]
    with store.connection():
        work.downloads.resume(profile_id)
    assert ask(BATCH, pending=True)[0] == 200
    with store.connection():
        assert counts.count_profile(profile_id).downloaded == 40


def test_a_missing_data_folder_is_reported_and_works_again_when_it_is_back(ask, client, config, tmp_path):
    ask(SYNC)
    with unplugged(config.data_dir, tmp_path):
        for path in ("/", "/api/profiles"):
            response = client.get(path)
            assert response.status_code == 409
            assert "not there" in response.get_data(as_text=True)
        assert not config.data_dir.exists()
    assert client.get("/api/profiles").get_json()["data"][0]["images"] == 40


def test_a_deleted_database_is_not_created_anew_while_the_program_runs(ask, client, config, tmp_path):
    ask(SYNC)
    for file in config.data_dir.glob("flowshelf.sqlite3*"):
        file.rename(tmp_path / file.name)
    status, response = ask(SYNC)
    assert (status, response["code"]) == (409, "folder_gone")
    assert not config.database_path.exists()
    for file in tmp_path.glob("flowshelf.sqlite3*"):
        file.rename(config.data_dir / file.name)
    assert client.get("/api/profiles").get_json()["data"][0]["images"] == 40


@contextmanager
def unplugged(folder, elsewhere):
    """Inside the block the folder is missing, as if its disk was disconnected."""
    folder.rename(elsewhere / "unplugged")
    try:
        yield
    finally:
        (elsewhere / "unplugged").rename(folder)


def test_a_sync_survives_the_temporary_loss_of_the_data_folder(
    ask, config, flow, work, tmp_path, caplog, wait_until
):
    with flow.holding("history", at=2) as gate:
        run_id = ask(SYNC, wait=False)[1]["data"]["runId"]
        assert gate.reached.wait(5)
        with unplugged(config.data_dir, tmp_path):
            gate.release()
            wait_until(lambda: f"sync {run_id}: cannot go on now" in caplog.text)
    with store.connection():
        run = work.syncs.wait(run_id)
    assert (run.state, run.synced_count) == (RunState.DONE, 40)


def test_downloads_pause_when_the_data_folder_is_lost_and_can_be_resumed(
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
    """Status, content type and body. The body is read, because otherwise its file would stay open."""
    with client.get(path) as response:
        return response.status_code, response.mimetype, response.data


@pytest.fixture
def image(ask, world, work, profile_id):
    """One image with its file."""
    ask(SYNC)
    ask(SINGLE, imageName=world.names()[0])
    with store.connection():
        (found,) = images.list_with_file(profile_id=profile_id)
    return found


def test_a_file_that_was_deleted_by_hand_is_reported_and_pending_again(image, client, ask):
    Path(image.file_path).unlink()
    status, _, body = got(client, f"/images/{image.id}/file")
    assert (status, b"deleted or moved outside of Flowshelf" in body) == (404, True)
    with store.connection():
        assert images.get_image(image.id).local_path is None
    assert ask(SINGLE, imageName=image.name)[0] == 200
    assert got(client, f"/images/{image.id}/file")[0] == 200


def test_a_picture_that_was_truncated_by_hand_is_damaged_and_can_be_downloaded_again(
    image, client, ask, world
):
    Path(image.file_path).write_bytes(world.content(image.name)[:-30])
    got(client, f"/images/{image.id}/file")
    with store.connection():
        assert images.get_image(image.id).damaged_at
    assert ask(SINGLE, imageName=image.name)[0] == 200
    assert got(client, f"/images/{image.id}/file")[2] == world.content(image.name)


def test_a_missing_image_folder_is_reported_and_changes_no_row(image, client, config, tmp_path):
    with unplugged(config.images_dir, tmp_path):
        status, _, body = got(client, f"/images/{image.id}/file")
        assert (status, b"connect it again" in body) == (409, True)
    assert got(client, f"/images/{image.id}/file")[0] == 200


def test_the_original_is_shown_when_its_thumbnail_cannot_be_saved(image, client, config, world):
    with read_only(config.thumbnails_dir):
        assert got(client, f"/images/{image.id}/thumbnail/320")[2] == world.content(image.name)
    assert got(client, f"/images/{image.id}/thumbnail/320")[1] == "image/webp"


def test_a_database_in_a_read_only_folder_can_be_copied(config, tmp_path):
    create_app(config)
    assert not list(config.data_dir.glob("*-wal"))
    with read_only(config.data_dir):
        database.copy_database(config.database_path, tmp_path / "copy")
    assert database.check(tmp_path / "copy").version == database.latest_version()


def test_a_start_on_a_read_only_folder_ends_with_an_error_for_the_person(config):
    make_data_folder(config)
    with read_only(config.data_dir), pytest.raises(FolderGone, match="cannot be written to"):
        create_app(config)


@contextmanager
def cut_off(folder):
    """Inside the block every access to the folder fails, as on a network disk without a connection."""
    with suppress(OSError), open("/dev/fuse", "r+b", buffering=0) as driver:
        options = f"fd={driver.fileno()},rootmode=40000,user_id=0,group_id=0".encode()
        ctypes.CDLL(None).mount(b"nobody", bytes(folder), b"fuse", 0, options)
    if os.path.isdir(folder):
        pytest.skip("only root can mount a disk that does not respond")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_disconnected_network_disk_loses_no_picture_and_is_reported(
    ask, client, config, world, work, profile_id, wait_until
):
    ask(SYNC)
    assert ask(SINGLE, imageName=world.names()[0])[0] == 200
    with store.connection():
        (image,) = images.list_with_file()
    with cut_off(config.images_dir):
        for path, body in ((SINGLE, {"imageName": world.names()[0]}), (BATCH, {"pending": True})):
            status, response = ask(path, **body)
            assert (status, response["code"]) == (409, "folder_gone")
            assert "not connected" in response["error"]
        assert ask("/api/verify", setPending=True)[1]["data"]["counts"] == {"folder_gone": 1}
        assert client.get(f"/images/{image.id}/file").status_code == 409
        assert client.get(f"/images/{image.id}/thumbnail/320").status_code == 409
        wrong = [finding for finding in doctor.check_disks(config) if not finding.is_well]
        assert "not connected" in wrong[0].sentence
    with store.connection():
        assert images.get_image(image.id).local_path == image.local_path
    assert client.get(f"/images/{image.id}/file").data == world.content(image.name)


def test_a_start_while_a_download_folder_is_disconnected_keeps_its_downloads(
    running, config, world, tmp_path, flow
):
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


def test_a_folder_name_that_is_too_long_is_refused(ask, config, world):
    ask(SYNC)
    folder = config.images_dir / ("a" * 300)
    status, response = ask(SINGLE, imageName=world.names()[0], localStoragePath=str(folder))
    assert (status, response["code"]) == (400, "bad_path")


def test_a_folder_that_is_a_link_to_itself_is_refused(ask, config, world):
    ask(SYNC)
    folder = config.images_dir / "round"
    folder.symlink_to(folder)
    status, response = ask(SINGLE, imageName=world.names()[0], localStoragePath=str(folder))
    assert (status, response["code"]) == (400, "bad_path")
