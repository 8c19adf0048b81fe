"""The outline of a response: its fields, types and counts, with made-up stand-ins for what it says.

It goes into reports that people send to strangers, so no text of the response is ever copied. Short
upper-case words of the service's own vocabulary would be useful, but a person's prompt may look the same.
"""

import json
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

MAX_DEPTH = 12
MAX_ITEMS = 40
# Codes of the service are small: statuses, model numbers, shapes. Seeds, times and sizes are not.
MAX_SHOWN_NUMBER = 99
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_KNOWN_FIELDS = re.compile(r"[a-z][A-Za-z]{1,40}")


def outline(value: object, known_hosts: Iterable[str] = (), depth: int = 0) -> object:
    """`value` with a stand-in for each text and each larger number; lists are cut at `MAX_ITEMS`.

    Of a URL its host is shown when it is one of `known_hosts`.
    """
    match value:
        case None | bool():
            return value
        case int() | float():
            return value if isinstance(value, int) and abs(value) <= MAX_SHOWN_NUMBER else "<number>"
        case str():
            return _text(value, frozenset(known_hosts))
        case list() | dict() if depth < MAX_DEPTH:
            return _inner(value, known_hosts, depth + 1)
    return "<nested deeper>"


def _inner(value: list | dict, known_hosts: Iterable[str], depth: int) -> object:
    if isinstance(value, list):
        return _items([outline(inner, known_hosts, depth) for inner in value[:MAX_ITEMS]], len(value))
    fields = enumerate(list(value.items())[:MAX_ITEMS])
    return {_field(name, number): outline(inner, known_hosts, depth) for number, (name, inner) in fields}


def outline_text(value: object, known_hosts: Iterable[str] = (), max_characters: int = 1_000) -> str:
    """The outline as JSON on one line, cut at `max_characters`."""
    return json.dumps(outline(value, known_hosts), ensure_ascii=False)[:max_characters]


def _items(items: list, count: int) -> list:
    return [*items, f"<{count - len(items)} more>"] if count > len(items) else items


def _field(name: object, number: int) -> str:
    """Names of fields are the service's own; what does not look like one may be an id."""
    return name if isinstance(name, str) and _KNOWN_FIELDS.fullmatch(name) else f"<field {number}>"


def _text(text: str, known_hosts: frozenset[str]) -> str:
    if not text:
        return ""
    if _UUID.fullmatch(text):
        return "<id>"
    if text.startswith(("https://", "http://")):
        return _url(text, known_hosts)
    return f"<text of {len(text)}>"


def _url(text: str, known_hosts: frozenset[str]) -> str:
    try:
        host = urlsplit(text).hostname
    except ValueError:
        host = None
    return f"<URL at {host}>" if host in known_hosts else "<URL>"
