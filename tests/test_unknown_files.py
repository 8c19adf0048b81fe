"""Files in the folders of profiles that no image knows: `flowshelf verify` lists them and moves no others."""

import json
import os
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from webapp import store
from webapp.cli import main
from webapp.database.models import Image
from webapp.store import removals

REMOVED = "profile_0123456789ab"


@pytest.fixture
def shelf(work, profile_id, config):
    """A profile whose images have files; nothing runs."""
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id).id)
        work.downloads.wait_for_run(work.downloads.request_pending(profile_id, 5).id)
    work.stop()
    return profile_id


def put(path, content=b"unknown", age=3600.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (time.time() - age,) * 2)
    return path


def verify(config, *options):
    done = CliRunner().invoke(main, ["verify", "--json", "--data-dir", str(config.data_dir), *options])
    assert done.exit_code == 0, done.output
    return json.loads(done.output)["data"]["unknown"]


def every_file(config):
    return {path: path.read_bytes() for path in config.images_dir.rglob("*") if path.is_file()}


def grow_old(config):
    for path in config.images_dir.rglob("*"):
        os.utime(path, (time.time() - 3600,) * 2)


def test_only_files_that_no_image_knows_are_listed_and_moved(config, shelf, tmp_path):
    images = config.images_dir
    put(images / shelf / "one.jpg")
    put(images / shelf / "folder" / "two.jpg")
    put(images / REMOVED / "three.jpg", b"of a removed profile")
    with store.connection():
        known = Image.get(Image.local_path.is_null(False)).local_path
        put(images / shelf / "going.jpg")
        removals.add_removals([(f"{shelf}/going.jpg", None, "no-image")])
    grow_old(config)
    put(images / shelf / "just-stored.jpg", age=5.0)
    put(images / REMOVED / ".flowshelf-x.part")
    put(images / "holiday" / "four.jpg")
    put(images / "five.jpg")
    put(images / REMOVED / Path(known).name)  # the same picture, from before the profile was removed
    elsewhere = put(tmp_path / "elsewhere" / "six.jpg")
    (images / shelf / "link").symlink_to(elsewhere.parent)
    (images / shelf / "link.jpg").symlink_to(elsewhere)
    names = [
        f"{REMOVED}/three.jpg",
        f"{REMOVED}/{Path(known).name}",
        f"{shelf}/folder/two.jpg",
        f"{shelf}/one.jpg",
    ]
    before = every_file(config)

    assert verify(config) == {"count": 4, "files": sorted(names), "movedCount": 0}
    assert every_file(config) == before
    assert not config.unknown_dir.exists()

    assert verify(config, "--move-unknown")["movedCount"] == 4
    assert {str(path.relative_to(config.unknown_dir)) for path in config.unknown_dir.rglob("*.*")} == set(
        names
    )
    assert every_file(config).keys() == before.keys() - {images / name for name in names}
    assert elsewhere.exists()
    assert verify(config)["count"] == 0


@pytest.mark.parametrize("has_links", [True, False])
def test_nothing_is_overwritten_by_a_moved_file(config, shelf, monkeypatch, has_links):
    if not has_links:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(PermissionError(1, "refused")))
    first = put(config.unknown_dir / shelf / "one.jpg", b"moved earlier")
    put(config.images_dir / shelf / "one.jpg", b"another")
    assert verify(config, "--move-unknown")["movedCount"] == 1
    assert first.read_bytes() == b"moved earlier"
    assert first.with_name("one-2.jpg").read_bytes() == b"another"
    assert not (config.images_dir / shelf / "one.jpg").exists()


def test_in_a_moved_data_folder_nothing_is_unknown(config, shelf):
    grow_old(config)
    with store.connection():
        for image in Image.select().where(Image.local_path.is_null(False)):
            path = f"/before/images/{shelf}/{Path(image.local_path).name}"
            Image.update(local_path=path).where(Image.id == image.id).execute()
    done = CliRunner().invoke(
        main, ["verify", "--json", "--move-unknown", "--data-dir", str(config.data_dir)]
    )
    assert json.loads(done.output)["data"]["unknown"]["count"] == 0


def test_another_storage_root_below_a_profile_is_left_alone(config, shelf, monkeypatch):
    root = put(config.images_dir / shelf / "mine" / "picture.jpg").parent
    monkeypatch.setenv("FLOWSHELF_STORAGE_ROOTS", str(root))
    assert verify(config, "--move-unknown")["count"] == 0
    assert (root / "picture.jpg").exists()


def test_a_server_moves_unknown_files_for_the_command(client, profile_id, config):
    put(config.images_dir / profile_id / "one.jpg")
    found = client.post("/api/verify", json={"moveUnknown": True}).get_json()["data"]
    assert found["unknown"] == {"count": 1, "files": [f"{profile_id}/one.jpg"], "movedCount": 1}
