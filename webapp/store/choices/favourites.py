"""Marking images as favourites. Triggers bring the mark to the rows of the images."""

from peewee import Value

from webapp.database.models import Favourite, Image
from webapp.store import count_changes, transaction
from webapp.store.gallery.filters import Selection, selected
from webapp.times import now


def mark(selection: Selection) -> int:
    """Mark the images of a selection; returns how many were not marked before."""
    images = selected(selection).select(Image.name, Value(now())).where(Image.favourite_at.is_null())
    rows = Favourite.insert_from(images, [Favourite.name, Favourite.favourite_at])
    with transaction():
        rows.on_conflict_ignore().execute()
        return count_changes()


def unmark(selection: Selection) -> int:
    """Take the mark from the images of a selection; returns how many had it."""
    names = selected(selection).select(Image.name).where(Image.favourite_at.is_null(False))
    with transaction():
        return int(Favourite.delete().where(Favourite.name.in_(names)).execute())
