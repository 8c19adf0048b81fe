"""Writes files atomically, and removes them.

A file under its final name is always complete: it is written in the same folder as `.flowshelf-*.part`,
flushed to the disk, and only then renamed.
"""

import errno
import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import count
from pathlib import Path

from webapp.errors import FolderGone
from webapp.file_names import DEVICE_NAMES
from webapp.storage.folders import is_there, path_under
from webapp.storage.problems import RESUME, translate_errors

PART_PREFIX = ".flowshelf-"
PART_PATTERN = f"{PART_PREFIX}*.part"
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")


def file_stems(media_key: str, name: str, *, has_plain_name: bool) -> list[str]:
    """File names without suffix for an image, in order of preference.

    The first is the media key, the last contains a hash of `name` and belongs to this image alone.
    `has_plain_name`: no image stored earlier has the same media key, ignoring case. The key comes from the
    service: it is used unchanged only if it is a valid file name on every system, and never as a path.
    """
    safe = "".join(_PLAIN_NAME.findall(media_key))[:80]
    marked = f"{safe[:60] or 'image'}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    is_plain = bool(_PLAIN_NAME.fullmatch(media_key)) and media_key.lower() not in DEVICE_NAMES
    return [media_key, marked] if is_plain and has_plain_name else [marked]


def replace_file(target: Path, content: bytes) -> None:
    """Write a file, readable by its owner only (0600), and atomically replace an older one."""
    os.replace(_written(target.parent, content), target)


def save_file(folder: Path, stems: list[str], suffix: str, content: bytes) -> Path:
    """Write `content` under the first of `stems` that is free or has the same content already.

    No file is overwritten. The last stem belongs to this image alone: another file under it is put aside.
    Raises DiskFull or FolderGone.
    """
    with translate_errors(folder, RESUME):
        part = _written(folder, content)
        try:
            for stem in stems:
                target = folder / f"{stem}{suffix}"
                if _take_name(part, target) or target.read_bytes() == content:
                    return target
            put_aside(target)
            os.replace(part, target)
            return target
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """An empty file (0600) to write to. It replaces `target` when the block ends without an error.

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
    """A new part file with this content, flushed to the disk before it is renamed: after a power failure the
    new name must not stand for an empty file."""
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
    """Give a part file its final name; False when the name is taken."""
    try:
        os.link(part, target)  # unlike a rename, it never replaces a file
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        if target.exists():
            return False
        os.replace(part, target)
    return True


def move_file(source: Path, targets: Iterable[Path]) -> bool:
    """Move a file to the first of `targets` that is free; False when none is. No file is ever replaced.

    Raises OSError, also for a target on another disk.
    """
    for target in targets:
        if _take_name(source, target):
            source.unlink(missing_ok=True)  # it is gone already where there are no hard links
            return True
        if target.samefile(source):  # a killed process had linked it and not removed the old name
            source.unlink()
            return True
    return False


def make_private(path: Path) -> None:
    """Let only its owner use a file or folder, where the disk allows it.

    exFAT and some network disks have no modes, and nobody may change those of another user's folder. That is
    no reason to stop: `is_open_to_others` then tells it.
    """
    with suppress(FileNotFoundError):  # SQLite removes its journals at any moment
        mode = 0o700 if path.is_dir() else 0o600
        if stat.S_IMODE(path.stat().st_mode) != mode:
            with suppress(OSError):
                path.chmod(mode)


def is_open_to_others(path: Path) -> bool:
    """Whether its mode lets other users of this machine use a file or folder; False when that is unknown."""
    try:
        return bool(path.stat().st_mode & 0o077)
    except OSError:
        return False


def remove_parts(folder: Path) -> None:
    """Remove the part files that a killed process has left in a folder."""
    with suppress(OSError):  # the folder may be unreadable, as on a disconnected disk
        remove_files(folder.glob(PART_PATTERN))


def remove_files(paths: Iterable[str | Path]) -> None:
    """Remove files, and folders with their content. Missing files and errors are ignored."""
    for path in map(Path, paths):
        if os.path.isdir(path):  # unlike Path.is_dir it never raises, as on a disconnected disk
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()


def remove_file(path: str, roots: Iterable[Path]) -> bool:
    """Remove an image file; False when it is outside of all `roots` or cannot be removed.

    Raises FolderGone when its root is missing. A file that does not exist counts as removed.
    """
    if not is_there(path, roots):
        return True
    try:
        path_under(path, roots)
        Path(path).unlink(missing_ok=True)
    except (FolderGone, OSError):
        return False
    return True


def give_name(path: Path, targets: Iterable[Path]) -> Path:
    """Give a file the first of these names that is free, and return it. No file is ever replaced.

    It keeps its old name as well, unless the disk knows no hard links. Raises OSError.
    """
    for target in targets:
        if _take_name(path, target) or target.samefile(path):
            return target
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def put_aside(path: Path) -> Path:
    """Rename a file to `<name>-changed-<n>` in its folder, so that another can take its name."""
    aside = give_name(path, (path.with_stem(f"{path.stem}-changed-{number}") for number in count(1)))
    path.unlink(missing_ok=True)
    return aside


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def current_sha256(path: Path) -> str:
    """The same, read again only when size or times of the file differ from those of the last reading."""
    found = path.stat()
    return _sha256_of_version(path, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


@lru_cache(maxsize=10_000)
def _sha256_of_version(path: Path, *_: int) -> str:
    return file_sha256(path)
