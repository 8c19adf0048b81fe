"""SQLite's errors, as sentences for a person."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from peewee import PeeweeException

from webapp.errors import DamagedDatabase, DatabaseLocked, DiskFull, FlowshelfError, FolderGone

log = logging.getLogger(__name__)

DAMAGED = "The database is damaged. Stop Flowshelf and restore a backup: “flowshelf restore FILE”."
# Files that SQLite leaves next to a database when its program is killed, and applies to it afterwards.
JOURNALS = ("-wal", "-journal")
# What SQLite, peewee and the decoding of values raise when they read a damaged database.
_READING_ERRORS = (sqlite3.Error, PeeweeException, ValueError, TypeError, LookupError, OverflowError)

# A part of SQLite's message, our error, and its sentence.
_PROBLEMS = (
    (
        "database or disk is full",
        DiskFull,
        "The disk that holds the data folder is full. Free some space there, then try again; nothing was "
        "lost.",
    ),
    (
        "readonly database",
        FolderGone,
        "The data folder cannot be written to. Make it and its disk writable, then try again; nothing was "
        "lost.",
    ),
    (
        "unable to open database",
        FolderGone,
        "The database in the data folder is not there or cannot be opened. If its disk was disconnected, "
        "connect it again; nothing was changed.",
    ),
    (
        "disk I/O error",
        FolderGone,
        "The disk that holds the data folder is full, or fails to read or write. Free some space or check "
        "the disk, then try again; “flowshelf doctor” says more.",
    ),
    (
        "database is locked",
        DatabaseLocked,
        "Another program has locked the database. Close that program, then try again.",
    ),
    (
        "not a database",
        DamagedDatabase,
        "The database file is damaged, or is not a database. Stop Flowshelf and restore a backup: “flowshelf "
        "restore FILE”.",
    ),
    ("malformed", DamagedDatabase, DAMAGED),
    ("integer overflow", DamagedDatabase, DAMAGED),  # of a sum
    ("Could not decode to UTF-8", DamagedDatabase, DAMAGED),
)


def problem_of(error: BaseException | None) -> FlowshelfError | None:
    """A database error as a FlowshelfError; None when the cause is a bug of ours.

    Looks at the whole chain of exceptions: when the disk is full, SQLite rolls back by itself, and the error
    of peewee's own rollback then hides the first one.
    """
    while error is not None:
        for text, kind, sentence in _PROBLEMS:
            if text in _message_of(error):
                return kind(sentence)
        error = error.__context__
    return None


def _message_of(error: BaseException) -> str:
    """The text of an error. A message of SQLite that quotes damaged text may be no UTF-8."""
    return error.object.decode("utf-8", "replace") if isinstance(error, UnicodeDecodeError) else str(error)


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raise database errors as the FlowshelfError that explains them."""
    try:
        yield
    except FlowshelfError:
        raise
    except Exception as error:
        if problem := problem_of(error):
            raise problem from error
        raise


@contextmanager
def translate_damage(path: Path) -> Iterator[None]:
    """Like `translate_errors`, for a block that only opens or reads the database at `path`.

    Whatever SQLite or the decoding of its values raises there means that the file is damaged.
    """
    try:
        with translate_errors():
            yield
    except DamagedDatabase as error:
        raise DamagedDatabase(with_journals(str(error), path)) from error
    except FlowshelfError:
        raise
    except _READING_ERRORS as error:
        log.debug("%s cannot be read", path, exc_info=True)
        raise DamagedDatabase(with_journals(DAMAGED, path)) from error


def with_journals(sentence: str, path: Path) -> str:
    """Name the journals next to a damaged database: one that belongs to another database damages it."""
    left = [name for suffix in JOURNALS if path.with_name(name := path.name + suffix).exists()]
    if not left or left[0] in sentence:
        return sentence
    return (
        f"{sentence} Next to it lies {' and '.join(left)}, which SQLite applies to it. If the database was "
        "copied here without it, it belongs to another database: move it away, and try again first."
    )
