"""The table of the Electron predecessor: what is imported, what is not, and what the next sync does."""

import json
import os
import secrets
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from click.testing import CliRunner
from PIL import Image as Picture

from webapp import store
from webapp.cli import main
from webapp.database.models import Gap, Image
from webapp.maintenance import importing
from webapp.store import profiles
from webapp.store.gallery import counts
from webapp.web.services import background_of

NINE_COLUMNS = """CREATE TABLE veo3_image_generations (id TEXT PRIMARY KEY, profile_id TEXT NOT NULL,
    name TEXT NOT NULL UNIQUE, aspect_ratio TEXT, workflow_id TEXT NOT NULL, media_key TEXT NOT NULL,
    local_path TEXT, fife_url TEXT, created_at TEXT NOT NULL)"""
MOMENT = "2025-10-30T12:00:00.000000Z"


@pytest.fixture
def electron(tmp_path, world):
    """Writes a database of the Electron predecessor; columns that a row leaves out get usual values."""
    folder = tmp_path / "electron"
    folder.mkdir()

    def write(*rows):
        with closing(sqlite3.connect(folder / "app.db")) as connection, connection:
            connection.execute("DROP TABLE IF EXISTS veo3_image_generations")
            connection.execute(NINE_COLUMNS)
            for row in rows:
                usual = {
                    "id": "0ccfc9c8-5249-4915-889f-" + secrets.token_hex(6),
                    "profile_id": "profile_old",
                    "aspect_ratio": "IMAGE_ASPECT_RATIO_SQUARE",
                    "workflow_id": "flow",
                    "media_key": secrets.token_hex(8),
                    "created_at": "2025-10-30T12:00:00.000Z",
                }
                values = usual | row
                connection.execute(
                    f"INSERT INTO veo3_image_generations ({', '.join(values)}) "
                    f"VALUES ({', '.join('?' * len(values))})",
                    list(values.values()),
                )
        return folder / "app.db"

    write.folder = folder
    return write


@pytest.fixture
def command(config, monkeypatch):
    """Runs `flowshelf import` in this process. Returns the JSON that it printed."""
    monkeypatch.setenv("FLOWSHELF_DATA_DIR", str(config.data_dir))

    def run(path, *options, code=0):
        done = CliRunner().invoke(main, ["import", str(path), "--json", *options])
        assert done.exit_code == code, done.output
        return json.loads(done.stdout.splitlines()[-1])

    return run


def shelf_rows():
    with store.connection():
        return {row["name"]: row for row in Image.select().dicts()}


def test_rows_are_imported_with_their_files_and_only_once(electron, command, world, config):
    names = world.names()[:3]
    picture = electron.folder / "a picture.jpg"
    picture.write_bytes(world.content(names[0]))
    path = electron(
        {"name": f" {names[0][:9]}\n{names[0][9:]}", "local_path": str(picture), "media_key": "key-1"},
        {"name": names[1], "local_path": str(electron.folder / "gone.jpg")},
        {"name": names[2], "created_at": "2025-10-30 14:00:00+02:00"},
    )
    result = command(path)["data"]
    (owner,) = result.pop("profiles")
    problem = {"file": str(electron.folder / "gone.jpg"), "reason": "There is no such file."}
    assert result.pop("problems") == [problem]
    assert result == {"added": 3, "skipped": 0, "ignored": 0, "files": 1, "missing": 1, "damaged": 0}
    rows = shelf_rows()
    assert set(rows) == set(names)
    kept = config.images_dir / owner / "key-1.jpg"
    assert kept.read_bytes() == picture.read_bytes() == world.content(names[0])
    first = rows[names[0]]
    assert (first["local_path"], first["size_bytes"]) == (f"{owner}/key-1.jpg", kept.stat().st_size)
    assert first["id"].startswith("0ccfc9c8-5249-4915-889f-")
    assert rows[names[1]]["local_path"] is None
    assert {row["created_at"] for row in rows.values()} == {MOMENT}
    again = command(path)["data"]
    assert (again["added"], again["skipped"], again["files"]) == (0, 3, 0)


def test_an_imported_row_has_the_size_of_its_picture(electron, command, world):
    files = [electron.folder / f"{number}.jpg" for number in range(2)]
    for file, size in zip(files, ((160, 90), (90, 160)), strict=True):
        Picture.new("RGB", size).save(file)
    first, second, bare = world.names()[:3]
    rows = [{"name": bare}, {"name": first, "local_path": str(files[0])}, {"name": second}]
    command(electron(*rows))
    rows[2] |= {"local_path": str(files[1])}
    command(electron(*rows))  # the second image is on the shelf by now, without its file
    sizes = {name: (row["width"], row["height"]) for name, row in shelf_rows().items()}
    assert sizes == {first: (160, 90), second: (90, 160), bare: (None, None)}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2025-10-30T12:00:00Z", MOMENT),
        ("2025-10-30T12:00:00.000Z", MOMENT),
        ("2025-10-30 12:00:00", MOMENT),
        ("2025-10-30T14:00:00+02:00", MOMENT),
        (1761825600, MOMENT),
        (1761825600000, MOMENT),
        ("1761825600000", MOMENT),
        ("2025-10-30T12:00:00.123456789Z", "2025-10-30T12:00:00.123456Z"),
        ("yesterday", None),
        ("", None),
        (None, None),
        (b"2025", None),
        (1e300, None),
        ("nan", None),
    ],
)
def test_times_of_every_format_are_parsed(value, expected):
    assert importing.parse_time(value) == expected


def test_rows_that_are_no_usable_image_are_counted_and_ignored(electron, command, world, config):
    outside = electron.folder / "passwd"
    outside.write_text("root:x:0:0")
    half = electron.folder / "half.jpg"
    half.write_bytes(world.content(world.names()[0])[:-20])
    path = electron(
        {"name": "CAMa1", "local_path": str(outside)},
        {"name": "CAMa2", "local_path": str(half)},
        {"name": "CAMa3", "local_path": "relative.jpg"},
        {"name": "CAMa4", "local_path": str(electron.folder)},
        {"name": "CAMa5", "fife_url": "file:///etc/passwd", "aspect_ratio": b"wide"},
        {"name": "  \u200b"},
        {"name": "CAMa6", "media_key": ""},
        {"name": b"CAMa\xff"},
        {"name": "CAMa7", "workflow_id": "x" * 100_000},
        {"name": "CAMa8", "media_key": "../../outside", "local_path": "/dev/zero"},
    )
    result = command(path)["data"]
    assert (result["added"], result["ignored"]) == (6, 4)
    assert (result["files"], result["missing"], result["damaged"]) == (0, 3, 2)
    rows = shelf_rows()
    assert [rows["CAMa5"][column] for column in ("fife_url", "aspect_ratio")] == [None, None]
    assert not [file for file in config.images_dir.rglob("*") if file.is_file()]


def test_images_never_share_a_file_or_an_id(electron, command, world, config):
    same = {"media_key": "Key", "local_path": str(electron.folder / "a.jpg")}
    (electron.folder / "a.jpg").write_bytes(world.content(world.names()[0]))
    rows = [{"name": f"CAMa{n}"} | same for n in range(3)]
    path = electron(*rows, {"name": "CAMa4", "id": "a/../b"}, {"name": "CAMa\n4"})
    result = command(path)["data"]
    assert (result["added"], result["skipped"], result["files"]) == (4, 1, 3)
    found = shelf_rows()
    assert len({row["local_path"] for row in found.values() if row["local_path"]}) == 3
    assert "/" not in found["CAMa4"]["id"]
    again = electron(*({"name": f"other {n}", "id": found["CAMa0"]["id"]} for n in range(1)))
    assert command(again)["data"]["added"] == 1
    assert shelf_rows()["CAMa0"]["name"] == "CAMa0"


def test_a_file_under_a_storage_root_stays_where_it_is(electron, command, world, monkeypatch):
    monkeypatch.setenv("FLOWSHELF_STORAGE_ROOTS", str(electron.folder))
    picture = electron.folder / "here.jpg"
    picture.write_bytes(world.content(world.names()[0]))
    path = electron({"name": "CAMa1", "local_path": str(picture)})
    assert command(path)["data"]["files"] == 1
    row = shelf_rows()["CAMa1"]
    assert (row["local_path"], row["root_id"] is None) == ("here.jpg", False)


def test_known_images_get_their_files_and_the_next_sync_misses_nothing(
    electron, command, world, running, profile_id, work
):
    """A walk must not end at images that are on the shelf because of an import."""
    names = world.names()
    picture = electron.folder / "old.jpg"
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id, max_pages=1, histories=("ASSET_MANAGER",)).id)
        known = {image.name for image in Image.select()}
    work.stop()
    here = next(name for name in names if name in known)
    rest = [name for name in names if name not in known]
    picture.write_bytes(world.content(here))
    path = electron(
        {"name": here, "local_path": str(picture)},
        *({"name": name, "created_at": world.entry(name).created_at} for name in rest[:18]),
    )
    assert command(path, code=1)["error"].startswith("Whose images are these?")
    result = command(path, "--profile", "Ada")["data"]
    assert (result["added"], result["skipped"], result["files"]) == (18, 1, 1)
    with store.connection():
        assert not list(Gap.select().where(Gap.may_join))
        assert counts.count_profile(profile_id).downloaded == 1
    work = background_of(running())
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id).id)
        assert set(names) <= {image.name for image in Image.select()}
        assert counts.count_profile(profile_id).total == 70


def test_each_old_profile_becomes_a_new_one(electron, command):
    path = electron(*({"name": f"CAMa{n}", "profile_id": f"profile_{n % 2}"} for n in range(6)))
    counts = command(path)["data"]["profiles"]
    assert sorted(counts.values()) == [3, 3]
    with store.connection():
        assert [profile.name for profile in profiles.list_profiles()] == [
            "Imported profile_0",
            "Imported profile_1",
        ]


@pytest.mark.parametrize("content", [b"", b"no database at all" * 200])
def test_a_file_that_is_no_such_database_is_refused(command, tmp_path, content):
    (tmp_path / "app.db").write_bytes(content)
    result = command(tmp_path / "app.db", code=1)
    assert result["code"] == "bad_request"
    assert "database" in result["error"]


def test_a_file_that_cannot_be_read_is_named_and_the_import_goes_on(electron, command, world, config):
    names = world.names()[:3]
    text, fine = electron.folder / "text.jpg", electron.folder / "fine.jpg"
    text.write_text("no picture")
    fine.write_bytes(world.content(names[2]))
    loop, pipe = electron.folder / "loop.jpg", electron.folder / "pipe.jpg"
    loop.symlink_to(loop)
    os.mkfifo(pipe)
    files = [text, loop, pipe, fine, *(electron.folder / f"gone-{number}" for number in range(30))]
    result = command(electron(*({"name": f"CAMa{n}", "local_path": str(f)} for n, f in enumerate(files))))
    result = result["data"]
    assert (result["added"], result["files"], result["missing"], result["damaged"]) == (34, 1, 32, 1)
    assert len(result["problems"]) == importing.MAX_PROBLEMS
    assert result["problems"][0] == {
        "file": str(text),
        "reason": "It is a file of an unknown kind, not an image that Flowshelf keeps.",
    }


def test_the_report_names_the_files_without_the_control_characters_of_their_names(electron, config):
    path = electron({"name": "CAMa1", "local_path": "/nowhere/\x1b[2Jgone"})
    environ = {"FLOWSHELF_DATA_DIR": str(config.data_dir)}
    done = CliRunner().invoke(main, ["import", str(path)], env=environ)
    assert "/nowhere/?[2Jgone: There is no such file." in done.output
    assert "\x1b" not in done.output


ENDLESS = """CREATE VIEW veo3_image_generations AS WITH RECURSIVE numbers(n) AS
    (SELECT 1 UNION ALL SELECT n + 1 FROM numbers) SELECT n AS id, 'p' AS profile_id, 'CAMa' || n AS name,
    '' AS aspect_ratio, 'w' AS workflow_id, 'k' || n AS media_key, NULL AS local_path, NULL AS fife_url,
    '2025-10-30' AS created_at FROM numbers"""
NOWHERE = "CREATE VIEW veo3_image_generations AS SELECT * FROM nowhere"
VIRTUAL = "CREATE VIRTUAL TABLE veo3_image_generations USING fts5(id, profile_id, name)"


@pytest.mark.parametrize("script", [ENDLESS, NOWHERE, VIRTUAL])
def test_only_a_real_table_is_imported(command, tmp_path, script):
    with closing(sqlite3.connect(tmp_path / "app.db")) as connection:
        connection.executescript(script)
    result = command(tmp_path / "app.db", code=1)
    assert (result["code"], "view or a virtual table" in result["error"]) == ("bad_request", True)


def test_a_file_that_is_no_regular_file_is_refused(command, tmp_path):
    os.mkfifo(tmp_path / "app.db")
    assert "is not a file" in command(tmp_path / "app.db", code=1)["error"]


def test_a_table_that_takes_too_long_or_has_too_many_rows_is_refused(electron, command, monkeypatch):
    path = electron(*({"name": f"CAMa{number}"} for number in range(20)))
    monkeypatch.setattr(importing, "MAX_ROWS", 19)
    assert "At most 19" in command(path, code=1)["error"]
    monkeypatch.setattr(importing, "MAX_READING_SECONDS", -1.0)
    monkeypatch.setattr(importing, "_STEPS_BETWEEN_CHECKS", 1)
    assert "takes too long" in command(path, code=1)["error"]


def test_a_table_that_is_damaged_half_way_is_refused_with_a_sentence(electron, command):
    path = electron(*({"name": f"CAMa{number}", "fife_url": "x" * 900} for number in range(300)))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 8192 * 4096])
    assert "damaged" in command(path, code=1)["error"]


def test_many_new_profiles_are_added_only_when_asked_for(electron, command):
    path = electron(*({"name": f"CAMa{n}", "profile_id": f"profile_{n}"} for n in range(6)))
    assert "--new-profiles" in command(path, code=1)["error"]
    with store.connection():
        assert profiles.list_profiles() == []
    assert len(command(path, "--new-profiles")["data"]["profiles"]) == 6


def test_an_import_is_refused_while_a_server_runs(electron, config):
    path = electron({"name": "CAMa1"})
    environ = os.environ | {"FLOWSHELF_DATA_DIR": str(config.data_dir), "FLOWSHELF_PORT": "0"}
    command = [sys.executable, "-m", "webapp"]
    with subprocess.Popen(
        [*command, "serve"], env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout.readline()
        done = subprocess.run(
            [*command, "import", str(path)], env=environ, capture_output=True, text=True, check=False
        )
        server.terminate()
        server.stdout.read()
    assert done.returncode == 1
    assert "Stop the server, import, then start it again" in done.stderr


def test_an_import_opens_no_gap_in_a_history_that_the_profile_does_not_have(electron, command, config):
    config.data_dir.mkdir()
    store.open_database(config.database_path)
    with store.connection():
        ada = profiles.add_profile("Ada", ("PROJECTS",)).id
    command(electron({"name": "one"}), "--profile", "Ada")
    with store.connection():
        gaps = [(gap.history, gap.may_join) for gap in Gap.select().where(Gap.profile == ada)]
    assert gaps == [("PROJECTS", False)]
