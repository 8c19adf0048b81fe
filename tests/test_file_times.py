"""The modification time of an image's file is the time the image was made."""

import os
import time
from pathlib import Path

import pytest

from webapp import store
from webapp.background import time_backfill
from webapp.database.base import db
from webapp.database.models import Image
from webapp.maintenance import changes, found_files, unknown_files
from webapp.store.gallery import images
from webapp.times import parsed
from webapp.web.services import background_of


def seconds(image):
    return parsed(image.created_at).timestamp()


def mtime(image):
    return os.stat(image.file_path).st_mtime


@pytest.fixture
def downloaded(work, profile_id):
    """Three images with their files."""
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id, histories=("ASSET_MANAGER",)).id)
        work.downloads.wait_for_run(work.downloads.request_pending(profile_id, 3).id)
        return images.list_with_file(profile_id=profile_id)


def restarted(running):
    """The work after a restart, once it has been through all files."""
    work = background_of(running())
    work.time_backfill._thread.join(10)
    return work


def from_an_earlier_version(rows):
    """Files and rows as a version without times of images left them."""
    with store.connection():
        for image in rows:
            os.utime(image.file_path)
            Image.update(file_time_at=None).where(Image.id == image.id).execute()


def reread(rows):
    with store.connection():
        return [images.get_image(image.id) for image in rows]


def test_a_download_has_the_time_of_its_image_and_the_bytes_of_flow(downloaded, world):
    for image in downloaded:
        assert mtime(image) == pytest.approx(seconds(image), abs=0.001)
        assert Path(image.file_path).read_bytes() == world.content(image.name)
        assert image.file_time_at


def test_a_found_file_gets_the_time_of_its_image(downloaded, config):
    image = downloaded[0]
    os.utime(image.file_path)
    with store.connection():
        images.mark_missing([image.id])
        assert found_files.take_found_files((config.images_dir,)) == 1
    assert mtime(image) == pytest.approx(seconds(image), abs=0.001)


def test_files_of_an_earlier_version_get_their_times_once_at_the_next_start(downloaded, running):
    from_an_earlier_version(downloaded)
    contents = [Path(image.file_path).read_bytes() for image in downloaded]
    restarted(running)
    for image, content in zip(reread(downloaded), contents, strict=True):
        assert mtime(image) == pytest.approx(seconds(image), abs=0.001)
        assert Path(image.file_path).read_bytes() == content
        os.utime(image.file_path, (2e9, 2e9))
    restarted(running)
    assert {mtime(image) for image in downloaded} == {2e9}


def test_a_file_outside_the_roots_keeps_its_time(downloaded, running, tmp_path):
    from_an_earlier_version(downloaded)
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(b"somebody's")
    os.utime(outside, (1e9, 1e9))
    with store.connection():
        Image.update(local_path=str(outside)).where(Image.id == downloaded[0].id).execute()
    restarted(running)
    assert outside.stat().st_mtime == 1e9
    assert mtime(downloaded[1]) == pytest.approx(seconds(downloaded[1]), abs=0.001)


def test_setting_the_time_neither_makes_a_file_look_changed_nor_hides_a_change(
    downloaded, running, monkeypatch
):
    untouched, touched, _ = downloaded
    from_an_earlier_version(downloaded)
    content = bytearray(Path(touched.file_path).read_bytes())
    content[-3] ^= 1
    long_ago = "2026-01-02T00:00:00.000000Z"
    with store.connection():
        Image.update(downloaded_at=long_ago).where(Image.id == touched.id).execute()
    Path(touched.file_path).write_bytes(content)  # the same size, behind Flowshelf's back
    restarted(running)
    untouched, touched = reread([untouched, touched])
    assert mtime(touched) == pytest.approx(seconds(touched), abs=0.001)
    assert not changes.is_untouched(touched, os.stat(touched.file_path))
    with store.connection():
        assert changes.sha256_of(touched, Path(touched.file_path)) != touched.sha256
        monkeypatch.setattr(changes.storage, "current_sha256", lambda _: pytest.fail("the file was read"))
        assert changes.sha256_of(untouched, Path(untouched.file_path)) == untouched.sha256


def test_a_file_without_a_row_yet_is_not_taken_for_an_old_one(downloaded, config):
    """Its time is set after its row: until then it is as new as it is."""
    image = downloaded[0]
    stray = Path(image.file_path).with_name("stray.jpg")
    stray.write_bytes(b"a download that is under way")
    with store.connection():
        found = unknown_files.check_unknown_files(config.images_dir, config.unknown_dir, moves=True)
    assert (found.count, stray.exists()) == (0, True)
    assert mtime(image) < time.time() - unknown_files.MIN_AGE_SECONDS


def test_a_changed_file_that_is_kept_gets_the_time_at_the_next_start(downloaded, running, config):
    image = downloaded[0]
    other = Path(downloaded[1].file_path).read_bytes() + b"behind the picture"
    Path(image.file_path).write_bytes(other)
    with store.connection():
        changes.keep(image, (config.images_dir,))
    restarted(running)
    assert mtime(image) == pytest.approx(seconds(image), abs=0.001)
    assert Path(image.file_path).read_bytes() == other


def test_a_failure_of_the_database_ends_only_this_thread(downloaded, running, caplog):
    from_an_earlier_version(downloaded)
    with store.connection():
        db.execute_sql(
            "CREATE TRIGGER refuse BEFORE UPDATE OF file_time_at ON veo3_image_generations "
            "BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
    assert restarted(running).is_ready
    assert "times of files could not be set" in caplog.text


def test_a_browser_that_only_knows_a_date_is_told_that_of_the_bytes(client, downloaded):
    """Not that of the image, which stays when the file has other bytes."""
    with client.get(f"/images/{downloaded[0].id}/file") as response:
        assert response.last_modified.timestamp() > time.time() - 3600


def test_a_stop_ends_the_thread_between_two_files(downloaded, config, running):
    from_an_earlier_version(downloaded)
    work = background_of(running())
    work.stop()
    from_an_earlier_version(downloaded)
    backfill = time_backfill.TimeBackfill([config.images_dir], work.stopping)
    backfill.start()
    backfill.stop(5)
    assert {image.file_time_at for image in reread(downloaded)} == {None}
