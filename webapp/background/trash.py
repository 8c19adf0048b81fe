"""The trash: deleted files lie there for some days, and one thread empties it.

The thread also carries on what a killed process left, and what was in use. All that touches the files of the
trash takes turns under one lock, so that nothing is moved and deleted at once.
"""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from webapp import store
from webapp.background.settings import Settings
from webapp.background.troubles import log_failure
from webapp.database.models import TrashedFile
from webapp.database.states import TrashState
from webapp.maintenance import trash as files
from webapp.maintenance.deletion import is_deletable, remove_thumbnails
from webapp.maintenance.trash import Moved, Restored
from webapp.store import trash
from webapp.store.gallery import images
from webapp.store.image_files import Fileless

log = logging.getLogger(__name__)

# How often the thread looks for files whose time has come.
LOOK_SECONDS = 3600.0
# How soon it tries again what was in use. The pause doubles each time, up to LOOK_SECONDS.
RETRY_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Deletion:
    """One Delete. `act` names it for Undo. `kept_count`: files that are under no storage root, or that the
    system refuses to move. `in_use_count`: files that are moved as soon as no program has them open."""

    act: str
    deleted_count: int
    kept_count: int
    in_use_count: int


@dataclass(frozen=True, slots=True)
class Restoration:
    """`aside_count`: files that were put next to another one, which their image has now, or that have no
    image. `kept_count`: files that stay in the trash for now."""

    restored_count: int
    aside_count: int
    kept_count: int


class Trash:
    """Moves files into the trash and back, and empties it."""

    def __init__(
        self, settings: Settings, roots: Sequence[Path], thumbnails_dir: Path, stopping: threading.Event
    ) -> None:
        self._settings = settings
        self._roots = roots
        self._thumbnails_dir = thumbnails_dir
        self._stopping = stopping
        self._lock = threading.RLock()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self, timeout_seconds: float) -> None:
        """Wait for the thread, which ends after the file it works on once `stopping` is set."""
        self._woken.set()
        if self._thread:
            self._thread.join(timeout_seconds)

    def wake(self) -> None:
        """Look at once whether there is something to do."""
        self._woken.set()

    # Commands

    def delete(self, image_ids: Sequence[str]) -> Deletion:
        """Move the files of images into the trash; the rows of the images stay."""
        listed = [image for image in images.list_by_ids(image_ids) if image.file_path]
        inside = [image for image in listed if is_deletable(image.file_path or "", self._roots)]
        with self._lock:
            rows = trash.request_trashing(inside)
            counts = files.move_in(rows, self._roots, self._stopping.is_set)
        if counts.get(Moved.LATER):
            self.wake()
        deleted_count = counts.get(Moved.MOVED, 0) + counts.get(Moved.MISSING, 0)
        in_use_count = counts.get(Moved.LATER, 0)
        kept_count = len(listed) - deleted_count - in_use_count
        return Deletion(rows[0].act if rows else "", deleted_count, kept_count, in_use_count)

    def carry_out(self, rows: Sequence[TrashedFile]) -> None:
        """Move the files of a removed profile into the trash."""
        with self._lock:
            files.move_in(rows, self._roots, self._stopping.is_set)

    def put_replaced(self, image_id: str) -> None:
        """Move the file of an image into the trash before another takes its place. Raises FolderGone."""
        with self._lock:
            for image in images.list_by_ids([image_id]):
                files.put_replaced(image, self._roots)

    def read_for_download(self, image: Fileless) -> tuple[TrashedFile, bytes] | None:
        """The file of an image, if the trash has it: it need not be fetched from Flow.

        Without the lock: it is only read, and a file that is just moved or deleted counts as not there.
        """
        return files.read_for_download(image, self._roots)

    def discard(self, row: TrashedFile) -> None:
        """Delete a file whose image has the same file again."""
        with self._lock:
            files.empty(trash.list_by_ids([row.id]), self._roots)

    def undo(self, act: str) -> Restoration:
        """Restore all files of one Delete."""
        return self.restore(trash.list_ids_of_act(act))

    def restore(self, ids: Sequence[int]) -> Restoration:
        """Move files back to where they were. Nothing is overwritten."""
        counts = dict.fromkeys(Restored, 0)
        for chunk in store.chunked(list(ids)):
            with self._lock:
                for row in trash.list_by_ids(chunk):
                    if self._stopping.is_set():
                        break
                    counts[files.restore(row, self._roots)] += 1
        kept_count = counts[Restored.STAYS] + counts[Restored.GONE]
        return Restoration(counts[Restored.BACK], counts[Restored.ASIDE], kept_count)

    def empty(self, ids: Sequence[int]) -> int:
        """Delete files of the trash for good. Returns how many are gone; what is in use goes later."""
        with self._lock:
            rows = [row for row in trash.list_by_ids(ids) if row.state == TrashState.KEPT]
            trash.set_state((row.id for row in rows), TrashState.EMPTYING)
        self.wake()
        return self._empty([row.id for row in rows])

    def _empty(self, ids: Sequence[int], *, checks: bool = False) -> int:
        state = TrashState.KEPT if checks else TrashState.EMPTYING
        count = 0
        for chunk in store.chunked(ids, files.FILES_PER_TRANSACTION):
            if self._stopping.is_set():
                break
            with self._lock:
                rows = [row for row in trash.list_by_ids(chunk) if row.state == state]
                gone = files.empty(rows, self._roots, checks=checks)
                self._remove_thumbnails(gone)
            count += len(gone)
        return count

    def _remove_thumbnails(self, gone: Sequence[TrashedFile]) -> None:
        stored = images.list_by_ids([row.image_id for row in gone])
        remove_thumbnails([image for image in stored if image.local_path is None], self._thumbnails_dir)

    # The thread

    def _run(self) -> None:
        is_first, pause = True, RETRY_SECONDS
        while not self._stopping.is_set():
            self._woken.clear()
            has_left = self._tick(is_first=is_first)
            is_first = False
            pause = min(pause * 2, LOOK_SECONDS) if has_left else RETRY_SECONDS
            if not self._stopping.is_set() and self._woken.wait(pause if has_left else LOOK_SECONDS):
                pause = RETRY_SECONDS

    def _tick(self, *, is_first: bool) -> bool:
        """Do what is to be done. Returns whether something is left to try again."""
        try:
            with store.connection():
                self.resume()
                if is_first:
                    with self._lock:
                        files.forget_missing(self._roots)
                self.empty_due()
                return bool(trash.list_under_way())
        except Exception as error:
            log_failure("the trash: something could not be done; it is tried again", error)
            return True

    def resume(self) -> None:
        """Carry on what a killed process left, and what was in use."""
        with self._lock:
            rows = trash.list_under_way()
            moving = [row for row in rows if row.state == TrashState.MOVING]
            files.move_in(moving, self._roots, self._stopping.is_set, is_resumed=True)
            for row in rows:
                if row.state == TrashState.RESTORING and not self._stopping.is_set():
                    files.restore(row, self._roots)
            emptying = [row.id for row in rows if row.state == TrashState.EMPTYING]
        self._empty(emptying)

    def empty_due(self) -> None:
        """Delete the files whose time has come and that Flow still has."""
        due = trash.list_due_ids(self._settings.current.trash_days)
        if count := self._empty(due, checks=True):
            log.info("%s files left the trash, which Flow still has", count)
