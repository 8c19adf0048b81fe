"""ZIPs of selections: one thread prepares them one after the other and clears away old ones."""

import errno
import logging
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from webapp import storage, store
from webapp.background.archive import Archive, archive
from webapp.background.disk_space import megabytes
from webapp.config import Config
from webapp.database.models import Export, Image
from webapp.database.states import ExportState
from webapp.errors import BadRequest, DiskFull, FlowshelfError, FolderGone
from webapp.store.gallery import selections
from webapp.store.gallery.filters import Selection
from webapp.store.runs import exports
from webapp.times import now

log = logging.getLogger(__name__)

CLEAR_EVERY_SECONDS = 600.0
PROGRESS_EVERY_SECONDS = 0.3
# Headers, the list at the end and the manifest; and what has to stay free for everything else.
OVERHEAD_BYTES_PER_PICTURE = 3000
BYTES_TO_LEAVE_FREE = 50_000_000
NO_FILE = "None of the selected images has a file yet. Download them first; a ZIP holds files."


class Dropped(Exception):
    """Flowshelf is stopping, or nobody wants this ZIP any more."""


class Exports:
    def __init__(self, config: Config, roots: Sequence[Path], stopping: threading.Event) -> None:
        self._folder = config.exports_dir
        self._roots = roots
        self._stopping = stopping
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Say of what an ended process left that it was interrupted, and clear away what is old."""
        storage.remove_parts(self._folder)
        exports.interrupt_exports()
        self._clear_old()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def stop(self, timeout_seconds: float) -> None:
        self._woken.set()
        if self._thread:
            self._thread.join(timeout_seconds)

    def path_of(self, export_id: str) -> Path:
        return self._folder / f"{export_id}.zip"

    # Commands

    def request(self, selection: Selection) -> Export:
        """Put a ZIP in line. Raises BadRequest when there is no file to put into it, DiskFull."""
        total = selections.summary_of(selection)
        if not total.file_count:
            raise BadRequest(NO_FILE)
        self._require_space(total.size_bytes + total.image_count * OVERHEAD_BYTES_PER_PICTURE)
        export = exports.add_export(selections.list_ids(selection), total.size_bytes)
        self._woken.set()
        return export

    def request_again(self, export_id: str) -> None:
        self._require_space(exports.get_export(export_id).size_bytes)
        exports.request_again(export_id)
        self._woken.set()

    def remove(self, export_id: str) -> None:
        """Drop a ZIP, also one that is being prepared: its thread notices."""
        exports.remove_export(exports.get_export(export_id).id)
        self.path_of(export_id).unlink(missing_ok=True)

    def _require_space(self, bytes_count: int) -> None:
        free = storage.free_bytes(self._folder) - exports.count_bytes_to_come() - BYTES_TO_LEAVE_FREE
        if bytes_count > free:
            raise DiskFull(
                f"This ZIP takes about {megabytes(bytes_count)}, and the disk that holds the data folder "
                f"has {megabytes(max(free, 0))} to spare. Make room there, or select fewer images."
            )

    # The thread

    def _work(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                with store.connection():
                    # Nobody else prepares any: what still counts as running could not be ended on the disk.
                    exports.interrupt_exports([ExportState.RUNNING])
                    self._clear_old()
                    while not self._stopping.is_set() and (export := exports.claim_export()):
                        self._prepare(export)
            except Exception:
                log.exception("The thread that prepares ZIPs met what nobody expected")
            self._woken.wait(CLEAR_EVERY_SECONDS)

    def _prepare(self, export: Export) -> None:
        try:
            with archive(self.path_of(export.id)) as opened:
                self._fill(opened, export)
            size = self.path_of(export.id).stat().st_size
            if not exports.finish_export(export.id, size):
                self.path_of(export.id).unlink(missing_ok=True)
            log.info("ZIP %s: %s bytes", export.id, size)
        except Dropped:
            pass
        except FlowshelfError as error:
            exports.fail_export(export.id, str(error))
        except Exception as error:
            log.exception("ZIP %s was not prepared", export.id)
            exports.fail_export(export.id, _sentence(error))

    def _fill(self, opened: Archive, export: Export) -> None:
        done_count = done_bytes = left_out_count = 0
        noted_at = 0.0
        for chunk in store.chunked(exports.list_image_ids(export.id)):
            found = selections.list_in_order(chunk)
            left_out_count += len(chunk) - len(found)
            for image in found:
                size = self._add(opened, image)
                done_count, done_bytes = done_count + (size is not None), done_bytes + (size or 0)
                left_out_count += size is None
                if time.monotonic() - noted_at > PROGRESS_EVERY_SECONDS:
                    self._note(export, done_count, done_bytes, left_out_count)
                    noted_at = time.monotonic()
        self._note(export, done_count, done_bytes, left_out_count)
        if not done_count:
            raise BadRequest(NO_FILE)
        opened.add_manifest({"count": done_count, "leftOut": left_out_count, "madeAt": now()})

    def _note(self, export: Export, done_count: int, done_bytes: int, left_out_count: int) -> None:
        counts = {"done_count": done_count, "done_bytes": done_bytes, "left_out_count": left_out_count}
        if self._stopping.is_set() or not exports.note_progress(export.id, **counts):
            raise Dropped

    def _add(self, opened: Archive, image: Image) -> int | None:
        """The size of the file, None when there is none to put in."""
        try:
            path = storage.path_under(image.local_path or "", self._roots)
            source = path.open("rb") if path.is_file() else None
        except (FolderGone, OSError):
            return None
        if source is None:
            return None
        with source:
            return opened.add(source, path.name, image.created_at, _facts(image))

    def _clear_old(self) -> None:
        exports.remove_old_exports(datetime.now(UTC))
        kept = {self.path_of(export.id) for export in exports.list_exports()}
        storage.remove_files(path for path in self._folder.glob("*.zip") if path not in kept)


def _facts(image: Image) -> dict:
    """What the manifest says of a picture beside its size and sum."""
    return {
        "name": image.name,
        "mediaKey": image.media_key,
        "prompt": image.prompt,
        "model": image.model_name,
        "kind": image.kind,
        "createdAt": image.created_at,
        "downloadedAt": image.downloaded_at,
    } | ({"width": image.width, "height": image.height} if image.width and image.height else {})


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk that holds the data folder became full. Make room there, then prepare the ZIP again."
    return "The ZIP could not be written; the log says more. Nothing on the shelf was changed."
