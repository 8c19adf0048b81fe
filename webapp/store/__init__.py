"""Every query and every transaction, split by subject; returns lists and values, never lazy queries.

profiles    who is on the shelf, their secrets and health
histories   gaps, walks and the one transaction that stores a history page
runs        what was asked for and how it ended
messages    what was said of that
schedules   when profiles are synced without being asked
overview    the shelf in numbers
images      what the gallery reads, and what becomes of a file
downloads   wishes: the queue that the pool claims from
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path

from webapp.errors import FlowshelfError
from webapp.indexes import INDEXES
from webapp.models import SCHEMA_VERSION, TABLES, db
from webapp.triggers import REBUILD, STATEMENTS

# SQLite's stock limit is 32,766 variables in one statement; Debian's is higher and would hide it.
ROWS_PER_STATEMENT = 500
DISK_FULL = "The disk that holds the data folder is full. Make room there, then go on; nothing was lost."


class NewerDatabase(FlowshelfError):
    code = "newer_database"


def open_database(path: Path) -> None:
    """Point the program at its database and make what is missing.

    Raises NewerDatabase when a later Flowshelf wrote it.
    """
    if not path.exists():
        # Made with its final mode: SQLite gives its -wal and -shm files the mode of the database.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    path.chmod(0o600)
    db.init(path, pragmas={"journal_mode": "wal", "foreign_keys": 1, "synchronous": "normal"}, timeout=10)
    with connection():
        _check_version(path)
        with transaction():
            db.create_tables(TABLES)
            is_derived = db.table_exists("image_text")
            for statement in (*INDEXES, *STATEMENTS, *(() if is_derived else REBUILD)):
                db.execute_sql(statement)
            db.pragma("user_version", SCHEMA_VERSION)
        look_at_sizes()


def look_at_sizes() -> None:
    """Let SQLite take a look at its indexes, to choose well between them. It reads some hundred entries of
    each, which takes a few hundredths of a second however many rows there are."""
    db.execute_sql("PRAGMA analysis_limit = 400")
    db.execute_sql("ANALYZE")


def _check_version(path: Path) -> None:
    version = db.pragma("user_version")
    if version > SCHEMA_VERSION:
        raise NewerDatabase(
            f"{path} was written by a newer Flowshelf (version {version} of the tables, this program knows "
            f"{SCHEMA_VERSION}). Nothing was changed. Install the newer Flowshelf to open it."
        )


def connection() -> AbstractContextManager:
    """An open connection of this thread for the length of a `with` block."""
    return db.connection_context()


def keep_open() -> sqlite3.Connection:
    """A connection that only stays until it is closed. When the last one closes, SQLite writes its
    journal back and removes it, which costs a request more than its queries do."""
    keeper = sqlite3.connect(db.database, check_same_thread=False)
    keeper.execute("PRAGMA user_version").fetchone()
    return keeper


def transaction() -> AbstractContextManager:
    """A writing transaction. IMMEDIATE, because a read that turns into a write inside a deferred one
    fails at once with "database is locked" when another thread wrote in between."""
    return db.atomic("IMMEDIATE")


def chunked(rows: list, size: int = ROWS_PER_STATEMENT) -> Iterator[list]:
    """`rows` in pieces that fit into one statement."""
    iterator = iter(rows)
    while piece := list(islice(iterator, size)):
        yield piece


def is_disk_full(error: BaseException | None) -> bool:
    """Whether a database error means that the disk has no room.

    SQLite ends the transaction by itself then, and peewee's own attempt to do so hides the reason.
    """
    while error is not None:
        if "database or disk is full" in str(error):
            return True
        error = error.__context__
    return False


def open_connection() -> None:
    """For a request; everything else uses `connection`."""
    db.connect()


def close_connection() -> None:
    if not db.is_closed():
        db.close()
