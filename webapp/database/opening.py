"""Point the program at its database: make it when it is missing, migrate it when it is older."""

import logging
import os
import sqlite3
from pathlib import Path

from playhouse.migrations import Runner

from webapp import storage
from webapp.database import migrations
from webapp.database.backup import copy_database
from webapp.database.indexes import INDEXES
from webapp.database.inspection import HISTORY_TABLE, WAIT_SECONDS, address, check, latest_version
from webapp.database.models import TABLES, db
from webapp.database.problems import translate_errors
from webapp.database.triggers import REBUILD, STATEMENTS
from webapp.times import now

log = logging.getLogger(__name__)


def open_database(path: Path, *, on_network: bool = False, steps: Path = migrations.FOLDER) -> None:
    """Point the program at its database, make it when it is missing, and bring it to this version.

    On a network share SQLite's write-ahead log does not work: another journal is used there. Raises
    NewerDatabase and BadDatabase for a file that is not ours to open, and leaves it as it is.
    """
    with storage.translate_errors(path.parent), translate_errors():
        if path.exists():
            check(path, steps)
        else:
            # Made with its final mode: SQLite gives its -wal and -shm files the mode of the database.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        _allow_nobody_else(path)
        journal = "truncate" if on_network else "wal"
        pragmas = {"journal_mode": journal, "foreign_keys": 1, "synchronous": "normal"}
        # mode=rw: a database that is taken away while we run must not come back as an empty one.
        db.init(address(path, "rw"), uri=True, pragmas=pragmas, timeout=WAIT_SECONDS)
        with db.connection_context():
            _make_or_migrate(path, Runner(db, str(steps), HISTORY_TABLE))


def keep_open() -> sqlite3.Connection:
    """A connection that only stays until it is closed. When the last one closes, SQLite writes its
    journal back and removes it, which costs a request more than its queries do."""
    keeper = sqlite3.connect(db.database, uri=True, check_same_thread=False)
    keeper.execute("PRAGMA user_version").fetchone()
    return keeper


def _make_or_migrate(path: Path, runner: Runner) -> None:
    if not db.get_tables():
        with db.atomic("IMMEDIATE"):
            db.create_tables(TABLES)
            if runner.migrations():
                runner.fake()
            db.pragma("user_version", latest_version(Path(runner.directory)))
    elif pending := [step for step in runner.status() if not step.applied]:
        moment = now()[:19].replace(":", "")
        backup = path.with_name(f"{path.stem}-before-{pending[-1].name[:4]}-{moment}.bak")
        copy_database(path, backup)
        # A warning, because commands show nothing less.
        log.warning("The database gets new tables. As it was, without cookies, it is kept as %s", backup)
        _drop_derived()
        for step in pending:
            runner.up(step.name)
            db.pragma("user_version", step.idx)
            log.info("The database is at version %s now (%s)", step.idx, step.name)
    _derive()


def _drop_derived() -> None:
    """Triggers must not see what a migration does, and what they keep is counted anew after it, also when it
    was cut short."""
    with db.atomic("IMMEDIATE"):
        found = db.execute_sql(
            "SELECT type, name FROM sqlite_master WHERE type = 'trigger' OR sql LIKE 'CREATE VIRTUAL %'"
        )
        for kind, name in found.fetchall():
            db.execute_sql(f'DROP {kind} "{name}"')


def _derive() -> None:
    """What can be made anew from the rows: indexes, triggers, and what the triggers keep."""
    with db.atomic("IMMEDIATE"):
        is_derived = db.table_exists("image_text")
        for statement in (*INDEXES, *STATEMENTS, *(() if is_derived else REBUILD)):
            db.execute_sql(statement)
    look_at_sizes()


def look_at_sizes() -> None:
    """Let SQLite take a look at its indexes, to choose well between them. It reads some hundred entries of
    each, which takes a few hundredths of a second however many rows there are.

    Only at our own tables: the tables of the word index are FTS5's, whose statements lose their way when
    SQLite believes them to be as small as they once were; each page would cost more than the one before.
    """
    db.execute_sql("PRAGMA analysis_limit = 400")
    for table in TABLES:
        db.execute_sql(f'ANALYZE "{table._meta.table_name}"')
    db.execute_sql("DELETE FROM sqlite_stat1 WHERE tbl LIKE 'image_text%'")


def _allow_nobody_else(path: Path) -> None:
    """Also for what SQLite keeps beside it: a process that was killed leaves those files behind."""
    for file in (path, *path.parent.glob(f"{path.name}-*")):
        if file.stat().st_mode & 0o777 != 0o600:
            file.chmod(0o600)
