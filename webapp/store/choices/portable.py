"""All choices as one JSON value, to keep them in a file or to bring them to another shelf.

Images are named by their names, which are the same on every shelf of the same account. What an export holds
is added to what is there; nothing is taken away, and names without an image wait for it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from webapp.database.models import Collection, CollectionImage, Favourite, Image
from webapp.errors import BadRequest
from webapp.store import chunked, transaction
from webapp.store.choices.collections import clean_title, get_or_add
from webapp.times import now, parsed, timestamp

KIND, VERSION = "flowshelf-choices", 1
MAX_NAME = 500
_NOT_OURS = "This is no export of favourites and collections that Flowshelf wrote. Nothing was changed."


@dataclass(frozen=True, slots=True)
class Imported:
    """How many choices were added; those that were there already do not count."""

    favourite_count: int
    collection_count: int
    image_count: int


def export_choices() -> dict[str, Any]:
    """Everything that `import_choices` takes."""
    return {
        "kind": KIND,
        "version": VERSION,
        "exportedAt": now(),
        "favourites": [
            {"name": row.name, "at": row.favourite_at} for row in Favourite.select().order_by(Favourite.name)
        ],
        "collections": [_exported(row) for row in Collection.select().order_by(Collection.created_at)],
    }


def _exported(collection: Collection) -> dict[str, Any]:
    members = CollectionImage.select(CollectionImage.name, CollectionImage.added_at)
    rows = members.where(CollectionImage.collection == collection.id).order_by(CollectionImage.id)
    return {
        "title": collection.title,
        "cover": collection.cover_name,
        "images": [{"name": name, "at": at} for name, at in rows.tuples().iterator()],
    }


def is_export(value: object) -> bool:
    return isinstance(value, dict) and value.get("kind") == KIND


def import_choices(value: object) -> Imported:
    """Add the choices of an export. Raises BadRequest, then nothing was changed."""
    if not isinstance(value, dict) or value.get("kind") != KIND:
        raise BadRequest(_NOT_OURS)
    if value.get("version") != VERSION:
        raise BadRequest("This export was written by a newer Flowshelf. Update Flowshelf, then import it.")
    named = [(_title(each), each) for each in _objects(value, "collections")]
    favourites = list(_named(value, "favourites"))
    with transaction():
        favourite_count = _add_favourites(favourites)
        counts = [_add_collection(title, each) for title, each in named]
    return Imported(favourite_count, len(counts), sum(counts))


def _add_favourites(rows: list[tuple[str, str]]) -> int:
    before = Favourite.select().count()
    for chunk in chunked(rows):
        values = [{"name": name, "favourite_at": at} for name, at in chunk]
        Favourite.insert_many(values).on_conflict_ignore().execute()
    return int(Favourite.select().count()) - int(before)


def _add_collection(title: str, value: Mapping[str, object]) -> int:
    collection = get_or_add(title)
    members = CollectionImage.select().where(CollectionImage.collection == collection.id)
    before = members.count()
    for chunk in chunked(list(_named(value, "images"))):
        known = Image.select(Image.name, Image.id, Image.created_at)
        found = {row.name: row for row in known.where(Image.name.in_([name for name, _ in chunk]))}
        rows = [_member(collection, name, at, found.get(name)) for name, at in chunk]
        CollectionImage.insert_many(rows).on_conflict_ignore().execute()
    if value.get("cover") is not None and not collection.cover_name:
        cover = _text(value, "cover")
        Collection.update(cover_name=cover).where(Collection.id == collection.id).execute()
    return int(members.count()) - int(before)


def _member(collection: Collection, name: str, at: str, image: Image | None) -> dict[str, Any]:
    return {
        "collection": collection.id,
        "name": name,
        "added_at": at,
        "image_id": image.id if image else None,
        "image_at": image.created_at if image else None,
    }


def _objects(value: Mapping[str, object], field: str) -> list[Mapping[str, object]]:
    found = value.get(field, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise BadRequest(_NOT_OURS)
    return found


def _named(value: Mapping[str, object], field: str) -> Iterator[tuple[str, str]]:
    """The names of a list with their times."""
    for each in _objects(value, field):
        yield _text(each, "name"), _time(each)


def _title(value: Mapping[str, object]) -> str:
    """Titles are cleaned as those that are typed; those with joiners, as in emoji, are not `isprintable`."""
    title = value.get("title")
    if not isinstance(title, str):
        raise BadRequest(_NOT_OURS)
    return clean_title(title)


def _time(value: Mapping[str, object]) -> str:
    """Favourites are sorted by this text, so it has to be one that `timestamp` makes."""
    text = _text(value, "at")
    if timestamp(parsed(text)) != text:
        raise BadRequest(_NOT_OURS)
    return text


def _text(value: Mapping[str, object], field: str) -> str:
    text = value.get(field)
    if not isinstance(text, str) or not text or len(text) > MAX_NAME or not text.isprintable():
        raise BadRequest(_NOT_OURS)
    return text
