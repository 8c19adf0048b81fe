"""Compares every row that has a file with its file: existence, size, sha256, and whether it decodes."""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from webapp import storage
from webapp.database.models import Image
from webapp.errors import FlowshelfError, FolderGone
from webapp.maintenance import changes, found_files, relocation, trash
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


@dataclass(slots=True)
class VerifyReport:
    """How many files are in each state, and the first `MAX_PROBLEMS` that are not whole.

    Each problem has the keys `name`, `path` and `finding`. `moves` are folders whose files are in another
    place now. `found_count`: images without a file that took one which lay at their place. `kept_count`:
    changed files that were taken for the right ones, which now count as whole.
    """

    counts: dict[str, int]
    problems: list[dict[str, str]]
    requeued_count: int
    moves: list[Move]
    found_count: int = 0
    kept_count: int = 0

    @property
    def is_well(self) -> bool:
        return set(self.counts) <= {FileState.WHOLE}

    def note(self, image: Image, state: FileState) -> None:
        """Add an image to the problems unless its file is whole, or there are enough of them."""
        if state is not FileState.WHOLE and len(self.problems) < MAX_PROBLEMS:
            path = image.file_path or ""
            self.problems.append({"name": image.name, "path": path, "finding": state.value})


def verify(
    roots: Sequence[Path],
    *,
    deep: bool = False,
    sets_pending: bool = False,
    follows_moves: bool = False,
    keeps_changed: bool = False,
    on_image: Callable[[], None] = lambda: None,
) -> VerifyReport:
    """Check every row that has a file, and call `on_image` after each. No file is changed.

    First, images without a file take sound ones that lie at their places, and files in the trash that no row
    knows are recorded.

    `deep`: decode every picture. `sets_pending`: make images with a missing or damaged file pending. Rows
    whose whole folder is missing never change, because its disk may only be unplugged. `follows_moves`: first
    record the files of moved folders at their new place. `keeps_changed`: take changed files for the right
    ones; without it they are only noted as changed.
    """
    if follows_moves:
        relocation.follow_moves()
    if count := trash.find_unrecorded():
        log.info("%s files were found in the trash", count)
    report = VerifyReport({}, [], 0, [], found_count=found_files.take_found_files(roots))
    counts: Counter[str] = Counter()
    for chunk in _chunks():
        by_state: defaultdict[FileState, list[Image]] = defaultdict(list)
        for image in chunk:
            state = _examine_and_settle(image, roots, report, deep=deep, keeps_changed=keeps_changed)
            by_state[state].append(image)
            report.note(image, state)
            on_image()
        counts.update({state.value: len(found) for state, found in by_state.items()})
        _store_damage(by_state, deep=deep)
        if sets_pending:
            lost = by_state[FileState.MISSING] + by_state[FileState.DAMAGED]
            report.requeued_count += images.mark_as_found(lost, **images.NO_FILE)
    report.counts = dict(counts)
    if counts[FileState.MISSING] + counts[FileState.FOLDER_GONE]:
        report.moves = relocation.find_moves()
    return report


def _examine_and_settle(
    image: Image, roots: Sequence[Path], report: VerifyReport, *, deep: bool, keeps_changed: bool
) -> FileState:
    """The state of the image's file, once a changed file is taken or noted. The report counts those taken."""
    state, sha256 = _examine(image, roots, deep=deep)
    if sha256 and _settle_change(image, sha256, roots, keeps=keeps_changed):
        report.kept_count += 1
        return FileState.WHOLE
    return state


def _settle_change(image: Image, sha256: str, roots: Sequence[Path], *, keeps: bool) -> bool:
    """Take a changed file for the right one if it `keeps` them, otherwise note the change. Returns whether it
    was taken."""
    if keeps:
        try:
            changes.keep(image, roots)
            return True
        except FlowshelfError as error:
            log.warning("The file of image %s was not kept: %s", image.id, error)
    images.mark_as_found([image], changed_sha256=sha256, damaged_at=None)
    return False


def _store_damage(by_state: Mapping[FileState, list[Image]], *, deep: bool) -> None:
    images.mark_as_found(by_state[FileState.DAMAGED], damaged_at=now(), changed_sha256=None)
    restored = [image for image in by_state[FileState.WHOLE] if image.changed_sha256]
    images.mark_as_found(restored, changed_sha256=None)
    if deep:  # only decoding proves that a file which was marked as damaged is whole again
        repaired = [image for image in by_state[FileState.WHOLE] if image.damaged_at]
        images.mark_as_found(repaired, damaged_at=None)


def _examine(image: Image, roots: Sequence[Path], *, deep: bool) -> tuple[FileState, str | None]:
    """The state of one image's file, and the sha256 of one that was changed."""
    try:
        if image.file_path is None or not storage.is_there(image.file_path, roots):
            return FileState.MISSING, None
        path = Path(image.file_path)
        sha256 = storage.file_sha256(path)
        is_as_stored = changes.is_as_stored(image, path, sha256)
        if image.sha256 and is_as_stored and not deep:
            return FileState.WHOLE, None
        if not storage.decodes(path):
            return FileState.DAMAGED, None
    except FolderGone:
        return FileState.FOLDER_GONE, None
    except OSError:
        return FileState.DAMAGED, None
    return (FileState.WHOLE, None) if is_as_stored else (FileState.CHANGED, sha256)


def _chunks() -> Iterator[list[Image]]:
    after_id = ""
    while chunk := images.list_with_file(after_id):
        yield chunk
        after_id = chunk[-1].id
