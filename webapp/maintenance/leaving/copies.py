"""The bytes of a copy that leaves the shelf. The file on the shelf is only read."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from webapp.file_names import INSIDE
from webapp.storage.embedding import Description, embed

CHUNK_BYTES = 1 << 20
# A larger file is copied as it is, so that the memory for one copy is limited.
MAX_EMBEDDED_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy: its size, and its bytes, which can be read once."""

    size_bytes: int
    chunks: Iterator[bytes]


@contextmanager
def open_copy(path: Path, description: Description, place: str) -> Iterator[Copy]:
    """A copy of a picture with its description inside, if that is its `place`. Raises OSError."""
    with path.open("rb") as file:
        size = path.stat().st_size
        if place == INSIDE and size <= MAX_EMBEDDED_BYTES:
            content = embed(file.read(), description)
            yield Copy(len(content), iter([content]))
        else:
            yield Copy(size, _read(file, size))


def _read(file: BinaryIO, size: int) -> Iterator[bytes]:
    """At most `size` bytes, which were announced: the file may grow meanwhile."""
    left = size
    while left and (chunk := file.read(min(CHUNK_BYTES, left))):
        left -= len(chunk)
        yield chunk
