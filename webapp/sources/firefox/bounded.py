"""Reads files of another program: regular files only, up to a size."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

_FLAGS = (
    os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
)


class NotReadable(Exception):
    """A file is missing, no regular file, too large, or cannot be read; `str(error)` says which."""


def open_regular(path: Path, max_bytes: int) -> BinaryIO:
    """Open a regular file for reading. Raises NotReadable for anything else.

    A link is refused, because what it leads to is no file of Firefox. The type is checked before the file
    is opened, because opening a device or a FIFO can have an effect, and again afterwards, because the file
    may have been exchanged in between; O_NONBLOCK keeps a FIFO from blocking then.
    """
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise NotReadable(f"{path.name} is not a regular file")
        descriptor = os.open(path, _FLAGS)
    except (OSError, ValueError) as error:
        raise NotReadable(f"{path.name} cannot be opened ({_reason(error)})") from error
    file = os.fdopen(descriptor, "rb")
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_size > max_bytes:
        file.close()
        kind = "too large" if stat.S_ISREG(status.st_mode) else "not a regular file"
        raise NotReadable(f"{path.name} is {kind}")
    return file


def read_bounded(path: Path, max_bytes: int) -> bytes:
    """The content of a regular file. Raises NotReadable."""
    with open_regular(path, max_bytes) as file:
        try:
            content = file.read(max_bytes + 1)
        except OSError as error:
            raise NotReadable(f"{path.name} cannot be read ({_reason(error)})") from error
    if len(content) > max_bytes:  # it has grown since it was opened
        raise NotReadable(f"{path.name} is too large")
    return content


def copy_bounded(source: Path, target: Path, max_bytes: int) -> None:
    """Copy a regular file. Raises NotReadable for the source, OSError for the target."""
    content = read_bounded(source, max_bytes)
    with open(target, "xb") as file:
        file.write(content)


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "its path is not valid"
