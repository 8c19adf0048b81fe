"""Who owns a data folder: an operating system lock, and in the same file the owner's address.

The system lets go of the lock when its process ends, however it ends; a pid file would not.
"""

import os
from pathlib import Path

from webapp import storage

LOCK_NAME = "flowshelf.lock"
# Far behind the address: Windows refuses to read a locked part of a file.
_LOCKED_BYTE = 1 << 30


class DataFolderLock:
    """The lock of one data folder; `take` and `release` may be called in any order."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / LOCK_NAME
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Whether the folder is ours now; False when another process has it. Raises FolderGone."""
        with storage.translate_errors(self._path.parent):
            descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            _lock(descriptor)
        except OSError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        self.say_address("")
        return True

    def say_address(self, url: str) -> None:
        """Leave the address of our server for other commands to find. Raises DiskFull or FolderGone."""
        with storage.translate_errors(self._path.parent):
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            os.write(self._descriptor, url.encode())

    def address(self) -> str:
        """The address that the owner left, '' when it serves none."""
        return self._path.read_text() if self._path.exists() else ""

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


if os.name == "nt":
    import msvcrt

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        # flock, not lockf: a lockf lock is gone as soon as this process closes the file anywhere else.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
