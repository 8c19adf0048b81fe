"""Storage roots: the folders that hold files of the shelf, and where in them a file lies.

A file is stored as the id of its root and a path relative to it, so that a data folder or a root can be
moved, mounted elsewhere or copied to another machine: only the root's own path changes. The id None means the
data folder's `images`. A path under no root (one that another program wrote) is stored absolute, with the id
None.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file is stored: `local_path` is relative to the root, or absolute under no root."""

    root_id: int | None
    local_path: str


@dataclass(frozen=True, slots=True)
class Roots:
    """The roots of one data folder by their ids, as absolute and resolved paths."""

    by_id: Mapping[int | None, Path]

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(self.by_id.values())

    @property
    def images(self) -> Path:
        """The data folder's own root."""
        return self.by_id[None]

    def path_of(self, place: Place) -> Path:
        """The absolute path of a file. Its root may be missing, and the path may lead out of it by a link:
        callers check it with `folders.path_under` before they open it."""
        if is_absolute(place.local_path):
            return Path(place.local_path)
        root = self.by_id.get(place.root_id, _NOWHERE)
        return root / place.local_path

    def place_of(self, path: Path) -> Place:
        """How a file at an absolute path is stored: under the deepest root that holds it."""
        resolved = Path(os.path.realpath(path))
        holding = [(root_id, root) for root_id, root in self.by_id.items() if resolved.is_relative_to(root)]
        if not holding:
            return Place(None, str(resolved))
        root_id, root = max(holding, key=lambda pair: len(pair[1].parts))
        return Place(root_id, resolved.relative_to(root).as_posix())


# A root whose row is gone holds nothing: its files are "not there", and nothing is taken for them.
_NOWHERE = Path(os.sep) / "no-such-root"


def is_absolute(local_path: str) -> bool:
    """Whether a stored path is absolute, on whatever system it was written."""
    return PurePosixPath(local_path).is_absolute() or PureWindowsPath(local_path).is_absolute()
