"""Fills in the picture sizes of rows that were stored before sizes were recorded: one thread, once."""

import threading
from collections.abc import Sequence
from pathlib import Path

from webapp import storage, store
from webapp.background.troubles import log_failure
from webapp.errors import FolderGone
from webapp.store.gallery import images

BATCH_SIZE = 100
# Between two batches, so that requests get the disk and the processor first.
PAUSE_SECONDS = 0.05


class SizeBackfill:
    """Goes through the images once per start. Files that cannot be read are tried again at the next start."""

    def __init__(self, roots: Sequence[Path], stopping: threading.Event) -> None:
        self._roots = roots
        self._stopping = stopping
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self, timeout_seconds: float) -> None:
        """Wait for the thread, which ends after the file it is reading once `stopping` is set."""
        if self._thread:
            self._thread.join(timeout_seconds)

    def _run(self) -> None:
        try:
            with store.connection():
                self._measure_all()
        except Exception as error:
            log_failure("image sizes could not be read; the next start continues", error)

    def _measure_all(self) -> None:
        after_id = ""
        while batch := images.list_unmeasured(after_id, BATCH_SIZE):
            sizes = []
            for image in batch:
                if self._stopping.is_set():
                    return
                if image.file_path and (size := self._measure(image.file_path)):
                    sizes.append((image, size))
            if sizes:
                images.note_sizes(sizes)
            after_id = batch[-1].id
            if self._stopping.wait(PAUSE_SECONDS):
                return

    def _measure(self, path: str) -> tuple[int, int] | None:
        """Width and height; None when the file cannot be read: removed, no picture, or its disk unplugged."""
        try:
            file = storage.path_under(path, self._roots)
            return storage.measure(file) if file.is_file() else None
        except (FolderGone, OSError, ValueError):
            return None
