"""One record of flow.google.com: which kind of media it is, and the image that it describes.

The paths are those of recorded payloads (September and October 2026). The kind is decided by which arm of
the record is filled (they are like a `oneof` of protobuf): `[6]` image, `[7]` video, `[10]` sound. The length
of the record says nothing. A field that cannot be read is None; the image is stored without it.
"""

from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import TypeGuard

from webapp.sources import KIND_GENERATED, KIND_UPLOADED, Reason, RemoteImage, aspect_ratio_of, clean_name
from webapp.sources.fields import MAX_NAME, is_sound, prompt, seed, word
from webapp.sources.flow_google.model_codes import model_code
from webapp.sources.flow_google.timestamps import timestamp_of
from webapp.sources.outline import shown_number
from webapp.sources.signed_urls import is_picture_url

MAX_EDGE = 1_000_000
_IMAGE_ARM, _OTHER_ARMS = 6, {7: Reason.VIDEO, 10: Reason.SOUND}
_READY = 3
_STATUS_REASONS = {2: Reason.NOT_READY, 6: Reason.NOT_READY, 4: Reason.FAILED}
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
    """What a descriptor says about the record `asset_id`."""

    id: str | None
    asset_id: str | None
    title: str | None
    is_archived: bool | None
    created_at: str | None


NO_CARD = Card(None, None, None, None, None)


def asset_id_of(record: object) -> str | None:
    """The asset id of a record, None if it has no valid one."""
    return valid_id(value_at(record, 0))


def valid_id(value: object) -> str | None:
    cleaned = clean_name(value) if isinstance(value, str) else ""
    return cleaned if 0 < len(cleaned) <= MAX_NAME and is_sound(cleaned) else None


def reason_ignored(record: object) -> Reason | None:
    """Why a record is ignored; None for an image that is ready.

    An image without a status is ready: only videos have one. An unknown status is not recognised.
    """
    if asset_id_of(record) is None:
        return Reason.UNRECOGNISED
    if not isinstance(value_at(record, _IMAGE_ARM), list):
        reasons = (reason for arm, reason in _OTHER_ARMS.items() if isinstance(value_at(record, arm), list))
        return next(reasons, Reason.UNRECOGNISED)
    status = value_at(record, 5, 8)
    code = value_at(status, 0)
    if status is None or status == [] or code == _READY:
        return None
    return _STATUS_REASONS.get(code, Reason.UNRECOGNISED) if isinstance(code, int) else Reason.UNRECOGNISED


def unknown_kind(record: object) -> str:
    """What is unknown about a record that was not recognised, in a few words without its content."""
    if not isinstance(record, list):
        return f"record of type {type(record).__name__}"
    if asset_id_of(record) is None:
        return "record without an id"
    if isinstance(value_at(record, _IMAGE_ARM), list):
        status = value_at(record, 5, 8, 0)
        return f"status {shown_number(status)}" if is_integer(status) else "status of another type"
    arms = [str(arm) for arm in range(_IMAGE_ARM, len(record)) if record[arm] is not None]
    return f"arm {', '.join(arms[:4])}" if arms else "record without an arm"


def unknown_slots(record: list[object]) -> Iterator[str]:
    """Slots that are filled here and were empty in every recorded payload."""
    slots = (4, *range(11, len(record)))
    return (f"slot {slot}" for slot in slots if value_at(record, slot) is not None)


def read_image(
    record: list[object], card: Card, picture_hosts: Set[str], project_id: str | None
) -> RemoteImage:
    """The image of a record that has no `reason_ignored`. `project_id` is used if the record names none."""
    name = asset_id_of(record) or ""
    generated, uploaded = value_at(record, 6, 0), value_at(record, 6, 1)
    prompt_text = prompt(value_at(record, 5, 6, 2, 0, 0)) or prompt(value_at(generated, 7))
    kind = _kind(generated, uploaded, prompt_text)
    width, height = _size(value_at(record, 6, 2))
    return RemoteImage(
        name=name,
        media_key=name,
        # An image without a card counts as the only version of its own.
        workflow_id=word(value_at(record, 2)) or name,
        kind=kind,
        created_at=timestamp_of(value_at(record, 5, 0)) or card.created_at,
        aspect_ratio=_aspect_ratio(generated, width, height),
        fife_url=_preview_url(record, picture_hosts),
        prompt=prompt_text if kind == KIND_GENERATED else None,
        model_name=model_code(value_at(generated, 8)),
        seed=seed(value_at(generated, 1)),
        project_id=word(value_at(record, 1)) or project_id,
        title=card.title,
        caption=_caption(record) if kind == KIND_UPLOADED else None,
        version=_version(value_at(record, 3)),
        is_archived=card.is_archived,
        width=width,
        height=height,
    )


def _caption(record: object) -> str | None:
    """What the service writes about an upload, at either of its places."""
    return prompt(value_at(record, 5, 1)) or prompt(value_at(record, 5, 12))


def _kind(generated: object, uploaded: object, prompt_text: str | None) -> str | None:
    """Generated, uploaded, or None for unknown.

    An upload of the old Flow fills the slot of generated images, but has neither model nor prompt.
    """
    if isinstance(uploaded, list):
        return KIND_UPLOADED
    if not isinstance(generated, list):
        return KIND_GENERATED if prompt_text else None
    return KIND_GENERATED if prompt_text or model_code(value_at(generated, 8)) else KIND_UPLOADED


def _size(value: object) -> tuple[int | None, int | None]:
    width, height = value_at(value, 0), value_at(value, 1)
    if is_integer(width) and is_integer(height) and 0 < width <= MAX_EDGE and 0 < height <= MAX_EDGE:
        return width, height
    return None, None


def _aspect_ratio(generated: object, width: int | None, height: int | None) -> str | None:
    number = value_at(generated, 14)
    if is_integer(number) and number in _ASPECTS:
        return _ASPECTS[number]
    return aspect_ratio_of(width, height) if width and height else None


def _preview_url(record: object, picture_hosts: Set[str]) -> str | None:
    """The larger preview, or else the small one, if it is on an allowed host."""
    urls = (value_at(record, 5, 10), value_at(record, 5, 5))
    return next((url for url in urls if isinstance(url, str) and is_picture_url(url, picture_hosts)), None)


def _version(marker: object) -> str | None:
    return _VERSIONS.get(marker) if isinstance(marker, str) else None


def is_integer(value: object) -> TypeGuard[int]:
    """Whether a JSON value is a whole number: `true` and `false` are not, although Python counts them so."""
    return type(value) is int


def value_at(value: object, *path: int) -> object:
    """The value at a path into nested lists, None if there is no such place."""
    for index in path:
        value = value[index] if isinstance(value, list) and len(value) > index else None
    return value
