"""Removes files: those that a person deletes, with their thumbnails, and those of a removed profile.

Every removal is recorded before the first file goes (`store.removals`), and forgotten when its file is gone.
"""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from threading import Event

from webapp import storage, store
from webapp.database.models import Image, Removal
from webapp.errors import FolderGone
from webapp.store import removals
from webapp.store.gallery import deletions, images

log = logging.getLogger(__name__)

# Removals that are forgotten in one transaction. A killed process does as many again, which does no harm.
FILES_PER_TRANSACTION = 50


class _Outcome(Enum):
    REMOVED = auto()
    REFUSED = auto()  # it is not ours to remove
    FAILED = auto()  # its disk is missing, or the system refuses


@dataclass(frozen=True, slots=True)
class Disk:
    """Where files may be removed: below `roots`, of which `images_dir` has a folder for each profile, and
    below `thumbnails_dir`."""

    roots: Sequence[Path]
    images_dir: Path
    thumbnails_dir: Path


def delete_files(image_ids: Sequence[str], disk: Disk, stopping: Event) -> tuple[int, int]:
    """Delete the files of images; the rows stay. Returns how many were deleted, and how many were not.

    A file outside the storage roots, or one whose root is missing, stays. When `stopping` is set, the next
    start carries on.
    """
    failed_count = 0
    deletable: list[tuple[str, str]] = []
    for chunk in store.chunked(list(image_ids)):
        files = [(image.local_path, image.id) for image in images.list_by_ids(chunk) if image.local_path]
        deletable_here = [file for file in files if _is_deletable(file[0], disk.roots)]
        deletable += deletable_here
        failed_count += len(files) - len(deletable_here)
    deleted_count = carry_out(deletions.request_deletions(deletable), disk, stopping)
    return deleted_count, failed_count + len(deletable) - deleted_count


def carry_out(rows: Sequence[Removal], disk: Disk, stopping: Event) -> int:
    """Remove recorded files until `stopping` is set. Returns how many are gone.

    A file that an image has (again), or that is outside of `disk`, stays. What cannot be removed now is tried
    again at the next start, except a file that a person deleted: that one was reported as not deleted.
    """
    known = removals.list_known_paths()
    removed_count = kept_count = 0
    for chunk in store.chunked(rows, FILES_PER_TRANSACTION):
        owners = {
            image.id: image for image in images.list_by_ids([row.image_id for row in chunk if row.image_id])
        }
        finished: list[Removal] = []
        deleted: list[Image] = []
        for row in chunk:
            if stopping.is_set():
                break
            owner = owners.get(row.image_id or "")
            outcome = _remove(row.path, disk) if _is_current(row, owner, known) else _Outcome.REFUSED
            if outcome is _Outcome.REMOVED:
                removed_count += 1
                deleted += [owner] if owner else []
            else:
                kept_count += 1
            if row.image_id or outcome is not _Outcome.FAILED:
                finished.append(row)
        _remove_thumbnails(deleted, disk.thumbnails_dir)
        deletions.finish_deletions(finished, deleted)
    if kept_count:
        log.warning("%s of %s files could not be removed", kept_count, len(rows))
    return removed_count


def _is_current(row: Removal, owner: Image | None, known: Collection[str]) -> bool:
    """Whether nothing has taken the file since its removal was recorded."""
    return row.path == owner.local_path if owner else not row.image_id and row.path not in known


def _remove(path: str, disk: Disk) -> _Outcome:
    place = Path(path)
    if place.parent == disk.thumbnails_dir:
        storage.remove_files([place])
        return _Outcome.FAILED if place.exists() else _Outcome.REMOVED
    if place.parent == disk.images_dir and place.is_dir():
        storage.remove_parts(place)
        with suppress(OSError):  # files that Flowshelf does not know keep the folder
            place.rmdir()
        return _Outcome.REMOVED
    return _remove_file(path, disk.roots)


def _remove_file(path: str, roots: Sequence[Path]) -> _Outcome:
    try:
        if not storage.is_there(path, roots):
            return _Outcome.REMOVED
    except FolderGone:
        return _Outcome.FAILED
    if not _is_deletable(path, roots):
        return _Outcome.REFUSED
    return _Outcome.REMOVED if storage.remove_file(path, roots) else _Outcome.FAILED


def _is_deletable(path: str, roots: Sequence[Path]) -> bool:
    """Whether a file lies under a root, or is missing from a root that is there."""
    try:
        if storage.is_there(path, roots):
            storage.path_under(path, roots)
    except FolderGone:
        return False
    return True


def _remove_thumbnails(deleted: Iterable[Image], thumbnails_dir: Path) -> None:
    """The name of a thumbnail is `<id>-<sha256>-<edge>.webp`; imported ids may contain dashes."""
    by_folder: defaultdict[Path, set[str]] = defaultdict(set)
    for image in deleted:
        by_folder[thumbnails_dir / image.profile_id].add(image.id)
    for folder, ids in by_folder.items():
        for path in folder.glob("*"):
            if path.stem.rsplit("-", 2)[0] in ids:
                with suppress(OSError):
                    path.unlink()
