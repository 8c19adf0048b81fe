"""Downloads one image to one file. Uses the source and the disk, not the database."""

import hashlib
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from webapp import storage
from webapp.sources import Source, aspect_ratio_of
from webapp.sources.retry import RetryPolicy


@dataclass(frozen=True, slots=True)
class SavedFile:
    """A complete file under its final name, with the size of its picture in pixels. `aspect_ratio` is Flow's
    name for it, None when it is none of Flow's."""

    path: Path
    size_bytes: int
    sha256: str
    width: int
    height: int
    aspect_ratio: str | None


def download_image(
    source: Source,
    retry: RetryPolicy,
    name: str,
    media_key: str,
    *,
    folder: Path,
    stems: list[str],
    replaced: Path | None = None,
    put_replaced: Callable[[], None],
    stopping: threading.Event,
) -> SavedFile:
    """Fetch an image, check that it is a complete picture, and save it in `folder` under the first free
    one of `stems`. `put_replaced` moves the file `replaced` away before, unless it has the same content.

    Raises the last error of `Source.fetch_image` when all tries have failed, Stopped, DiskFull, FolderGone.
    """
    content, _ = retry.call(lambda: _fetch(source, name, media_key), stopping)
    if replaced and not _has_content(replaced, content):
        put_replaced()
    return saved_file(folder, stems, content)


def saved_file(folder: Path, stems: list[str], content: bytes) -> SavedFile:
    """Save a whole picture in `folder` under the first free one of `stems`. Raises DiskFull, FolderGone."""
    header = storage.read_header(content)
    path = storage.save_file(folder, stems, header.suffix, content)
    aspect_ratio = aspect_ratio_of(header.width, header.height)
    digest = hashlib.sha256(content).hexdigest()
    return SavedFile(path, len(content), digest, header.width, header.height, aspect_ratio)


def _has_content(path: Path, content: bytes) -> bool:
    """Whether a file has this content; a missing one has, because it is in nobody's way."""
    with storage.translate_errors(path.parent), suppress(FileNotFoundError):
        return path.read_bytes() == content
    return True


def _fetch(source: Source, name: str, media_key: str) -> tuple[bytes, storage.PictureHeader]:
    # The header is read within the try: truncated bytes (BadPicture) are fetched again.
    content = source.fetch_image(name, media_key).content
    return content, storage.read_header(content)
