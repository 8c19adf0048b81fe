"""Gives files that an earlier version has kept the time of their image: one thread, once."""

import threading
from collections.abc import Sequence
from pathlib import Path

from webapp import storage, store
from webapp.background.troubles import log_failure
from webapp.database.models import Image
from webapp.errors import FolderGone
from webapp.maintenance.changes import is_untouched
from webapp.store.gallery import images
from webapp.times import now

BATCH_SIZE = 100
# Between two batches, so that requests get the disk and the processor first.
PAUSE_SECONDS = 0.05


class TimeBackfill:
    """Goes through the images once per start. Files that are not there are tried again at the next start.

    Only files under a storage root are touched, and none that was changed outside Flowshelf.
    """

    def __init__(self, roots: Sequence[Path], stopping: threading.Event) -> None:
        self._roots = roots
        self._stopping = stopping
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self, timeout_seconds: float) -> None:
        """Wait for the thread, which ends after the file it is at once `stopping` is set."""
        if self._thread:
            self._thread.join(timeout_seconds)

    def _run(self) -> None:
        try:
            with store.connection():
                self._set_all()
        except Exception as error:
            log_failure("the times of files could not be set; the next start continues", error)

    def _set_all(self) -> None:
        after_id = ""
        while batch := images.list_untimed(after_id, BATCH_SIZE):
            times = []
            for image in batch:
                if self._stopping.is_set():
                    break
                if moment := self._set(image):
                    times.append((image, moment))
            if times:
                images.note_file_times(times)
            after_id = batch[-1].id
            if self._stopping.wait(PAUSE_SECONDS):
                return

    def _set(self, image: Image) -> str | None:
        """The `file_time_at` of an image; None when its file was left as it is."""
        if image.changed_sha256 or not image.file_path:
            return None
        try:
            path = storage.path_under(image.file_path, self._roots)
            found, moment = path.stat(), now()
            if not path.is_file() or not storage.set_made_time(path, image.created_at):
                return None
        except (FolderGone, OSError, ValueError):
            return None
        # A file that somebody had touched before stays one whose bytes are compared before they are trusted.
        return moment if is_untouched(image, found) else image.downloaded_at or image.created_at
