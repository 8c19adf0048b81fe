"""The images and videos of a simulated account, and how Flow names them."""

import base64
import uuid
import zlib
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import TypedDict

from webapp.demo import pictures


class Kind(StrEnum):
    UPLOADED = "uploaded"
    GENERATED = "generated"
    VIDEO = "video"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Entry:
    """An image or a video. `World.change` replaces fields, so that Flow tells something else about it.

    number, variation: select the picture (`pictures.encoded`).
    prompt: None stands for the words that describe the picture.
    content: the bytes of the picture; None for the picture of `number`.
    name_in_history: how history pages spell the name; None if they do not change it.
    inline: whether the media service sends the bytes, and not only a URL.
    data_uri: whether it sends the bytes as a data URI.
    fife_url_in_history: whether listings carry a preview URL; None if the world decides by kind.
    breakage: a key of `broken_rows.BREAKAGES`, for a row that lacks something.

    Only flow.google.com uses the others:

    title: None for the first words of the prompt; "" is sent as null.
    version: "CAE" marks an original, "CAI" a derived version; None for no marker.
    has_card: whether a descriptor belongs to the record.
    state: 3 is done; None for the usual value of the kind.
    caption: what the service writes about an upload.
    references: the media keys of the images that this one was made from.
    is_old_upload: whether the record has the form of an upload to the old Flow.
    """

    name: str
    kind: Kind
    created_at: str | None
    media_key: str
    workflow_id: str
    project_id: str
    picture_id: str
    number: int
    variation: int = 0
    aspect: str = "LANDSCAPE"
    seed: int = 0
    model_name: str = "GEM_PIX_2"
    prompt: str | None = None
    picture_format: str = "JPEG"
    content: bytes | None = None
    name_in_history: str | None = None
    inline: bool = True
    data_uri: bool = False
    fife_url_in_history: bool | None = None
    breakage: str | None = None
    title: str | None = None
    version: str | None = "CAE"
    is_archived: bool = False
    has_card: bool = True
    state: int | None = None
    caption: str | None = None
    references: tuple[str, ...] = ()
    is_old_upload: bool = False

    @property
    def shown_title(self) -> str:
        words = self.shown_prompt.split(",")[0].split()
        return " ".join(words[:5]) if self.title is None else self.title

    @property
    def shown_prompt(self) -> str:
        return pictures.prompt(self.number) if self.prompt is None else self.prompt


class EntryChanges(TypedDict, total=False):
    """The fields of an `Entry` that may change; the others decide what it is and where it is listed."""

    created_at: str | None
    media_key: str
    aspect: str
    seed: int
    model_name: str
    prompt: str | None
    picture_format: str
    content: bytes | None
    name_in_history: str | None
    inline: bool
    data_uri: bool
    fife_url_in_history: bool | None
    breakage: str | None
    title: str | None
    version: str | None
    is_archived: bool
    has_card: bool
    state: int | None
    caption: str | None
    references: tuple[str, ...]
    is_old_upload: bool


def chance(key: str, count: int = 2) -> int:
    """Return a number below `count` that depends only on `key`, for variety that repeats in every run."""
    return zlib.crc32(key.encode()) % count


def version_of(kind: Kind, media_key: str) -> str | None:
    """Mark a video, and about half of the generated images, as an original; uploads have no marker."""
    is_marked = kind is Kind.VIDEO or (kind is Kind.GENERATED and chance(media_key))
    return "CAE" if is_marked else None


def caption_of(kind: Kind, number: int, media_key: str) -> str | None:
    """Return the caption that the service writes about one in three uploads."""
    if kind is not Kind.UPLOADED or chance(media_key, 3):
        return None
    return f"An image of {pictures.prompt(number).split(',')[0]}"


def random_uuid(rng: Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


# The first field of the protobuf message inside a name: it tells images from videos.
_IMAGE, _VIDEO = b"\x08\x03", b"\x08\x05"


def name_of(kind: Kind, project_id: str, workflow_id: str, media_key: str) -> str:
    """Return a name: a small protobuf message in base64url without padding.

    The message of an upload lacks the project, which is why its name is shorter.
    """
    own = b"\x1a\x24" + workflow_id.encode() + b"\x22\x03CAE" + b"\x2a\x24" + media_key.encode()
    project = b"\x12\x24" + project_id.encode()
    match kind:
        case Kind.GENERATED:
            message = _IMAGE + project + own
        case Kind.VIDEO:
            message = _VIDEO + project + own
        case _:
            message = _IMAGE + own
    return base64.urlsafe_b64encode(message).rstrip(b"=").decode()
