"""The description of a picture as a block of EXIF, and as one of IPTC for older programs.

Each contains a checksum of itself: a block that another program has changed since is not taken for ours.
"""

import struct
import zlib
from datetime import UTC

from webapp.storage.embedding.description import Description, clean, cut

# The whole block has to fit into one segment of a JPEG.
MAX_TEXT = 30_000
_ASCII, _LONG, _UNDEFINED = 2, 4, 7
_SOFTWARE, _TEXT, _SUB_BLOCK = 0x000B, 0x010E, 0x8769
_VERSION, _MADE, _DIGITISED = 0x9000, 0x9003, 0x9004
_MADE_OFFSET, _DIGITISED_OFFSET, _COMMENT, _FRACTION = 0x9011, 0x9012, 0x9286, 0x9291
_NAME = b"Flowshelf "
_UNSIGNED = _NAME + b"00000000"

Entry = tuple[int, int, bytes]

_RESOURCES = b"Photoshop 3.0\0"
_IPTC = b"8BIM\x04\x04\0\0"


def exif_block(description: Description) -> bytes:
    """A TIFF structure with two directories, without the `Exif` in front of it in a JPEG."""
    first: list[Entry] = [(_SOFTWARE, _ASCII, _UNSIGNED + b"\0")]
    if prompt := clean(description.prompt or ""):
        first.append((_TEXT, _ASCII, cut(prompt, MAX_TEXT) + b"\0"))
    second = _details(description)
    start = 8 + _length(first) + 12  # one more entry: the pointer to the second directory
    first.append((_SUB_BLOCK, _LONG, struct.pack("<I", start)))
    block = struct.pack("<2sHI", b"II", 42, 8) + _directory(first, 8) + _directory(second, start)
    return _signed(block)


def is_our_exif(block: bytes) -> bool:
    """Whether it is a block of ours that nobody has changed."""
    return _is_signed(block)


def iptc_block(description: Description) -> bytes:
    """The content of the segment that Photoshop introduced, with a record of IPTC in it."""
    record = _data_set(1, 90, b"\x1b%G") + _data_set(2, 0, b"\0\x04")
    if title := clean(description.title or ""):
        record += _data_set(2, 5, cut(title, 64))
    if description.made_at:
        made = description.made_at.astimezone(UTC)
        record += _data_set(2, 55, f"{made:%Y%m%d}".encode()) + _data_set(
            2, 60, f"{made:%H%M%S}+0000".encode()
        )
    record += _data_set(2, 65, _UNSIGNED)
    if prompt := clean(description.prompt or ""):
        record += _data_set(2, 120, cut(prompt, 2000))
    return _signed(_RESOURCES + _IPTC + struct.pack(">I", len(record)) + record + b"\0" * (len(record) % 2))


def is_iptc(block: bytes) -> bool:
    return block.startswith(_RESOURCES)


def is_our_iptc(block: bytes) -> bool:
    """Whether it is a block of ours that nobody has changed."""
    return _is_signed(block)


def _details(description: Description) -> list[Entry]:
    entries: list[Entry] = [(_VERSION, _UNDEFINED, b"0232")]
    if description.made_at:
        made = description.made_at.astimezone(UTC)
        moment, offset = f"{made:%Y:%m:%d %H:%M:%S}".encode() + b"\0", b"+00:00\0"
        entries += [(tag, _ASCII, moment) for tag in (_MADE, _DIGITISED)]
        entries += [(tag, _ASCII, offset) for tag in (_MADE_OFFSET, _DIGITISED_OFFSET)]
        entries.append((_FRACTION, _ASCII, f"{made.microsecond // 1000:03}".encode() + b"\0"))
    if description.remarks:
        comment = description.remarks[: MAX_TEXT // 8].encode("utf-16-le")
        entries.append((_COMMENT, _UNDEFINED, b"UNICODE\0" + comment))
    return sorted(entries)


def _length(entries: list[Entry]) -> int:
    return 6 + sum(12 + _outside(value) for _, _, value in entries)


def _outside(value: bytes) -> int:
    """How many bytes of a value do not fit into its entry; a value begins at an even position."""
    return len(value) + len(value) % 2 if len(value) > 4 else 0


def _directory(entries: list[Entry], start: int) -> bytes:
    """A directory at this position: its entries, then the values that are too long for them."""
    at = start + 6 + 12 * len(entries)
    table, values = struct.pack("<H", len(entries)), b""
    for tag, kind, value in entries:
        count = 1 if kind == _LONG else len(value)
        if len(value) > 4:
            table += struct.pack("<HHII", tag, kind, count, at + len(values))
            values += value + b"\0" * (len(value) % 2)
        else:
            table += struct.pack("<HHI4s", tag, kind, count, value)
    return table + struct.pack("<I", 0) + values


def _data_set(record: int, number: int, value: bytes) -> bytes:
    return struct.pack(">BBBH", 0x1C, record, number, len(value)) + value


def _signed(block: bytes) -> bytes:
    """The block with its checksum in place of the zeros behind our name."""
    return block.replace(_UNSIGNED, _NAME + f"{zlib.crc32(block):08x}".encode(), 1)


def _is_signed(block: bytes) -> bool:
    at = block.find(_NAME) + len(_NAME)
    signature = block[at : at + 8]
    unsigned = block[:at] + b"0" * 8 + block[at + 8 :]
    return at >= len(_NAME) and signature == f"{zlib.crc32(unsigned):08x}".encode()
