"""Every query and every transaction, split by subject; returns lists and values, never lazy queries.

profiles    who is on the shelf, their secrets and health
histories   gaps and walks
pages       the images of a history page
projects    what was read of projects, and which a quick sync reads
unmet       images that a full walk did not meet
runs        what was asked for and how it ended
messages    what was said of that
schedules   when profiles are synced without being asked
sessions    browsers that signed in to a shared shelf
overview    the shelf in numbers
imports     images of the Electron program
images      what the gallery reads, and what becomes of a file
months      where in time the images of a filter lie
downloads   wishes: the queue that the pool claims from
"""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import islice

from webapp.database import keep_open, look_at_sizes, open_database, problem_of
from webapp.database.models import db

__all__ = ["keep_open", "look_at_sizes", "open_database", "problem_of"]

# SQLite's stock limit is 32,766 variables in one statement; Debian's is higher and would hide it.
ROWS_PER_STATEMENT = 500

_writing = threading.RLock()


def writing() -> AbstractContextManager:
    """A place in the line of all who write, for a statement that is a transaction by itself.

    SQLite would let the threads sleep instead, up to a tenth of a second at a time.
    """
    return _writing


def connection() -> AbstractContextManager:
    """An open connection of this thread for the length of a `with` block."""
    return db.connection_context()


@contextmanager
def connection_for_pages() -> Iterator[None]:
    """Like `connection`, for a thread that stores one history page after the other."""
    with connection():
        # What SQLite keeps to take back a single statement: it would write a file for each.
        db.execute_sql("PRAGMA temp_store = memory")
        # 16 MB: each page changes much of what the one before has changed, and the later it is written back,
        # the fewer times.
        db.execute_sql("PRAGMA wal_autocheckpoint = 4000")
        yield


@contextmanager
def transaction() -> Iterator[None]:
    """A writing transaction. IMMEDIATE, because a read that turns into a write inside a deferred one
    fails at once with "database is locked" when another thread wrote in between.
    """
    with writing(), db.atomic("IMMEDIATE"):
        yield


def chunked(rows: list, size: int = ROWS_PER_STATEMENT) -> Iterator[list]:
    """`rows` in pieces that fit into one statement."""
    iterator = iter(rows)
    while chunk := list(islice(iterator, size)):
        yield chunk


def open_connection() -> None:
    """For a request; everything else uses `connection`."""
    db.connect()


def close_connection() -> None:
    if not db.is_closed():
        db.close()
