"""The description in chunks at the end of a WebP, which needs an extended header for them."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from webapp.storage.embedding import exif, xmp
from webapp.storage.embedding.description import Description
from webapp.storage.structure import Malformed

_EXTENDED, _EXIF, _XMP = b"VP8X", b"EXIF", b"XMP "
_HAS_XMP, _HAS_EXIF, _HAS_ALPHA = 0x04, 0x08, 0x10


@dataclass(frozen=True, slots=True)
class Chunk:
    """`start` and `end` include name, length and the byte that makes it even."""

    name: bytes
    start: int
    end: int
    content: bytes


def embed_in_webp(content: bytes, description: Description) -> bytes:
    """The WebP with EXIF and XMP behind its pixels. Raises Malformed."""
    riff_end = 8 + int.from_bytes(content[4:8], "little")
    every = list(_chunks(content, riff_end))
    chunks = [each for each in every if not (each.name == _EXIF and exif.is_our_exif(each.content))]
    if not chunks:
        raise Malformed("a WebP without a chunk")
    header, rest = _extended_header(chunks[0]), chunks[chunks[0].name == _EXTENDED :]
    packets = [chunk for chunk in rest if chunk.name == _XMP]
    merged = xmp.merged(packets[0].content, description) if len(packets) == 1 else None
    parts = [_chunk(_EXTENDED, header)]
    for chunk in rest:
        is_merged = merged is not None and chunk.name == _XMP
        parts.append(b"" if is_merged else _padded(content[chunk.start : chunk.end]))
    if not any(chunk.name == _EXIF for chunk in rest):
        parts.append(_chunk(_EXIF, exif.exif_block(description)))
    if merged or not packets:
        parts.append(_chunk(_XMP, merged or xmp.packet(description)))
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body + content[riff_end:]


def _extended_header(first: Chunk) -> bytes:
    """The header that is there, or one made from the picture, with the flags for EXIF and XMP."""
    flags, picture = _HAS_XMP | _HAS_EXIF, first.content
    if first.name == _EXTENDED and len(picture) >= 10:
        return bytes([picture[0] | flags]) + picture[1:]
    if first.name == b"VP8 " and picture[3:6] == b"\x9d\x01\x2a" and len(picture) >= 10:
        width, height = (number & 0x3FFF for number in struct.unpack_from("<HH", picture, 6))
    elif first.name == b"VP8L" and picture[:1] == b"\x2f" and len(picture) >= 5:
        (bits,) = struct.unpack_from("<I", picture, 1)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        flags |= _HAS_ALPHA if bits >> 28 & 1 else 0
    else:
        raise Malformed("a WebP whose size cannot be read")
    if not (width and height):
        raise Malformed("a WebP without a size")
    return struct.pack("<I", flags) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")


def _chunks(content: bytes, riff_end: int) -> Iterator[Chunk]:
    at = 12
    while at + 8 <= riff_end:
        name, length = struct.unpack_from("<4sI", content, at)
        end = at + 8 + length
        if end > riff_end:
            raise Malformed("a WebP with a chunk that extends beyond its end")
        is_read = name in (_EXTENDED, _EXIF, _XMP)
        yield Chunk(name, at, end, content[at + 8 : end if is_read else min(end, at + 18)])
        at = end + length % 2


def _padded(chunk: bytes) -> bytes:
    return chunk + b"\0" * (len(chunk) % 2)


def _chunk(name: bytes, content: bytes) -> bytes:
    return _padded(name + struct.pack("<I", len(content)) + content)
