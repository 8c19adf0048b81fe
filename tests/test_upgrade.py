"""Updates from version 0.1, which stored no image of flow.google.com but marked every project as read."""

import itertools
import json
import os
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from test_database import schema_of

from webapp import store
from webapp.database.base import db
from webapp.database.models import Gap, Image, Project
from webapp.database.states import RunState, SyncMode
from webapp.demo import World
from webapp.demo.entries import Kind
from webapp.store import profiles, runs
from webapp.store.gallery.filters import Filter, matching
from webapp.web.services import background_of

RELEASED = Path(__file__).parent / "database_v3.sql"


@pytest.fixture
def world() -> World:
    world = World(generated=25, videos=2, tiny_pictures=True)
    world.migrate()
    return world


def execute(path, *statements):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement, *values in statements:
            connection.execute(statement, values)


@pytest.fixture
def old_shelf(config, world):
    """A database of version 0.1: no image, every project marked as read, and no gap."""
    config.data_dir.mkdir()
    path = config.database_path
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(RELEASED.read_text())
    moment = "2026-10-20T10:00:00.000000Z"
    statements = [
        (
            "INSERT INTO profile (id, name, health, account_email, service, cookie_names, created_at)"
            " VALUES ('profile_1', 'Ada', 'well', 'ada@example.com', 'flow.google.com', 'SID', ?)",
            moment,
        ),
        (
            "INSERT INTO history (profile_id, name, answered_at, synced_at, shows_changes)"
            " VALUES ('profile_1', 'PROJECTS', ?, ?, 1)",
            moment,
            moment,
        ),
    ]
    statements += [
        (
            "INSERT INTO project (profile_id, remote_id, title, listed_at, read_at, read_walk_id)"
            " VALUES ('profile_1', ?, 'Read', ?, ?, 1)",
            project_id,
            moment,
            moment,
        )
        for project_id in world.projects.ids()
    ]
    execute(path, *statements)
    return path


def true_keys(world):
    names = world.names("ASSET_MANAGER", Kind.UPLOADED) + world.names("PINHOLE", Kind.GENERATED)
    return {world.entry(name).media_key for name in names}


def test_the_first_sync_after_the_update_reads_every_project(old_shelf, world, running):
    work = background_of(running())
    with store.connection():
        assert Project.select().where(Project.read_at.is_null(False)).count() == 0
        assert [(gap.cursor, gap.may_join) for gap in Gap.select()] == [("", False)]
        profiles.set_cookies("profile_1", world.google.cookies(), None)
        run = work.syncs.wait(work.syncs.start("profile_1", mode=SyncMode.NEW).id)
        assert (run.state, run.page_count) == (RunState.DONE, len(world.projects.ids()))
        assert {image.media_key for image in Image.select()} == true_keys(world)


def test_a_walk_interrupted_by_the_update_misses_nothing(old_shelf, world, running, wait_until):
    execute(
        old_shelf,
        (
            "INSERT INTO walk (id, profile_id, history, is_full, owes_gap, from_head, cursor, last_gap_id,"
            " began_at, unseen_count) VALUES (7, 'profile_1', 'PROJECTS', 1, 1, 1, ?, 0, '2026', 0)",
            json.dumps([None, world.projects.ids()[2]]),
        ),
        (
            "INSERT INTO run (id, profile_id, kind, state, started_at, mode, histories, history, walk_id,"
            " page_count, history_page_count, synced_count, skipped_count, ignored_count, is_scheduled,"
            " downloads_new, wished_count, done_count, failed_count, done_bytes) VALUES ('run_1',"
            " 'profile_1', 'sync', 'running', '2026', 'full', 'PROJECTS', 'PROJECTS', 7,"
            " 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
        ),
    )
    work = background_of(running())
    with store.connection():
        # The run continues at the start, without cookies: a backup has none.
        wait_until(lambda: runs.get_run("run_1").state == RunState.WAITING)
        profiles.set_cookies("profile_1", world.google.cookies(), None)
        work.resume_waiting("profile_1")
        assert work.syncs.wait("run_1").state == RunState.DONE
        assert {image.media_key for image in Image.select()} == true_keys(world)


def test_the_copy_that_the_update_saves_can_be_used_to_go_back(old_shelf, tmp_path):
    store.open_database(old_shelf)
    (copy,) = old_shelf.parent.glob("flowshelf-before-*.bak")
    with closing(sqlite3.connect(shutil.copy(copy, tmp_path / "back.sqlite3"))) as back:
        (version,) = back.execute("PRAGMA user_version").fetchone()
        (read_count,) = back.execute("SELECT count(*) FROM project WHERE read_at != ''").fetchone()
        tables = {name for (name,) in back.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert (version, read_count > 0) == (3, True)
    assert "project_before" not in tables


IMAGE = (
    "INSERT INTO veo3_image_generations (id, profile_id, name, workflow_id, media_key, created_at, prompt)"
    " VALUES (?1, 'profile_1', ?1, 'w', 'k', '2026', ?2)"
)


def test_the_update_indexes_old_prompts_without_accents_and_its_copy_is_as_before(old_shelf, tmp_path):
    execute(
        old_shelf,
        ("CREATE VIRTUAL TABLE image_text USING fts5(words, content='', tokenize='trigram')",),
        (
            "CREATE TRIGGER text_insert AFTER INSERT ON veo3_image_generations BEGIN"
            " INSERT INTO image_text (rowid, words) VALUES (new.rowid, new.prompt || '  '); END",
        ),
        (IMAGE, "one", "ein Café"),
    )
    store.open_database(old_shelf)
    execute(old_shelf, (IMAGE, "two", "un CAFE\u0301"))
    with store.connection():
        assert {image.id for image in matching(Filter(text="cafe"))} == {"one", "two"}
        assert {image.id for image in matching(Filter(text="ein Cäfe"))} == {"one"}
    (copy,) = old_shelf.parent.glob("flowshelf-before-*.bak")
    back = shutil.copy(copy, tmp_path / "back.sqlite3")
    execute(back, (IMAGE, "three", "noch ein Café"))
    with closing(sqlite3.connect(back)) as connection:
        found = connection.execute("SELECT count(*) FROM image_text WHERE image_text MATCH '\"café\"'")
        assert found.fetchone() == (2,)


def test_a_database_of_version_0_1_gets_the_schema_of_a_new_one(old_shelf, tmp_path):
    store.open_database(old_shelf)
    store.open_database(tmp_path / "new.sqlite3")
    assert schema_of(old_shelf) == schema_of(tmp_path / "new.sqlite3")


def update_killed_at(path, statement):
    """Open a database in a process that is killed (SIGKILL) before the statement with this number. Returns
    whether it was: false when the update has fewer statements."""
    process = os.fork()
    if process == 0:
        executed, execute = itertools.count(), db.execute_sql

        def execute_or_die(*arguments, **options):
            if next(executed) == statement:
                os.kill(os.getpid(), signal.SIGKILL)
            return execute(*arguments, **options)

        db.execute_sql = execute_or_die
        store.open_database(path)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL


@pytest.mark.parametrize("step", [41, pytest.param(5, marks=pytest.mark.proof)])
def test_an_update_killed_before_any_statement_is_carried_on(old_shelf, tmp_path, step):
    new = tmp_path / "new.sqlite3"
    store.open_database(new)
    names = rows_in(old_shelf)
    for statement in itertools.count(0, step):
        folder = tmp_path / str(statement)
        folder.mkdir()
        path = Path(shutil.copy(old_shelf, folder))
        was_killed = update_killed_at(path, statement)
        store.open_database(path)
        assert schema_of(path) == schema_of(new), f"killed before statement {statement}"
        assert (rows_in(path), version_of(path)) == (names, version_of(new))
        shutil.rmtree(folder)
        if not was_killed:
            assert statement > 50, statement
            return


def rows_in(path):
    with closing(sqlite3.connect(path)) as connection:
        return [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in ("profile", "project")
        ]


def version_of(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA user_version").fetchone()
