"""Sizes of pictures whose files came before sizes were kept: one thread reads each header once."""

import logging
import threading
from collections.abc import Sequence
from pathlib import Path

from webapp import storage, store
from webapp.errors import FolderGone
from webapp.store.gallery import images

log = logging.getLogger(__name__)

FILES_AT_ONCE = 100
# Between two batches, so that the disk and the processor are free for whoever waits for a page.
PAUSE_SECONDS = 0.05


class Measuring:
    """Goes through the images once. What has no size by then is looked at again at the next start."""

    def __init__(self, roots: Sequence[Path], stopping: threading.Event) -> None:
        self._roots = roots
        self._stopping = stopping
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def stop(self, timeout_seconds: float) -> None:
        if self._thread:
            self._thread.join(timeout_seconds)

    def _work(self) -> None:
        try:
            with store.connection():
                self._measure_all()
        except Exception:
            log.exception("Sizes of pictures could not be read; the next start goes on with them")

    def _measure_all(self) -> None:
        after_id = ""
        while batch := images.list_unmeasured(after_id, FILES_AT_ONCE):
            sizes = []
            for image_id, path in batch:
                if self._stopping.is_set():
                    return
                if size := self._measure(path):
                    sizes.append((image_id, path, size))
            if sizes:
                images.note_sizes(sizes)
            after_id = batch[-1][0]
            if self._stopping.wait(PAUSE_SECONDS):
                return

    def _measure(self, path: str) -> tuple[int, int] | None:
        """None when there is no picture to be read: its disk may be out, or somebody removed the file."""
        try:
            file = storage.path_under(path, self._roots)
            return storage.measure(file) if file.is_file() else None
        except (FolderGone, OSError, ValueError):
            return None
