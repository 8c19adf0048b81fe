"""ZIPs of selections: one thread prepares them one after the other and removes old ones."""

import errno
import logging
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from webapp import storage, store
from webapp.background.archive import Archive, archive
from webapp.background.disk_space import megabytes
from webapp.background.settings import Settings
from webapp.background.troubles import log_failure
from webapp.config import Config
from webapp.database.models import Export, Image
from webapp.database.states import ExportState
from webapp.errors import BadRequest, DiskFull, FlowshelfError, FolderGone
from webapp.file_names import SIDECAR
from webapp.maintenance.leaving import Fields, Teller, open_copy
from webapp.maintenance.leaving.fields import suffix_of
from webapp.storage.embedding import sidecar
from webapp.store.gallery import selections
from webapp.store.gallery.filters import Selection
from webapp.store.runs import exports
from webapp.times import now

log = logging.getLogger(__name__)

CLEANUP_INTERVAL_SECONDS = 600.0
PROGRESS_INTERVAL_SECONDS = 0.3
# Per picture: its headers, its entry in the ZIP's directory, its entry in the manifest, its metadata.
OVERHEAD_BYTES_PER_PICTURE = 8000
# Left free on the disk for the database and the downloads.
RESERVED_BYTES = 50_000_000
NO_FILES = "None of the selected images has a file yet. Download them first; a ZIP contains files."


class Abandoned(Exception):
    """The ZIP being prepared is not needed any more: it was removed, or Flowshelf is stopping."""


@dataclass(slots=True)
class Progress:
    """How much of a ZIP is prepared. `left_out_count`: selected images without a file."""

    done_count: int = 0
    done_bytes: int = 0
    left_out_count: int = 0


class Exports:
    """The queue of ZIPs, which is in the database, and the thread that prepares them."""

    def __init__(
        self, config: Config, settings: Settings, roots: Sequence[Path], stopping: threading.Event
    ) -> None:
        self._folder = config.exports_dir
        self._settings = settings
        self._roots = roots
        self._stopping = stopping
        self._has_work = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Mark what an earlier process left as interrupted, remove old ZIPs, and start the thread."""
        storage.remove_parts(self._folder)
        exports.interrupt_exports()
        self._remove_old()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self, timeout_seconds: float) -> None:
        """Wait for the thread, which ends soon after `stopping` is set. Its ZIP is interrupted."""
        self._has_work.set()
        if self._thread:
            self._thread.join(timeout_seconds)

    def path_of(self, export_id: str) -> Path:
        return self._folder / f"{export_id}.zip"

    # Commands

    def request(self, selection: Selection, collection_title: str | None = None) -> Export:
        """Queue a ZIP, named after the collection of which all images are, if there is one.

        Raises BadRequest when no selected image has a file, DiskFull when it will not fit.
        """
        total = selections.summary_of(selection)
        if not total.file_count:
            raise BadRequest(NO_FILES)
        self._require_space(total.size_bytes + total.image_count * OVERHEAD_BYTES_PER_PICTURE)
        image_ids = selections.list_ids(selection)
        export = exports.add_export(image_ids, total.size_bytes, collection_title)
        self._has_work.set()
        return export

    def request_again(self, export_id: str) -> None:
        """Queue a ZIP again that failed or was interrupted. Raises DiskFull."""
        self._require_space(exports.get_export(export_id).size_bytes)
        exports.request_again(export_id)
        self._has_work.set()

    def remove(self, export_id: str) -> None:
        """Remove a ZIP.

        The row goes first: by its absence the thread notices that the ZIP it prepares is not needed any more,
        and removes a ZIP that it has just finished.
        """
        exports.remove_export(exports.get_export(export_id).id)
        self.path_of(export_id).unlink(missing_ok=True)

    def _require_space(self, needed: int) -> None:
        free = storage.free_bytes(self._folder) - exports.count_bytes_to_come() - RESERVED_BYTES
        if needed > free:
            raise DiskFull(
                f"This ZIP takes about {megabytes(needed)}, and the disk of the data folder has "
                f"{megabytes(max(free, 0))} to spare. Make room there, or select fewer images."
            )

    # The thread

    def _run(self) -> None:
        while not self._stopping.is_set():
            # Cleared before looking for work: a request that arrives after the check sets it again, and is
            # not missed.
            self._has_work.clear()
            try:
                with store.connection():
                    # This is the only thread that prepares ZIPs, so none is running now. A row that says so
                    # could not be updated when its ZIP failed, e.g. because the disk was full.
                    exports.interrupt_exports([ExportState.RUNNING])
                    self._remove_old()
                    while not self._stopping.is_set() and (export := exports.claim_export()):
                        self._prepare(export)
            except Exception as error:
                log_failure("ZIPs cannot be prepared now; trying again later", error)
            self._has_work.wait(CLEANUP_INTERVAL_SECONDS)

    def _prepare(self, export: Export) -> None:
        try:
            with archive(self.path_of(export.id)) as opened:
                self._fill(opened, export)
            # The file is there before the row says so: a ZIP that is shown as ready can be fetched. Removed
            # in between, it has no row any more, and its file goes too.
            size = self.path_of(export.id).stat().st_size
            if exports.finish_export(export.id, size):
                log.info("ZIP %s: done, %s bytes", export.id, size)
            else:
                self.path_of(export.id).unlink(missing_ok=True)
        except Abandoned:
            log.debug("ZIP %s: abandoned", export.id)
        except FlowshelfError as error:
            exports.fail_export(export.id, str(error))
        except Exception as error:
            log_failure(f"ZIP {export.id} failed", error)
            exports.fail_export(export.id, _sentence(error))

    def _fill(self, opened: Archive, export: Export) -> None:
        progress, reported_at = Progress(), 0.0
        # One setting for the whole ZIP, whatever a person chooses meanwhile.
        current, teller = self._settings.current, Teller(collection=export.collection_title)
        for chunk in store.chunked(exports.list_image_ids(export.id)):
            found = selections.list_in_order(chunk)
            progress.left_out_count += len(chunk) - len(found)
            for image in found:
                fields = teller.fields_of(image, sequence=progress.done_count + 1)
                self._add(opened, image, fields, current, progress)
                if time.monotonic() - reported_at > PROGRESS_INTERVAL_SECONDS:
                    self._report(export, progress)
                    reported_at = time.monotonic()
        self._report(export, progress)
        if not progress.done_count:
            raise BadRequest(NO_FILES)
        totals = {"count": progress.done_count, "leftOut": progress.left_out_count, "madeAt": now()}
        opened.add_manifest(totals)

    def _report(self, export: Export, progress: Progress) -> None:
        """Store the progress. Raises Abandoned when the export was removed, or Flowshelf is stopping."""
        if self._stopping.is_set() or not exports.note_progress(export.id, **asdict(progress)):
            raise Abandoned

    def _add(
        self, opened: Archive, image: Image, fields: Fields, current: Config, progress: Progress
    ) -> None:
        """Add a copy of an image's file to the ZIP, or count the image as left out when its file cannot be
        opened."""
        name = fields.file_name(current.file_names, suffix_of(image))
        with ExitStack() as stack:
            try:
                # Only files under the storage roots: an imported row may name any path of this machine.
                path = storage.path_under(image.file_path or "", self._roots)
                if not path.is_file():
                    raise FileNotFoundError(path)
                copy = stack.enter_context(open_copy(path, fields.description, current.file_metadata))
            except (FolderGone, OSError):
                progress.left_out_count += 1
                return
            progress.done_bytes += opened.add(copy, name, image.created_at, _metadata(image))
        if current.file_metadata == SIDECAR:
            progress.done_bytes += opened.add_sidecar(sidecar(fields.description), image.created_at)
        progress.done_count += 1

    def _remove_old(self) -> None:
        exports.remove_old_exports(datetime.now(UTC))
        expected = {self.path_of(export.id) for export in exports.list_exports()}
        storage.remove_files(path for path in self._folder.glob("*.zip") if path not in expected)


def _metadata(image: Image) -> dict[str, object]:
    """What the manifest says of a picture, in addition to its file name, size and hash."""
    metadata: dict[str, object] = {
        "name": image.name,
        "mediaKey": image.media_key,
        "prompt": image.prompt,
        "model": image.model_name,
        "kind": image.kind,
        "createdAt": image.created_at,
        "downloadedAt": image.downloaded_at,
        "originalSha256": image.changed_sha256 or image.sha256,
    }
    if image.width and image.height:
        metadata |= {"width": image.width, "height": image.height}
    return metadata


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk of the data folder is full. Make room there, then prepare the ZIP again."
    return "The ZIP could not be written; the log says more. No image was changed."
