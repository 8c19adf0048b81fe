"""What one project holds: its records, the cards that describe them, and images among its ingredients."""

import json
from collections import Counter
from collections.abc import Iterator, Set
from dataclasses import dataclass, field, replace

from webapp.sources import HistoryPage, Reading, Reason, RemoteImage, RemoteProject
from webapp.sources.fields import UnknownShape, prompt, word
from webapp.sources.flow_google.moments import moment
from webapp.sources.flow_google.records import (
    NO_CARD,
    Card,
    asset_name,
    inside,
    read_image,
    reason_not_kept,
    sound_name,
    unknown_kind,
    unknown_slots,
)
from webapp.sources.flow_google.values import Unreadable, Values
from webapp.sources.outline import outline_text, shown_number

MEDIA_CALL = "Zzl0ze"
DESCRIPTORS, RECORDS, INGREDIENTS = 1, 2, 3
_IMAGE_INGREDIENT, _VOICE_INGREDIENT = 1, 3
_MAX_TITLE = 300


@dataclass(slots=True)
class Contents:
    """The response about one project, while it is read value by value.

    `names` are the ids of all that it shows, whatever became of it; `recorded` those of records. `unknown`
    counts what was not understood, by its kind. `failure` says why there is nothing to read.
    """

    reading: Reading = Reading.READ
    failure: str = ""
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
        """For a report: what was not recognised, counted by kind, and the outline of the first."""
        if not self.ignored[Reason.UNRECOGNISED]:
            return ""
        return f"{json.dumps(self.unknown)} {self.outline}"


def media_arguments(project_id: str) -> list:
    return [f"projects/{project_id}", None, None, None, [1]]


def read_media(payload: str | None, project: RemoteProject, picture_hosts: Set[str]) -> Contents:
    """The media in a payload; None is an empty project. Raises UnknownShape.

    Only the frame is demanded; a record that is no usable image is counted. One record at a time
    becomes objects, because a response may have tens of megabytes.
    """
    contents = Contents()
    try:
        for part, values in parts(payload):
            for value in values:
                if part == DESCRIPTORS:
                    _note_card(contents, value)
                elif part == RECORDS:
                    contents.record_count += 1
                    _note_record(contents, value, project, picture_hosts)
                else:
                    _note_ingredient(contents, value, picture_hosts)
    except Unreadable as error:
        raise UnknownShape(f"the media of a project cannot be read ({error})") from error
    contents.reading = _reading(contents)
    return contents


def _reading(contents: Contents) -> Reading:
    """A project of which the response has no record at all is empty, also when it shows ingredients."""
    unrecognised_count = contents.ignored[Reason.UNRECOGNISED]
    if unrecognised_count and unrecognised_count == contents.entry_count:
        return Reading.UNRECOGNISED
    if unrecognised_count:
        return Reading.PARTLY
    return Reading.READ if contents.record_count else Reading.EMPTY


def page_of(
    project: RemoteProject, contents: Contents, passed: list[RemoteProject], next_cursor: str | None
) -> HistoryPage:
    """A project as a page: itself and those passed over are entries, and so is every record."""
    # Those without any time come first, as the protocol has it.
    images = sorted(
        contents.images, key=lambda image: (image.created_at is None, image.created_at or ""), reverse=True
    )
    return HistoryPage(
        images=tuple(images),
        names=(*(each.id for each in passed), project.id, *contents.names),
        entry_count=len(passed) + 1 + contents.entry_count,
        ignored=dict(contents.ignored),
        last_created_at=images[-1].created_at if images else None,
        next_cursor=next_cursor,
        project=project,
        passed=tuple(passed),
        reading=contents.reading,
        failure=contents.failure,
        sample=contents.sample,
    )


def parts(payload: str | None) -> Iterator[tuple[int, Iterator[object]]]:
    """Descriptors, records and ingredients, each value by value. Nobody reads what follows them."""
    values = Values(payload if payload is not None else "[]")
    if values.is_next("null"):
        return
    for slot in values.steps():
        if slot == 0 or values.is_next("null"):
            values.value()
        elif values.is_next("["):
            yield slot, values.each()
        else:
            raise UnknownShape("the media of a project are no list")
        if slot == INGREDIENTS:
            return


def _note_card(contents: Contents, descriptor: object) -> None:
    about = inside(descriptor, 3)
    title = _title(inside(about, 0))
    # Null and false both stand for an image that is not archived; anything else is not understood.
    archived = {None: False, False: False, True: True}.get(_flag(inside(about, 2)))
    card = Card(
        word(inside(descriptor, 0)),
        sound_name(inside(about, 4)),
        title,
        archived if isinstance(about, list) else None,
        moment(inside(about, 1)),
    )
    for key in (card.asset_id, card.id):
        if key:
            contents.cards.setdefault(key, card)
    if card.asset_id:
        contents.names[card.asset_id] = None


def _flag(said: object) -> object:
    return said if said is None or isinstance(said, bool) else "unknown"


def _title(said: object) -> str | None:
    return (prompt(said) or "")[:_MAX_TITLE].strip() or None


def _note_record(contents: Contents, record: object, project: RemoteProject, picture_hosts: Set[str]) -> None:
    reason = _noted(contents, record)
    if reason is None and isinstance(record, list):
        name, card_id = asset_name(record) or "", word(inside(record, 2)) or ""
        card = contents.cards.get(name) or contents.cards.get(card_id) or NO_CARD
        image = read_image(record, card, picture_hosts, project.id)
        if image.created_at is None:
            image = replace(image, created_at=project.made_at)
        contents.images.append(image)


def _note_ingredient(contents: Contents, ingredient: object, picture_hosts: Set[str]) -> None:
    """An image that a project shows as a reference is that of the project which its own record names.

    The name on the ingredient stands in for a title. One that was among the records already is no other
    image.
    """
    record, kind = inside(ingredient, 3), inside(ingredient, 1)
    name = asset_name(record) or sound_name(inside(ingredient, 0))
    if name in contents.recorded:
        return
    if kind not in (_IMAGE_INGREDIENT, _VOICE_INGREDIENT) and reason_not_kept(record) is not None:
        contents.unknown[_ingredient_kind(kind)] += 1
    if kind == _VOICE_INGREDIENT:
        contents.ignored[Reason.SOUND] += 1
        contents.names |= {name: None} if name else {}
    elif _noted(contents, record, of=ingredient) is None and isinstance(record, list):
        card = Card(None, None, _title(inside(ingredient, 2)), None, None)
        image = read_image(record, card, picture_hosts, None)
        contents.images.append(replace(image, is_ingredient=True))


def _ingredient_kind(kind: object) -> str:
    return f"ingredient of type {shown_number(kind)}" if type(kind) is int else "ingredient"


def _noted(contents: Contents, record: object, of: object = None) -> Reason | None:
    """Count a record that is not kept and note its id; why it is not, None for an image."""
    reason = reason_not_kept(record)
    if name := asset_name(record) or sound_name(inside(of, 0)):
        contents.names[name] = None
        contents.recorded.add(name)
    if isinstance(record, list):
        contents.unknown.update(unknown_slots(record))
    if reason is not None:
        contents.ignored[reason] += 1
    if reason is Reason.UNRECOGNISED:
        contents.unknown[unknown_kind(record)] += 1
        contents.outline = contents.outline or outline_text(record if of is None else of)
    return reason
