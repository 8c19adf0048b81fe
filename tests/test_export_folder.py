"""`flowshelf export`: a folder stays in step with a filter, and nothing of a person's in it is touched."""

import hashlib
import json
import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image as Picture

from webapp import store
from webapp.cli import main
from webapp.database.base import db
from webapp.database.models import Image, Project
from webapp.maintenance.leaving.manifest import MANIFEST, Manifest
from webapp.store.choices import collections, favourites
from webapp.store.gallery import images
from webapp.store.gallery.filters import Selection
from webapp.times import parsed


@pytest.fixture
def shelf(work, profile_id, flow):
    """A shelf with five files, with an open connection. The server goes on while the command runs."""
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id, histories=("ASSET_MANAGER",)).id)
        work.downloads.wait_for_run(work.downloads.request_pending(profile_id, 5).id)
    return work


@pytest.fixture
def rows(shelf):
    with store.connection():
        return images.list_with_file()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def run(config, folder):
    """Runs the command in this process. It binds the database read-only; the fixture of the app opens it anew
    for what comes after."""

    def run(*options, code=0, target=None, env=None, **settings):
        before = db.database, db.connect_params, db._pragmas
        command = ["export", str(target or folder), "--data-dir", str(config.data_dir), *options]
        done = CliRunner().invoke(main, command, env=env or {}, **settings)
        db.init(before[0], pragmas=before[2], **before[1])
        assert done.exit_code == code, (done.output, done.exception)
        assert done.exception is None or isinstance(done.exception, SystemExit)
        return json.loads(done.stdout)["data"] if "--json" in options and not code else done.output

    return run


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {MANIFEST}


def entries_of(folder):
    with closing(Manifest(folder, 0o600)) as manifest:
        return manifest.entries


def change(image, **columns):
    with store.connection():
        Image.update(**columns).where(Image.id == image.id).execute()


def test_an_export_copies_every_file_with_its_name_time_and_metadata(run, rows, folder):
    found = run("--json")
    assert (found["copied"], found["failed"], found["withoutFile"]) == (5, 0, 35)
    assert len(files(folder)) == 5
    entries = entries_of(folder)
    for image in rows:
        entry = entries[image.id]
        path = folder / entry.file
        assert entry.file.startswith(image.created_at[:10])
        assert entry.file.endswith(f"_{image.media_key[:8]}.jpg")
        assert path.stat().st_mtime == pytest.approx(parsed(image.created_at).timestamp(), abs=0.01)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == entry.sha256 != image.sha256
        assert b"<x:xmpmeta" in path.read_bytes()
        with Picture.open(path) as copy, Picture.open(image.file_path) as original:
            assert copy.tobytes() == original.tobytes()


def test_a_folder_follows_a_collection_or_the_favourites(run, rows, folder, tmp_path):
    with store.connection():
        kites = collections.add_collection("Red kites: 猫")
        collections.add_images(kites, Selection(tuple(row.id for row in rows[:2])))
        collections.add_images(collections.add_collection("Another"), Selection((rows[0].id,)))
        favourites.mark(Selection((rows[3].id,)))
    found = run("--json", "--collection", "red KITES: 猫", "--file-names", "{collection}/{key:8}")
    assert (found["copied"], found["failed"]) == (2, 0)
    assert files(folder) == {f"Red kites 猫/{row.media_key[:8]}.jpg" for row in rows[:2]}
    other = tmp_path / "favourites"
    assert run("--json", "--favourites", target=other)["copied"] == 1
    assert run("--collection", "Dunes", code=1) == (
        "Error: There is no collection “Dunes”. Collections: “Another”, “Red kites: 猫”.\n"
    )


def test_a_second_run_adds_what_is_new_and_touches_nothing_else(run, rows, folder, shelf, profile_id):
    run()
    before = {name: (folder / name).stat() for name in files(folder)}
    with store.connection():
        shelf.downloads.wait_for_run(shelf.downloads.request_pending(profile_id, 2).id)
    found = run("--json")
    assert (found["copied"], found["present"]) == (2, 5)
    for name, old in before.items():
        new = (folder / name).stat()
        assert (new.st_ino, new.st_mtime_ns, new.st_ctime_ns) == (
            old.st_ino,
            old.st_mtime_ns,
            old.st_ctime_ns,
        )


def test_an_image_that_leaves_the_filter_or_gets_another_name_keeps_its_file(run, rows, folder):
    run(env={"FLOWSHELF_FILE_NAMES": "{title}"})
    names = files(folder)
    change(rows[0], title="Another title")
    change(rows[1], hidden_at="2026-01-01T00:00:00.000000Z")
    found = run("--json", env={"FLOWSHELF_FILE_NAMES": "{title} {key}"})
    assert files(folder) == names
    assert (found["copied"], found["present"], found["outOfFilter"], found["pruned"]) == (0, 4, 1, 0)


def test_prune_removes_unchanged_files_outside_the_filter_and_nothing_else(run, rows, folder):
    run()
    entries = entries_of(folder)
    edited, left, stays = (folder / entries[image.id].file for image in rows[:3])
    edited.write_bytes(edited.read_bytes() + b"edited")
    (folder / "mine.txt").write_text("mine")
    for image in rows[:2]:
        change(image, hidden_at="2026-01-01T00:00:00.000000Z")
    found = run("--prune", "--yes", "--json")
    assert (found["outOfFilter"], found["pruned"]) == (2, 1)
    assert found["changed"] == [edited.name]
    assert [path.exists() for path in (edited, left, stays, folder / "mine.txt")] == [True, False, True, True]
    assert run("--prune", "--yes", "--json")["pruned"] == 0


def test_prune_says_how_many_and_removes_nothing_unless_somebody_agrees(run, rows, folder):
    run()
    change(rows[0], hidden_at="2026-01-01T00:00:00.000000Z")
    output = run("--prune", code=1)
    assert "Files of images outside the filter: 1" in output
    assert "--yes" in output
    assert len(files(folder)) == 5
    assert json.loads(run("--prune", "--json", code=1))["code"] == "bad_request"


def test_a_pruned_image_that_comes_back_is_copied_again(run, rows, folder):
    run()
    names = files(folder)
    change(rows[0], hidden_at="2026-01-01T00:00:00.000000Z")
    run("--prune", "--yes")
    change(rows[0], hidden_at=None)
    assert run("--json")["copied"] == 1
    assert files(folder) == names


def test_a_changed_file_is_left_and_named(run, rows, folder):
    run()
    name = entries_of(folder)[rows[0].id].file
    (folder / name).write_bytes(b"edited by hand")
    found = run("--json")
    assert found["changed"] == [name]
    assert (folder / name).read_bytes() == b"edited by hand"


def test_a_file_of_the_person_is_never_overwritten(run, rows, folder):
    folder.mkdir()
    run(env={"FLOWSHELF_FILE_NAMES": "{kind}"}, target=folder)
    mine = folder.parent / "other"
    mine.mkdir()
    (mine / "uploaded.jpg").write_bytes(b"mine")
    run(env={"FLOWSHELF_FILE_NAMES": "{kind}"}, target=mine)
    assert (mine / "uploaded.jpg").read_bytes() == b"mine"
    assert files(mine) == {"uploaded.jpg", *(f"uploaded-{number}.jpg" for number in range(2, 7))}


def test_a_lost_manifest_doubles_no_file(run, rows, folder):
    run()
    names = files(folder)
    (folder / MANIFEST).unlink()
    run()
    assert files(folder) == names
    assert len(entries_of(folder)) == 5


@pytest.mark.parametrize("cut", [1, 40])
def test_a_manifest_whose_last_line_was_cut_off_doubles_no_file(run, rows, folder, cut):
    run()
    names = files(folder)
    path = folder / MANIFEST
    path.write_bytes(path.read_bytes()[:-cut])
    run()
    assert files(folder) == names
    assert len(entries_of(folder)) == 5


def test_a_file_that_was_noted_but_not_named_is_written_under_that_name(run, rows, folder):
    """As after a kill between the two."""
    run()
    name = entries_of(folder)[rows[0].id].file
    content = (folder / name).read_bytes()
    (folder / name).unlink()
    (folder / ".flowshelf-x.part").write_bytes(b"half")
    assert run("--json")["copied"] == 1
    assert (folder / name).read_bytes() == content
    assert not (folder / ".flowshelf-x.part").exists()


def test_sidecars_are_written_and_pruned_with_their_pictures(run, rows, folder):
    run(env={"FLOWSHELF_FILE_METADATA": "sidecar"})
    entry = entries_of(folder)[rows[0].id]
    assert (folder / entry.file).read_bytes() == Path(rows[0].file_path).read_bytes()
    assert b"<x:xmpmeta" in (folder / f"{entry.file}.xmp").read_bytes()
    assert len(files(folder)) == 10
    change(rows[0], hidden_at="2026-01-01T00:00:00.000000Z")
    run("--prune", "--yes")
    assert len(files(folder)) == 8


def test_folders_of_the_template_are_made_and_removed_when_empty(run, rows, folder):
    run(env={"FLOWSHELF_FILE_NAMES": "{seed}/{date:%Y/%m}/{key}"})
    assert all(name.count("/") >= 2 for name in files(folder))
    for image in rows:
        change(image, hidden_at="2026-01-01T00:00:00.000000Z")
    run("--prune", "--yes")
    assert [path.name for path in folder.iterdir()] == [MANIFEST]


def test_options_win_over_what_was_chosen_for_all(run, rows, folder, shelf, tmp_path):
    with store.connection():
        shelf.choose_settings({"file_names": "chosen {key}"})
    run()
    assert all(name.startswith("chosen ") for name in files(folder))
    run("--file-names", "{kind}/{sequence:3}", "--file-metadata", "none", target=tmp_path / "b")
    assert files(tmp_path / "b") == {f"uploaded/{number:03}.jpg" for number in range(1, 6)}
    assert "there is no field {nope}" in run("--file-names", "{nope}", code=1, target=tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_the_filter_is_that_of_the_gallery(run, rows, shelf, profile_id, tmp_path):
    change(rows[0], kind="generated", prompt="a purple zebra", project_id="p1")
    with store.connection():
        Project.create(profile=profile_id, remote_id="p1", title="Animals")
    for number, options in enumerate(
        [
            ("--kind", "generated"),
            ("--search", "purple zebra"),
            ("--project", "animals"),
            ("--profile", "ada", "--project", "p1"),
        ]
    ):
        assert run(*options, "--json", target=tmp_path / str(number))["copied"] == 1, options
    assert run("--from", "2999-01-01", "--json", target=tmp_path / "none")["copied"] == 0
    for options in (
        ("--profile", "Bob"),
        ("--project", "Bob"),
        ("--kind", "x", "--state", "odd"),
        ("--to", "3"),
    ):
        assert "Traceback" not in run(*options, code=1, target=tmp_path / "wrong")


def test_a_folder_of_flowshelf_itself_is_refused(run, rows, config, tmp_path):
    other = tmp_path / "another shelf"
    other.mkdir()
    (other / "flowshelf.sqlite3").touch()
    link = tmp_path / "link"
    link.symlink_to(config.images_dir, target_is_directory=True)
    root = tmp_path / "root"
    root.mkdir()
    for target in (config.data_dir, config.images_dir / "x", other / "out", link, link / "x", root):
        output = run(code=1, target=target, env={"FLOWSHELF_STORAGE_ROOTS": str(root)})
        assert "Name another folder" in output
    assert "no folder" in run(code=1, target=tmp_path / "not there" / "out")


def test_a_link_in_the_folder_leads_no_copy_elsewhere(run, rows, folder, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    folder.mkdir()
    (folder / "uploaded").symlink_to(outside, target_is_directory=True)
    output = run(code=1, env={"FLOWSHELF_FILE_NAMES": "{kind}/{key}"})
    assert "A link in the folder leads elsewhere" in output
    assert list(outside.iterdir()) == []


def test_a_forged_manifest_removes_nothing_outside_the_folder(run, rows, folder, tmp_path):
    run()
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(b"secret")
    linked = folder / "linked"
    linked.symlink_to(tmp_path, target_is_directory=True)
    sha256 = hashlib.sha256(b"secret").hexdigest()
    with (folder / MANIFEST).open("a") as manifest:
        for number, file in enumerate(
            ["../secret.jpg", str(secret), "linked/secret.jpg", "a\\..\\secret.jpg"]
        ):
            forged = {"image": f"x{number}", "file": file, "size": 6, "sha256": sha256, "sequence": 1}
            manifest.write(json.dumps(forged) + "\n")
        manifest.write('[]\n{"image": 1}\n{"image": "y", "file": 3}\nnot json\n')
    run("--prune", "--yes")
    assert secret.read_bytes() == b"secret"


def test_a_row_that_names_another_file_of_this_machine_is_not_exported(run, rows, folder, tmp_path):
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(b"secret")
    change(rows[0], local_path=str(secret))
    output = run(code=1)
    assert "4 copied" in output
    assert not [name for name in files(folder) if b"secret" in (folder / name).read_bytes()]


def test_a_missing_file_is_named_and_the_exit_code_says_so(run, rows, folder):
    os.unlink(rows[0].file_path)
    output = run(code=1)
    assert "1 failed" in output
    assert rows[0].file_path in output


def test_copies_may_be_read_by_whoever_may_read_the_folder(run, rows, folder):
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    run(env={"FLOWSHELF_FILE_NAMES": "{kind}/{key}"})
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*.jpg")}
    assert modes == {0o644}
    assert stat.S_IMODE((folder / "uploaded").stat().st_mode) == 0o755
    private = folder.parent / "private"
    run(target=private)
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in private.iterdir()} == {0o600}


def test_two_exports_into_one_folder_do_not_meet(run, rows, folder):
    folder.mkdir()
    held = Manifest(folder, 0o600)
    assert "under way" in run(code=1)
    held.close()
    run()


def test_the_database_is_only_read(run, rows, config, folder, work):
    with closing(sqlite3.connect(config.database_path)) as of_the_server:
        of_the_server.execute("PRAGMA user_version").fetchone()
        before = config.database_path.read_bytes()
        run()
        assert config.database_path.read_bytes() == before
    assert work.is_ready


def test_without_a_database_there_is_a_sentence_and_no_folder(folder, tmp_path):
    done = CliRunner().invoke(main, ["export", str(folder), "--data-dir", str(tmp_path / "empty")])
    assert done.exit_code == 1
    assert "There is no database" in done.output
    assert not folder.exists()


def test_a_database_of_an_older_version_is_not_updated_by_an_export(folder, tmp_path):
    older = tmp_path / "older" / "flowshelf.sqlite3"
    older.parent.mkdir()
    with closing(sqlite3.connect(older)) as database:
        database.executescript((Path(__file__).parent / "database_v3.sql").read_text())
    before = older.read_bytes()
    done = CliRunner().invoke(main, ["export", str(folder), "--data-dir", str(older.parent)])
    assert done.exit_code == 1
    assert "older Flowshelf" in done.output
    assert older.read_bytes() == before
    assert not folder.exists()


def test_what_stays_is_said_and_how_to_remove_it(run, rows):
    run()
    change(rows[0], hidden_at="2026-01-01T00:00:00.000000Z")
    assert "Files of images outside the filter: 1. --prune removes them." in run()
    assert "Removed files of images outside the filter: 1." in run("--prune", "--yes")
    assert "outside the filter" not in run()


def test_a_person_at_a_terminal_is_asked_before_files_are_removed(rows, folder, config):
    """A real terminal: the command asks nobody else."""
    command = [sys.executable, "-m", "webapp", "export", str(folder), "--data-dir", str(config.data_dir)]
    subprocess.run(command, check=True, capture_output=True)
    change(rows[0], hidden_at="2026-01-01T00:00:00.000000Z")
    for answer, count in ((b"n\n", 5), (b"y\n", 4)):
        ours, theirs = os.openpty()
        process = subprocess.Popen(
            [*command, "--prune"], stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        os.write(ours, answer)
        _, err = process.communicate(timeout=60)
        os.close(ours)
        os.close(theirs)
        assert b"Files of images outside the filter: 1. Remove them?" in err
        assert (process.returncode, len(files(folder))) == (0, count)
