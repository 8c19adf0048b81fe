"""The description in the segments at the beginning of a JPEG."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from webapp.storage.embedding import exif, xmp
from webapp.storage.embedding.description import Description
from webapp.storage.structure import Malformed, Unfinished

_APP0, _APP1, _APP2, _APP13 = 0xE0, 0xE1, 0xE2, 0xED
_EXIF = b"Exif\0\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
# The places of the further pictures in the file, counted from this segment: nothing behind it may move.
_FURTHER_PICTURES = b"MPF\0"
MAX_SEGMENT = 65_533
MAX_XMP = MAX_SEGMENT - len(_XMP)
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})


@dataclass(frozen=True, slots=True)
class Segment:
    """A marker and what it holds. `start` and `end` include marker and length."""

    marker: int
    start: int
    end: int
    content: bytes

    @property
    def is_exif(self) -> bool:
        return self.marker == _APP1 and self.content.startswith(_EXIF)

    @property
    def is_xmp(self) -> bool:
        return self.marker == _APP1 and self.content.startswith(_XMP)

    @property
    def is_iptc(self) -> bool:
        return self.marker == _APP13 and exif.is_iptc(self.content)

    @property
    def is_ours(self) -> bool:
        if self.is_exif:
            return exif.is_our_exif(self.content.removeprefix(_EXIF))
        return self.is_iptc and exif.is_our_iptc(self.content)


def embed_in_jpeg(content: bytes, description: Description) -> bytes:
    """The JPEG with EXIF, IPTC and XMP behind its JFIF segment. Raises Malformed or Unfinished."""
    every = list(_segments(content))
    segments = [segment for segment in every if not segment.is_ours]
    # EXIF comes first: readers look for it there, JFIF and an EXIF of others before it.
    first_count = 0
    while first_count < len(segments) and (
        segments[first_count].marker == _APP0 or segments[first_count].is_exif
    ):
        first_count += 1
    ours = _new_segments(segments, description)
    merged = _merged_xmp(segments, description)
    parts = [content[:2]]
    for number, segment in enumerate(segments):
        if number == first_count:
            parts += ours
        parts.append(merged if merged and segment.is_xmp else content[segment.start : segment.end])
    parts += ours if first_count == len(segments) else []
    return b"".join([*parts, content[every[-1].end if every else 2 :]])


def _new_segments(segments: list[Segment], description: Description) -> list[bytes]:
    new = []
    if not any(segment.is_exif for segment in segments):
        new.append(_segment(_APP1, _EXIF + exif.exif_block(description)))
    if not any(segment.is_iptc for segment in segments):
        new.append(_segment(_APP13, exif.iptc_block(description)))
    # Last, so that a second time it is found where it would be put.
    if not any(segment.is_xmp for segment in segments):
        new.append(_segment(_APP1, _XMP + xmp.packet(description, max_bytes=MAX_XMP)))
    return new


def _merged_xmp(segments: list[Segment], description: Description) -> bytes | None:
    """The segment of XMP that is there, with the description. None when it stays as it is."""
    packets = [segment for segment in segments if segment.is_xmp]
    if len(packets) != 1:
        return None
    before = segments[: segments.index(packets[0])]
    if any(segment.marker == _APP2 and segment.content.startswith(_FURTHER_PICTURES) for segment in before):
        return None
    merged = xmp.merged(packets[0].content.removeprefix(_XMP), description, max_bytes=MAX_XMP)
    return _segment(_APP1, _XMP + merged) if merged else None


def _segments(content: bytes) -> Iterator[Segment]:
    """The segments before the first scan. Raises Malformed for bytes between them, Unfinished at the end."""
    at = 2
    while True:
        start = at
        if content[at : at + 1] != b"\xff":
            raise Malformed("a JPEG with bytes between its segments")
        while content[at : at + 1] == b"\xff":  # any number of them may come before a marker
            at += 1
        marker = content[at] if at < len(content) else _END_OF_IMAGE
        if marker in (_START_OF_SCAN, _END_OF_IMAGE):
            return
        if marker in _WITHOUT_LENGTH:
            raise Malformed("a JPEG with a marker of a scan before its first scan")
        if at + 3 > len(content):
            raise Unfinished
        (length,) = struct.unpack_from(">H", content, at + 1)
        end = at + 1 + length
        if length < 2 or end > len(content):
            raise Malformed("a JPEG with a segment of an impossible length")
        yield Segment(marker, start, end, content[at + 3 : end])
        at = end


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content
