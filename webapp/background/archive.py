"""Writes a ZIP of pictures chunk by chunk to a temporary file, which gets its name once it is complete."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from webapp import times
from webapp.file_names import Names
from webapp.maintenance.leaving import Copy
from webapp.storage import PART_PREFIX

CHUNK_BYTES = 1 << 20
MANIFEST = "manifest.json"
# The range of years that a ZIP can express.
_MIN_YEAR, _MAX_YEAR = 1980, 2107


class Archive:
    """An open ZIP. Pictures are stored uncompressed, because their formats are compressed already.

    `manifest` is a temporary file that collects the list of pictures, which may be too long for memory.
    """

    def __init__(self, opened: ZipFile, manifest: IO[bytes]) -> None:
        self._zip = opened
        self._manifest = manifest
        self._names = Names([MANIFEST])
        self._separator = '{"images": [\n'
        self._last = ""

    def add(self, copy: Copy, file_name: str, created_at: str, metadata: dict[str, object]) -> int:
        """Write a copy of a picture into the ZIP and add it to the manifest. Returns its size in bytes."""
        name, digest = self._names.unique(file_name), hashlib.sha256()
        size = 0
        with self._zip.open(_entry(name, created_at, copy.size_bytes), "w") as target:
            for chunk in copy.chunks:
                digest.update(chunk)
                size += target.write(chunk)
        entry = {"file": name} | metadata | {"sizeBytes": size, "sha256": digest.hexdigest()}
        self._write(self._separator + json.dumps(entry, ensure_ascii=False))
        self._separator = ",\n"
        self._last = name
        return size

    def add_sidecar(self, content: bytes, created_at: str) -> int:
        """Add what is known of the last picture as an `.xmp` file. Returns its size in bytes."""
        name = self._names.unique(f"{self._last}.xmp")
        with self._zip.open(_entry(name, created_at, len(content)), "w") as target:
            return target.write(content)

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


def _entry(name: str, created_at: str, size: int) -> ZipInfo:
    info = ZipInfo(name, date_time=_zip_time(created_at))
    info.external_attr = 0o644 << 16
    info.file_size = size  # zipfile decides by this whether to use ZIP64
    return info


def _zip_time(created_at: str) -> tuple[int, int, int, int, int, int]:
    """When the picture was made, within the range that a ZIP can express."""
    try:
        made = times.parsed(created_at)
    except ValueError:
        return (_MIN_YEAR, 1, 1, 0, 0, 0)
    year = min(max(made.year, _MIN_YEAR), _MAX_YEAR)
    return (year, made.month, made.day, made.hour, made.minute, made.second)
