"""Files that are going to be removed. They are recorded first, so that a killed removal is carried on."""

from collections.abc import Iterable
from itertools import count

from peewee import fn

from webapp.database.models import Image, Removal
from webapp.store import chunked, transaction
from webapp.times import now


def add_removals(paths: Iterable[tuple[str, str | None]]) -> list[Removal]:
    """Record (path, image id) of what is going to be removed. Belongs in the transaction that says why."""
    with transaction():
        ids, moment = count((Removal.select(fn.MAX(Removal.id)).scalar() or 0) + 1), now()
        rows = [
            Removal(id=next(ids), path=path, image_id=image_id, created_at=moment) for path, image_id in paths
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


def list_known_paths() -> set[str]:
    """Recorded files of removed profiles that are, nevertheless, the file of an image of another one."""
    recorded = Removal.select(Removal.path).where(Removal.image_id.is_null())
    return set(Image.select(Image.local_path).where(Image.local_path.in_(recorded)).scalars())
