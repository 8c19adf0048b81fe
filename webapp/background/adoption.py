"""Files that are sent to be adopted, by the drop zone or by a command. There is no thread: callers wait."""

import logging
import secrets
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from webapp import storage
from webapp.maintenance import adoption
from webapp.maintenance.adoption import Outcome, Result

log = logging.getLogger(__name__)

# How long a form that was sent to the owner may be used for a large request, and how many there are.
TICKET_SECONDS = 3600.0
MAX_TICKETS = 50


class Adoption:
    """Adopts one file at a time, so that at most one is in memory."""

    def __init__(self, images_dir: Path, uploads_dir: Path, roots: Sequence[Path]) -> None:
        self._images_dir = images_dir
        self._uploads_dir = uploads_dir
        self._roots = roots
        self._lock = threading.Lock()
        self._lock_tickets = threading.Lock()
        self._tickets: dict[str, float] = {}

    def adopt(self, file_name: str, file: BinaryIO) -> Result:
        """Adopt a file, from its beginning. Raises DiskFull or FolderGone."""
        with self._lock:
            content = file.read(adoption.MAX_FILE_BYTES + 1)
            result = adoption.adopt(file_name, content, self._images_dir, self._roots)
        if result.outcome is Outcome.ADOPTED:
            log.info("a file was adopted for image %s", result.image_id)
        return result

    def stage(self) -> BinaryIO:
        """An empty file on the data disk, which is gone when it is closed."""
        with storage.translate_errors(self._uploads_dir):
            return tempfile.TemporaryFile("w+b", dir=self._uploads_dir)

    def issue_ticket(self) -> str:
        """A text that allows the form it is put into to be sent as a large request.

        Whose a request is shows only when all of it has arrived, on the data disk. So without a ticket, which
        is on no page but the owner's, nobody may send a large one.
        """
        ticket, until = secrets.token_urlsafe(16), time.monotonic() + TICKET_SECONDS
        with self._lock_tickets:
            self._tickets[ticket] = until
            while len(self._tickets) > MAX_TICKETS:
                del self._tickets[next(iter(self._tickets))]
        return ticket

    def is_ticket(self, text: str) -> bool:
        return self._tickets.get(text, 0.0) > time.monotonic()
