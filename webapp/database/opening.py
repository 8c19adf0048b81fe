"""Open the program's database: create it when it is missing, migrate it when it is older."""

import logging
import os
from contextlib import closing
from pathlib import Path

from playhouse.migrations import Runner

from webapp import storage
from webapp.database import migrations
from webapp.database.backup import copy_database
from webapp.database.base import db
from webapp.database.indexes import INDEXES
from webapp.database.inspection import (
    HISTORY_TABLE,
    WAIT_SECONDS,
    check,
    is_behind,
    latest_version,
    read_only_url,
    url_of,
)
from webapp.database.models import TABLES
from webapp.database.problems import translate_damage, translate_errors
from webapp.database.roots import set_roots
from webapp.database.triggers import REBUILD, STATEMENTS
from webapp.errors import BadRequest, DiskFull, FolderGone
from webapp.storage.roots import Roots
from webapp.times import now

log = logging.getLogger(__name__)


# ANALYZE says nothing of an empty index. SQLite then takes a partial one, such as that of damaged images, for
# a large one, and rather reads all images.
_NOTE_EMPTY_INDEXES = """
    INSERT INTO sqlite_stat1 (tbl, idx, stat) SELECT tbl_name, name, '1 1 1' FROM sqlite_master
    WHERE tbl_name = 'veo3_image_generations' AND type = 'index' AND sql LIKE '% WHERE %'
    AND name NOT IN (SELECT idx FROM sqlite_stat1)"""


def open_database(path: Path, *, on_network: bool = False, steps: Path = migrations.FOLDER) -> None:
    """Bind `db` to the file at `path`, after creating or migrating it.

    On a network share SQLite's write-ahead log does not work, so a rollback journal is used there.
    On a full disk the reserve of the data folder is used.
    Raises NewerDatabase and BadDatabase for a file that this program must not open, and does not change it.
    """
    try:
        _open(path, on_network=on_network, steps=steps)
    except (DiskFull, FolderGone):
        if not storage.release_reserve(path.parent):
            raise
        log.warning("The disk that holds %s is full: Flowshelf uses its reserve.", path.parent)
        _open(path, on_network=on_network, steps=steps)


def _open(path: Path, *, on_network: bool, steps: Path) -> None:
    with storage.translate_errors(path.parent), translate_errors():
        if path.exists():
            check(path, steps)
        else:
            # Created with its final mode: SQLite gives its -wal and -shm files the mode of the database.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        _restrict_to_owner(path)
        journal = "truncate" if on_network else "wal"
        pragmas = {"journal_mode": journal, "foreign_keys": 1, "synchronous": "normal"}
        # mode=rw: when the file disappears while we run, SQLite must not create an empty one in its place.
        db.init(url_of(path, "rw"), uri=True, pragmas=pragmas, timeout=WAIT_SECONDS)
        set_roots(Roots({None: path.parent.resolve() / "images"}))
        with translate_damage(path):
            db.connect(reuse_if_open=True)
        with closing(db):
            _create_or_migrate(path, Runner(db, str(steps), HISTORY_TABLE))
            with translate_damage(path):
                _create_derived()


def open_to_read(path: Path, *, steps: Path = migrations.FOLDER) -> None:
    """Bind `db` to a database that another process may be using. Nothing is created, migrated or stored.

    Raises BadRequest when there is none, or a server has to update it first, and NewerDatabase or
    BadDatabase.
    """
    if not path.exists():
        raise BadRequest(f"There is no database in {path.parent}: nothing to read.")
    with translate_errors():
        if is_behind(check(path, steps), steps):
            raise BadRequest(
                "The database was written by an older Flowshelf. Start this one once, so that it updates it."
            )
        # A reader of a write-ahead log keeps notes next to it. Where it may not, nobody else writes either.
        url = url_of(path, "rw") if os.access(path.parent, os.W_OK) else read_only_url(path)
        db.init(url, uri=True, pragmas={"query_only": 1}, timeout=WAIT_SECONDS)
        set_roots(Roots({None: path.parent.resolve() / "images"}))


def keep_open(path: Path) -> None:
    """Let connections stay open until `close_kept`, which must follow.

    When the last connection closes, SQLite merges and removes its write-ahead log. Doing that after each
    request would cost more than the request's queries, and so would opening one for each.
    """
    db.keep_open(path)


def close_kept() -> None:
    """The opposite of `keep_open`."""
    db.close_kept()


def _create_or_migrate(path: Path, runner: Runner) -> None:
    latest = latest_version(Path(runner.directory))
    if not db.get_tables():
        with db.atomic("IMMEDIATE"):
            db.create_tables(TABLES)
            if runner.migrations():
                runner.fake()
            db.pragma("user_version", latest)
    elif pending := [step for step in runner.status() if not step.applied]:
        moment = now()[:19].replace(":", "")
        backup = path.with_name(f"{path.stem}-before-{pending[-1].name[:4]}-{moment}.bak")
        copy_database(path, backup)
        # A warning, because commands print nothing below that level.
        log.warning("The database is being updated. A copy without cookies was saved as %s", backup)
        _drop_derived()
        for step in pending:
            runner.up(step.name)
            db.pragma("user_version", step.idx)
            log.info("The database has version %s now (%s)", step.idx, step.name)
    elif db.pragma("user_version") != latest:  # killed after the last migration, before its number was stored
        db.pragma("user_version", latest)


def _drop_derived() -> None:
    """Drop triggers and full-text indexes: a migration must not fire triggers.

    `_create_derived` rebuilds them afterwards. When the program is killed in between, it does so at the next
    start, because then `image_text` is missing.
    """
    with db.atomic("IMMEDIATE"):
        found = db.execute_sql(
            "SELECT type, name FROM sqlite_master WHERE type = 'trigger' OR sql LIKE 'CREATE VIRTUAL %'"
        )
        for kind, name in found.fetchall():
            db.execute_sql(f'DROP {kind} "{name}"')


def _create_derived() -> None:
    """Create what follows from the rows: indexes, triggers, and the tables that the triggers maintain."""
    with db.atomic("IMMEDIATE"):
        is_derived = db.table_exists("image_text")
        for statement in (*INDEXES, *STATEMENTS, *(() if is_derived else REBUILD)):
            db.execute_sql(statement)
    refresh_statistics()


def refresh_statistics() -> None:
    """Let SQLite sample its indexes, so that its planner chooses well between them.

    With `analysis_limit` this takes a few hundredths of a second, however many rows there are. Only our own
    tables: FTS5's statements on its internal tables get a bad plan when the recorded sizes are outdated, and
    each history page would then cost more than the one before.
    """
    db.execute_sql("PRAGMA analysis_limit = 400")
    for table in TABLES:
        db.execute_sql(f'ANALYZE "{table._meta.table_name}"')
    db.execute_sql("DELETE FROM sqlite_stat1 WHERE tbl LIKE 'image_text%'")
    db.execute_sql(_NOTE_EMPTY_INDEXES)
    db.execute_sql("ANALYZE sqlite_schema")  # read them all again, in this connection too


def _restrict_to_owner(path: Path) -> None:
    """Set mode 0600, also on the files of SQLite that a killed process left behind."""
    for file in (path, *path.parent.glob(f"{path.name}-*")):
        storage.make_private(file)
