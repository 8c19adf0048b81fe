"""Pictures as bytes: what they are, whether they are whole, and what decoding them costs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from webapp.errors import BadPicture, FlowshelfError
from webapp.storage.sizes import measure_open
from webapp.storage.structure import Kind, Malformed, Unfinished, end_of, kind_of, name_of

SUFFIXES = {Kind.JPEG: ".jpg", Kind.PNG: ".png", Kind.WEBP: ".webp", Kind.GIF: ".gif", Kind.AVIF: ".avif"}

# Bytes of memory that decoding takes at its peak for each pixel, as measured with Pillow 13, rounded up. A
# baseline JPEG is decoded line by line at an eighth of its size; of a progressive one all coefficients are in
# memory at once.
_BYTES_PER_PIXEL = {Kind.JPEG: 0.2, Kind.PNG: 9.0, Kind.GIF: 9.0, Kind.WEBP: 16.0, Kind.AVIF: 12.0}
_BYTES_PER_PIXEL_PROGRESSIVE = 8.0
MAX_DECODED_BYTES = 280_000_000
_DRAFT_EDGE = 64

# Pillow warns on its own scale; ours is checked before a pixel is decoded.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """The file suffix for the picture's kind, and its size in pixels as it is shown, turned as EXIF says."""

    suffix: str
    width: int
    height: int


def read_header(content: bytes) -> PictureHeader:
    """What a whole picture says of itself; bytes behind its end do not matter.

    Raises BadPicture, and nothing else, whatever the bytes are. No pixel is decoded: for every download that
    would cost more than fetching it; `verify --deep` and the thumbnails do it.
    """
    kind = kind_of(content)
    if kind is None:
        raise BadPicture(f"What Flow sent is a {name_of(content)}, not a picture that Flowshelf keeps.")
    try:
        end = end_of(kind, content)
    except Unfinished as error:
        raise BadPicture("The picture that Flow sent is cut off.") from error
    except Malformed as error:
        raise BadPicture(f"The picture that Flow sent is damaged: it is {error}.") from error
    size = measure_open(BytesIO(content[:end]))
    if size is None:
        raise BadPicture("The picture that Flow sent is damaged: its header cannot be read.")
    return PictureHeader(SUFFIXES[kind], *size)


def decodes(path: Path) -> bool:
    """Whether a file is a whole picture of which every pixel can be decoded.

    Where decoding would take more than `MAX_DECODED_BYTES`, the structure alone is checked. Raises OSError
    when the file cannot be read, MemoryError when even less is not available.
    """
    content = path.read_bytes()
    try:
        read_header(content)
        with opened(BytesIO(content)) as picture:
            if decoding_bytes(picture) <= MAX_DECODED_BYTES:
                picture.draft("RGB", (_DRAFT_EDGE, _DRAFT_EDGE))
                picture.load()
    except BadPicture:
        return False
    return True


@contextmanager
def opened(file: BinaryIO) -> Iterator[Image.Image]:
    """A picture of one of our kinds. Raises BadPicture for whatever goes wrong with it inside the block:
    Pillow's decoders raise errors of many classes for damaged bytes. MemoryError and our own errors pass."""
    try:
        with Image.open(file, formats=list(Kind)) as picture:
            yield picture
    except (MemoryError, FlowshelfError):
        raise
    except Exception as error:
        raise BadPicture("The picture is damaged: it cannot be decoded.") from error


def decoding_bytes(picture: Image.Image) -> float:
    """The memory that decoding an opened picture takes at its peak."""
    kind = Kind.JPEG if picture.format == "MPO" else Kind(picture.format or "")
    if picture.info.get("progressive"):
        return picture.width * picture.height * _BYTES_PER_PIXEL_PROGRESSIVE
    return picture.width * picture.height * _BYTES_PER_PIXEL[kind]


def is_too_large_for_thumbnail(suffix: str, width: int, height: int) -> bool:
    """Whether a picture is known to be too large to be drawn small, by its suffix and size alone."""
    kind = next((kind for kind, known in SUFFIXES.items() if known == suffix.lower()), Kind.JPEG)
    return width * height * _BYTES_PER_PIXEL[kind] > MAX_DECODED_BYTES
