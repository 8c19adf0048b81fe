"""A ZIP of pictures that is written piece by piece beside its place and named when it is whole."""

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
from typing import IO, TextIO
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from webapp import times
from webapp.storage import DEVICE_NAMES, PART_PREFIX

CHUNK_BYTES = 1 << 20
MANIFEST = "manifest.json"
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


class Archive:
    """An open ZIP. Pictures are stored as they are: they would not get smaller."""

    def __init__(self, opened: ZipFile, manifest: TextIO) -> None:
        self._zip = opened
        self._manifest = manifest
        self._names = Names()
        self._separator = '{"images": [\n'

    def add(self, source: IO[bytes], file_name: str, created_at: str, facts: dict) -> int:
        """Copy a picture in, note it in the manifest, and return its size."""
        info = ZipInfo(self._names.free(file_name), date_time=_zip_time(created_at))
        info.external_attr = 0o644 << 16
        info.file_size = os.fstat(source.fileno()).st_size  # tells whether ZIP64 is needed
        digest, size = hashlib.sha256(), 0
        with self._zip.open(info, "w") as target:
            while chunk := source.read(CHUNK_BYTES):
                digest.update(chunk)
                size += target.write(chunk)
        entry = {"file": info.filename} | facts | {"sizeBytes": size, "sha256": digest.hexdigest()}
        self._manifest.write(self._separator + json.dumps(entry, ensure_ascii=False))
        self._separator = ",\n"
        return size

    def add_manifest(self, suffix: dict) -> None:
        """The list of all that is inside; kept in a file until now, because it may be long."""
        rest = json.dumps(suffix, ensure_ascii=False)[1:]
        start = self._separator if self._separator.startswith("{") else ""
        self._manifest.write(f"{start}\n], {rest}\n")
        self._manifest.seek(0)
        with self._zip.open(MANIFEST, "w", force_zip64=True) as target:
            shutil.copyfileobj(self._manifest.buffer, target, CHUNK_BYTES)


class Names:
    """Names inside a ZIP: safe on every system, and each there once, compared without case."""

    def __init__(self) -> None:
        self._taken = {MANIFEST}
        self._counts: Counter[str] = Counter()

    def free(self, file_name: str) -> str:
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
    """A ZIP that stands under `target` once the block ends well, and else leaves nothing behind."""
    descriptor, name = tempfile.mkstemp(prefix=PART_PREFIX, suffix=".part", dir=target.parent)
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            with (
                tempfile.TemporaryFile("w+", encoding="utf-8", dir=target.parent) as manifest,
                ZipFile(file, "w", ZIP_STORED, allowZip64=True) as opened,
            ):
                yield Archive(opened, manifest)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _zip_time(created_at: str) -> tuple[int, int, int, int, int, int]:
    """When the picture was made, in the range that a ZIP can say."""
    try:
        moment = times.parsed(created_at)
    except ValueError:
        return (1980, 1, 1, 0, 0, 0)
    return (min(max(moment.year, 1980), 2107), *moment.timetuple()[1:6])
