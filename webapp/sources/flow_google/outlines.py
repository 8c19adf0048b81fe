"""Outlines of whole payloads: how many values each part has, and the first of each kind."""

from collections import Counter
from contextlib import suppress

from webapp.sources import Reason
from webapp.sources.fields import UnknownShape
from webapp.sources.flow_google import contents
from webapp.sources.flow_google.frames import GUARD
from webapp.sources.flow_google.json_stream import JsonStream, Unreadable
from webapp.sources.flow_google.projects import project_of
from webapp.sources.flow_google.records import is_integer, reason_ignored, unknown_kind, value_at
from webapp.sources.http import Response
from webapp.sources.outline import MAX_ITEMS, outline, shown_number

MAX_KINDS = 12
_ROWS = ("wrb.fr", "er", "di", "af.httprm", "e")
_PARTS = {contents.DESCRIPTORS: "descriptor", contents.RECORDS: "record", contents.INGREDIENTS: "ingredient"}


def document_of(payload: str | None) -> object:
    """The JSON of a payload. Raises Unreadable."""
    return None if payload is None else JsonStream(payload).value()


def response_outline(responses: list[Response]) -> object:
    """The outline of the last response with its frame, None if it is HTML or there is none."""
    if not responses or responses[-1].is_html:
        return None
    text = responses[-1].text
    shown: list[object] = []
    with suppress(Unreadable):
        stream = JsonStream(text, len(GUARD) if text.startswith(GUARD) else 0)
        while not stream.is_at_end and len(shown) < MAX_ITEMS:
            shown.append(_chunk_outline(stream.value()))
    return shown


def _chunk_outline(value: object) -> object:
    """The outline of the rows in a chunk of a response, with known row names."""
    if not isinstance(value, list):
        return outline(value)
    rows = [row if isinstance(row, list) else [row] for row in value[:MAX_ITEMS]]
    return [_row_outline(row) for row in rows]


def _row_outline(row: list[object]) -> object:
    shown = outline(row)
    if isinstance(shown, list) and row and isinstance(row[0], str) and row[0] in _ROWS:
        return [row[0], *shown[1:]]
    return shown


def listing_outline(document: object) -> dict[str, object]:
    """The slots of a listing, its first card, and its first card without an id."""
    cards = value_at(document, 0)
    shown: dict[str, object] = {"slots": _slots(document)}
    for card in cards if isinstance(cards, list) else []:
        shown.setdefault("card" if project_of(card) else "card without an id", outline(card))
    return shown


def contents_outline(payload: str | None) -> dict[str, object]:
    """The counts and the first of each kind of value in the contents of a project, decoded one by one."""
    shown: dict[str, object] = {}
    counts: Counter[str] = Counter()
    with suppress(Unreadable, UnknownShape):  # the outline ends where the payload cannot be read
        for part, values in contents.read_parts(payload):
            for value in values:
                kind = _kind(part, value)
                counts[kind] += 1
                if kind not in shown and len(shown) < MAX_KINDS:
                    shown[kind] = outline(value)
    return {"counts": dict(counts), **shown}


def _kind(part: int, value: object) -> str:
    """A few words of our own that tell kinds of values apart."""
    name = _PARTS.get(part, "other")
    if part == contents.DESCRIPTORS:
        return name
    record = value if part == contents.RECORDS else value_at(value, 3)
    if part == contents.INGREDIENTS:
        number = value_at(value, 1)
        name += f" of type {shown_number(number)}" if is_integer(number) else " of another type"
    reason = reason_ignored(record)
    if reason is None:
        return f"{name}: {'upload' if isinstance(value_at(record, 6, 1), list) else 'image'}"
    return f"{name}: {unknown_kind(record) if reason is Reason.UNRECOGNISED else reason.value}"


def _slots(document: object) -> object:
    """The lengths of the lists in a document, and outlines of its other values."""
    if not isinstance(document, list):
        return type(document).__name__
    return [
        f"list of {len(slot)}" if isinstance(slot, list) else outline(slot) for slot in document[:MAX_ITEMS]
    ]
