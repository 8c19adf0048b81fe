"""Finds the file of an image by the names that it would be saved under."""

import os
from collections.abc import Container, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from webapp.errors import BadPicture
from webapp.storage.files import current_sha256
from webapp.storage.pictures import SUFFIXES, decodes, read_header


@dataclass(frozen=True, slots=True)
class SoundFile:
    """A whole picture of a known kind, with its size in pixels."""

    path: Path
    size_bytes: int
    sha256: str
    width: int
    height: int


def candidates(folder: Path, stems: Iterable[str], names: Container[str] | None = None) -> Iterable[Path]:
    """The paths of files with one of these stems and a known suffix. `names` lists the folder, if that is
    known already."""
    for stem in stems:
        for suffix in SUFFIXES.values():
            path = folder / f"{stem}{suffix}"
            if (names is None and os.path.isfile(path)) or (names is not None and path.name in names):
                yield path


def read_sound_file(path: Path) -> SoundFile | None:
    """None when there is no regular file, or it is no whole picture, or cannot be read.

    It is decoded: the file may be one that was found to be damaged earlier.
    """
    with suppress(OSError, BadPicture):
        if path.is_file() and not path.is_symlink() and decodes(path):
            content = path.read_bytes()
            header = read_header(content)
            return SoundFile(path, len(content), current_sha256(path), header.width, header.height)
    return None


def list_names(folder: Path) -> frozenset[str]:
    """The names in a folder; none when it is missing or cannot be read."""
    try:
        return frozenset(os.listdir(folder))
    except OSError:
        return frozenset()
