"""The contents of one project: its records, the cards that describe them, and its ingredients.

An ingredient is media that a project uses as a reference; it often belongs to another project.
"""

import json
from collections import Counter
from collections.abc import Iterator, Set
from dataclasses import dataclass, field, replace

from webapp.sources import HistoryPage, Reading, Reason, RemoteImage, RemoteProject
from webapp.sources.fields import UnknownShape, prompt, word
from webapp.sources.flow_google.json_stream import JsonStream, Unreadable
from webapp.sources.flow_google.records import (
    NO_CARD,
    Card,
    asset_id_of,
    is_integer,
    read_image,
    reason_ignored,
    unknown_kind,
    unknown_slots,
    valid_id,
    value_at,
)
from webapp.sources.flow_google.timestamps import timestamp_of
from webapp.sources.outline import outline_text, shown_number

CONTENTS_CALL = "Zzl0ze"
DESCRIPTORS, RECORDS, INGREDIENTS = 1, 2, 3
_IMAGE_INGREDIENT, _VOICE_INGREDIENT = 1, 3
_MAX_TITLE = 300


@dataclass(slots=True)
class Contents:
    """What was read of one project so far.

    `names` are the ids of everything in the response, ignored or not; `recorded` are the ids that had a
    record. `unknown` counts what was not understood, by kind. `failure` says why nothing could be read,
    `is_transient` that a retry may help.
    """

    reading: Reading = Reading.READ
    failure: str = ""
    is_transient: bool = False
    cards: dict[str, Card] = field(default_factory=dict)
    images: list[RemoteImage] = field(default_factory=list)
    names: dict[str, None] = field(default_factory=dict)
    recorded: set[str] = field(default_factory=set)
    ignored: Counter[Reason] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    record_count: int = 0
    outline: str = ""

    @property
    def entry_count(self) -> int:
        return len(self.images) + self.ignored.total()

    @property
    def sample(self) -> str:
        """For a report: the unrecognised kinds with their counts, and the outline of the first."""
        if not self.ignored[Reason.UNRECOGNISED]:
            return ""
        return f"{json.dumps(self.unknown)} {self.outline}"


def contents_arguments(project_id: str) -> list[object]:
    return [f"projects/{project_id}", None, None, None, [1]]


def read_contents(payload: str | None, project: RemoteProject, picture_hosts: Set[str]) -> Contents:
    """The contents in a payload; None is an empty project. Raises UnknownShape.

    Only the outer lists are required; a record that is no usable image is counted. Records are decoded one
    at a time, because a response may have tens of megabytes.
    """
    contents = Contents()
    try:
        for part, values in read_parts(payload):
            for value in values:
                if part == DESCRIPTORS:
                    _add_card(contents, value)
                elif part == RECORDS:
                    contents.record_count += 1
                    _add_record(contents, value, project, picture_hosts)
                else:
                    _add_ingredient(contents, value, picture_hosts)
    except Unreadable as error:
        raise UnknownShape(f"the media of a project cannot be read ({error})") from error
    contents.reading = _reading(contents)
    return contents


def _reading(contents: Contents) -> Reading:
    """A project without any record is empty, even if it has ingredients."""
    unrecognised_count = contents.ignored[Reason.UNRECOGNISED]
    if unrecognised_count and unrecognised_count == contents.entry_count:
        return Reading.UNRECOGNISED
    if unrecognised_count:
        return Reading.PARTLY
    return Reading.READ if contents.record_count else Reading.EMPTY


def history_page_of(
    project: RemoteProject, contents: Contents, skipped: list[RemoteProject], next_cursor: str | None
) -> HistoryPage:
    """A project as a history page. Its entries are the skipped projects, the project itself and its media."""
    # Images without a time come first, as `RemoteImage` requires.
    images = sorted(
        contents.images, key=lambda image: (image.created_at is None, image.created_at or ""), reverse=True
    )
    return HistoryPage(
        images=tuple(images),
        names=(*(each.id for each in skipped), project.id, *contents.names),
        entry_count=len(skipped) + 1 + contents.entry_count,
        ignored=dict(contents.ignored),
        last_created_at=images[-1].created_at if images else None,
        next_cursor=next_cursor,
        project=project,
        passed=tuple(skipped),
        reading=contents.reading,
        failure=contents.failure,
        sample=contents.sample,
    )


def read_parts(payload: str | None) -> Iterator[tuple[int, Iterator[object]]]:
    """Descriptors, records and ingredients as streams of values. What follows them is not read.

    Each stream has to be read to its end before the next. Raises Unreadable, UnknownShape.
    """
    stream = JsonStream(payload if payload is not None else "[]")
    if stream.starts_with("null"):
        return
    for index in stream.indexes():
        if index == 0 or stream.starts_with("null"):
            stream.value()
        elif stream.starts_with("["):
            yield index, stream.elements()
        else:
            raise UnknownShape("the media of a project are not a list")
        if index == INGREDIENTS:
            return


def _add_card(contents: Contents, descriptor: object) -> None:
    about = value_at(descriptor, 3)
    card = Card(
        word(value_at(descriptor, 0)),
        valid_id(value_at(about, 4)),
        _title(value_at(about, 0)),
        _is_archived(value_at(about, 2)) if isinstance(about, list) else None,
        timestamp_of(value_at(about, 1)),
    )
    for key in (card.asset_id, card.id):
        if key:
            contents.cards.setdefault(key, card)
    if card.asset_id:
        contents.names[card.asset_id] = None


def _is_archived(flag: object) -> bool | None:
    """Null and false both mean not archived; None for any value that is not understood."""
    return bool(flag) if flag is None or isinstance(flag, bool) else None


def _title(value: object) -> str | None:
    return (prompt(value) or "")[:_MAX_TITLE].strip() or None


def _add_record(contents: Contents, record: object, project: RemoteProject, picture_hosts: Set[str]) -> None:
    reason = _count(contents, record)
    if reason is None and isinstance(record, list):
        asset_id, card_id = asset_id_of(record) or "", word(value_at(record, 2)) or ""
        card = contents.cards.get(asset_id) or contents.cards.get(card_id) or NO_CARD
        image = read_image(record, card, picture_hosts, project.id)
        if image.created_at is None:
            image = replace(image, created_at=project.made_at)
        contents.images.append(image)


def _add_ingredient(contents: Contents, ingredient: object, picture_hosts: Set[str]) -> None:
    """Add an ingredient that has no record in this project.

    Its own record names the project that it belongs to. The name on the ingredient serves as its title.
    """
    record, kind = value_at(ingredient, 3), value_at(ingredient, 1)
    asset_id = asset_id_of(record) or valid_id(value_at(ingredient, 0))
    if asset_id in contents.recorded:
        return
    if kind not in (_IMAGE_INGREDIENT, _VOICE_INGREDIENT) and reason_ignored(record) is not None:
        contents.unknown[_ingredient_kind(kind)] += 1
    if kind == _VOICE_INGREDIENT:
        contents.ignored[Reason.SOUND] += 1
        contents.names |= {asset_id: None} if asset_id else {}
    elif _count(contents, record, ingredient) is None and isinstance(record, list):
        card = Card(None, None, _title(value_at(ingredient, 2)), None, None)
        image = read_image(record, card, picture_hosts, None)
        contents.images.append(replace(image, is_ingredient=True))


def _ingredient_kind(kind: object) -> str:
    return f"ingredient of type {shown_number(kind)}" if is_integer(kind) else "ingredient"


def _count(contents: Contents, record: object, ingredient: object = None) -> Reason | None:
    """Note the id of a record, and count it if it is ignored. Returns the reason, None for an image.

    `ingredient` is the one that holds the record, None for a record of the project itself.
    """
    reason = reason_ignored(record)
    if asset_id := asset_id_of(record) or valid_id(value_at(ingredient, 0)):
        contents.names[asset_id] = None
        contents.recorded.add(asset_id)
    if isinstance(record, list):
        contents.unknown.update(unknown_slots(record))
    if reason is not None:
        contents.ignored[reason] += 1
    if reason is Reason.UNRECOGNISED:
        contents.unknown[unknown_kind(record)] += 1
        contents.outline = contents.outline or outline_text(record if ingredient is None else ingredient)
    return reason
