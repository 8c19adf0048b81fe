"""How long a page waits for what it can do without."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from peewee import OperationalError

from webapp.database.base import db

# A first answer waits this long for a count, or for what a search says about itself: enough for ten thousand
# images.
SECONDS = 0.05
# SQLite's virtual machine takes a few milliseconds for so many steps. Few images never need as many.
_STEPS = 100_000


class TooSlow(Exception):
    pass


@contextmanager
def patience() -> Iterator[None]:
    """Raises TooSlow when the queries inside take longer than SECONDS."""
    until = perf_counter() + SECONDS
    db.connection().set_progress_handler(lambda: perf_counter() > until, _STEPS)
    try:
        yield
    except (OperationalError, sqlite3.OperationalError) as error:
        if str(error) != "interrupted":
            raise
        raise TooSlow from error
    finally:
        db.connection().set_progress_handler(None, 0)
