"""The lock of a data folder, and in the same file the URL of the server that holds it.

An operating system lock is released when its process ends, in whatever way; a pid file would stay.
"""

import os
import sys
from pathlib import Path

from webapp import storage

LOCK_NAME = "flowshelf.lock"
# Far behind the URL: Windows refuses to read the locked part of a file.
_LOCKED_BYTE = 1 << 30


class DataFolderLock:
    """The lock of one data folder: one process at a time may use the folder."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / LOCK_NAME
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Take the lock; False when another process holds it. Raises FolderGone."""
        with storage.translate_errors(self._path.parent):
            descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            lock(descriptor)
        except OSError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        # The URL of the previous holder must not be taken for ours before the server runs.
        self.write_url("")
        return True

    def write_url(self, url: str) -> None:
        """Publish the URL of our server for other commands; only while the lock is held.

        Raises DiskFull or FolderGone.
        """
        if self._descriptor is None:
            raise RuntimeError("only the holder of the lock may write its URL")
        with storage.translate_errors(self._path.parent):
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            os.write(self._descriptor, url.encode())

    def read_url(self) -> str:
        """The URL that the holder of the lock has published; empty when it runs no server."""
        return self._path.read_text() if self._path.exists() else ""

    def release(self) -> None:
        """Release the lock if it is held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


if sys.platform == "win32":
    import msvcrt

    def lock(descriptor: int) -> None:
        """Raises OSError when another process holds the lock."""
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def lock(descriptor: int) -> None:
        """Raises OSError when another process holds the lock."""
        # flock, not lockf: a lockf lock ends when this process closes the file by any other descriptor.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
