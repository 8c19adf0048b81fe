"""Files that were changed outside Flowshelf: they are noticed, and a person decides which picture is right.

A row names the sha256 of the file that was stored. When the file is another whole picture now, its sha256 is
noted as `changed_sha256`, and nothing else changes until a person keeps it or downloads the image again.
"""

import logging
import os
from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path

from webapp import storage
from webapp.database.models import Image
from webapp.errors import BadPicture, BadRequest, FolderGone, UnknownImage
from webapp.store.gallery import images
from webapp.store.roots import place_columns
from webapp.times import now, parsed

log = logging.getLogger(__name__)

# FAT keeps times of files to two seconds.
TIME_PRECISION_SECONDS = 2.0
_SAME_SUFFIX = {".jpeg": ".jpg"}


def sha256_of(image: Image, path: Path) -> str:
    """The sha256 of what the file holds now. If that is not what was stored, the row and `image` note it.

    A file of the stored size that nobody touched since is not read. Raises OSError.
    """
    if image.sha256 and image.changed_sha256 is None and is_untouched(image, path.stat()):
        return image.sha256
    sha256 = storage.current_sha256(path)
    note_sha256(image, path, sha256)
    return sha256


def is_untouched(image: Image, found: os.stat_result) -> bool:
    """Whether a file has the stored size, and nobody but Flowshelf touched it since it was stored.

    The time of the last change of an inode counts as well: unlike that of its content, no program that
    copies a file can set it.
    """
    if found.st_size != image.size_bytes or not image.downloaded_at:
        return False
    # Setting the modification time changes the inode, too.
    stored = parsed(max(image.downloaded_at, image.file_time_at or "")).timestamp()
    return max(found.st_mtime, found.st_ctime) <= stored + TIME_PRECISION_SECONDS


def note_sha256(image: Image, path: Path, sha256: str) -> None:
    """Compare a file with what was stored, and note in the row, and in `image`, what it turned out to be."""
    if is_as_stored(image, path, sha256):
        _note(image, changed_sha256=None)
    elif sha256 == image.changed_sha256:
        pass  # known
    elif storage.decodes(path):
        _note(image, changed_sha256=sha256, damaged_at=None)
        log.warning("The file of image %s was changed outside Flowshelf: another image", image.id)
    elif image.damaged_at is None:
        _note(image, changed_sha256=None, damaged_at=now())
        log.warning("The file of image %s was changed outside Flowshelf: damaged", image.id)


def is_as_stored(image: Image, path: Path, sha256: str) -> bool:
    """Whether a file is the one that the row describes. A row without a sha256 may know the size."""
    if image.sha256 is not None:
        return sha256 == image.sha256
    return image.size_bytes in (None, path.stat().st_size)


def _note(image: Image, **fields: str | None) -> None:
    if any(getattr(image, name) != value for name, value in fields.items()):
        images.mark_as_found([image], **fields)
        for name, value in fields.items():
            setattr(image, name, value)


def keep(image: Image, roots: Sequence[Path], *, shown_sha256: str | None = None) -> None:
    """Take the picture that the file holds now for the right one, with its sha256, size, kind and shape.

    `shown_sha256` is what the person saw who decided. Raises BadRequest when the file was changed again
    since, UnknownImage without a file, BadPicture when it is no whole picture, and FolderGone.
    """
    if image.file_path is None or not storage.is_there(image.file_path, roots):
        raise UnknownImage("The file of this image is missing, so there is nothing to keep.")
    path = Path(image.file_path)
    with storage.translate_errors(path.parent):
        sha256 = storage.current_sha256(path)
        note_sha256(image, path, sha256)
        if not storage.decodes(path):
            raise BadPicture("The file is damaged, so it cannot be kept as it is. Download the image again.")
        if shown_sha256 and sha256 != shown_sha256:
            raise BadRequest("The file was changed once more. Look at it again before you keep it.")
        header = storage.read_header(path.read_bytes())
        named = _with_suffix(path, header.suffix, roots)
        is_stored = images.mark_as_found(
            [image],
            **place_columns(named) if named != path else {},
            sha256=sha256,
            size_bytes=path.stat().st_size if path.exists() else named.stat().st_size,
            width=header.width,
            height=header.height,
            changed_sha256=None,
            damaged_at=None,
            file_time_at=None,  # the next start sets it
        )
        if named != path:  # the row first: killed in between, the file has both names
            (path if is_stored else named).unlink(missing_ok=True)


def _with_suffix(path: Path, suffix: str, roots: Sequence[Path]) -> Path:
    """The file under a name with the suffix of its kind. The old name stays as well, where the disk can do
    that. A file that is not under a root keeps its name."""
    known = path.suffix.lower()
    if _SAME_SUFFIX.get(known, known) == suffix or path.is_symlink():
        return path
    try:
        storage.path_under(str(path), roots)
    except FolderGone:
        return path
    names = chain([path.with_suffix(suffix)], (path.with_name(f"{path.stem}-{n}{suffix}") for n in count(2)))
    return storage.give_name(path, names)
