"""Every query and every transaction. Callers get lists and values, never lazy queries.

profiles    profiles, their secrets, accounts and health
renewals    pasted cookies that are kept alive, and why a session has probably ended
firefox_profiles   profiles that read the sign-in of a Firefox on this machine
profile_names, ways   how a profile is called, and what it waits for
image_files   what is needed to find or fetch the file of one image
sessions    browsers that signed in to a shared Flowshelf
settings    choices of the settings page
roots       storage roots, and which files are recorded below each
history/    phase 1: gaps and walks, history pages, projects, images that a full sync did not find
runs/       sync runs, the download queue, exports, schedules, messages
gallery/    what the gallery shows and counts: images, filters, selections
removals    files that are going to be removed for good
trash       files in the trash; trashing records them
imports     images taken over from the Electron predecessor

Verbs: `find_*` may return None, `get_*` raises, `list_*`, `add_*`, `claim_*` takes atomically, `finish_*`,
`fail_*`, `request_*`, and `note_*` records what was observed.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from webapp.database import close_kept, keep_open, open_database, open_to_read, problem_of, refresh_statistics
from webapp.database.base import db

__all__ = ["close_kept", "keep_open", "open_database", "open_to_read", "problem_of", "refresh_statistics"]

T = TypeVar("T")

# SQLite's default limit is 32,766 variables in one statement; Debian's build allows more and would hide a
# statement that exceeds it.
ROWS_PER_STATEMENT = 500

# Reentrant, because functions that open a transaction call each other.
_write_lock = threading.RLock()


def writing() -> AbstractContextManager[bool]:
    """The lock of all writers, for a single statement that needs no transaction around it.

    SQLite allows one writer at a time. Without this lock the other threads would poll for SQLite's own lock,
    sleeping for up to a tenth of a second at a time.
    """
    return _write_lock


def connection() -> AbstractContextManager[None]:
    """An open connection of this thread for the length of a `with` block."""
    return db.connection_context()


@contextmanager
def connection_for_pages() -> Iterator[None]:
    """Like `connection`, with settings for a thread that stores one history page after the other."""
    db.connect()
    try:
        # The journal of a single statement stays in memory; otherwise SQLite creates a file for each.
        db.execute_sql("PRAGMA temp_store = memory")
        # Checkpoint every 16 MB: consecutive history pages change many of the same database pages, and a late
        # checkpoint writes each of them once.
        db.execute_sql("PRAGMA wal_autocheckpoint = 4000")
        yield
    finally:
        db.manual_close()  # nobody else is to get a connection with these settings


@contextmanager
def transaction() -> Iterator[None]:
    """A write transaction; inside another one it is a savepoint.

    It begins IMMEDIATE. A deferred transaction that first reads and then writes fails at once with "database
    is locked" when another thread wrote in between.
    """
    with writing(), db.atomic("IMMEDIATE"):
        yield


def version() -> int:
    """A number that rises with every write of this process."""
    return db.version


def chunked(rows: Sequence[T], size: int = ROWS_PER_STATEMENT) -> Iterator[list[T]]:
    """`rows` in chunks that fit into one statement."""
    for start in range(0, len(rows), size):
        yield list(rows[start : start + size])


def open_connection() -> None:
    """Open this thread's connection, for a request. Everything else uses `connection`."""
    db.connect()


def close_connection() -> None:
    if not db.is_closed():
        db.close()
