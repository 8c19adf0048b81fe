"""Outlines of whole payloads: how much of each part there is, and the first of each kind."""

from collections import Counter
from contextlib import suppress

from webapp.sources.fields import UnknownShape
from webapp.sources.flow_google import media
from webapp.sources.flow_google.frames import GUARD
from webapp.sources.flow_google.projects import project_of
from webapp.sources.flow_google.records import inside, reason_not_kept, unknown_kind
from webapp.sources.flow_google.values import Unreadable, Values
from webapp.sources.http import Response
from webapp.sources.outline import MAX_ITEMS, outline, shown_number

MAX_KINDS = 12
_ROWS = ("wrb.fr", "er", "di", "af.httprm", "e")
_PARTS = {media.DESCRIPTORS: "descriptor", media.RECORDS: "record", media.INGREDIENTS: "ingredient"}


def document_of(payload: str | None) -> object:
    """The JSON of a payload. Raises Unreadable."""
    return None if payload is None else Values(payload).value()


def response_outline(responses: list[Response]) -> object:
    """The outline of the last response with its frame, None when it is a page or none at all."""
    if not responses or responses[-1].is_html:
        return None
    text, shown = responses[-1].text, []
    with suppress(Unreadable):
        values = Values(text, len(GUARD) if text.startswith(GUARD) else 0)
        while not values.is_at_end and len(shown) < MAX_ITEMS:
            shown.append(_chunk(values.value()))
    return shown


def _chunk(value: object) -> object:
    """Rows with their names, as far as these are known."""
    if not isinstance(value, list):
        return outline(value)
    rows = [row if isinstance(row, list) else [row] for row in value[:MAX_ITEMS]]
    return [
        [row[0], *outline(row[1:])] if row and isinstance(row[0], str) and row[0] in _ROWS else outline(row)
        for row in rows
    ]


def listing_outline(document: object) -> dict[str, object]:
    """The slots of a listing, its first card, and the first one that has no id."""
    cards = inside(document, 0)
    shown: dict[str, object] = {"slots": _slots(document)}
    for card in cards if isinstance(cards, list) else []:
        shown.setdefault("card" if project_of(card) else "card without an id", outline(card))
    return shown


def contents_outline(payload: str | None) -> dict[str, object]:
    """The first of each kind of record in the media of a project, read one at a time as they are large."""
    shown: dict[str, object] = {}
    counts: Counter[str] = Counter()
    with suppress(Unreadable, UnknownShape):  # what stands before it is shown
        for part, values in media.parts(payload):
            for value in values:
                kind = _kind(part, value)
                counts[kind] += 1
                if kind not in shown and len(shown) < MAX_KINDS:
                    shown[kind] = outline(value)
    return {"counts": dict(counts), **shown}


def _kind(part: int, value: object) -> str:
    """A few words of this program's own, by which records are told apart."""
    name = _PARTS.get(part, "other")
    if part == media.DESCRIPTORS:
        return name
    record = value if part == media.RECORDS else inside(value, 3)
    if part == media.INGREDIENTS:
        said = inside(value, 1)
        name += f" of type {shown_number(said)}" if type(said) is int else " of another type"
    reason = reason_not_kept(record)
    if reason is None:
        return f"{name}: {'upload' if isinstance(inside(record, 6, 1), list) else 'image'}"
    return f"{name}: {unknown_kind(record) if reason == 'unrecognised' else reason.value}"


def _slots(document: object) -> object:
    """How long the lists of a document are, and of which types the rest is."""
    if not isinstance(document, list):
        return type(document).__name__
    return [
        f"list of {len(slot)}" if isinstance(slot, list) else outline(slot) for slot in document[:MAX_ITEMS]
    ]
