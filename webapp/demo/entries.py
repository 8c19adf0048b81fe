"""What a history of the simulated Flow consists of, and how its names come about."""

import base64
import uuid
import zlib
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from webapp.demo import pictures


class Kind(StrEnum):
    UPLOADED = "uploaded"
    GENERATED = "generated"
    VIDEO = "video"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a history as it truly is; `World.change` may bend what Flow says about it.

    `name_in_history` is how history pages spell the name, when not as it is. `prompt` None stands
    for what the picture shows, `content` None for the picture itself. `inline` False means that
    the media answer carries no bytes, only a URL. `fife_url_in_history` None leaves it to the world.
    What follows `breakage` is told by flow.google.com alone: `title` "" is sent as null, `version` is its
    marker, `has_card` False a record without a descriptor, `state` 3 done (None: what is usual for the
    kind), `caption` what the service wrote of an upload, `references` the media keys an image was made
    from, `is_old_upload` True the record of an upload of the old Flow.
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


def chance(key: str, count: int = 2) -> int:
    """A number below `count` that only `key` decides: 0 or 1 for every other entry."""
    return zlib.crc32(key.encode()) % count


def version_of(kind: Kind, media_key: str) -> str | None:
    """The marker of an original, which uploads and about half of the generated images lack."""
    is_marked = kind is Kind.VIDEO or (kind is Kind.GENERATED and chance(media_key))
    return "CAE" if is_marked else None


def caption_of(kind: Kind, number: int, media_key: str) -> str | None:
    """What the service writes of some uploads."""
    if kind is not Kind.UPLOADED or chance(media_key, 3):
        return None
    return f"A picture of {pictures.prompt(number).split(',')[0]}"


def random_uuid(rng: Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


# The first bytes of the protobuf inside a name: a field that tells images from videos, and what follows.
_UPLOADED, _GENERATED, _VIDEO = b"\x08\x03", b"\x08\x03", b"\x08\x05"


def name_of(kind: Kind, project_id: str, workflow_id: str, media_key: str) -> str:
    """Unpadded base64url of a small protobuf; uploads belong to no project, which makes them shorter."""
    own = b"\x1a\x24" + workflow_id.encode() + b"\x22\x03CAE" + b"\x2a\x24" + media_key.encode()
    project = b"\x12\x24" + project_id.encode()
    match kind:
        case Kind.GENERATED:
            message = _GENERATED + project + own
        case Kind.VIDEO:
            message = _VIDEO + project + own
        case _:
            message = _UPLOADED + own
    return base64.urlsafe_b64encode(message).rstrip(b"=").decode()
