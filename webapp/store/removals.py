"""Files that are going to be removed. They are recorded first, so that a killed removal is carried on."""

from collections.abc import Iterable
from itertools import count

from peewee import fn

from webapp.database.models import Image, Removal
from webapp.store import chunked, transaction
from webapp.times import now


def add_removals(files: Iterable[tuple[str, int | None, str | None]]) -> list[Removal]:
    """Record (local_path, root_id, image_id) of files to remove, in the transaction that says why."""
    with transaction():
        ids, moment = count((Removal.select(fn.MAX(Removal.id)).scalar() or 0) + 1), now()
        rows = [
            Removal(id=next(ids), local_path=path, root_id=root_id, image_id=image_id, created_at=moment)
            for path, root_id, image_id in files
        ]
        for chunk in chunked(rows, 100):
            Removal.insert_many([row.__data__ for row in chunk]).execute()
    return rows


def list_removals() -> list[Removal]:
    """Everything that a killed process recorded and did not remove, in the order of its recording."""
    return list(Removal.select().order_by(Removal.id))


def finish_removals(rows: Iterable[Removal]) -> None:
    """Forget removals."""
    with transaction():
        for chunk in chunked([row.id for row in rows]):
            Removal.delete().where(Removal.id.in_(chunk)).execute()


def list_known_places() -> set[tuple[str, int | None]]:
    """`local_path` and `root_id` of recorded files of removed profiles that another image has as its file."""
    recorded = Removal.select(Removal.local_path).where(Removal.image_id.is_null())
    rows = Image.select(Image.local_path, Image.root_id).where(Image.local_path.in_(recorded))
    return {(image.local_path or "", image.root_id) for image in rows}
