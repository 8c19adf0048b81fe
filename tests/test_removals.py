"""Files that are removed: all of them, and nothing else, also when the process is killed in between."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from webapp import store
from webapp.database.models import Image, Removal, TrashedFile
from webapp.database.restore import restore_database
from webapp.storage import TRASH_FOLDER, is_in_trash
from webapp.store import profiles, removals
from webapp.store.roots import load_roots, place_columns
from webapp.web.services import background_of

# Removes in a process of its own, which is killed (SIGKILL) before the file with this number.
KILLED = """
import os, pathlib, signal, sys
from webapp import create_app, store
from webapp.config import read_config
from webapp.web.services import background_of

work = background_of(create_app(read_config()))
work.start(resumes=False)
calls = []

def killing(function):
    def killed(path, *others, **options):
        calls.append(path)
        if len(calls) > int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        return function(path, *others, **options)
    return killed

pathlib.Path.unlink, os.rename = killing(pathlib.Path.unlink), killing(os.rename)
with store.connection():
    exec(sys.argv[1])
"""


def kill_in_between(config, statement, files):
    environ = os.environ | {"FLOWSHELF_DATA_DIR": str(config.data_dir)}
    environ["FLOWSHELF_STORAGE_ROOTS"] = os.pathsep.join(map(str, config.storage_roots))
    command = [sys.executable, "-c", KILLED, statement, str(files)]
    done = subprocess.run(command, env=environ, capture_output=True, check=False, timeout=60)
    assert done.returncode == -9, done.stderr.decode()


def add_images(config, profile_id, count, folder=None):
    """Images with files and thumbnails. Returns their ids."""
    folder = folder or config.images_dir / profile_id
    folder.mkdir(parents=True, exist_ok=True)
    thumbnails = config.thumbnails_dir / profile_id
    thumbnails.mkdir(parents=True, exist_ok=True)
    ids = []
    for number in range(count):
        id_ = f"{profile_id}-{number}"
        file = folder / f"{id_}.jpg"
        file.write_bytes(id_.encode())
        (thumbnails / f"{id_}-{'0' * 64}-320.webp").write_bytes(b"small")
        Image.create(
            id=id_,
            profile_id=profile_id,
            name=id_,
            workflow_id=id_,
            media_key=id_,
            **place_columns(file),
            sha256="0" * 64,
            size_bytes=1,
            created_at="2026",
        )
        ids.append(id_)
    return ids


@pytest.fixture
def ids(config):
    """Two profiles with images, in a data folder without a process."""
    config.data_dir.mkdir(parents=True, exist_ok=True)
    store.open_database(config.database_path)
    with store.connection():
        found = [profiles.add_profile(name, ("PINHOLE",)).id for name in ("Ada", "Grace")]
        for profile_id in found:
            add_images(config, profile_id, 60)
    return found


def files_below(folder):
    """The names of files, but not of those in the trash."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    return sorted(path.name for path in found if not is_in_trash(path))


def files_in_trash(folder):
    found = [path.name for path in (folder / TRASH_FOLDER).rglob("*") if path.is_file()]
    return sorted(name for name in found if name != "about.json")


def left_removals():
    """How many files are recorded and not yet removed, or moved to the trash."""
    with store.connection():
        return Removal.select().count() + TrashedFile.select().where(TrashedFile.state == "moving").count()


def test_a_killed_removal_of_a_profile_is_carried_on_and_removes_nothing_else(
    config, ids, running, wait_until
):
    gone, stays = ids
    foreign = config.images_dir / gone / "mine.txt"
    foreign.write_text("not of Flowshelf")
    (config.images_dir / gone / ".flowshelf-x.part").touch()
    others = files_below(config.images_dir / stays), files_below(config.thumbnails_dir / stays)
    kill_in_between(config, f"work.remove_profile({gone!r}, with_files=True)", 25)
    assert len(files_below(config.images_dir / gone)) > 30
    assert left_removals() > 30
    running()
    wait_until(lambda: left_removals() == 0)
    assert files_below(config.images_dir / gone) == ["mine.txt"]
    assert len(files_in_trash(config.images_dir)) == 60
    assert not (config.thumbnails_dir / gone).exists()
    assert (files_below(config.images_dir / stays), files_below(config.thumbnails_dir / stays)) == others


def test_the_folder_of_a_removed_profile_goes_with_its_last_file(config, ids, running):
    work = background_of(running())
    with store.connection():
        work.remove_profile(ids[0], with_files=True)
    assert left_removals() == 0
    assert {path.name for path in config.images_dir.iterdir()} == {ids[1], TRASH_FOLDER}


def test_a_profile_removed_without_its_files_keeps_them(config, ids, running):
    work = background_of(running())
    before = files_below(config.images_dir)
    with store.connection():
        work.remove_profile(ids[0])
    assert files_below(config.images_dir) == before
    assert not (config.thumbnails_dir / ids[0]).exists()
    assert left_removals() == 0


def test_a_killed_deletion_for_good_is_carried_on(config, ids, running, wait_until):
    chosen = [f"{ids[0]}-{number}" for number in range(40)]
    kill_in_between(config, f"work.delete_for_good({chosen!r})", 15)
    running()
    wait_until(lambda: left_removals() == 0)
    assert len(files_below(config.images_dir)) == len(files_below(config.thumbnails_dir)) == 120 - 40
    assert files_in_trash(config.images_dir) == []


def test_a_killed_deletion_of_selected_files_is_carried_on(config, ids, running, wait_until):
    chosen = [f"{ids[0]}-{number}" for number in range(40)]
    kill_in_between(config, f"work.delete_files({chosen!r})", 15)
    running()
    wait_until(lambda: left_removals() == 0)
    with store.connection():
        rows = {image.id: image for image in Image.select()}
    assert {id_ for id_, image in rows.items() if image.local_path is None} == set(chosen)
    assert all(rows[id_].not_wanted_at for id_ in chosen)
    assert len(files_below(config.images_dir)) == 120 - 40
    assert len(files_in_trash(config.images_dir)) == 40
    assert not {name for name in files_below(config.images_dir) if Path(name).stem in chosen}


def test_a_file_that_an_image_has_again_or_that_is_elsewhere_is_not_removed(
    config, ids, running, tmp_path, wait_until
):
    elsewhere = tmp_path / "elsewhere.jpg"
    elsewhere.write_bytes(b"mine")
    with store.connection(), store.transaction():
        taken = Image.get_by_id(f"{ids[0]}-1").local_path
        other = Image.get_by_id(f"{ids[0]}-2")
        removals.add_removals(
            [
                (taken, None, None),
                (str(elsewhere), None, None),
                (str(elsewhere), None, other.id),
                (other.local_path, None, "no-image"),
                ("../flowshelf.sqlite3", None, None),
                ("../", None, None),
            ]
        )
    running()
    wait_until(lambda: left_removals() == 0)
    assert elsewhere.exists()
    assert config.database_path.exists()
    assert len(files_below(config.images_dir)) == 120


def test_files_on_a_disk_that_is_not_connected_are_removed_at_a_later_start(
    config, ids, running, tmp_path, wait_until
):
    root = tmp_path / "disk"
    with store.connection():
        load_roots(config.images_dir, [root])
        add_images(config, "profile_x", 3, root / "pictures")
        rows = list(Image.select().where(Image.profile_id == "profile_x"))
        Image.delete().where(Image.profile_id == "profile_x").execute()
        removals.add_removals((row.local_path, row.root_id, None) for row in rows)
    root.rename(tmp_path / "unplugged")
    background_of(running(storage_roots=(root,))).removals.stop(10)
    assert left_removals() == 3
    (tmp_path / "unplugged").rename(root)
    running(storage_roots=(root,))
    wait_until(lambda: left_removals() == 0)
    assert files_below(root) == []


def test_a_restored_backup_removes_nothing(config, ids, tmp_path):
    with store.connection():
        image = Image.get_by_id(f"{ids[0]}-1")
        removals.add_removals([(image.local_path, image.root_id, image.id)])
    copy = tmp_path / "copy"
    copy.write_bytes(config.database_path.read_bytes())
    restore_database(copy, config.database_path)
    store.open_database(config.database_path)
    assert left_removals() == 0
