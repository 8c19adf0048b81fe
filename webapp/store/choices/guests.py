"""What the guest link shows (`webapp.store.gallery.scope` applies it)."""

from dataclasses import dataclass

from webapp.database.models import GuestAccess, GuestCollection
from webapp.database.states import GuestView
from webapp.store import transaction
from webapp.store.choices.collections import get_collection


@dataclass(frozen=True, slots=True)
class GuestLink:
    """`collection_ids` are those that were chosen, also while everything is shown."""

    is_on: bool
    view: GuestView
    collection_ids: frozenset[str]


def find_guest_link() -> GuestLink:
    access = GuestAccess.get_or_none() or GuestAccess()
    chosen = GuestCollection.select(GuestCollection.collection).scalars()
    return GuestLink(access.is_on, GuestView(access.view), frozenset(chosen))


def is_link_on() -> bool:
    return (GuestAccess.get_or_none() or GuestAccess()).is_on


def show_everything() -> None:
    """Turn the link on and show guests the whole shelf."""
    _store(GuestView.EVERYTHING)


def show_collections(collection_ids: list[str]) -> None:
    """Turn the link on and show guests these collections only; none of none. Raises UnknownCollection."""
    chosen = [get_collection(collection_id).id for collection_id in dict.fromkeys(collection_ids)]
    with transaction():
        GuestCollection.delete().execute()
        for collection_id in chosen:
            GuestCollection.create(collection=collection_id)
        _store(GuestView.COLLECTIONS)


def turn_off() -> None:
    """Guests are shown nothing, and the link does not sign in, until the owner chooses again."""
    link = find_guest_link()
    _store(link.view, is_on=False)


def _store(view: GuestView, *, is_on: bool = True) -> None:
    GuestAccess.replace(id=1, view=view, is_on=is_on).execute()
