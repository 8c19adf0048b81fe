"""Removes files, and carries on at the next start what a killed process had not removed yet."""

import logging
import threading
from collections.abc import Sequence

from webapp import store
from webapp.database.models import Removal
from webapp.maintenance import deletion
from webapp.store import removals

log = logging.getLogger(__name__)


class Removals:
    """Callers wait for their own removals. One thread does those that were left by the previous process."""

    def __init__(self, disk: deletion.Disk, stopping: threading.Event) -> None:
        self._disk = disk
        self._stopping = stopping
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Carry on. What was recorded is read before any caller can record more."""
        if left := removals.list_removals():
            log.info("%s files of an interrupted removal are still to be removed", len(left))
            self._thread = threading.Thread(target=self._resume, args=(left,), daemon=True)
            self._thread.start()

    def stop(self, timeout_seconds: float) -> None:
        """Wait for the thread, which ends after the file it is removing once `stopping` is set."""
        if self._thread:
            self._thread.join(timeout_seconds)

    def carry_out(self, rows: Sequence[Removal]) -> None:
        deletion.carry_out(rows, self._disk, self._stopping)

    def delete_files(self, image_ids: Sequence[str]) -> tuple[int, int]:
        """Delete the files of these images. Returns how many were deleted and how many could not be."""
        return deletion.delete_files(image_ids, self._disk, self._stopping)

    def _resume(self, left: Sequence[Removal]) -> None:
        try:
            with store.connection():
                self.carry_out(left)
        except Exception:
            log.exception("files could not be removed; the next start carries on")
