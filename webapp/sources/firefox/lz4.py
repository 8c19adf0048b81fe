"""Decodes LZ4 blocks, as Firefox writes them into files that end in `.jsonlz4`."""

MAGIC = b"mozLz40\x00"


class Damaged(Exception):
    """The bytes are not a whole block of this size."""


def decode_file(content: bytes, max_bytes: int) -> bytes:
    """The text in a `.jsonlz4`: the magic bytes, its size in 4 bytes, and a block. Raises Damaged."""
    size = int.from_bytes(content[8:12], "little")
    if content[:8] != MAGIC or len(content) < 12 or size > max_bytes:
        raise Damaged
    return decode_block(content[12:], size)


def decode_block(block: bytes, size: int) -> bytes:
    """The `size` bytes that a block holds. Raises Damaged, before it has made more than that.

    A block is a row of sequences: a byte with two lengths, literal bytes, and a match, which repeats bytes
    that were decoded before. The last sequence has no match.
    """
    out, position = bytearray(), 0
    try:
        while True:
            token = block[position]
            count, position = _length(block, position + 1, token >> 4)
            out += _slice(block, position, count)
            position += count
            if len(out) > size or position == len(block):
                break
            offset = int.from_bytes(_slice(block, position, 2), "little")
            count, position = _length(block, position + 2, token & 15)
            _repeat(out, offset, min(count + 4, size + 1 - len(out)))
    except IndexError:
        raise Damaged from None
    if len(out) != size:
        raise Damaged
    return bytes(out)


def _length(block: bytes, position: int, count: int) -> tuple[int, int]:
    """A length of 15 goes on in the next bytes, up to one below 255. Returns it and the position after it."""
    more = 255 if count == 15 else 0
    while more == 255:
        more = block[position]
        count, position = count + more, position + 1
    return count, position


def _slice(block: bytes, position: int, count: int) -> bytes:
    if position + count > len(block):
        raise Damaged
    return block[position : position + count]


def _repeat(out: bytearray, offset: int, count: int) -> None:
    """Append `count` bytes from `offset` back, which may overlap what is appended."""
    if not 0 < offset <= len(out):
        raise Damaged
    start = len(out) - offset
    pattern = bytes(out[start : start + count])
    out += (pattern * (count // len(pattern) + 1))[:count]
