"""The media of one project: which of its records are images, and what cards say about them."""

from collections.abc import Iterator, Set
from dataclasses import dataclass, field

from webapp.sources import (
    KIND_GENERATED,
    KIND_UPLOADED,
    HistoryPage,
    RemoteImage,
    RemoteProject,
    clean_name,
)
from webapp.sources.fields import LONGEST_NAME, UnknownShape, is_sound, prompt, word
from webapp.sources.flow_google.moments import moment
from webapp.sources.flow_google.values import Unreadable, Values
from webapp.sources.signed_urls import is_picture_url

MEDIA_CALL = "Zzl0ze"
DONE = 3
IMAGE_SLOTS = 7
_LONGEST_TITLE = 300
_VERSIONS = {"CAE": "original", "CAI": "derived"}
_VIDEO_PATH = "/video/"


@dataclass(frozen=True, slots=True)
class Card:
    """What a descriptor says; `asset_id` is the record that it shows."""

    id: str | None
    asset_id: str | None
    title: str | None
    is_archived: bool
    created_at: str | None


@dataclass(slots=True)
class Contents:
    """The answer about one project, while it is read record by record; `is_refused` when it is not ours."""

    cards: dict[str, Card] = field(default_factory=dict)
    images: list[RemoteImage] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    record_count: int = 0
    unknown_count: int = 0
    is_refused: bool = False


def media_arguments(project_id: str) -> list:
    return [f"projects/{project_id}", None, None, None, [1]]


def read_media(payload: str | None, project: RemoteProject, picture_hosts: Set[str]) -> Contents:
    """The media in a payload; None is an empty project. Raises UnknownShape.

    Only the frame is demanded; a record that is no usable image is counted. One record at a time
    becomes objects, because an answer may have tens of megabytes.
    """
    contents = Contents()
    try:
        for part, values in enumerate(_parts(payload)):
            for value in values:
                if part == 0:
                    _note_card(contents, value)
                else:
                    _note_record(contents, value, project, picture_hosts)
    except Unreadable as error:
        raise UnknownShape(f"the media of a project cannot be read ({error})") from error
    if contents.unknown_count and contents.unknown_count == contents.record_count:
        raise UnknownShape("none of the records of a project is one that Flowshelf knows")
    return contents


def page_of(
    project: RemoteProject, contents: Contents, passed: list[str], next_cursor: str | None
) -> HistoryPage:
    """A project as a page: itself and those passed over are entries, and so is every record."""
    # Those without any time come first, as the protocol has it.
    images = sorted(
        contents.images, key=lambda image: (image.created_at is None, image.created_at or ""), reverse=True
    )
    return HistoryPage(
        images=tuple(images),
        names=(*passed, project.id, *contents.names),
        entry_count=len(passed) + 1 + contents.record_count,
        ignored_count=contents.record_count - len(images),
        last_created_at=images[-1].created_at if images else None,
        next_cursor=next_cursor,
        project=None if contents.is_refused else project,
    )


def _parts(payload: str | None) -> Iterator[Iterator[object]]:
    """Descriptors, then records, each value by value. What follows them is nobody's business."""
    values = Values(payload if payload is not None else "[]")
    if values.is_next("null"):
        return
    for slot in values.steps():
        if slot == 0 or values.is_next("null"):
            values.value()
            if slot:
                yield iter(())
        elif values.is_next("["):
            yield values.each()
        else:
            raise UnknownShape("the media of a project are no list")
        if slot == 2:
            return


def _note_card(contents: Contents, descriptor: object) -> None:
    fields = descriptor if isinstance(descriptor, list) else []
    about = fields[3] if len(fields) > 3 and isinstance(fields[3], list) else []
    title, made, is_archived, _, asset_id = ([*about, *[None] * 5])[:5]
    card_id = word(fields[0]) if fields else None
    title = (prompt(title) or "")[:_LONGEST_TITLE].strip() or None
    card = Card(card_id, _name(asset_id), title, is_archived is True, moment(made))
    for key in (card.asset_id, card.id):
        if key:
            contents.cards.setdefault(key, card)


def _note_record(contents: Contents, record: object, project: RemoteProject, picture_hosts: Set[str]) -> None:
    contents.record_count += 1
    fields = record if isinstance(record, list) else []
    name = _name(fields[0]) if fields else None
    details = fields[5] if len(fields) > 5 and isinstance(fields[5], list) else None
    if name is None or details is None:
        contents.unknown_count += 1
        return
    contents.names.append(name)
    if len(fields) <= IMAGE_SLOTS and not _is_video(details) and _inside(details, 8, 0) == DONE:
        contents.images.append(_image(contents, fields, name, details, project, picture_hosts))


def _image(
    contents: Contents,
    fields: list,
    name: str,
    details: list,
    project: RemoteProject,
    picture_hosts: Set[str],
) -> RemoteImage:
    card_id = word(fields[2])
    card = contents.cards.get(name) or contents.cards.get(card_id or "")
    said = prompt(_inside(details, 6, 2, 0, 0))
    urls = [url for url in (_inside(details, 10), _inside(details, 5)) if is_picture_url(url, picture_hosts)]
    return RemoteImage(
        name=name,
        media_key=name,
        # An image without a card is one of its own.
        workflow_id=card_id or name,
        kind=KIND_GENERATED if said else KIND_UPLOADED,
        created_at=moment(_inside(details, 0)) or (card and card.created_at) or project.listed_at,
        fife_url=urls[0] if urls else None,
        prompt=said,
        project_id=project.id,
        title=card.title if card else None,
        version=_VERSIONS.get(fields[3]) if isinstance(fields[3], str) else None,
        is_archived=card.is_archived if card else None,
    )


def _is_video(details: list) -> bool:
    urls = (_inside(details, 5), _inside(details, 10))
    has_video_url = any(isinstance(url, str) and _VIDEO_PATH in url for url in urls)
    return has_video_url or isinstance(_inside(details, 6, 1, 0, 0), str)


def _name(said: object) -> str | None:
    name = clean_name(said) if isinstance(said, str) else ""
    return name if 0 < len(name) <= LONGEST_NAME and is_sound(name) else None


def _inside(value: object, *steps: int) -> object:
    """What stands at a place of nested lists, None where there is no such place."""
    for step in steps:
        value = value[step] if isinstance(value, list) and len(value) > step else None
    return value
