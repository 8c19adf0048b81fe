"""Pictures: format and size, whether they are complete, and how much memory decoding takes."""

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

# Disables the limit of Pillow: `MAX_DECODED_BYTES` is checked instead before pixels are decoded.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """The file suffix for the format of a picture, and its width and height in pixels after the rotation
    that its EXIF asks for."""

    suffix: str
    width: int
    height: int


def read_header(content: bytes) -> PictureHeader:
    """Read the header of a complete picture; bytes after its end are ignored.

    Raises BadPicture, and nothing else, for any other content. The pixels are not decoded, because that would
    take longer than the download; `verify --deep` and the thumbnails do so.
    """
    kind = kind_of(content)
    if kind is None:
        raise BadPicture(f"What Flow sent is a {name_of(content)}, not an image that Flowshelf keeps.")
    try:
        end = end_of(kind, content)
    except Unfinished as error:
        raise BadPicture("The image that Flow sent is cut off.") from error
    except Malformed as error:
        raise BadPicture(f"The image that Flow sent is damaged: it is {error}.") from error
    size = measure_open(BytesIO(content[:end]))
    if size is None:
        raise BadPicture("The image that Flow sent is damaged: its header cannot be read.")
    return PictureHeader(SUFFIXES[kind], *size)


def decodes(path: Path) -> bool:
    """Whether a file is a complete picture that can be decoded.

    If decoding would take more than `MAX_DECODED_BYTES` of memory, only the structure is checked. Raises
    OSError when the file cannot be read, and MemoryError when there is not even that much memory.
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
    """Open a picture of a format in `Kind`. Every error inside the block becomes BadPicture, because
    Pillow raises errors of many classes for damaged bytes; only MemoryError and our own errors pass."""
    try:
        with Image.open(file, formats=list(Kind)) as picture:
            yield picture
    except (MemoryError, FlowshelfError):
        raise
    except Exception as error:
        raise BadPicture("The image is damaged: it cannot be decoded.") from error


def decoding_bytes(picture: Image.Image) -> float:
    """The peak memory that decoding an opened picture takes, in bytes."""
    kind = Kind.JPEG if picture.format == "MPO" else Kind(picture.format or "")
    if picture.info.get("progressive"):
        return picture.width * picture.height * _BYTES_PER_PIXEL_PROGRESSIVE
    return picture.width * picture.height * _BYTES_PER_PIXEL[kind]


def is_too_large_for_thumbnail(suffix: str, width: int, height: int) -> bool:
    """Whether a picture of this suffix and size takes too much memory to make a thumbnail of it."""
    kind = next((kind for kind, known in SUFFIXES.items() if known == suffix.lower()), Kind.JPEG)
    return width * height * _BYTES_PER_PIXEL[kind] > MAX_DECODED_BYTES
