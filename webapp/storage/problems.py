"""Translates errors of the operating system into sentences for a person."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from webapp.errors import DiskFull, FolderGone

RESUME = "press Resume"


@contextmanager
def translate_errors(folder: Path, then: str = "try again") -> Iterator[None]:
    """Raise DiskFull or FolderGone in place of an OSError about `folder`. `then` says how the person goes
    on once the disk is in order."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(
                f"The disk that holds {folder} is full. Free some space there, then {then}; nothing was lost."
            ) from error
        raise FolderGone(
            f"The folder {folder} cannot be written to ({os.strerror(error.errno or errno.EIO)}). "
            f"Make it writable or connect its disk again, then {then}. Nothing was lost."
        ) from error
