"""Compares every row that has a file with its file: existence, size, sha256, and whether it decodes."""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from webapp import storage
from webapp.database.models import Image
from webapp.errors import FolderGone
from webapp.maintenance import relocation
from webapp.maintenance.relocation import Move
from webapp.store.gallery import images
from webapp.times import now

log = logging.getLogger(__name__)

MAX_PROBLEMS = 1000


class FileState(StrEnum):
    """What a row's file turned out to be. CHANGED: a whole picture, but not the one that was stored."""

    WHOLE = "whole"
    MISSING = "missing"
    CHANGED = "changed"
    DAMAGED = "damaged"
    FOLDER_GONE = "folder_gone"


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """How many files are in each state, and the first `MAX_PROBLEMS` that are not whole.

    Each problem has the keys `name`, `path` and `finding`. `moves` are folders whose files are in another
    place now.
    """

    counts: dict[str, int]
    problems: list[dict[str, str]]
    requeued_count: int
    moves: list[Move]

    @property
    def is_well(self) -> bool:
        return set(self.counts) <= {FileState.WHOLE}


def verify(
    roots: Sequence[Path],
    *,
    deep: bool = False,
    sets_pending: bool = False,
    follows_moves: bool = False,
    on_image: Callable[[], None] = lambda: None,
) -> VerifyReport:
    """Check every row that has a file, and call `on_image` after each. No file is changed.

    `deep`: decode every picture. `sets_pending`: make images with a missing or damaged file pending. Rows
    whose whole folder is missing never change, because its disk may only be unplugged. `follows_moves`: first
    record the files of moved folders at their new place.
    """
    if follows_moves:
        relocation.follow_moves()
    counts: Counter[str] = Counter()
    problems: list[dict[str, str]] = []
    requeued_count = 0
    for chunk in _chunks():
        by_state: defaultdict[FileState, list[Image]] = defaultdict(list)
        for image in chunk:
            state = file_state(image, roots, deep=deep)
            by_state[state].append(image)
            if state is not FileState.WHOLE:
                problems.append({"name": image.name, "path": image.file_path or "", "finding": state.value})
            on_image()
        counts.update({state.value: len(found) for state, found in by_state.items()})
        _store_damage(by_state, deep=deep)
        if sets_pending:
            lost = by_state[FileState.MISSING] + by_state[FileState.DAMAGED]
            requeued_count += images.mark_as_found(lost, **images.NO_FILE)
    lost_count = counts[FileState.MISSING] + counts[FileState.FOLDER_GONE]
    moves = relocation.find_moves() if lost_count else []
    return VerifyReport(dict(counts), problems[:MAX_PROBLEMS], requeued_count, moves)


def _store_damage(by_state: Mapping[FileState, list[Image]], *, deep: bool) -> None:
    images.mark_as_found(by_state[FileState.DAMAGED], damaged_at=now())
    if deep:  # only decoding proves that a file which was marked as damaged is whole again
        repaired = [image for image in by_state[FileState.WHOLE] if image.damaged_at]
        images.mark_as_found(repaired, damaged_at=None)


def file_state(image: Image, roots: Sequence[Path], *, deep: bool) -> FileState:
    """The state of one image's file."""
    try:
        if image.file_path is None or not storage.is_there(image.file_path, roots):
            return FileState.MISSING
        path = Path(image.file_path)
        is_as_stored = path.stat().st_size == image.size_bytes and storage.file_sha256(path) == image.sha256
        if image.sha256 and is_as_stored and not deep:
            return FileState.WHOLE
        if not storage.decodes(path):
            return FileState.DAMAGED
    except FolderGone:
        return FileState.FOLDER_GONE
    except OSError:
        return FileState.DAMAGED
    return FileState.WHOLE if is_as_stored or image.sha256 is None else FileState.CHANGED


def note_change(image: Image, path: Path) -> None:
    """Update a row whose file differs from what was stored, and `image` with it.

    A whole picture is accepted as it is: a person replaced it. Anything else is marked as damaged.
    """
    is_whole = storage.decodes(path)
    fields: dict[str, str | int | None] = {"damaged_at": now()}
    if is_whole:
        fields = {
            "size_bytes": path.stat().st_size,
            "sha256": storage.file_sha256(path),
            "damaged_at": None,
        }
        if size := storage.measure(path):
            fields |= {"width": size[0], "height": size[1]}
    if image.damaged_at is None or is_whole:
        images.mark_as_found([image], **fields)
        result = "accepted as it is" if is_whole else "marked as damaged"
        log.warning("The file of image %s was changed outside Flowshelf: %s", image.id, result)
    for name, value in fields.items():
        setattr(image, name, value)


def _chunks() -> Iterator[list[Image]]:
    after_id = ""
    while chunk := images.list_with_file(after_id):
        yield chunk
        after_id = chunk[-1].id
