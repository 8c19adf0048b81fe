"""The description in chunks of a PNG: EXIF, XMP, and texts that simple programs show."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import format_datetime

from webapp.storage.embedding import exif, xmp
from webapp.storage.embedding.description import Description, clean
from webapp.storage.structure import Malformed, Unfinished

_SIGNATURE_LENGTH = 8
_XMP = b"XML:com.adobe.xmp\0"
# The translated keyword of our texts, by which they are found again.
_OURS = b"Flowshelf"
_TEXTS = (b"tEXt", b"iTXt", b"zTXt")


@dataclass(frozen=True, slots=True)
class Chunk:
    name: bytes
    start: int
    end: int
    content: bytes

    @property
    def is_xmp(self) -> bool:
        return self.name == b"iTXt" and self.content.startswith(_XMP)

    @property
    def keyword(self) -> bytes:
        """What a text is about; empty for other chunks."""
        return self.content.split(b"\0", 1)[0] if self.name in _TEXTS else b""

    @property
    def is_ours(self) -> bool:
        if self.name == b"eXIf":
            return exif.is_our_exif(self.content)
        # Keyword, NUL, two bytes about compression, no language, our name.
        return self.name == b"iTXt" and self.content.startswith(self.keyword + b"\0\0\0\0" + _OURS + b"\0")


def embed_in_png(content: bytes, description: Description) -> bytes:
    """The PNG with the description behind its first chunk. Raises Malformed or Unfinished."""
    every = list(_chunks(content))
    if not every or every[0].name != b"IHDR":
        raise Malformed("a PNG that does not begin with its header")
    chunks = [chunk for chunk in every if not chunk.is_ours]
    packets = [chunk for chunk in chunks if chunk.is_xmp]
    merged = _merged_xmp(packets, description)
    parts = [content[: chunks[0].end], *_new_chunks(chunks, description)]
    for chunk in chunks[1:]:
        parts.append(merged if merged and chunk.is_xmp else content[chunk.start : chunk.end])
    return b"".join([*parts, content[every[-1].end :]])


def _new_chunks(chunks: list[Chunk], description: Description) -> Iterator[bytes]:
    if not any(chunk.name == b"eXIf" for chunk in chunks):
        yield _chunk(b"eXIf", exif.exif_block(description))
    known = {chunk.keyword for chunk in chunks}
    texts = {
        b"Title": description.title,
        b"Description": description.prompt,
        b"Creation Time": format_datetime(description.made_at) if description.made_at else None,
        b"Comment": description.remarks,
    }
    for keyword, text in texts.items():
        if keyword not in known and (cleaned := clean(text or "")):
            yield _chunk(b"iTXt", keyword + b"\0\0\0\0" + _OURS + b"\0" + cleaned.encode())
    # Last, so that a second time it is found where it would be put.
    if not any(chunk.is_xmp for chunk in chunks):
        yield _chunk(b"iTXt", _XMP + bytes(4) + xmp.packet(description))


def _merged_xmp(packets: list[Chunk], description: Description) -> bytes | None:
    """The chunk of XMP that is there, with the description. None when it stays as it is."""
    if len(packets) != 1:
        return None
    content = packets[0].content.removeprefix(_XMP)
    if not content.startswith(bytes(4)):  # compressed, or with a language
        return None
    merged = xmp.merged(content[4:], description)
    return _chunk(b"iTXt", _XMP + bytes(4) + merged) if merged else None


def _chunks(content: bytes) -> Iterator[Chunk]:
    at = _SIGNATURE_LENGTH
    while True:
        if at + 12 > len(content):
            raise Unfinished
        length, name = struct.unpack_from(">I4s", content, at)
        end = at + 12 + length
        if end > len(content):
            raise Unfinished
        # Pixels are only passed on: no second copy of them.
        is_read = name in (*_TEXTS, b"eXIf")
        yield Chunk(name, at, end, content[at + 8 : end - 4] if is_read else b"")
        if name == b"IEND":
            return
        at = end


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
