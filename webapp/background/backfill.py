"""Fills in what rows of an earlier version lack: one thread, once per start."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from webapp import store
from webapp.background.troubles import log_failure
from webapp.database.models import Image

ValueT = TypeVar("ValueT")

BATCH_SIZE = 100
# Between two batches, so that requests get the disk and the processor first.
PAUSE_SECONDS = 0.05


class Backfill(ABC, Generic[ValueT]):
    """Goes through the images that lack a value, by their ids. What cannot be found now is tried again at the
    next start."""

    # What the log says when the thread has failed.
    failure: ClassVar[str]

    def __init__(self, roots: Sequence[Path], stopping: threading.Event) -> None:
        self.roots = roots
        self._stopping = stopping
        self._thread: threading.Thread | None = None

    @abstractmethod
    def list_lacking(self, after_id: str, limit: int) -> list[Image]:
        """The next images with a file that lack the value, by their ids."""

    @abstractmethod
    def find_value(self, image: Image, path: str) -> ValueT | None:
        """The value of an image with the file `path`; None when it cannot be found now."""

    @abstractmethod
    def note(self, found: Sequence[tuple[Image, ValueT]]) -> None:
        """Store values, unless an image got another file meanwhile."""

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
                self.fill()
        except Exception as error:
            log_failure(self.failure, error)

    def fill(self) -> None:
        """Fill in all values until `stopping` is set."""
        after_id = ""
        while batch := self.list_lacking(after_id, BATCH_SIZE):
            if found := self._find_values(batch):
                self.note(found)
            after_id = batch[-1].id
            if self._stopping.wait(PAUSE_SECONDS):
                return

    def _find_values(self, batch: Sequence[Image]) -> list[tuple[Image, ValueT]]:
        found = []
        for image in batch:
            if self._stopping.is_set():
                break
            value = self.find_value(image, image.file_path) if image.file_path else None
            if value is not None:
                found.append((image, value))
        return found
