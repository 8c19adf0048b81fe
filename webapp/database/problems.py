"""What goes wrong with a database, in sentences for a person."""

from collections.abc import Iterator
from contextlib import contextmanager

from webapp.errors import BadDatabase, DiskFull, FlowshelfError, FolderGone, Overloaded

# What SQLite says, and what it means for a person.
_PROBLEMS = (
    (
        "database or disk is full",
        DiskFull,
        "The disk that holds the data folder is full. Make room there, then go on; nothing was lost.",
    ),
    (
        "readonly database",
        FolderGone,
        "The data folder cannot be written to. Make it and its disk writable, then go on; nothing was lost.",
    ),
    (
        "unable to open database",
        FolderGone,
        "The database in the data folder is not there or cannot be opened. If its disk was taken out, "
        "connect it again; nothing was changed.",
    ),
    (
        "disk I/O error",
        FolderGone,
        "The disk that holds the data folder is full, or does not read and write as it should. Make room or "
        "look after it, then go on; “flowshelf doctor” says more.",
    ),
    (
        "database is locked",
        Overloaded,
        "Another program holds the database and does not let go of it. Close it, then try again.",
    ),
    (
        "not a database",
        BadDatabase,
        "The file of the database is damaged or none. End Flowshelf and put a backup in its place.",
    ),
    (
        "malformed",
        BadDatabase,
        "The database is damaged. End Flowshelf and put a backup in its place; “flowshelf doctor” says more.",
    ),
)


def problem_of(error: BaseException | None) -> FlowshelfError | None:
    """What an error of the database means for a person, None when it is a fault of ours.

    When a disk is full SQLite ends the transaction by itself, and peewee's own attempt to do so hides
    the reason: hence the errors before it.
    """
    while error is not None:
        for text, kind, sentence in _PROBLEMS:
            if text in str(error):
                return kind(sentence)
        error = error.__context__
    return None


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turn errors of the database into sentences for a person."""
    try:
        yield
    except FlowshelfError:
        raise
    except Exception as error:
        if problem := problem_of(error):
            raise problem from error
        raise
