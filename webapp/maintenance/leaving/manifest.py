"""The manifest of an exported folder: which image each of its files is.

One line of JSON per copy, only ever added to. The line comes before the file gets its name: killed in
between, the next run finds a line without a file and writes that file. A line that was cut off is skipped.
The folder belongs to the person, and other programs write to it: nothing in the manifest is trusted to be a
path below the folder.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from webapp.errors import Busy
from webapp.storage.lock import lock

MANIFEST = "flowshelf-export.jsonl"
# Longer lines are not ours.
MAX_LINE = 10_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the folder. `file` and `sidecar` are relative paths with `/`."""

    image: str
    file: str
    size: int
    sha256: str
    sequence: int
    sidecar: str | None = None
    sidecar_sha256: str | None = None

    @property
    def files(self) -> list[tuple[str, str]]:
        """Every file of the image, with its sha256."""
        files = [(self.file, self.sha256)]
        if self.sidecar and self.sidecar_sha256:
            files.append((self.sidecar, self.sidecar_sha256))
        return files


class Manifest:
    """The entries by image id, and the file that they are added to."""

    def __init__(self, folder: Path, mode: int) -> None:
        """Open the manifest of a folder, or begin one, and hold its lock.

        Raises Busy while another process holds it, OSError.
        """
        self.entries: dict[str, Entry] = {}
        self._needs_line_end = False
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | _NO_FOLLOW
        self._descriptor = os.open(folder / MANIFEST, flags, mode)
        try:
            lock(self._descriptor)
        except OSError as error:
            self.close()
            raise Busy(f"Another export into {folder} is under way.") from error
        for line in self._lines():
            self._read(line)

    def close(self) -> None:
        """Release the lock."""
        os.close(self._descriptor)

    @property
    def last_sequence(self) -> int:
        return max((entry.sequence for entry in self.entries.values()), default=0)

    def add(self, entry: Entry) -> None:
        """Add or replace an entry. Raises OSError."""
        self._write(asdict(entry))
        self.entries[entry.image] = entry

    def remove(self, entry: Entry) -> None:
        """Forget an entry. Raises OSError."""
        self._write({"image": entry.image, "removed": True})
        del self.entries[entry.image]

    def _write(self, values: dict[str, object]) -> None:
        start = "\n" if self._needs_line_end else ""
        line = f"{start}{json.dumps(values, ensure_ascii=False)}\n"
        os.write(self._descriptor, line.encode())
        self._needs_line_end = False

    def _lines(self) -> Iterator[bytes]:
        with os.fdopen(os.dup(self._descriptor), "rb") as file:
            while line := file.readline(MAX_LINE):
                self._needs_line_end = not line.endswith(b"\n")
                yield line

    def _read(self, line: bytes) -> None:
        try:
            values = json.loads(line)
        except ValueError:
            return
        if not isinstance(values, dict) or not isinstance(values.get("image"), str):
            return
        if values.get("removed"):
            self.entries.pop(values["image"], None)
        elif entry := _entry(values):
            self.entries[entry.image] = entry


_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


def _entry(values: dict[str, object]) -> Entry | None:
    """The entry of a line; None when it is none."""
    match values:
        case {
            "image": str(image),
            "file": str(file),
            "size": int(size),
            "sha256": str(sha256),
            "sequence": int(sequence),
        } if is_below(file):
            sidecar, its_sha256 = values.get("sidecar"), values.get("sidecar_sha256")
            if isinstance(sidecar, str) and isinstance(its_sha256, str) and is_below(sidecar):
                return Entry(image, file, size, sha256, sequence, sidecar, its_sha256)
            return Entry(image, file, size, sha256, sequence)
    return None


def is_below(path: str) -> bool:
    """Whether it is a relative path that leads nowhere else on any system, links aside."""
    pure = PurePosixPath(path)
    is_plain = path and "\0" not in path and "\\" not in path and ":" not in path
    return bool(is_plain) and not pure.is_absolute() and ".." not in pure.parts and path != MANIFEST
