"""A data folder or a storage root that was moved, renamed or taken to another machine."""

import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from webapp import create_app, store
from webapp.database.models import Image
from webapp.maintenance import doctor, relocation
from webapp.maintenance.verify import FileState, verify
from webapp.store import removals
from webapp.web.services import background_of


@pytest.fixture
def downloaded(work, profile_id):
    """Five images with their files, in the data folder."""
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id, histories=("ASSET_MANAGER",)).id)
        run = work.downloads.request_pending(profile_id, limit=5)
        assert work.downloads.wait_for_run(run.id).done_count == 5
    return work


@pytest.fixture
def moved(config, downloaded, tmp_path):
    """The data folder under another path, and how to open it there."""
    downloaded.stop()
    target = tmp_path / "elsewhere" / "shelf"
    target.parent.mkdir()
    shutil.move(config.data_dir, target)
    return target, lambda: create_app(replace(config, data_dir=target))


def checked(app, **options):
    with store.connection():
        return verify(background_of(app).downloads.roots, **options)


def first_image():
    with store.connection():
        return Image.select().where(Image.local_path.is_null(False)).first()


def execute(path, statement, *values):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return connection.execute(statement, values).fetchall()


def test_paths_are_stored_relative_and_answered_absolute(downloaded, client, profile_id, config):
    image = first_image()
    assert (image.root_id, image.local_path) == (None, f"{profile_id}/{Path(image.file_path).name}")
    body = {"profileId": profile_id}
    values = client.post("/api/image-veo3/get-local-images", json=body).get_json()["data"]
    paths = [value["localPath"] for value in values if "localPath" in value]
    assert len(paths) == 5
    assert all(Path(path).is_relative_to(config.images_dir) and Path(path).is_file() for path in paths)


def test_a_data_folder_may_be_moved_as_a_whole(moved):
    _, open_moved = moved
    app = open_moved()
    assert checked(app).counts == {FileState.WHOLE: 5}
    image, visitor = first_image(), app.test_client()
    assert visitor.get(f"/images/{image.id}/file").status_code == 200
    assert visitor.get(f"/images/{image.id}/thumbnail/320").status_code == 200


def test_absolute_paths_of_an_earlier_version_are_found_after_the_move(moved, config):
    """As version 0.1 left them: absolute, and the folder was moved before the update."""
    target, open_moved = moved
    made_absolute = "UPDATE veo3_image_generations SET local_path = ? || local_path WHERE local_path > ''"
    execute(target / "flowshelf.sqlite3", made_absolute, f"{config.images_dir}/")
    app = open_moved()
    report = checked(app)
    assert report.counts == {FileState.FOLDER_GONE: 5}
    (move,) = report.moves
    assert (move.before, move.now, move.file_count) == (str(config.images_dir), target / "images", 5)
    report = checked(app, follows_moves=True)
    assert (report.counts, report.moves) == ({FileState.WHOLE: 5}, [])


def test_paths_of_another_system_are_found_too(moved, profile_id):
    target, open_moved = moved
    execute(
        target / "flowshelf.sqlite3",
        r"""UPDATE veo3_image_generations SET local_path = 'C:\Users\Ada\Flowshelf\images\'
        || REPLACE(local_path, '/', '\') WHERE local_path > ''""",
    )
    assert checked(open_moved(), follows_moves=True).counts == {FileState.WHOLE: 5}
    assert first_image().local_path.startswith(f"{profile_id}/")


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    return folder


@pytest.fixture
def rooted(running, root, profile_id, flow, world):
    """Five images whose files are in a storage root."""
    work = background_of(running(storage_roots=(root,)))
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id, histories=("ASSET_MANAGER",)).id)
        run = work.downloads.request_pending(profile_id, limit=5, folder=root / "flow")
        assert work.downloads.wait_for_run(run.id).done_count == 5
    return work


def test_a_storage_root_that_moved_is_found_and_followed(rooted, running, root, tmp_path):
    root.rename(tmp_path / "photos")
    work = background_of(running(storage_roots=(tmp_path / "photos",)))
    with store.connection():
        report = verify(work.downloads.roots)
        assert report.counts == {FileState.FOLDER_GONE: 5}
        assert [(move.before, move.now) for move in report.moves] == [(str(root), tmp_path / "photos")]
        assert verify(work.downloads.roots, follows_moves=True).counts == {FileState.WHOLE: 5}
    work = background_of(running(storage_roots=(tmp_path / "photos",)))
    with store.connection():
        assert verify(work.downloads.roots).counts == {FileState.WHOLE: 5}


def test_a_removal_that_is_still_to_be_done_follows_the_move_of_its_root(rooted, running, root, tmp_path):
    root.rename(tmp_path / "photos")
    running(storage_roots=(tmp_path / "photos",))
    with store.connection():
        image = Image.select().where(Image.root_id.is_null(False)).first()
        # After the start, which would carry it out.
        removals.add_removals([(image.local_path, image.root_id, image.id)])
        relocation.follow_moves()
        (removal,) = removals.list_removals()
    assert removal.file_path == str(tmp_path / "photos" / image.local_path)


def test_other_files_of_the_same_name_are_no_move(rooted, running, root, tmp_path):
    root.rename(tmp_path / "gone")
    (tmp_path / "photos" / "flow").mkdir(parents=True)
    for path in (tmp_path / "gone" / "flow").iterdir():
        (tmp_path / "photos" / "flow" / path.name).write_bytes(b"somebody's own picture")
    work = background_of(running(storage_roots=(tmp_path / "photos",)))
    with store.connection():
        assert verify(work.downloads.roots, follows_moves=True).counts == {FileState.FOLDER_GONE: 5}
        assert relocation.find_moves() == []


def test_a_root_that_is_configured_later_takes_the_absolute_paths_below_it(downloaded, running, root):
    image = first_image()
    shutil.copy(image.file_path, root / "a.jpg")
    with store.connection():
        Image.update(local_path=str(root / "a.jpg")).where(Image.id == image.id).execute()
    running(storage_roots=(root,))
    with store.connection():
        row = Image.get(Image.id == image.id)
    assert (row.local_path, row.file_path) == ("a.jpg", str(root / "a.jpg"))


def test_doctor_says_that_files_are_not_where_they_are_recorded(downloaded, config):
    (check,) = doctor.check_files(config)
    assert check.is_well
    os.rename(config.images_dir, config.data_dir / "renamed")
    (check,) = doctor.check_files(config)
    assert not check.is_well
    assert "5 of 5 files" in check.sentence
