"""Writes a ZIP of pictures chunk by chunk to a temporary file, which gets its name once it is complete."""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from webapp import times
from webapp.storage import DEVICE_NAMES, PART_PREFIX

CHUNK_BYTES = 1 << 20
MANIFEST = "manifest.json"
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")
# The range of years that a ZIP can express.
_MIN_YEAR, _MAX_YEAR = 1980, 2107


class Archive:
    """An open ZIP. Pictures are stored uncompressed, because their formats are compressed already.

    `manifest` is a temporary file that collects the list of pictures, which may be too long for memory.
    """

    def __init__(self, opened: ZipFile, manifest: IO[bytes]) -> None:
        self._zip = opened
        self._manifest = manifest
        self._names = Names()
        self._separator = '{"images": [\n'

    def add(self, source: IO[bytes], file_name: str, created_at: str, metadata: dict[str, object]) -> int:
        """Copy a picture into the ZIP and add it to the manifest. Returns its size in bytes."""
        info = ZipInfo(self._names.unique(file_name), date_time=_zip_time(created_at))
        info.external_attr = 0o644 << 16
        info.file_size = os.fstat(source.fileno()).st_size  # zipfile decides by this whether to use ZIP64
        digest, size = hashlib.sha256(), 0
        with self._zip.open(info, "w") as target:
            while chunk := source.read(CHUNK_BYTES):
                digest.update(chunk)
                size += target.write(chunk)
        entry = {"file": info.filename} | metadata | {"sizeBytes": size, "sha256": digest.hexdigest()}
        self._write(self._separator + json.dumps(entry, ensure_ascii=False))
        self._separator = ",\n"
        return size

    def add_manifest(self, totals: dict[str, object]) -> None:
        """Add the manifest: one JSON object with the list of pictures under `images`, then the `totals`."""
        rest = json.dumps(totals, ensure_ascii=False)[1:]
        start = self._separator if self._separator.startswith("{") else ""
        self._write(f"{start}\n], {rest}\n")
        self._manifest.seek(0)
        with self._zip.open(MANIFEST, "w", force_zip64=True) as target:
            shutil.copyfileobj(self._manifest, target, CHUNK_BYTES)

    def _write(self, text: str) -> None:
        self._manifest.write(text.encode())


class Names:
    """File names inside a ZIP: valid on every system, and unique when compared without case."""

    def __init__(self) -> None:
        self._taken = {MANIFEST}
        self._counts: Counter[str] = Counter()

    def unique(self, file_name: str) -> str:
        """A valid name like `file_name` that was not returned before."""
        stem, dot, suffix = _UNSAFE.sub("_", file_name).rpartition(".")
        stem, suffix = (stem, dot + suffix[:8]) if dot else (suffix, "")
        stem = stem.strip("._-")[:100] or "image"
        if stem.lower().split(".")[0] in DEVICE_NAMES:
            stem = f"image-{stem}"
        name = f"{stem}{suffix}"
        while name.lower() in self._taken:
            self._counts[stem.lower()] += 1
            name = f"{stem}-{self._counts[stem.lower()] + 1}{suffix}"
        self._taken.add(name.lower())
        return name


@contextmanager
def archive(target: Path) -> Iterator[Archive]:
    """An open ZIP that is moved to `target` when the block ends; after an error nothing is left of it."""
    descriptor, name = tempfile.mkstemp(prefix=PART_PREFIX, suffix=".part", dir=target.parent)
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            with (
                tempfile.TemporaryFile(dir=target.parent) as manifest,
                ZipFile(file, "w", ZIP_STORED, allowZip64=True) as opened,
            ):
                yield Archive(opened, manifest)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _zip_time(created_at: str) -> tuple[int, int, int, int, int, int]:
    """When the picture was made, within the range that a ZIP can express."""
    try:
        made = times.parsed(created_at)
    except ValueError:
        return (_MIN_YEAR, 1, 1, 0, 0, 0)
    year = min(max(made.year, _MIN_YEAR), _MAX_YEAR)
    return (year, made.month, made.day, made.hour, made.minute, made.second)
