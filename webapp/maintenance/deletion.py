"""Removes files: those that a person deletes, with their thumbnails, and those of a removed profile.

Every removal is recorded before the first file goes (`store.removals`), and forgotten when its file is gone.
"""

import logging
import os
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
    deletable: list[Image] = []
    for chunk in store.chunked(list(image_ids)):
        files = {image: path for image in images.list_by_ids(chunk) if (path := image.file_path)}
        deletable_here = [image for image, path in files.items() if is_deletable(path, disk.roots)]
        deletable += deletable_here
        failed_count += len(files) - len(deletable_here)
    deleted_count = carry_out(deletions.request_deletions(deletable), disk, stopping)
    return deleted_count, failed_count + len(deletable) - deleted_count


def carry_out(rows: Sequence[Removal], disk: Disk, stopping: Event) -> int:
    """Remove recorded files until `stopping` is set. Returns how many are gone.

    A file that an image has (again), or that is outside of `disk`, stays. What cannot be removed now is tried
    again at the next start, except a file that a person deleted: that one was reported as not deleted.
    """
    known = removals.list_known_places() if any(row.image_id is None for row in rows) else set()
    thumbnails = _Thumbnails(disk.thumbnails_dir)
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
            outcome = _remove(row, disk) if _is_current(row, owner, known) else _Outcome.REFUSED
            if outcome is _Outcome.REMOVED:
                removed_count += 1
                deleted += [owner] if owner else []
            else:
                kept_count += 1
            if row.image_id or outcome is not _Outcome.FAILED:
                finished.append(row)
        thumbnails.remove(deleted)
        deletions.finish_deletions(finished, deleted)
    if kept_count:
        log.warning("%s of %s files could not be removed", kept_count, len(rows))
    return removed_count


def _is_current(row: Removal, owner: Image | None, known: Collection[tuple[str, int | None]]) -> bool:
    """Whether nothing has taken the file since its removal was recorded."""
    place = row.local_path, row.root_id
    return place == (owner.local_path, owner.root_id) if owner else not row.image_id and place not in known


def _remove(row: Removal, disk: Disk) -> _Outcome:
    profile_id, slash, rest = row.local_path.partition("/")
    if profile_id.strip(".") and slash and not rest:
        return _remove_folders(profile_id, disk)
    return _remove_file(row.file_path, disk.roots)


def _remove_folders(profile_id: str, disk: Disk) -> _Outcome:
    """Remove the thumbnails of a removed profile, and its folder of images if that is empty."""
    thumbnails, folder = disk.thumbnails_dir / profile_id, disk.images_dir / profile_id
    storage.remove_files([thumbnails])
    storage.remove_parts(folder)
    with suppress(OSError):  # files that are kept, or that Flowshelf does not know
        folder.rmdir()
    return _Outcome.FAILED if os.path.lexists(thumbnails) else _Outcome.REMOVED


def _remove_file(path: str, roots: Sequence[Path]) -> _Outcome:
    try:
        if not storage.is_there(path, roots):
            return _Outcome.REMOVED
    except FolderGone:
        return _Outcome.FAILED
    if not is_deletable(path, roots):
        return _Outcome.REFUSED
    return _Outcome.REMOVED if storage.remove_file(path, roots) else _Outcome.FAILED


def is_deletable(path: str, roots: Sequence[Path]) -> bool:
    """Whether a file lies under a root, or is missing from a root that is there."""
    try:
        if storage.is_there(path, roots):
            storage.path_under(path, roots)
    except FolderGone:
        return False
    return True


def remove_thumbnails(deleted: Sequence[Image], thumbnails_dir: Path) -> None:
    """Remove the thumbnails of images."""
    _Thumbnails(thumbnails_dir).remove(deleted)


class _Thumbnails:
    """The thumbnails of deleted images. Each profile's folder is listed once: it may hold a hundred thousand.

    The name of a thumbnail is `<id>-<sha256>-<edge>.webp`; imported ids may contain dashes.
    """

    def __init__(self, thumbnails_dir: Path) -> None:
        self._dir = thumbnails_dir
        self._by_profile: dict[str, defaultdict[str, list[Path]]] = {}

    def remove(self, deleted: Iterable[Image]) -> None:
        for image in deleted:
            if image.profile_id not in self._by_profile:
                self._by_profile[image.profile_id] = self._list(image.profile_id)
            storage.remove_files(self._by_profile[image.profile_id].get(image.id, ()))

    def _list(self, profile_id: str) -> defaultdict[str, list[Path]]:
        by_image: defaultdict[str, list[Path]] = defaultdict(list)
        for path in (self._dir / profile_id).glob("*"):
            by_image[path.stem.rsplit("-", 2)[0]].append(path)
        return by_image
