"""Fields that give a value of their type, whatever a damaged database holds in their column.

SQLite stores any value in any column, and one flipped byte makes text of a number, or no text at all. A value
that cannot be one of its column is passed by, so that a page shows the row without it instead of failing.
Times stay the text that they are: `webapp.times.parsed` reads any.
"""

import json
from typing import TypeVar

import peewee
from playhouse.sqlite_ext import AutoIncrementField as PeeweeAutoIncrementField

T = TypeVar("T", dict[str, object], list[object])

_MAX_INTEGER = 2**63 - 1


def _integer(value: object) -> int | None:
    """Also of a float, as SQLite stores a number that is too large for an integer."""
    if isinstance(value, int | float) and abs(value) <= _MAX_INTEGER:  # false for NaN
        return int(value)
    return None


class IntegerField(peewee.IntegerField):
    """A whole number; null, or 0 where there must be one, for anything else."""

    def python_value(self, value: object) -> int | None:
        if value is None or type(value) is int:
            return value
        number = _integer(value)
        return 0 if number is None and not self.null else number


class AutoField(peewee.AutoField):
    """An id, and what refers to it; 0, which is nobody's id, for anything else."""

    def python_value(self, value: object) -> int | None:
        return value if value is None or type(value) is int else _integer(value) or 0


class AutoIncrementField(PeeweeAutoIncrementField):
    """The same for ids that are never reused."""

    def python_value(self, value: object) -> int | None:
        return value if value is None or type(value) is int else _integer(value) or 0


class TextField(peewee.TextField):
    """Text. What is none is replaced, and so is NUL, which neither a path nor a query can hold."""

    def python_value(self, value: object) -> str | None:
        if type(value) is str and "\0" not in value:
            return value
        if value is None:
            return None
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        return text.replace("\0", "\ufffd")


def stored_json(text: str | None, empty: T) -> T:
    """The value of a column that holds a JSON object or list; `empty` when there is none of that type."""
    try:
        value = json.loads(text or "")
    except ValueError:
        return empty
    return value if isinstance(value, type(empty)) else empty
