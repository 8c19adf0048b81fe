"""Whole files under final names, and their removal.

A file under its final name is always whole: it is written beside its place as `.flowshelf-*.part`,
flushed, and only then given its name. Nothing that is there already is overwritten.
"""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from webapp.errors import FolderGone
from webapp.storage.folders import is_there, path_under
from webapp.storage.problems import RESUME, translate_errors

PART_PREFIX = ".flowshelf-"
PART_PATTERN = f"{PART_PREFIX}*.part"
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
DEVICE_NAMES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}


def file_stems(media_key: str, name: str, *, has_plain_name: bool) -> list[str]:
    """Names without ending that an image's file may have, the first choice first.

    The media key comes from the far side: it is used as it stands only when it is a plain name on
    every system, and never as a path.
    """
    safe = "".join(_PLAIN_NAME.findall(media_key))[:80]
    marked = f"{safe[:60] or 'image'}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    is_plain = bool(_PLAIN_NAME.fullmatch(media_key)) and media_key.lower() not in DEVICE_NAMES
    return [media_key, marked] if is_plain and has_plain_name else [marked]


def replace_file(target: Path, content: bytes) -> None:
    """Write a file for its owner alone (0600), in place of an older one; at no moment it is half there."""
    os.replace(_written(target.parent, content), target)


def keep_file(folder: Path, stems: list[str], suffix: str, content: bytes) -> Path:
    """Write `content` under the first of `stems` that is free or holds these very bytes.

    The last stem is the image's own and is replaced. Raises DiskFull or FolderGone.
    """
    with translate_errors(folder, RESUME):
        part = _written(folder, content)
        try:
            for stem in stems:
                target = folder / f"{stem}{suffix}"
                if _take_name(part, target) or target.read_bytes() == content:
                    return target
            os.replace(part, target)
            return target
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def writing_beside(target: Path) -> Iterator[Path]:
    """An empty file, 0600, that becomes `target` in place of what is there once the block ends well.

    Raises DiskFull or FolderGone.
    """
    with translate_errors(target.parent):
        descriptor, name = tempfile.mkstemp(prefix=PART_PREFIX, suffix=".part", dir=target.parent)
        os.close(descriptor)
        part = Path(name)
        try:
            yield part
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)


def _written(folder: Path, content: bytes) -> Path:
    descriptor, name = tempfile.mkstemp(prefix=PART_PREFIX, suffix=".part", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def _take_name(part: Path, target: Path) -> bool:
    """Give a written file its name; False when the name is taken."""
    try:
        os.link(part, target)  # unlike a rename it never replaces
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        if target.exists():
            return False
        os.replace(part, target)
    return True


def remove_parts(folder: Path) -> None:
    """Clear away what a killed process had begun to write."""
    with suppress(OSError):  # of the folder itself: its disk may not answer
        remove_files(folder.glob(PART_PATTERN))


def remove_files(paths: Iterable[str | Path]) -> None:
    """Remove files, or folders with all that is in them; what is not there is no matter."""
    for path in map(Path, paths):
        if os.path.isdir(path):  # False, and no error, on a disk that does not answer
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()


def remove_file(path: str, roots: Iterable[Path]) -> bool:
    """Remove a file of the shelf; False when it lies under none of `roots` or cannot be removed.

    Raises FolderGone when its whole root is missing. A file that is not there counts as removed.
    """
    if not is_there(path, roots):
        return True
    try:
        path_under(path, roots)
        Path(path).unlink(missing_ok=True)
    except (FolderGone, OSError):
        return False
    return True


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
