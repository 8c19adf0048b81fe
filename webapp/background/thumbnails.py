"""Thumbnails that requests ask for: each is made once, however many ask for it at the same time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from webapp import storage
from webapp.database.models import Image


class Thumbnails:
    """Makes thumbnails, each once. Their names contain the hash of the picture's bytes, so a replaced picture
    gets a new thumbnail."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        # How many threads use the lock of a thumbnail: the last one takes it away.
        self._making: dict[Path, tuple[threading.Lock, int]] = {}

    def get(self, image: Image, source: Path, edge: int) -> Path:
        """The file of a thumbnail, made from `source` where it is missing. Raises what
        `storage.make_thumbnail` raises."""
        target = self._path(image, edge)
        if not target.exists():
            with self._alone(target):
                if not target.exists():  # another thread may have made it while this one waited
                    storage.make_thumbnail(source, target, edge)
        return target

    def is_made(self, image: Image, edge: int) -> bool:
        return self._path(image, edge).exists()

    def _path(self, image: Image, edge: int) -> Path:
        version = (image.changed_sha256 or image.sha256 or "")[:12]
        return self._folder / image.profile_id / f"{image.id}-{version}-{edge}.webp"

    @contextmanager
    def _alone(self, target: Path) -> Iterator[None]:
        with self._lock:
            lock, count = self._making.get(target, (threading.Lock(), 0))
            self._making[target] = lock, count + 1
        try:
            with lock:
                yield
        finally:
            with self._lock:
                lock, count = self._making.pop(target)
                if count > 1:
                    self._making[target] = lock, count - 1
