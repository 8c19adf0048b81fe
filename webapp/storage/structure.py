"""Finds the end of a picture by the structure of its format. No pixel is decoded.

A complete picture may be followed by other bytes: phones append a video or a second frame, some programs a
trailer. A truncated picture lacks its end, whatever its last bytes look like.
"""

import re
from collections.abc import Callable
from enum import StrEnum


class Kind(StrEnum):
    """The supported formats: those that the service may send and every browser shows."""

    JPEG = "JPEG"
    PNG = "PNG"
    GIF = "GIF"
    WEBP = "WEBP"
    AVIF = "AVIF"


class Unfinished(ValueError):
    """The structure ends before the picture does."""


class Malformed(ValueError):
    """The bytes contradict the format that they begin with."""


# Unsupported formats by their first bytes, so that the error can name them.
_OTHERS = (
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"BM", "BMP"),
    (b"8BPS", "Photoshop"),
    (b"%PDF", "PDF"),
    (b"\0\0\1\0", "icon"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\x1aE\xdf\xa3", "Matroska or WebM video"),
)
_BRANDS = {
    b"avif": "AVIF",
    b"avis": "AVIF",
    b"heic": "HEIC",
    b"heix": "HEIC",
    b"mif1": "HEIF",
    b"msf1": "HEIF",
}

# In the data of a scan, FF before 00 is a byte of the data; restart markers (D0 to D7) and fill bytes (FF)
# do not end the scan either. Any other marker does.
_END_OF_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_MARKER = re.compile(rb"\xff+[^\x00\xff]")
_START_OF_FRAME = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_SEQUENTIAL = frozenset({0xC0, 0xC1})
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_WEBP_PICTURES = frozenset({b"VP8 ", b"VP8L", b"ANMF"})


def kind_of(content: bytes) -> Kind | None:
    """The format by its first bytes; None when it is not supported."""
    if content.startswith(b"\xff\xd8\xff"):
        return Kind.JPEG
    if content.startswith(_PNG_SIGNATURE):
        return Kind.PNG
    if content.startswith((b"GIF87a", b"GIF89a")):
        return Kind.GIF
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return Kind.WEBP
    return Kind.AVIF if _brand(content) == "AVIF" else None


def name_of(content: bytes) -> str:
    """The name of an unsupported format for an error, such as “TIFF file”."""
    if brand := _brand(content):
        return f"{brand} file"
    known = next((name for start, name in _OTHERS if content.startswith(start)), None)
    if known:
        return f"{known} file"
    start = content[:512].lstrip().lower()
    return "web page or text" if start.startswith((b"<", b"{", b"[")) else "file of an unknown kind"


def end_of(kind: Kind, content: bytes) -> int:
    """The length of the picture in bytes; what follows is not part of it.

    Raises Unfinished when the picture is truncated, Malformed when its structure is invalid.
    """
    return _ENDS[kind](content)


def _jpeg_end(content: bytes) -> int:
    at, component_count, has_scan = 2, None, False
    while True:
        at, marker = _next_marker(content, at)
        if marker == _END_OF_IMAGE:
            if not has_scan:
                raise Malformed("a JPEG without a scan")
            return at
        if marker in _WITHOUT_LENGTH:
            continue
        start, at = at, at + _checked_length(_number(content, at, 2), least=2)
        if marker in _START_OF_FRAME:
            component_count = _number(content, start + 7, 1) if marker in _SEQUENTIAL else 0
        if marker == _START_OF_SCAN:
            if component_count is None:
                raise Malformed("a JPEG whose scan comes before its frame")
            if _number(content, start + 2, 1) == component_count and content.endswith(b"\xff\xd9", at):
                return len(content)  # nothing but data follows its only scan, and data never holds FF D9
            found = _END_OF_SCAN.search(content, at)
            if not found:
                raise Unfinished
            at, has_scan = found.start(), True


def _next_marker(content: bytes, at: int) -> tuple[int, int]:
    """The position after the next marker, and the marker's second byte. Fill bytes, and bytes that some
    cameras leave between two segments, are skipped, as in every decoder."""
    found = _MARKER.search(content, at)
    if not found:
        raise Unfinished
    return found.end(), content[found.end() - 1]


def _png_end(content: bytes) -> int:
    at, has_pixels = len(_PNG_SIGNATURE), False
    while True:
        length, name = _number(content, at, 4), content[at + 4 : at + 8]
        at += 12 + length
        if at > len(content):
            raise Unfinished
        has_pixels = has_pixels or name == b"IDAT"
        if name == b"IEND":
            if not has_pixels:
                raise Malformed("a PNG without pixels")
            return at


def _gif_end(content: bytes) -> int:
    at, has_frame = 13 + _colour_table_length(_number(content, 10, 1)), False
    while True:
        block = _number(content, at, 1)
        if block == 0x3B:  # trailer
            if not has_frame:
                raise Malformed("a GIF without a frame")
            return at + 1
        if block == 0x21:  # extension: its label, then sub-blocks
            at = _behind_sub_blocks(content, at + 2)
        elif block == 0x2C:  # frame: descriptor, colour table, code size, sub-blocks
            flags = _number(content, at + 9, 1)
            at = _behind_sub_blocks(content, at + 11 + _colour_table_length(flags))
            has_frame = True
        else:
            raise Malformed("an unknown block in a GIF")


def _colour_table_length(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _behind_sub_blocks(content: bytes, at: int) -> int:
    while length := _number(content, at, 1):
        at += 1 + length
    return at + 1


def _webp_end(content: bytes) -> int:
    end = 8 + int.from_bytes(content[4:8], "little")
    if end > len(content):
        raise Unfinished
    at, has_picture = 12, False
    while at + 8 <= end:
        length = int.from_bytes(content[at + 4 : at + 8], "little")
        has_picture = has_picture or content[at : at + 4] in _WEBP_PICTURES
        at += 8 + length
        if at > end:
            raise Malformed("a WebP with a chunk that extends beyond its end")
        at += length % 2
    if not has_picture:
        raise Malformed("a WebP without an image")
    return end


def _avif_end(content: bytes) -> int:
    """AVIF consists of boxes: `meta` describes the picture, in a sequence `moov`. Its bytes are in an `mdat`
    before or after that, or in an `idat` inside it."""
    at, found, end = 0, set[bytes](), 0
    while at + 8 <= len(content):
        length, name = _number(content, at, 4), content[at + 4 : at + 8]
        if length == 1:
            length = _number(content, at + 8, 8)
        elif length == 0:  # this box extends to the end of the file
            length = len(content) - at
        if length < 8 or not name.isalnum():
            break
        at += length
        if at > len(content):
            break
        found.add(name)
        end = at
    has_bytes = b"mdat" in found or content.find(b"idat", 0, end) > 0
    if not (has_bytes and found & {b"meta", b"moov"}):
        raise Unfinished
    return end


def _brand(content: bytes) -> str | None:
    """The format that the first box of an ISO media file names; None for any other file."""
    if content[4:8] != b"ftyp":
        return None
    length = min(int.from_bytes(content[:4], "big"), len(content), 256)
    brands = [content[at : at + 4] for at in (8, *range(16, length, 4))]
    return next((_BRANDS[brand] for brand in brands if brand in _BRANDS), "MP4 or QuickTime")


def _number(content: bytes, at: int, length: int) -> int:
    """A big-endian number. Raises Unfinished beyond the end."""
    if at + length > len(content):
        raise Unfinished
    return int.from_bytes(content[at : at + length], "big")


def _checked_length(length: int, *, least: int) -> int:
    if length < least:
        raise Malformed("a segment that is shorter than its own length")
    return length


_ENDS: dict[Kind, Callable[[bytes], int]] = {
    Kind.JPEG: _jpeg_end,
    Kind.PNG: _png_end,
    Kind.GIF: _gif_end,
    Kind.WEBP: _webp_end,
    Kind.AVIF: _avif_end,
}
