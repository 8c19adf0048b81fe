"""Disk space set aside in the data folder, so that on a full disk Flowshelf can still start and delete files.

SQLite needs space even to read (its shared memory), and to note that a file was deleted.
"""

import os
from contextlib import suppress
from pathlib import Path

from webapp.errors import FlowshelfError
from webapp.storage.files import replace_file
from webapp.storage.folders import free_bytes

NAME = ".reserve"
RESERVE_BYTES = 2 * 1024 * 1024
# Nothing is set aside on a disk that has less free than this.
_MIN_FREE_BYTES = 10 * RESERVE_BYTES


def keep_reserve(folder: Path) -> None:
    """Set space aside in a data folder, unless that was done already or the disk is nearly full."""
    path = folder / NAME
    with suppress(FlowshelfError, OSError):
        if not path.exists() and free_bytes(folder) >= _MIN_FREE_BYTES:
            # Random bytes: zeros would take no space on a disk that compresses.
            replace_file(path, os.urandom(RESERVE_BYTES))


def release_reserve(folder: Path) -> bool:
    """Free the space if the disk is full. Returns whether there is more space now than before."""
    with suppress(FlowshelfError, OSError):
        if free_bytes(folder) < RESERVE_BYTES:
            (folder / NAME).unlink()
            return True
    return False
