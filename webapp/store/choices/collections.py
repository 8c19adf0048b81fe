"""Collections: named sets of images. An image can be in several of them.

Titles are unique without regard to case. A collection also holds names of images that are not on the shelf
now; what is counted and shown are the images that are.
"""

import secrets
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from peewee import Value

from webapp.database.models import Collection, CollectionImage, Image, PastChoice
from webapp.errors import BadRequest, CollectionExists, UnknownCollection
from webapp.store import transaction
from webapp.store.choices import past
from webapp.store.gallery import counts
from webapp.store.gallery.filters import Filter, Selection, matching, selected
from webapp.store.gallery.scope import WHOLE_SHELF, Scope, SharedCollections
from webapp.store.gallery.search import listed
from webapp.times import now

MAX_TITLE = 80
# How many images are looked at for a cover: a large collection may have no file at all.
MAX_COVERS = 12


@dataclass(frozen=True, slots=True)
class Shown:
    """A collection as a page shows it: how many of its images are shown, and its cover, None if it has no
    images."""

    collection: Collection
    image_count: int
    is_capped: bool
    cover: Image | None


def list_collections(within: Scope = WHOLE_SHELF) -> list[Collection]:
    """The collections that may be seen, by title."""
    rows = Collection.select().order_by(Collection.title.collate("NOCASE"))
    if isinstance(within, SharedCollections):
        rows = rows.where(Collection.id.in_(listed(within.collection_ids)))
    return list(rows)


def list_shown(within: Scope = WHOLE_SHELF) -> list[Shown]:
    return [shown(collection, within) for collection in list_collections(within)]


def get_collection(collection_id: str, within: Scope = WHOLE_SHELF) -> Collection:
    """Raises UnknownCollection, also outside the scope."""
    is_seen = not isinstance(within, SharedCollections) or collection_id in within.collection_ids
    found = Collection.get_or_none(Collection.id == collection_id) if is_seen else None
    if found is None:
        raise UnknownCollection("There is no such collection. It may have been deleted.")
    return found


def find_collection(collection_id: str) -> Collection | None:
    return Collection.get_or_none(Collection.id == collection_id)


def find_by_title(title: str) -> Collection | None:
    """Without regard to case, of any letters: SQLite's NOCASE knows those of ASCII only."""
    wanted = clean_title(title).casefold()
    return next((row for row in Collection.select() if row.title.casefold() == wanted), None)


def list_of_image(image: Image, within: Scope = WHOLE_SHELF) -> list[Collection]:
    """The collections that an image is in."""
    ids = CollectionImage.select(CollectionImage.collection).where(CollectionImage.name == image.name)
    found = set(ids.scalars())
    return [collection for collection in list_collections(within) if collection.id in found]


def find_first_title(image: Image, within: Scope = WHOLE_SHELF) -> str | None:
    """The first title of the collections that an image is in, in one query; a ZIP asks for each image."""
    rows = (
        Collection.select(Collection.title)
        .join(CollectionImage)
        .where(CollectionImage.name == image.name)
        .order_by(Collection.title.collate("NOCASE"))
    )
    if isinstance(within, SharedCollections):
        rows = rows.where(Collection.id.in_(listed(within.collection_ids)))
    return next(iter(rows.limit(1).scalars()), None)


def titles_of(image_ids: Iterable[str]) -> dict[str, list[str]]:
    """The titles of the collections of each image, by title; images in none are left out."""
    rows = (
        CollectionImage.select(CollectionImage.image_id, Collection.title)
        .join(Collection)
        .where(CollectionImage.image_id.in_(listed(image_ids)))
        .order_by(Collection.title.collate("NOCASE"))
    )
    titles: dict[str, list[str]] = {}
    for image_id, title in rows.tuples().iterator():
        titles.setdefault(image_id, []).append(title)
    return titles


def add_collection(title: str) -> Collection:
    """Raises BadRequest without a title, and CollectionExists if another collection has it."""
    title = clean_title(title)
    with transaction():
        _require_free(title)
        return Collection.create(id=f"collection_{secrets.token_hex(6)}", title=title, created_at=now())


def get_or_add(title: str) -> Collection:
    """The collection with a title, a new one if there is none. Raises BadRequest without a title."""
    with transaction():
        return find_by_title(title) or add_collection(title)


def rename(collection: Collection, title: str) -> None:
    """Raises BadRequest without a title, and CollectionExists if another collection has it."""
    title = clean_title(title)
    with transaction():
        _require_free(title, other_than=collection.id)
        Collection.update(title=title).where(Collection.id == collection.id).execute()


def remove(collection: Collection) -> None:
    """Delete a collection. Its images stay. Guests who were shown it are shown nothing in its place."""
    with transaction():
        Collection.delete().where(Collection.id == collection.id).execute()


def add_images(collection: Collection, selection: Selection) -> str:
    """Add the images of a selection. Returns the time, which identifies this action for `undo_adding`."""
    moment = now()
    fields = (CollectionImage.collection, CollectionImage.name, CollectionImage.image_id)
    values = selected(selection).select(
        Value(collection.id), Image.name, Image.id, Image.created_at, Value(moment)
    )
    rows = CollectionImage.insert_from(values, [*fields, CollectionImage.image_at, CollectionImage.added_at])
    with transaction():
        rows.on_conflict_ignore().execute()
    return moment


def undo_adding(moment: str) -> None:
    """Take out what was added at this time, as returned by `add_images`."""
    with transaction():
        CollectionImage.delete().where(CollectionImage.added_at == moment).execute()


def count_added_at(moment: str) -> int:
    return CollectionImage.select().where(CollectionImage.added_at == moment).count()


def remove_images(collection: Collection, selection: Selection) -> str:
    """Take the images of a selection out of a collection. Returns the time, which identifies this action."""
    is_in_it = CollectionImage.collection == collection.id
    names = selected(selection).select(Image.name)
    places = CollectionImage.select(CollectionImage.name, CollectionImage.added_at)
    with transaction():
        moment = past.keep(places.where(is_in_it, CollectionImage.name.in_(names)), collection)
        CollectionImage.delete().where(is_in_it, CollectionImage.name.in_(past.names_of(moment))).execute()
    return moment


def undo_removing(moment: str) -> None:
    """Put back what was taken out at this time, as returned by `remove_images`."""
    own = (PastChoice.collection, PastChoice.name, PastChoice.chosen_at)
    rows = past.removed_at(moment).select(*own, Image.id, Image.created_at)
    rows = rows.left_outer_join(Image, on=(Image.name == PastChoice.name))
    fields = [CollectionImage.collection, CollectionImage.name, CollectionImage.added_at]
    fields += [CollectionImage.image_id, CollectionImage.image_at]
    with transaction():
        back = CollectionImage.insert_from(rows, fields)
        back.on_conflict_ignore().execute()


def set_cover(collection: Collection, image: Image | None) -> None:
    """None: the newest image is the cover again."""
    name = image.name if image else None
    Collection.update(cover_name=name).where(Collection.id == collection.id).execute()


def clean_title(title: str) -> str:
    """A title in one line, without control characters and lone surrogates. Raises BadRequest if nothing is
    left, or it is too long."""
    title = " ".join("".join(" " if _is_unfit(letter) else letter for letter in title).split())
    if not title:
        raise BadRequest("A collection needs a title. Type one and try again.")
    if len(title) > MAX_TITLE:
        raise BadRequest(f"This title has {len(title)} characters, and at most {MAX_TITLE} are possible.")
    return title


def _is_unfit(letter: str) -> bool:
    """Joiners and marks of direction (Cf) stay: emoji, Persian and Arabic need them."""
    return unicodedata.category(letter) in ("Cc", "Cs")


def _require_free(title: str, other_than: str | None = None) -> None:
    found = find_by_title(title)
    if found and found.id != other_than:
        raise CollectionExists(f"There is a collection “{found.title}” already. Choose another title.")


def filter_of(collection_id: str, within: Scope = WHOLE_SHELF) -> Filter:
    """The filter that shows a collection."""
    return Filter(collection_id=collection_id, scope=within)


def shown(collection: Collection, within: Scope = WHOLE_SHELF) -> Shown:
    filter_ = filter_of(collection.id, within)
    totals = counts.count_first(filter_)
    return Shown(collection, totals.total, totals.is_capped, _find_cover(collection, filter_))


def _find_cover(collection: Collection, filter_: Filter) -> Image | None:
    """The chosen cover while it is in the collection and may be seen, else the newest image, of the first few
    rather one with a file."""
    images = matching(filter_)
    if collection.cover_name and (cover := images.where(Image.name == collection.cover_name).first()):
        return cover
    newest = list(filter_.ordered(images).limit(MAX_COVERS))
    return next((image for image in newest if image.local_path), newest[0] if newest else None)
