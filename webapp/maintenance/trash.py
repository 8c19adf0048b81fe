"""Moves files into the trash and back, and deletes those in it.

Each function begins with rows that say what is to be done, and may be called again after a kill at any
moment: it looks where the file is. Callers take turns (`webapp.background.trash`).
"""

import logging
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from enum import Enum, auto
from itertools import count
from pathlib import Path, PurePosixPath

from webapp import storage, store
from webapp.database.models import Image, TrashedFile
from webapp.database.states import TrashReason, TrashState
from webapp.errors import FlowshelfError, FolderGone
from webapp.storage import trash as disk
from webapp.storage.roots import Place, is_absolute
from webapp.store import trash, trashing
from webapp.store.gallery import images
from webapp.store.image_files import Fileless
from webapp.store.roots import current_roots
from webapp.store.runs import downloads

log = logging.getLogger(__name__)

# Files that are recorded as moved in one transaction. After a kill as many are looked at again.
FILES_PER_TRANSACTION = 50
_MAX_NAMES = 1000


class Moved(Enum):
    """What became of a file on its way into the trash. MISSING: it was not there. REFUSED: it stays where it
    is. LATER: it is in use, or its disk is not connected."""

    MOVED = auto()
    MISSING = auto()
    REFUSED = auto()
    LATER = auto()


class Restored(Enum):
    """What became of a file on its way back. ASIDE: it lies next to the file that its image has now, or has
    no image. STAYS: it is in use, its image is being downloaded, or its disk is not connected. GONE: it was
    not in the trash."""

    BACK = auto()
    ASIDE = auto()
    STAYS = auto()
    GONE = auto()


def path_of(row: TrashedFile, roots: Sequence[Path]) -> Path:
    """Where a file lies. Raises FolderGone unless that is in the trash of a root: a damaged row may name any
    file."""
    path = row.path_in_trash
    if not storage.is_in_trash(storage.path_under(str(path.parent), roots)):
        raise FolderGone(f"{path} is not in a trash.")
    return path


# Into the trash


def move_in(
    rows: Sequence[TrashedFile],
    roots: Sequence[Path],
    is_stopping: Callable[[], bool],
    *,
    is_resumed: bool = False,
) -> dict[Moved, int]:
    """Move recorded files into the trash until `is_stopping`. Returns how many had each outcome.

    `is_resumed`: a killed process recorded them, so an image may have another file by now.
    """
    counts: defaultdict[Moved, int] = defaultdict(int)
    _write_about(rows)
    for chunk in store.chunked(rows, FILES_PER_TRANSACTION):
        by_outcome: defaultdict[Moved, list[TrashedFile]] = defaultdict(list)
        wanted = _current(chunk) if is_resumed else chunk
        for row in chunk:
            if is_stopping():
                break
            outcome = _move_in(row, roots, is_current=row in wanted)
            by_outcome[outcome].append(row)
            counts[outcome] += 1
        moved = by_outcome[Moved.MOVED]
        trash.finish_moving(moved, by_outcome[Moved.MISSING], by_outcome[Moved.REFUSED])
        _remove_folders_of_profiles(moved)
    _remove_acts(rows)
    return counts


def _move_in(row: TrashedFile, roots: Sequence[Path], *, is_current: bool) -> Moved:
    if os.path.lexists(row.path_in_trash):
        return Moved.MOVED
    if not is_current:
        return Moved.REFUSED
    try:
        is_there = storage.is_there(str(row.file_path), roots)
    except FolderGone:
        return Moved.LATER if row.reason == TrashReason.PROFILE else Moved.REFUSED
    return _rename(row, roots) if is_there else Moved.MISSING


def _rename(row: TrashedFile, roots: Sequence[Path]) -> Moved:
    try:
        storage.path_under(str(row.file_path), roots)
        disk.move_in(row.file_path, row.path_in_trash)
    except FolderGone:
        return Moved.REFUSED
    except OSError as error:
        if disk.is_in_use(error):
            return Moved.LATER
        log.warning("%s was not moved to the trash: %s", row.file_path, error)
        return Moved.REFUSED
    return Moved.MOVED


def _current(rows: Sequence[TrashedFile]) -> list[TrashedFile]:
    """The rows whose files nothing has taken since: they may still be moved. A file that was to be replaced
    stays, because its download begins anew."""
    by_id = {image.id: image for image in images.list_by_ids([row.image_id for row in rows])}
    used = trash.list_used_places(rows)

    def is_current(row: TrashedFile) -> bool:
        if row.reason == TrashReason.PROFILE:
            return Place(row.root_id, row.local_path) not in used
        image = by_id.get(row.image_id)
        is_same = image is not None and (image.root_id, image.local_path) == (row.root_id, row.local_path)
        return is_same and row.reason == TrashReason.DELETED

    return [row for row in rows if is_current(row)]


def _write_about(rows: Sequence[TrashedFile]) -> None:
    """Write next to the files what they are, unless a killed process did. A full disk is no reason not to
    move them: the rows know it."""
    by_folder: defaultdict[Path, list[TrashedFile]] = defaultdict(list)
    for row in rows:
        by_folder[row.path_in_trash.parent].append(row)
    for folder, listed in by_folder.items():
        storage.remove_parts(folder)
        if not folder.parents[1].is_dir() or (folder / disk.ABOUT).exists():
            continue
        try:
            disk.write_about(folder, [_about(row) for row in listed])
        except OSError as error:
            log.warning("%s could not be written: %s", folder / disk.ABOUT, error)


def _about(row: TrashedFile) -> dict[str, str]:
    return {
        "file": PurePosixPath(row.trash_path).name,
        "from": row.local_path,
        "image": row.name,
        "imageId": row.image_id,
        "profile": row.profile_name,
        "profileId": row.profile_id,
        "account": row.account or "",
        "reason": row.reason,
        "sha256": row.sha256 or "",
        "trashedAt": row.trashed_at,
    }


def _remove_folders_of_profiles(moved: Iterable[TrashedFile]) -> None:
    """Remove the folders of removed profiles that are empty now."""
    folders = {row.file_path.parent for row in moved if row.reason == TrashReason.PROFILE}
    removed = {row.profile_id for row in moved}
    for folder in folders:
        if folder.name in removed:
            with suppress(OSError):
                folder.rmdir()


def put_replaced(image: Image, roots: Sequence[Path]) -> None:
    """Move the file of an image into the trash, so that another can take its place. The image keeps its row
    until that one is complete. Raises FolderGone when the file cannot be moved."""
    rows = trashing.add_files([image], TrashReason.REPLACED)
    counts = move_in(rows, roots, lambda: False)
    if counts[Moved.LATER]:
        trash.forget(row.id for row in rows)
    if counts[Moved.LATER] or counts[Moved.REFUSED]:
        raise FolderGone(
            f"The file {image.file_path} is to be replaced, and it cannot be moved to the trash. It may be "
            "open in another program, or its folder not writable. Nothing was changed."
        )


# Back


def restore(row: TrashedFile, roots: Sequence[Path]) -> Restored:
    """Move a file back to where it was. Nothing is ever overwritten: if its image has another file by now,
    it is put next to where it was."""
    try:
        return _restore(row, roots)
    except (FlowshelfError, OSError) as error:
        log.warning("%s was not restored: %s", row.path_in_trash, error)
    if row.state == TrashState.RESTORING:
        trash.set_state([row.id], TrashState.KEPT)
    return Restored.STAYS


def _restore(row: TrashedFile, roots: Sequence[Path]) -> Restored:
    if row.state == TrashState.MOVING and not os.path.lexists(row.path_in_trash):
        trash.want_again(row)  # it is in use, and was not moved yet
        return Restored.BACK
    if not storage.is_there(str(path_of(row, roots)), roots):
        return _finish_killed(row)
    image = trash.find_image(row)
    if row.state == TrashState.EMPTYING or (image and downloads.is_running(image.id)):
        return Restored.STAYS
    if image and _has_same_file(image, row):
        return Restored.BACK if empty([row], roots) else Restored.STAYS
    return _move_back(row, image, roots)


def _finish_killed(row: TrashedFile) -> Restored:
    """A file that is not in the trash: a killed process may have moved it back already."""
    if row.state == TrashState.RESTORING and row.target and os.path.lexists(row.target):
        return _finish(row)
    trash.forget([row.id])
    _remove_acts([row])
    return Restored.GONE


def _has_same_file(image: Image, row: TrashedFile) -> bool:
    """Whether the image has a file with the same content already: a second one would be of no use."""
    if image.file_path is None or image.sha256 != row.sha256 or not os.path.isfile(image.file_path):
        return False
    return storage.file_sha256(Path(image.file_path)) == storage.file_sha256(row.path_in_trash)


def _move_back(row: TrashedFile, image: Image | None, roots: Sequence[Path]) -> Restored:
    for target_path in _targets(row, image):
        target = current_roots().path_of(Place(row.root_id, target_path))
        is_taken = os.path.lexists(target) and not target.samefile(row.path_in_trash)
        if is_taken:
            continue
        storage.path_under(str(target), roots)
        storage.make_folder(target.parent, roots)
        trash.request_restoring(row, target_path)
        if disk.move_out(row.path_in_trash, [target]):
            return _finish(row)
    return Restored.STAYS


def _finish(row: TrashedFile) -> Restored:
    is_taken = trash.finish_restoring(row, Place(row.root_id, row.target_path or ""))
    _remove_acts([row])
    return Restored.BACK if is_taken else Restored.ASIDE


def _targets(row: TrashedFile, image: Image | None) -> Iterator[str]:
    """Where a file may go, relative to its root: where it was, then names next to it."""
    home = PurePosixPath(row.local_path)
    if image and row.root_id is None and home.parts[0] == row.profile_id != image.profile_id:
        home = PurePosixPath(image.profile_id, *home.parts[1:])  # its profile was removed and added again
    has_other = image is not None and image.local_path not in (None, row.local_path)
    if not has_other:
        yield home.as_posix()
    yield home.with_stem(f"{home.stem}-restored").as_posix()
    numbered = (home.with_stem(f"{home.stem}-restored-{number}") for number in count(2))
    yield from (next(numbered).as_posix() for _ in range(_MAX_NAMES))


def read_for_download(image: Fileless, roots: Sequence[Path]) -> tuple[TrashedFile, bytes] | None:
    """The file of an image in the trash, if it is still whole and what the image had."""
    row = trash.find_of_image(image.name)
    if row is None:
        return None
    with suppress(FolderGone, OSError):
        path = storage.path_under(str(path_of(row, roots)), roots)
        file = storage.read_sound_file(path)
        if file is not None and row.sha256 in (None, file.sha256):
            return row, path.read_bytes()
    return None


# For good


def empty(rows: Sequence[TrashedFile], roots: Sequence[Path], *, checks: bool = False) -> list[TrashedFile]:
    """Delete files of the trash for good. Returns those that are gone.

    `checks`: only files that are still what Flow sent. A file in use is tried again.
    """
    gone: list[TrashedFile] = []
    for chunk in store.chunked(rows, FILES_PER_TRANSACTION):
        deleted = [row for row in chunk if _delete(row, roots, checks=checks)]
        trash.forget(row.id for row in deleted)
        gone += deleted
    _remove_acts(gone)
    return gone


def _delete(row: TrashedFile, roots: Sequence[Path], *, checks: bool) -> bool:
    path = row.path_in_trash
    try:
        if not storage.is_there(str(path_of(row, roots)), roots):
            return True
        if checks and storage.file_sha256(path) != row.fetched_sha256:
            trash.distrust(row)
            return False
        disk.remove(path)
    except FolderGone as error:
        log.warning("%s stays in the trash: %s", path, error)
        trash.set_state([row.id], TrashState.KEPT)
        return False
    except OSError as error:
        if not disk.is_in_use(error):
            log.warning("%s stays in the trash: %s", path, error)
            trash.set_state([row.id], TrashState.KEPT)
        return False
    return True


def _remove_acts(rows: Iterable[TrashedFile]) -> None:
    """Remove the folders of acts of which nothing is left."""
    folders = {(row.act, row.root_id): row.path_in_trash.parent for row in rows}
    for (act, root_id), folder in folders.items():
        if not trash.has_act(act, root_id):
            disk.remove_act(folder)


# What the database does not know


def find_unrecorded() -> int:
    """Record files in the trash of all roots that no row knows, as after a restored backup. Returns how
    many."""
    found = 0
    for root_id, root in current_roots().by_id.items():
        for folder, entries in disk.list_acts(root):
            for about in entries:
                trash_path = f"{storage.TRASH_FOLDER}/{folder.name}/{about['file']}"
                if is_absolute(about["from"]) or trash.is_known(root_id, trash_path):
                    continue
                if about["reason"] not in list(TrashReason):
                    about["reason"] = TrashReason.DELETED
                trashing.add_found(
                    Place(root_id, about["from"]),
                    trash_path,
                    act=folder.name,
                    about=about,
                    size_bytes=(folder / about["file"]).stat().st_size,
                )
                found += 1
    return found


def forget_missing(roots: Sequence[Path]) -> None:
    """Forget files that somebody removed from the trash by hand. Those of a missing root stay."""
    missing: list[TrashedFile] = []
    for row in trash.iterate_kept():
        with suppress(FolderGone):
            if not storage.is_there(str(row.path_in_trash), roots):
                missing.append(row)
    trash.forget(row.id for row in missing)
    _remove_acts(missing)
