"""Tables of what a person chose: favourites, collections, and what guests are shown.

Favourites and collections hold the names of images, not their rows: a choice outlives a row that is lost, and
holds again when a sync or an import brings the image back. `webapp.database.triggers.choices` keeps what is
derived from them.
"""

from peewee import SQL, BooleanField, ForeignKeyField

from webapp.database.base import BaseModel
from webapp.database.fields import AutoField, IntegerField, TextField
from webapp.database.states import GuestView


class Favourite(BaseModel):
    """An image that a person marked with the heart. `Image.favourite_at` follows this table."""

    name = TextField(primary_key=True)
    favourite_at = TextField()


class Collection(BaseModel):
    """A named set of images. `cover_name` is the image chosen as its cover, null for the newest one."""

    id = TextField(primary_key=True)
    title = TextField(constraints=[SQL("UNIQUE COLLATE NOCASE")])
    cover_name = TextField(null=True)
    created_at = TextField()


class CollectionImage(BaseModel):
    """An image of a collection.

    `image_id` is null while no image has this name; `image_at` is the time of the image, so that a page of a
    collection is read in order without sorting.
    """

    id = AutoField()
    collection = ForeignKeyField(Collection, on_delete="CASCADE", index=False)
    collection_id: TextField
    name = TextField()
    image_id = TextField(null=True)
    image_at = TextField(null=True)
    added_at = TextField()

    class Meta:
        table_name = "collection_image"
        indexes = ((("collection", "name"), True),)


class PastChoice(BaseModel):
    """What was taken back at `removed_at`, kept for Undo: a place in a collection, or without one the mark of
    a favourite. `chosen_at` is its `added_at` or `favourite_at`."""

    id = AutoField()
    collection = ForeignKeyField(Collection, null=True, on_delete="CASCADE", index=False)
    collection_id: TextField
    name = TextField()
    chosen_at = TextField()
    removed_at = TextField()

    class Meta:
        table_name = "past_choice"


class GuestAccess(BaseModel):
    """What the guest link shows: one row, none while nobody has chosen (then everything).

    `is_on`: the link works. Restore turns it off, because the copy may show guests more than the owner wants
    by now; it stays off until the owner has chosen again.
    """

    id = IntegerField(primary_key=True, default=1)
    view = TextField(default=GuestView.EVERYTHING)
    is_on = BooleanField(default=True)


class GuestCollection(BaseModel):
    """A collection that guests are shown while `GuestAccess.view` is COLLECTIONS."""

    collection = ForeignKeyField(Collection, primary_key=True, on_delete="CASCADE")
    collection_id: TextField
