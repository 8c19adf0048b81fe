"""The JSON body of a request, read field by field. Each method raises BadRequest for an invalid value."""

from collections.abc import Sequence
from enum import StrEnum
from typing import TypeGuard, TypeVar

from flask import request
from werkzeug.exceptions import UnsupportedMediaType

from webapp.errors import BadRequest

MAX_TEXTS = 200_000
MAX_NUMBER = 2**31
ChoiceT = TypeVar("ChoiceT", bound=StrEnum)
ValueT = TypeVar("ValueT")


class Body:
    """The fields of a JSON object. A field that is null counts as missing."""

    def __init__(self, fields: dict[str, object]) -> None:
        self._fields = fields

    @property
    def fields(self) -> dict[str, object]:
        """The whole object, unchecked."""
        return self._fields

    def has(self, name: str) -> bool:
        return self._fields.get(name) is not None

    def is_true(self, name: str) -> bool:
        return self._fields.get(name) is True

    def text(self, name: str, *, max_length: int | None = 1000) -> str:
        """A text that is not blank."""
        return _require(name, self.find_text(name, max_length=max_length))

    def find_text(self, name: str, *, max_length: int | None = 1000) -> str | None:
        """A text that is not blank; None if the field is missing."""
        value = self._fields.get(name)
        if value is None:
            return None
        if not _is_text(value) or not value.strip():
            raise BadRequest(f"“{name}” must be a text that is not empty.")
        if max_length is not None and len(value) > max_length:
            raise BadRequest(f"“{name}” is longer than {max_length} characters.")
        return value

    def number(self, name: str) -> int:
        """A whole number from 1 to MAX_NUMBER."""
        return _require(name, self.find_number(name))

    def find_number(self, name: str) -> int | None:
        """A whole number from 1 to MAX_NUMBER; None if the field is missing."""
        value = self._fields.get(name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_NUMBER:
            raise BadRequest(f"“{name}” must be a whole number from 1 to {MAX_NUMBER:,}.")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        value = self._fields.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise BadRequest(f"“{name}” must be true or false.")
        return value

    def choice(self, name: str, choices: Sequence[ChoiceT], default: ChoiceT) -> ChoiceT:
        value = self._fields.get(name)
        if value is None:
            return default
        for choice in choices:
            if value == choice:
                return choice
        raise BadRequest(f"“{name}” must be one of {', '.join(choices)}.")

    def count(self, name: str) -> int:
        """A whole number from 0 to MAX_NUMBER."""
        return 0 if self._fields.get(name) == 0 else self.number(name)

    def any_text(self, name: str) -> str:
        """A string of any length and any characters, also none."""
        value = self._fields.get(name)
        if not isinstance(value, str):
            raise BadRequest(f"“{name}” must be a text.")
        return value

    def find_list(self, name: str) -> list[object] | None:
        """A list of anything; None if the field is missing."""
        value = self._fields.get(name)
        if value is None or isinstance(value, list):
            return value
        raise BadRequest(f"“{name}” must be a list.")

    def texts(self, name: str) -> list[str]:
        """A list of texts."""
        return _require(name, self.find_texts(name))

    def find_texts(self, name: str) -> list[str] | None:
        """A list of texts; None if the field is missing."""
        values = self._fields.get(name)
        if values is None:
            return None
        if not isinstance(values, list) or not all(map(_is_text, values)):
            raise BadRequest(f"“{name}” must be a list of texts.")
        if len(values) > MAX_TEXTS:
            raise BadRequest(f"“{name}” has more than {MAX_TEXTS} entries. Split it into several requests.")
        return values


def _require(name: str, value: ValueT | None) -> ValueT:
    if value is None:
        raise BadRequest(f"“{name}” is missing.")
    return value


def _is_text(value: object) -> TypeGuard[str]:
    """Whether a value is a string that the database can store. JSON can contain NUL and lone surrogates."""
    if not isinstance(value, str) or "\x00" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_body() -> Body:
    """The JSON object of the current request. Raises BadRequest, or 415 for another media type."""
    if request.mimetype != "application/json":
        raise UnsupportedMediaType
    try:
        fields = request.get_json(silent=True)
    except RecursionError:  # nested too deeply
        fields = None
    if not isinstance(fields, dict):
        raise BadRequest("The body of this request must be a JSON object.")
    return Body(fields)
