"""Files and rows find each other: before a download, in `verify`, and after a restored backup."""

import json
import os
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from webapp.cli import main
from webapp.database.base import db
from webapp.database.models import Image
from webapp.store import removals
from webapp.store.gallery import images


def own_path(config, image, suffix=".jpg"):
    return config.images_dir / image.profile_id / f"{image.media_key}{suffix}"


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (time.time() - 3600,) * 2)
    return path


@pytest.fixture
def shelf(work, profile_id, flow):
    """A shelf after a sync, with an open connection, which a command in this process may replace."""
    db.connect()
    work.syncs.wait(work.syncs.start(profile_id, histories=("ASSET_MANAGER",)).id)
    flow.reset()
    yield work
    db.close()


@pytest.fixture
def image(shelf, profile_id):
    """An image without a file."""
    return Image.get(Image.profile_id == profile_id, Image.local_path.is_null())


def download(work, image):
    work.downloads.wait_for_run(work.downloads.request(image.profile_id, [image.id]).id)
    return images.get_image(image.id)


def run(config, *command):
    done = CliRunner().invoke(main, [*command, "--json", "--data-dir", str(config.data_dir)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    db.connect(reuse_if_open=True)  # the command opened the database anew
    return json.loads(done.output)["data"]


def test_a_download_takes_the_sound_file_at_its_place_and_fetches_nothing(work, image, config, world, flow):
    path = put(own_path(config, image), world.content(image.name))
    found = download(work, image)
    assert (found.file_path, found.size_bytes) == (str(path), path.stat().st_size)
    assert found.width
    assert flow.count("media") == 0


@pytest.mark.parametrize("cut", [0, 30])
def test_a_download_never_overwrites_what_it_does_not_take(work, image, config, world, cut):
    """A damaged file, and one that another image has."""
    content = world.content(image.name)
    path = put(own_path(config, image), content[:-cut] if cut else content + b"more")
    if not cut:
        other = Image.get(Image.id != image.id, Image.local_path.is_null())
        place = f"{image.profile_id}/{path.name}"
        Image.update(local_path=place).where(Image.id == other.id).execute()
    before = path.read_bytes()
    found = download(work, image)
    assert path.read_bytes() == before
    assert found.file_path != str(path)
    assert Path(found.file_path).read_bytes() == content


def test_another_file_under_the_last_name_is_put_aside(work, image, config, world, shelf):
    path = own_path(config, image)
    put(path, b"no picture")
    last = Path(download(work, image).file_path)
    images.mark_missing([image.id])
    put(last, b"no picture either")
    found = download(work, image)
    assert found.file_path == str(last)
    assert last.read_bytes() == world.content(image.name)
    assert last.with_stem(f"{last.stem}-changed-1").read_bytes() == b"no picture either"
    assert path.read_bytes() == b"no picture"


def test_verify_takes_files_for_images_without_one_and_moves_only_the_others(work, image, config, world):
    work.stop()
    path = put(own_path(config, image, ".png"), world.content(image.name))
    stray = put(path.with_name("stray.jpg"), b"stray")
    broken = put(own_path(config, Image.get(Image.id != image.id)), b"broken")
    found = run(config, "verify", "--move-unknown")
    assert found["foundCount"] == 1
    assert images.get_image(image.id).file_path == str(path)
    assert path.exists()
    assert not stray.exists()
    assert not broken.exists()
    assert found["unknown"]["movedCount"] == 2


def test_a_missing_file_is_found_under_another_suffix_only_if_its_sha256_agrees(work, image, config):
    path = Path(download(work, image).file_path)
    other = path.with_suffix(".png")
    content = path.read_bytes()
    path.unlink()
    put(other, content + b"a byte behind the picture")
    work.stop()
    assert run(config, "verify")["counts"] == {"missing": 1}
    other.write_bytes(content)
    assert run(config, "verify")["counts"] == {"whole": 1}
    assert images.get_image(image.id).file_path == str(other)


def test_a_file_that_is_going_to_be_removed_is_not_taken(work, image, config, world):
    work.stop()
    path = put(own_path(config, image), world.content(image.name))
    removals.add_removals([(f"{image.profile_id}/{path.name}", None, "no-image")])
    assert run(config, "verify")["foundCount"] == 0


def test_a_link_out_of_the_roots_is_not_taken(work, image, config, world, tmp_path):
    work.stop()
    outside = put(tmp_path / "outside.jpg", world.content(image.name))
    path = own_path(config, image)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(outside)
    assert run(config, "verify")["foundCount"] == 0


def test_a_restored_backup_finds_the_files_that_came_after_it(work, shelf, profile_id, config, tmp_path):
    copy = tmp_path / "copy.sqlite3"
    run(config, "backup", str(copy))
    shelf.downloads.wait_for_run(shelf.downloads.request_pending(profile_id, 5).id)
    files = {image.id: image.file_path for image in images.list_with_file()}
    work.stop()
    assert run(config, "restore", str(copy))["foundCount"] == 5
    assert {image.id: image.file_path for image in images.list_with_file()} == files
    found = run(config, "verify", "--move-unknown")
    assert (found["counts"], found["unknown"]["count"]) == ({"whole": 5}, 0)
