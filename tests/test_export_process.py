"""`flowshelf export` as a process: beside a running server, and killed at any moment."""

import json

import pytest
from PIL import Image as Picture
from test_process import BATCH, SYNC, Shelf

from webapp.maintenance.leaving.manifest import MANIFEST


@pytest.fixture
def shelf(config, world):
    """A server with forty files."""
    shelf = Shelf(config)
    shelf.serve()
    profile_id = shelf.ask("/api/profiles", {"name": "Ada", "cookies": world.cookie_header()})["profileId"]
    shelf.ask(SYNC, {"profileId": profile_id})
    shelf.ask(BATCH, {"profileId": profile_id, "pending": True})
    yield shelf
    if shelf.process.poll() is None:
        shelf.kill()


def pictures(folder):
    return sorted(path for path in folder.rglob("*.jpg") if path.is_file())


def test_an_export_runs_beside_the_server_which_goes_on(shelf, tmp_path):
    folder = tmp_path / "out"
    done = shelf.json("export", str(folder))["data"]
    assert (done["copied"], done["failed"]) == (40, 0)
    assert len(pictures(folder)) == 40
    assert shelf.state()["images"] == 40
    assert shelf.json("export", str(folder))["data"]["present"] == 40
    assert "40 there already" in shelf.run("export", str(folder))


def test_a_killed_export_leaves_whole_files_and_goes_on(shelf, tmp_path, wait_until):
    folder = tmp_path / "out"
    for count in (1, 10, 25):
        process = shelf.popen("export", str(folder))
        wait_until(lambda n=count, run=process: len(pictures(folder)) >= n or run.poll() is not None)
        process.kill()
        process.communicate()
        for path in pictures(folder):
            with Picture.open(path) as picture:
                picture.load()
    done = shelf.json("export", str(folder))["data"]
    assert done["copied"] + done["present"] == 40
    assert len(pictures(folder)) == 40
    assert {path.suffix for path in folder.iterdir()} == {".jpg", ".jsonl"}
    lines = [json.loads(line) for line in (folder / MANIFEST).read_text().splitlines() if line]
    assert {line["file"] for line in lines} == {path.name for path in pictures(folder)}


def test_an_export_of_a_stopped_shelf_leaves_nothing_in_its_folder(shelf, tmp_path):
    shelf.kill(15)
    before = sorted(path.name for path in shelf.data_dir.iterdir())
    assert shelf.json("export", str(tmp_path / "out"))["data"]["copied"] == 40
    assert sorted(path.name for path in shelf.data_dir.iterdir()) == before
