"""The displayed width and height of a picture, read from its header: no pixel is decoded."""

import os
import struct
from pathlib import Path
from typing import BinaryIO, Literal

from PIL import Image

# WebP is read here instead, because Pillow reads the whole file before it returns the size.
_PILLOW_KINDS = ("JPEG", "PNG", "GIF", "AVIF")
_MAX_WEBP_CHUNKS = 10_000
_MAX_EXIF_BYTES = 1_000_000
_ORIENTATION = 0x0112
# The EXIF orientations that rotate a picture by 90 degrees, so that width and height are swapped.
_ROTATED = range(5, 9)


def measure(path: Path) -> tuple[int, int] | None:
    """Width and height of the picture in a file; None when the header is not readable."""
    try:
        with path.open("rb") as file:
            return measure_open(file)
    except OSError:
        return None


def measure_open(file: BinaryIO) -> tuple[int, int] | None:
    """Like `measure`, for an open file."""
    try:
        size = _webp_size(file) if _is_webp(file) else _pillow_size(file)
    except Exception:  # Pillow's parsers raise errors of many classes for damaged headers
        return None
    return size if min(size) > 0 else None


def upright_size(picture: Image.Image) -> tuple[int, int]:
    """Width and height of an opened picture as browsers show it, rotated as its EXIF asks."""
    return _upright(picture.size, picture.info.get("exif", b""))


def _upright(size: tuple[int, int], exif: bytes) -> tuple[int, int]:
    return size[::-1] if _orientation(exif) in _ROTATED else size


def _orientation(exif: bytes) -> int:
    """The orientation in EXIF data; 0 when there is none. Never raises, whatever the data contains."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order: Literal["big", "little"] = "big" if tiff.startswith(b"MM") else "little"

    def number(start: int, length: int) -> int:
        return int.from_bytes(tiff[start : start + length], order)

    first = number(4, 4) + 2
    for entry in range(first, min(first + 12 * number(first - 2, 2), len(tiff)), 12):
        if number(entry, 2) == _ORIENTATION:
            return number(entry + 8, 2)
    return 0


def _pillow_size(file: BinaryIO) -> tuple[int, int]:
    with Image.open(file, formats=_PILLOW_KINDS) as picture:
        return upright_size(picture)


def _is_webp(file: BinaryIO) -> bool:
    head = file.read(12)
    file.seek(0)
    return head[:4] == b"RIFF" and head[8:] == b"WEBP"


def _webp_size(file: BinaryIO) -> tuple[int, int]:
    """The size in the first chunk, whose name determines the encoding. Raises ValueError, struct.error."""
    head = file.read(30)
    match head[12:16]:
        case b"VP8X":
            width, height = (int.from_bytes(head[at : at + 3], "little") + 1 for at in (24, 27))
            return _upright((width, height), _webp_exif(file))
        case b"VP8L" if head[20:21] == b"\x2f":
            (bits,) = struct.unpack_from("<I", head, 21)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 " if head[23:26] == b"\x9d\x01\x2a":
            width, height = struct.unpack_from("<HH", head, 26)
            return width & 0x3FFF, height & 0x3FFF
    raise ValueError("not a WebP")


def _webp_exif(file: BinaryIO) -> bytes:
    """The content of the EXIF chunk, which comes after the pixels; those are skipped."""
    file.seek(12)
    for _ in range(_MAX_WEBP_CHUNKS):
        name, length = file.read(4), int.from_bytes(file.read(4), "little")
        if name == b"EXIF":
            return file.read(min(length, _MAX_EXIF_BYTES))
        if len(name) < 4:
            break
        file.seek(length + length % 2, os.SEEK_CUR)
    return b""
