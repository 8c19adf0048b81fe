"""Compare every row that has a file with its file: there, size, sha256, and whether it decodes."""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from webapp import storage
from webapp.database.models import Image
from webapp.errors import FolderGone
from webapp.store.gallery import images
from webapp.times import now

log = logging.getLogger(__name__)


class Finding(StrEnum):
    WHOLE = "whole"
    MISSING = "missing"
    CHANGED = "changed"
    DAMAGED = "damaged"
    FOLDER_GONE = "folder_gone"


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, by number, and the first of what is not whole: name, path, finding."""

    counts: dict[str, int]
    problems: list[dict[str, str]]
    requeued_count: int

    @property
    def is_well(self) -> bool:
        return set(self.counts) <= {Finding.WHOLE}


MAX_PROBLEMS = 1000


def verify(
    roots: Sequence[Path],
    *,
    deep: bool = False,
    sets_pending: bool = False,
    on_image: Callable[[], None] = lambda: None,
) -> Report:
    """Check every row with a file. With `deep` each picture is decoded; with `sets_pending` rows whose
    file is missing or damaged become pending. A row whose whole folder is gone is never changed, and no
    file is touched."""
    counts, problems, requeued_count = Counter(), [], 0
    for chunk in _chunks():
        found = defaultdict(list)
        for image in chunk:
            finding = look_at(image, roots, deep=deep)
            found[finding].append(image)
            if finding is not Finding.WHOLE:
                problems.append({"name": image.name, "path": image.local_path, "finding": finding.value})
            on_image()
        counts.update({finding.value: len(some) for finding, some in found.items()})
        _note_damage(found, deep=deep)
        if sets_pending:
            again = found[Finding.MISSING] + found[Finding.DAMAGED]
            requeued_count += images.mark_as_found(again, **images.NO_FILE)
    return Report(dict(counts), problems[:MAX_PROBLEMS], requeued_count)


def _note_damage(found: dict[Finding, list[Image]], *, deep: bool) -> None:
    images.mark_as_found(found[Finding.DAMAGED], damaged_at=now())
    if deep:
        mended = [image for image in found[Finding.WHOLE] if image.damaged_at]
        images.mark_as_found(mended, damaged_at=None)


def look_at(image: Image, roots: Sequence[Path], *, deep: bool) -> Finding:
    """What is found of one image's file."""
    path = Path(image.local_path)
    try:
        if not storage.is_there(image.local_path, roots):
            return Finding.MISSING
        is_as_stored = path.stat().st_size == image.size_bytes and storage.file_sha256(path) == image.sha256
        if image.sha256 and is_as_stored and not deep:
            return Finding.WHOLE
        if not storage.decodes(path):
            return Finding.DAMAGED
    except FolderGone:
        return Finding.FOLDER_GONE
    except OSError:
        return Finding.DAMAGED
    return Finding.WHOLE if is_as_stored or image.sha256 is None else Finding.CHANGED


def note_change(image: Image, path: Path) -> None:
    """A file is not as it was stored: somebody changed it by hand. A whole picture is taken as it is now,
    anything else is marked as damaged. `image` is brought up to date as well."""
    is_whole = storage.decodes(path)
    now_so = {"size_bytes": path.stat().st_size, "sha256": storage.file_sha256(path), "damaged_at": None}
    if size := storage.measure(path):
        now_so |= {"width": size[0], "height": size[1]}
    fields = now_so if is_whole else {"damaged_at": now()}
    if image.damaged_at is None or is_whole:
        images.mark_as_found([image], **fields)
        words = "shown as it is now" if is_whole else "no whole picture any more"
        log.warning("The file of image %s was changed by hand: it is %s", image.id, words)
    for name, value in fields.items():
        setattr(image, name, value)


def _chunks() -> Iterator[list[Image]]:
    after_id = ""
    while chunk := images.list_with_file(after_id):
        yield chunk
        after_id = chunk[-1].id
