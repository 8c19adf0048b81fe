"""The JSON body of a request, read field by field; what does not fit is a sentence and a 400."""

from typing import Any

from flask import request
from werkzeug.exceptions import UnsupportedMediaType

from webapp.errors import BadRequest

REQUIRED: Any = object()
MAX_TEXTS = 200_000


class Body:
    def __init__(self, fields: dict) -> None:
        self._fields = fields

    def has(self, name: str) -> bool:
        return self._fields.get(name) is not None

    def is_true(self, name: str) -> bool:
        return self._fields.get(name) is True

    def text(self, name: str, *, default: Any = REQUIRED, longest: int | None = 1000) -> Any:
        value = self._value(name, default)
        if value is default:
            return value
        if not _is_text(value) or not value.strip():
            raise BadRequest(f"“{name}” has to be a text that is not empty.")
        if longest is not None and len(value) > longest:
            raise BadRequest(f"“{name}” is longer than {longest} characters.")
        return value

    def number(self, name: str, *, default: Any = REQUIRED) -> Any:
        """A whole number from 1."""
        value = self._value(name, default)
        if value is default:
            return value
        if type(value) is not int or not 1 <= value <= 2**31:
            raise BadRequest(f"“{name}” has to be a whole number from 1.")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        value = self._value(name, default)
        if not isinstance(value, bool):
            raise BadRequest(f"“{name}” has to be true or false.")
        return value

    def choice(self, name: str, choices: list, default: Any) -> Any:
        value = self._value(name, default)
        if value not in choices:
            raise BadRequest(f"“{name}” has to be one of {', '.join(choices)}.")
        return choices[choices.index(value)]

    def texts(self, name: str, *, default: Any = REQUIRED) -> Any:
        values = self._value(name, default)
        if values is default:
            return values
        if not isinstance(values, list) or not all(map(_is_text, values)):
            raise BadRequest(f"“{name}” has to be a list of texts.")
        if len(values) > MAX_TEXTS:
            raise BadRequest(f"“{name}” has more than {MAX_TEXTS} entries: send them in several requests.")
        return values

    def _value(self, name: str, default: Any) -> Any:
        """A field; null is the same as left out."""
        value = self._fields.get(name)
        if value is None:
            if default is REQUIRED:
                raise BadRequest(f"“{name}” is missing.")
            return default
        return value


def _is_text(value: object) -> bool:
    """A string that the database can keep: JSON can spell halves of characters."""
    if not isinstance(value, str) or "\x00" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_body() -> Body:
    """The JSON object of this request. Raises BadRequest, or 415 when it is not sent as JSON."""
    if request.mimetype != "application/json":
        raise UnsupportedMediaType
    try:
        fields = request.get_json(silent=True)
    except RecursionError:
        fields = None
    if not isinstance(fields, dict):
        raise BadRequest("The body of this request has to be a JSON object.")
    return Body(fields)
