"""Phase 2: one image to one file. Knows the source and the disk, nothing of the database."""

import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path

from webapp import storage
from webapp.sources import Source, aspect_ratio_of
from webapp.sources.retry import RetryPolicy


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A whole file under its final name, with the size of its picture, and its shape where it is one of
    Flow's."""

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
    stopping: threading.Event,
) -> KeptFile:
    """Fetch an image, check that it is a whole picture, and keep it in `folder` under the first free
    one of `stems`.

    Raises what `Source.fetch_image` raises once patience is at its end, Stopped, DiskFull, FolderGone.
    """
    content, header = retry.call(lambda: _fetch(source, name, media_key), stopping)
    path = storage.keep_file(folder, stems, header.suffix, content)
    shape = aspect_ratio_of(header.width, header.height)
    digest = hashlib.sha256(content).hexdigest()
    return KeptFile(path, len(content), digest, header.width, header.height, shape)


def _fetch(source: Source, name: str, media_key: str) -> tuple[bytes, storage.PictureHeader]:
    content = source.fetch_image(name, media_key).content
    return content, storage.read_header(content)
