"""`restore_database`: a copy comes back whole or not at all, and nothing of the present database is lost."""

import os
import sqlite3
import stat
from contextlib import closing, suppress

import pytest
from test_database import FIRST_RELEASE

from webapp import database, store
from webapp.database.restore import restore_database
from webapp.errors import BadDatabase, FlowshelfError, NewerDatabase
from webapp.store import settings


def execute(path, *statements):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return [connection.execute(statement).fetchall() for statement in statements][-1]


def names(path):
    """The name of every setting: what tells one database of these tests from another."""
    return [name for (name,) in execute(path, "SELECT name FROM setting")]


def made(path, name):
    """A database of ours that holds one setting, closed."""
    store.open_database(path)
    with store.connection():
        settings.save_chosen({name: "1"})
    return path


@pytest.fixture
def copy(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    return made(tmp_path / "elsewhere" / "copy.sqlite3", "of_the_copy")


@pytest.fixture
def target(tmp_path):
    (tmp_path / "data").mkdir()
    return made(tmp_path / "data" / "flowshelf.sqlite3", "of_the_present")


def test_the_copy_takes_the_place_of_the_database_which_is_kept_next_to_it(copy, target):
    kept = restore_database(copy, target)
    assert (names(target), names(kept)) == (["of_the_copy"], ["of_the_present"])
    assert stat.S_IMODE(target.stat().st_mode) == stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert {path.name for path in target.parent.glob("flowshelf*")} == {target.name, kept.name}
    store.open_database(target)
    database.check(target)


def test_everybody_has_to_sign_in_again_and_triggers_are_made_anew(copy, target):
    execute(
        copy,
        "INSERT INTO session VALUES ('hash', 'owner', 'code', '2026', NULL, NULL)",
        "DROP TRIGGER image_gone",
        "CREATE TRIGGER image_gone AFTER INSERT ON setting BEGIN DELETE FROM profile; END",
    )
    restore_database(copy, target)
    assert execute(target, "SELECT * FROM session") == []
    store.open_database(target)
    (sql,) = execute(target, "SELECT sql FROM sqlite_master WHERE name = 'image_gone'")[0]
    assert "image_event" in sql


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW mine AS SELECT * FROM profile",
        "CREATE TRIGGER mine AFTER INSERT ON run BEGIN DELETE FROM profile; END",
    ],
)
def test_a_view_or_trigger_that_is_not_ours_is_refused(copy, target, statement):
    execute(copy, statement)
    with pytest.raises(BadDatabase, match="“mine”, a view or trigger that Flowshelf did not make"):
        restore_database(copy, target)
    assert names(target) == ["of_the_present"]


def test_what_is_no_copy_of_ours_is_refused_and_nothing_changes(copy, target, tmp_path):
    before = sorted(target.parent.iterdir())
    empty, text = tmp_path / "empty", tmp_path / "text"
    empty.touch()
    text.write_text("no database " * 1000)
    os.mkfifo(tmp_path / "fifo")
    for path in (empty, text, tmp_path / "fifo", tmp_path, tmp_path / "nowhere"):
        with pytest.raises(BadDatabase):
            restore_database(path, target)
    execute(copy, "PRAGMA user_version = 900")
    with pytest.raises(NewerDatabase):
        restore_database(copy, target)
    assert names(target) == ["of_the_present"]
    assert sorted(target.parent.iterdir()) == before


def test_a_damaged_copy_is_refused(copy, target):
    execute(copy, *[f"INSERT INTO setting VALUES ('{n}', '{'x' * 900}')" for n in range(200)])
    content = bytearray(copy.read_bytes())
    for at in range(len(content) // 2, len(content) - 4096, 4096):
        content[at : at + 400] = b"\x5a" * 400
    copy.write_bytes(content)
    with pytest.raises(BadDatabase):
        restore_database(copy, target)
    assert names(target) == ["of_the_present"]


def test_a_copy_of_an_older_version_is_migrated_at_the_next_start(tmp_path, target):
    first_release = tmp_path / "first.sqlite3"
    with closing(sqlite3.connect(first_release)) as connection:
        connection.executescript(FIRST_RELEASE)
    restore_database(first_release, target)
    store.open_database(target)
    assert execute(target, "PRAGMA user_version") == [(database.latest_version(),)]


def test_what_the_journal_of_the_present_database_holds_is_kept_with_it(copy, target):
    with closing(sqlite3.connect(target, isolation_level=None)) as connection:
        connection.execute("INSERT INTO setting VALUES ('only_in_the_journal', '1')")
        snapshot = {path: path.read_bytes() for path in target.parent.iterdir()}
    for path, content in snapshot.items():  # as a killed process leaves them
        path.write_bytes(content)
    kept = restore_database(copy, target)
    assert names(target) == ["of_the_copy"]
    assert "only_in_the_journal" in names(kept)


def test_a_damaged_present_database_is_kept_with_its_journal(copy, target):
    journal = target.with_name(target.name + "-wal")
    target.write_bytes(b"damaged " * 1000)
    journal.write_bytes(b"its journal")
    kept = restore_database(copy, target)
    assert names(target) == ["of_the_copy"]
    assert kept.read_bytes() == b"damaged " * 1000
    assert kept.with_name(kept.name + "-wal").read_bytes() == b"its journal"


@pytest.mark.parametrize("call", ["link", "replace", "unlink"])
@pytest.mark.parametrize("fails_at", range(4))
def test_whatever_is_cut_short_one_of_the_two_databases_is_in_place(
    copy, target, monkeypatch, call, fails_at
):
    real, calls = getattr(os, call), []

    def fail(*arguments, **options):
        calls.append(arguments)
        if len(calls) == fails_at + 1:
            raise OSError("the power went")
        return real(*arguments, **options)

    monkeypatch.setattr(os, call, fail)
    with suppress(OSError, FlowshelfError):
        restore_database(copy, target)
    monkeypatch.undo()
    assert names(target) in (["of_the_present"], ["of_the_copy"])
