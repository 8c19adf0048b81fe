"""Images whose rows name no file, or one that is missing, and files that are taken for them."""

from collections.abc import Iterator
from pathlib import Path

from webapp.database.base import db
from webapp.database.models import Image, Removal, TrashedFile
from webapp.database.roots import current_roots
from webapp.database.states import TrashState
from webapp.storage.roots import Place
from webapp.store import ROWS_PER_STATEMENT, transaction
from webapp.store.image_files import Fileless
from webapp.times import now

_SELECT = """SELECT image.id, image.profile_id, image.name, image.media_key, download.folder, NOT EXISTS (
        SELECT 1 FROM veo3_image_generations AS other
        WHERE other.media_key = image.media_key COLLATE NOCASE AND other.rowid < image.rowid),
    image.local_path, image.root_id, image.sha256, image.created_at
    FROM veo3_image_generations AS image LEFT JOIN download ON download.image_id = image.id
    WHERE image.id > ? AND image.local_path IS {} ORDER BY image.id LIMIT ?"""


def list_without_path() -> Iterator[Fileless]:
    """Images whose rows name no file, in the order of their ids."""
    return _list("NULL")


def list_with_path() -> Iterator[Fileless]:
    """Images whose rows name a file, which may be missing, in the order of their ids."""
    return _list("NOT NULL")


def _list(condition: str) -> Iterator[Fileless]:
    """In statements of `ROWS_PER_STATEMENT` rows, so that no cursor is open while the disk is looked at."""
    after_id = ""
    while True:
        rows = db.execute_sql(_SELECT.format(condition), (after_id, ROWS_PER_STATEMENT)).fetchall()
        yield from (Fileless(*row) for row in rows)
        if len(rows) < ROWS_PER_STATEMENT:
            return
        after_id = rows[-1][0]


def list_places() -> set[Place]:
    """Where the files of all images are recorded, and those that are going to be removed."""
    places: set[Place] = set()
    for model in (Image, Removal):
        rows = model.select(model.root_id, model.local_path).where(model.local_path.is_null(False))
        places |= {Place(root_id, path) for root_id, path in rows.tuples().iterator()}
    moving = TrashedFile.select().where(TrashedFile.state == TrashState.MOVING)
    return places | {Place(row.root_id, row.local_path) for row in moving}


def is_recorded(path: Path) -> bool:
    """Whether a file belongs to an image already, or is going to be removed."""
    place = current_roots().place_of(path)
    is_moving = TrashedFile.state == TrashState.MOVING
    return any(
        row.root_id == place.root_id
        for model, condition in ((Image, True), (Removal, True), (TrashedFile, is_moving))
        for row in model.select(model.root_id).where(model.local_path == place.local_path, condition)
    )


def take_file(image: Fileless, path: Path, *, size_bytes: int, sha256: str, width: int, height: int) -> bool:
    """Record a file as that of an image; False when the row was given another one meanwhile. The caller then
    sets the time of the file.

    An image that has its file is no longer “not wanted”.
    """
    place, moment = current_roots().place_of(path), now()
    has_still_none = (Image.id == image.image_id) & (
        Image.local_path.is_null() if image.local_path is None else Image.local_path == image.local_path
    )
    with transaction():
        changed_count = (
            Image.update(
                local_path=place.local_path,
                root_id=place.root_id,
                size_bytes=size_bytes,
                sha256=sha256,
                width=width,
                height=height,
                downloaded_at=moment,
                file_time_at=moment,
                damaged_at=None,
                changed_sha256=None,
                not_wanted_at=None,
            )
            .where(has_still_none)
            .execute()
        )
    return bool(changed_count)
