"""SQLite's errors, as sentences for a person."""

from collections.abc import Iterator
from contextlib import contextmanager

from webapp.errors import BadDatabase, DatabaseLocked, DiskFull, FlowshelfError, FolderGone

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
        BadDatabase,
        "The database file is damaged, or is not a database. Stop Flowshelf and put a backup in its place.",
    ),
    (
        "malformed",
        BadDatabase,
        "The database is damaged. Stop Flowshelf and put a backup in its place; “flowshelf doctor” says "
        "more.",
    ),
)


def problem_of(error: BaseException | None) -> FlowshelfError | None:
    """A database error as a FlowshelfError; None when the cause is a bug of ours.

    Looks at the whole chain of exceptions: when the disk is full, SQLite rolls back by itself, and the error
    of peewee's own rollback then hides the first one.
    """
    while error is not None:
        for text, kind, sentence in _PROBLEMS:
            if text in str(error):
                return kind(sentence)
        error = error.__context__
    return None


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
