"""Pictures as bytes: what their header tells, whether they decode, and thumbnails of them."""

import struct
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from webapp.errors import BadPicture
from webapp.storage.files import replace_file
from webapp.storage.problems import translate_errors
from webapp.storage.sizes import MAX_PIXELS, upright_size

SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif"}
# How a whole file of each kind ends; a JPEG that lost its lower half still opens and verifies.
_LAST_BYTES = {"JPEG": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82", "GIF": b";"}
_PADDING = b"\x00\r\n "

# Pillow warns on its own scale; ours is checked where a picture is opened.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """What the header of a picture tells: the file ending for its kind, and its size in
    pixels as it is shown, turned as its EXIF says."""

    suffix: str
    width: int
    height: int


def read_header(content: bytes) -> PictureHeader:
    """The header of a picture that is whole as far as its header and its end tell.

    Raises BadPicture otherwise. Decoding every picture would cost more than fetching it; that is
    left to `flowshelf verify --deep` and the thumbnails.
    """
    try:
        with Image.open(BytesIO(content), formats=list(SUFFIXES)) as picture:
            kind, (width, height) = picture.format, upright_size(picture)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise BadPicture("What Flow sent is not a picture.") from error
    if width * height > MAX_PIXELS:
        raise BadPicture(f"What Flow sent is a picture of {width} by {height} pixels, which cannot be meant.")
    if not _has_its_end(kind, content):
        raise BadPicture("The picture that Flow sent is cut off.")
    return PictureHeader(SUFFIXES[kind], width, height)


def _has_its_end(kind: str, content: bytes) -> bool:
    if kind == "WEBP":
        return len(content) >= 8 + int.from_bytes(content[4:8], "little")
    return content.rstrip(_PADDING).endswith(_LAST_BYTES[kind])


def decodes(path: Path) -> bool:
    """Whether every pixel of a file can be decoded."""
    try:
        with Image.open(path, formats=list(SUFFIXES)) as picture:
            picture.load()
    except (OSError, ValueError, SyntaxError):
        return False
    return True


def make_thumbnail(source: Path, target: Path, edge: int) -> None:
    """A WebP of at most `edge` pixels a side. Raises BadPicture when `source` does not decode, DiskFull
    and FolderGone when the thumbnail cannot be kept."""
    try:
        with Image.open(source, formats=list(SUFFIXES)) as picture:
            picture.draft("RGB", (edge, edge))
            upright = ImageOps.exif_transpose(picture)
            upright.thumbnail((edge, edge), Image.Resampling.LANCZOS)
            encoded = BytesIO()
            # The usual method 4 searches more than twice as long for four bytes in a hundred.
            small = upright.convert("RGBA" if "A" in upright.getbands() else "RGB")
            small.save(encoded, "WEBP", quality=80, method=2)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, SyntaxError, TypeError, ArithmeticError, struct.error) as error:
        raise BadPicture(f"{source.name} is damaged: it cannot be decoded.") from error
    with translate_errors(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_file(target, encoded.getvalue())
