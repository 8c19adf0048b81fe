"""Files whose folder was moved: where the same files lie now, and records that follow them.

A data folder that was moved as a whole needs none of this: its files are recorded relative to it. What can be
wrong is the path of another storage root, and absolute paths that an earlier version wrote before the folder
was moved.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PureWindowsPath

from webapp.storage.roots import Place, Roots
from webapp.store import roots as recorded
from webapp.store.roots import RecordedFile, current_roots

# So many files of a folder are compared before it is taken for the one that was moved.
SAMPLE = 20


@dataclass(frozen=True, slots=True)
class Move:
    """Files recorded below `before` lie below `now`. `root_id` is the root that moved; None for files that
    are recorded with absolute paths."""

    before: str
    now: Path
    file_count: int
    root_id: int | None = None


def find_moves() -> list[Move]:
    """Every folder whose files are not there while the same files are below another root."""
    roots = current_roots()
    return [*_moved_roots(roots), *_moved_folders(roots)]


def follow_moves() -> None:
    """Let the records follow every move; no file is touched.

    A root moves as a whole. Of absolute paths, only files that are there with the recorded size follow.
    """
    for move in find_moves():
        if move.root_id is not None:
            recorded.move_root(move.root_id, move.now)
        else:
            recorded.place_files(_places(move, current_roots()))


def _places(move: Move, roots: Roots) -> Iterator[tuple[RecordedFile, Place]]:
    for file in recorded.list_absolute():
        path = _below(file.place.local_path, move.before, move.now)
        if path and _is_there(path, file.size_bytes):
            yield file, roots.place_of(path)


def _moved_roots(roots: Roots) -> Iterator[Move]:
    for root_id, root in roots.by_id.items():
        if root_id is None or root.is_dir():
            continue
        sample = list(islice(recorded.list_below(root_id), SAMPLE))
        for candidate in _others(roots, root_id):
            if sample and _holds_all(candidate, sample):
                yield Move(str(root), candidate, recorded.count_below(root_id), root_id)
                break


def _moved_folders(roots: Roots) -> Iterator[Move]:
    """Group absolute paths by what has to be replaced in them so that the file is found below a root."""
    counts: Counter[tuple[str, Path]] = Counter()
    for file in recorded.list_absolute():
        if not _is_there(Path(file.place.local_path), file.size_bytes) and (found := _find(file, roots)):
            counts[found] += 1
    for (before, now), count in counts.items():
        yield Move(before, now, count)


def _find(file: RecordedFile, roots: Roots) -> tuple[str, Path] | None:
    """The folder that a file was moved from, and the root where it lies now, by the end of its path."""
    parts = PureWindowsPath(file.place.local_path).parts  # takes both kinds of separators
    for start in range(1, len(parts) - 1):
        for root in roots.paths:
            if _is_there(root.joinpath(*parts[start:]), file.size_bytes):
                tail = len("/".join(parts[start:]))
                return file.place.local_path[: -tail - 1], root
    return None


def _below(path: str, before: str, now: Path) -> Path | None:
    """The same file below another folder; None when the path does not begin with `before`."""
    rest = path.removeprefix(before)
    if rest == path or not rest.startswith(("/", "\\")):
        return None
    return now.joinpath(*PureWindowsPath(rest.lstrip("/\\")).parts)


def _others(roots: Roots, root_id: int | None) -> Iterable[Path]:
    return (path for other_id, path in roots.by_id.items() if other_id != root_id and path.is_dir())


def _holds_all(folder: Path, sample: Iterable[RecordedFile]) -> bool:
    return all(_is_there(folder / file.place.local_path, file.size_bytes) for file in sample)


def _is_there(path: Path, size_bytes: int | None) -> bool:
    try:
        size = path.stat().st_size
    except OSError:
        return False
    return size_bytes is None or size == size_bytes
