"""Which images somebody may see at all. The one place that says so: a `Filter` carries a scope, and what is
asked for by its id is looked up within one.

"Everything" is a value of its own and never the absence of a list: when the last collection that guests were
shown is gone, they see nothing.
"""

from dataclasses import dataclass

from peewee import Expression

from webapp.database.models import CollectionImage, GuestAccess, GuestCollection, Image
from webapp.database.states import GuestView
from webapp.store.gallery.search import listed


@dataclass(frozen=True, slots=True)
class WholeShelf:
    """The owner's: hidden images too, where these are asked for."""


@dataclass(frozen=True, slots=True)
class SharedShelf:
    """All images, but neither hidden ones nor those whose file a person deleted."""


@dataclass(frozen=True, slots=True)
class SharedCollections:
    """The images of these collections, as far as they are in SharedShelf; none of no collections."""

    collection_ids: tuple[str, ...]


Scope = WholeShelf | SharedShelf | SharedCollections

WHOLE_SHELF = WholeShelf()


def guest_scope() -> Scope:
    """What guests are shown now; nothing while the guest link is off."""
    access = GuestAccess.get_or_none() or GuestAccess()
    if not access.is_on:
        return SharedCollections(())
    if access.view == GuestView.EVERYTHING:
        return SharedShelf()
    rows = GuestCollection.select(GuestCollection.collection).order_by(GuestCollection.collection)
    return SharedCollections(tuple(rows.scalars()))


def conditions(scope: Scope) -> list[Expression]:
    """The conditions that an image is in a scope. Besides these, a filter leaves out hidden images."""
    if isinstance(scope, WholeShelf):
        return []
    shared = [Image.hidden_at.is_null(), Image.not_wanted_at.is_null()]
    if isinstance(scope, SharedCollections):
        shared.append(in_collections(scope.collection_ids))
    return shared


def in_collections(collection_ids: tuple[str, ...]) -> Expression:
    members = CollectionImage.select(CollectionImage.image_id).where(
        CollectionImage.collection.in_(listed(collection_ids)), CollectionImage.image_id.is_null(False)
    )
    return Image.id.in_(members)
