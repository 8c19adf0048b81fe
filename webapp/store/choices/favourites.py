"""Marking images as favourites. Triggers bring the mark to the rows of the images."""

from peewee import Value

from webapp.database.models import Favourite, Image, PastChoice
from webapp.store import transaction
from webapp.store.choices import past
from webapp.store.gallery.filters import Selection, selected
from webapp.times import now


def mark(selection: Selection) -> str:
    """Mark the images of a selection that are not marked. Returns the time, which identifies this action."""
    moment = now()
    images = selected(selection).select(Image.name, Value(moment)).where(Image.favourite_at.is_null())
    rows = Favourite.insert_from(images, [Favourite.name, Favourite.favourite_at])
    with transaction():
        rows.on_conflict_ignore().execute()
    return moment


def unmark(selection: Selection) -> str:
    """Take the mark from the images of a selection. Returns the time, which identifies this action."""
    names = selected(selection).select(Image.name).where(Image.favourite_at.is_null(False))
    marks = Favourite.select(Favourite.name, Favourite.favourite_at).where(Favourite.name.in_(names))
    with transaction():
        moment = past.keep(marks)
        Favourite.delete().where(Favourite.name.in_(past.names_of(moment))).execute()
    return moment


def undo_unmarking(moment: str) -> None:
    """Give back the marks that were taken at this time, as returned by `unmark`, with their times."""
    rows = past.removed_at(moment).select(PastChoice.name, PastChoice.chosen_at)
    with transaction():
        back = Favourite.insert_from(rows, [Favourite.name, Favourite.favourite_at])
        back.on_conflict_ignore().execute()


def undo_marking(moment: str) -> None:
    """Take the mark from the images that were marked at this time, as returned by `mark`."""
    with transaction():
        Favourite.delete().where(Favourite.favourite_at == moment).execute()


def count_marked_at(moment: str) -> int:
    return Image.select().where(Image.favourite_at == moment).count()
