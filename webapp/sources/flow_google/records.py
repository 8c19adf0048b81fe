"""One record of flow.google.com: what kind of media it is, and the image that it describes.

The places are those of recorded payloads (September and October 2026). Kind is decided by the arm that
is there: `[6]` image, `[7]` video, `[10]` sound; the number of slots decides nothing. What cannot be read
in one field leaves that field empty and never costs the image.
"""

from collections.abc import Iterator, Set
from dataclasses import dataclass

from webapp.sources import KIND_GENERATED, KIND_UPLOADED, Reason, RemoteImage, aspect_ratio_of, clean_name
from webapp.sources.fields import MAX_NAME, is_sound, prompt, seed, word
from webapp.sources.flow_google.models import model_code
from webapp.sources.flow_google.moments import moment
from webapp.sources.outline import shown_number
from webapp.sources.signed_urls import is_picture_url

MAX_EDGE = 1_000_000
_IMAGE_ARM, _ARMS = 6, {7: Reason.VIDEO, 10: Reason.SOUND}
_READY = 3
_NOT_KEPT = {2: Reason.NOT_READY, 6: Reason.NOT_READY, 4: Reason.FAILED}
_VERSIONS = {"CAE": "original", "CAI": "derived"}
_ASPECTS = {
    1: "IMAGE_ASPECT_RATIO_SQUARE",
    2: "IMAGE_ASPECT_RATIO_PORTRAIT",
    3: "IMAGE_ASPECT_RATIO_LANDSCAPE",
    4: "IMAGE_ASPECT_RATIO_PORTRAIT_THREE_FOUR",
    5: "IMAGE_ASPECT_RATIO_LANDSCAPE_FOUR_THREE",
}


@dataclass(frozen=True, slots=True)
class Card:
    """What a descriptor says of a record; `asset_id` is the record that it shows."""

    id: str | None
    asset_id: str | None
    title: str | None
    is_archived: bool | None
    created_at: str | None


NO_CARD = Card(None, None, None, None, None)


def asset_name(record: object) -> str | None:
    """The asset id of a record, None when it has none that could be one."""
    return sound_name(inside(record, 0))


def sound_name(said: object) -> str | None:
    name = clean_name(said) if isinstance(said, str) else ""
    return name if 0 < len(name) <= MAX_NAME and is_sound(name) else None


def reason_not_kept(record: object) -> Reason | None:
    """Why a record is not kept as an image, None when it is one that is ready.

    An image without a status is ready: only videos carry one. An unknown status is not taken for either.
    """
    if asset_name(record) is None:
        return Reason.UNRECOGNISED
    if not isinstance(inside(record, _IMAGE_ARM), list):
        arms = (reason for slot, reason in _ARMS.items() if isinstance(inside(record, slot), list))
        return next(arms, Reason.UNRECOGNISED)
    status = inside(record, 5, 8)
    code = inside(status, 0)
    if status is None or status == [] or code == _READY:
        return None
    return _NOT_KEPT.get(code, Reason.UNRECOGNISED) if isinstance(code, int) else Reason.UNRECOGNISED


def unknown_kind(record: object) -> str:
    """What is not understood of a record that was not recognised, in a word or two without its content."""
    if not isinstance(record, list):
        return f"record of type {type(record).__name__}"
    if asset_name(record) is None:
        return "record without an id"
    if isinstance(inside(record, _IMAGE_ARM), list):
        status = inside(record, 5, 8, 0)
        return f"status {shown_number(status)}" if type(status) is int else "status of another type"
    arms = [str(slot) for slot in range(_IMAGE_ARM, len(record)) if record[slot] is not None]
    return f"arm {', '.join(arms[:4])}" if arms else "record without an arm"


def unknown_slots(record: list) -> Iterator[str]:
    """Slots that hold something although recorded payloads have nothing there."""
    slots = (4, *range(11, len(record)))
    return (f"slot {slot}" for slot in slots if inside(record, slot) is not None)


def read_image(record: list, card: Card, picture_hosts: Set[str], project_id: str | None) -> RemoteImage:
    """The image of a record for which `reason_not_kept` is None; `project_id` is for one that names none."""
    name = asset_name(record) or ""
    generated, uploaded = inside(record, 6, 0), inside(record, 6, 1)
    said = prompt(inside(record, 5, 6, 2, 0, 0)) or prompt(inside(generated, 7))
    kind = _kind(generated, uploaded, said)
    width, height = _size(inside(record, 6, 2))
    return RemoteImage(
        name=name,
        media_key=name,
        # An image without a card is one of its own.
        workflow_id=word(inside(record, 2)) or name,
        kind=kind,
        created_at=moment(inside(record, 5, 0)) or card.created_at,
        aspect_ratio=_aspect_ratio(generated, width, height),
        fife_url=_preview(record, picture_hosts),
        prompt=said if kind == KIND_GENERATED else None,
        model_name=model_code(inside(generated, 8)),
        seed=seed(inside(generated, 1)),
        project_id=word(inside(record, 1)) or project_id,
        title=card.title,
        version=_version(inside(record, 3)),
        is_archived=card.is_archived,
        width=width,
        height=height,
    )


def _kind(generated: object, uploaded: object, said: str | None) -> str | None:
    """Uploads of the old Flow stand in the arm of generated images, without a model and a prompt."""
    if isinstance(uploaded, list):
        return KIND_UPLOADED
    if not isinstance(generated, list):
        return KIND_GENERATED if said else None
    return KIND_GENERATED if said or model_code(inside(generated, 8)) else KIND_UPLOADED


def _size(said: object) -> tuple[int | None, int | None]:
    width, height = inside(said, 0), inside(said, 1)
    if all(type(edge) is int and 0 < edge <= MAX_EDGE for edge in (width, height)):
        return width, height
    return None, None


def _aspect_ratio(generated: object, width: int | None, height: int | None) -> str | None:
    said = inside(generated, 14)
    if type(said) is int and said in _ASPECTS:
        return _ASPECTS[said]
    return aspect_ratio_of(width, height) if width and height else None


def _preview(record: object, picture_hosts: Set[str]) -> str | None:
    """The larger preview, else the small one, as far as its host is one that may be shown."""
    urls = (inside(record, 5, 10), inside(record, 5, 5))
    return next((url for url in urls if is_picture_url(url, picture_hosts)), None)


def _version(said: object) -> str | None:
    return _VERSIONS.get(said) if isinstance(said, str) else None


def inside(value: object, *steps: int) -> object:
    """What stands at a place of nested lists, None where there is no such place."""
    for step in steps:
        value = value[step] if isinstance(value, list) and len(value) > step else None
    return value
