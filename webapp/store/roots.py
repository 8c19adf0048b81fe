"""Storage roots as the database knows them, and which files are recorded below each."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from peewee import SQL, ColumnBase

from webapp.database.indexes import ABSOLUTE_PATH
from webapp.database.models import Image, Removal, StorageRoot, TrashedFile
from webapp.database.roots import current_roots, set_roots
from webapp.storage.roots import Place, Roots, is_absolute
from webapp.store import ROWS_PER_STATEMENT, transaction

_IS_ABSOLUTE = SQL(f"({ABSOLUTE_PATH})")


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """A file as a row records it."""

    image_id: str
    place: Place
    size_bytes: int | None


def load_roots(images_dir: Path, configured: Iterable[Path]) -> Roots:
    """Read the roots, add those that are configured for the first time, and use them from now on.

    Rows with an absolute path below one of them are recorded relative to it: after an update from a version
    that stored absolute paths, and when a root is configured anew.
    """
    with transaction():
        for path in configured:
            StorageRoot.insert(path=str(path.resolve())).on_conflict_ignore().execute()
    roots = _use_roots(images_dir.resolve())
    absolute = [(file, roots.place_of(Path(file.place.local_path))) for file in list_absolute()]
    place_files((file, place) for file, place in absolute if not is_absolute(place.local_path))
    return roots


def read_roots(images_dir: Path) -> Roots:
    """Read the roots and use them from now on. Nothing is stored."""
    return _use_roots(images_dir.resolve())


def _use_roots(images: Path) -> Roots:
    by_id: dict[int | None, Path] = {root.id: Path(root.path) for root in StorageRoot.select()}
    roots = Roots({None: images, **by_id})
    set_roots(roots)
    return roots


def place_columns(path: Path | str) -> dict[str, str | int | None]:
    """The columns of an image whose file lies at an absolute path."""
    place = current_roots().place_of(Path(path))
    return {"local_path": place.local_path, "root_id": place.root_id}


def list_absolute() -> Iterator[RecordedFile]:
    """Files that are recorded with an absolute path, in the order of their image ids."""
    return _list_files(_IS_ABSOLUTE)


def list_below(root_id: int | None) -> Iterator[RecordedFile]:
    """Files that are recorded relative to one root."""
    is_of_root = Image.root_id.is_null() if root_id is None else Image.root_id == root_id
    return _list_files(is_of_root & ~_IS_ABSOLUTE)


def count_below(root_id: int) -> int:
    return Image.select().where(Image.root_id == root_id).count()


def move_root(root_id: int, path: Path) -> None:
    """The files of a root lie below another folder now. Where that is a root of its own, they become its
    files, also those that are still to be removed."""
    with transaction():
        other = StorageRoot.get_or_none(StorageRoot.path == str(path), StorageRoot.id != root_id)
        if other:
            for model in (Image, Removal, TrashedFile):
                model.update(root_id=other.id).where(model.root_id == root_id).execute()
            StorageRoot.delete().where(StorageRoot.id == root_id).execute()
        else:
            StorageRoot.update(path=str(path)).where(StorageRoot.id == root_id).execute()
    _use_roots(current_roots().images)


def place_files(places: Iterable[tuple[RecordedFile, Place]]) -> int:
    """Record files at other places; rows that changed meanwhile stay. Returns how many changed."""
    with transaction():
        return sum(
            Image.update(local_path=place.local_path, root_id=place.root_id)
            .where(Image.id == file.image_id, Image.local_path == file.place.local_path)
            .execute()
            for file, place in places
        )


def _list_files(condition: ColumnBase) -> Iterator[RecordedFile]:
    """In statements of `ROWS_PER_STATEMENT` rows, so that no cursor is open while a file is looked at."""
    after_id = ""
    while True:
        rows = list(
            Image.select(Image.id, Image.root_id, Image.local_path, Image.size_bytes)
            .where(condition, Image.local_path.is_null(False), Image.id > after_id)
            .order_by(Image.id)
            .limit(ROWS_PER_STATEMENT)
        )
        if not rows:
            return
        for image in rows:
            yield RecordedFile(image.id, Place(image.root_id, image.local_path or ""), image.size_bytes)
        after_id = rows[-1].id
