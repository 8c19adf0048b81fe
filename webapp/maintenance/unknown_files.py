"""Finds files in the folders of profiles that no image knows, and moves them out of the way on request."""

import logging
import os
import re
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from webapp import storage
from webapp.errors import FlowshelfError
from webapp.store import removals, trash
from webapp.store.gallery import images
from webapp.store.profiles import list_profiles

log = logging.getLogger(__name__)

MAX_NAMES = 20
# A download that is under way stores its file first and its row afterwards.
MIN_AGE_SECONDS = 600.0
# The folder of a removed profile is known by the form of its name alone.
_PROFILE_ID = re.compile(r"profile_[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class UnknownFiles:
    """How many files no image knows, the first of them relative to `images`, and how many were moved."""

    count: int
    first: list[str]
    moved_count: int


def check_unknown_files(
    images_dir: Path, unknown_dir: Path, other_roots: Iterable[Path] = (), *, moves: bool = False
) -> UnknownFiles:
    """Look for unknown files below the folders of profiles, removed ones included, but not in `other_roots`.

    `moves`: move them to the same place below `unknown_dir`, where nothing is ever replaced.
    """
    found = sorted(_list_unknown(images_dir, {root.resolve() for root in other_roots}))
    moved_count = sum(_move(images_dir, unknown_dir, path) for path in found) if moves else 0
    return UnknownFiles(len(found), [path.as_posix() for path in found[:MAX_NAMES]], moved_count)


def _list_unknown(images_dir: Path, other_roots: Collection[Path]) -> Iterator[Path]:
    known = _known_files()
    profile_ids = {profile.id for profile in list_profiles()}
    newest = time.time() - MIN_AGE_SECONDS
    for profile_id in _names_of_folders(images_dir):
        if profile_id not in profile_ids and not _PROFILE_ID.fullmatch(profile_id):
            continue
        for folder, folders, names in os.walk(images_dir / profile_id):  # does not follow links
            if Path(folder).resolve() in other_roots:
                folders.clear()
                continue
            for name in names:
                keys = {_key(profile_id, name), _key(os.path.basename(folder), name)}
                path = Path(folder, name)
                if keys.isdisjoint(known) and not name.endswith(".part") and _is_older(path, newest):
                    yield path.relative_to(images_dir)


def _names_of_folders(images_dir: Path) -> list[str]:
    """Nothing when the disk is not connected, which the images themselves report."""
    try:
        with os.scandir(images_dir) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _known_files() -> set[tuple[str, str]]:
    """Folder and name of each file that has an image, or is being removed.

    Whole paths are not compared: after the data folder was moved they may differ, and then every file would
    be unknown.
    """
    known = {_key_of(row.file_path) for row in removals.list_removals()}
    known |= {_key_of(str(row.file_path)) for row in trash.list_under_way()}
    after_id = ""
    while chunk := images.list_with_file(after_id):
        for image in chunk:
            folder, name = _key_of(image.file_path or "")
            known |= {(folder, name), _key(image.profile_id, name)}
        after_id = chunk[-1].id
    return known


def _key_of(path: str) -> tuple[str, str]:
    pure = PurePosixPath(path.replace("\\", "/"))
    return _key(pure.parent.name, pure.name)


def _key(folder: str, name: str) -> tuple[str, str]:
    return folder.lower(), name.lower()  # some disks do not tell upper from lower case


def _is_older(path: Path, newest: float) -> bool:
    """Whether it is a file, no link, that was last written before `newest`."""
    try:
        return path.is_file() and not path.is_symlink() and path.stat().st_mtime < newest
    except OSError:
        return False


def _move(images_dir: Path, unknown_dir: Path, relative: Path) -> bool:
    source, target = images_dir / relative, unknown_dir / relative
    try:
        with storage.translate_errors(unknown_dir):
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            return storage.move_file(source, _free_names(target))
    except FlowshelfError as error:
        log.warning("%s was not moved: %s", source, error)
        return False


def _free_names(target: Path) -> Iterable[Path]:
    yield target
    for number in range(2, 1000):
        yield target.with_stem(f"{target.stem}-{number}")
