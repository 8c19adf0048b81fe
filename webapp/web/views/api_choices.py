"""Requests of the JSON API about favourites and collections. Images are named by their names."""

from typing import Any

from flask import request
from flask.typing import ResponseReturnValue

from webapp.database.models import Collection
from webapp.store.choices import collections, favourites, past, portable
from webapp.store.gallery import images
from webapp.store.gallery.filters import Selection
from webapp.web.access import open_to_guests
from webapp.web.views.api import success
from webapp.web.views.api_trash import api
from webapp.web.views.filter_parameters import current_scope
from webapp.web.views.json_body import MAX_TEXTS, read_body
from webapp.web.views.sent_files import MAX_FILE_BYTES


@api.post("/api/favourites/add")
def mark_favourites() -> ResponseReturnValue:
    return success({"added": favourites.count_marked_at(favourites.mark(_selection()))})


@api.post("/api/favourites/remove")
def unmark_favourites() -> ResponseReturnValue:
    return success({"removed": past.count_removed_at(favourites.unmark(_selection()))})


@api.get("/api/collections")
@open_to_guests
def list_collections() -> ResponseReturnValue:
    return success([_value(each) for each in collections.list_shown(current_scope())])


@api.post("/api/collections")
def add_collection() -> ResponseReturnValue:
    added = collections.add_collection(read_body().text("title"))
    return success(_value(collections.shown(added)), 201)


@api.put("/api/collections/<collection_id>")
def rename_collection(collection_id: str) -> ResponseReturnValue:
    collections.rename(_get(collection_id), read_body().text("title"))
    return success(_value(collections.shown(_get(collection_id))))


@api.delete("/api/collections/<collection_id>")
def delete_collection(collection_id: str) -> ResponseReturnValue:
    """Its images stay."""
    collections.remove(_get(collection_id))
    return success({})


@api.post("/api/collections/<collection_id>/add")
def add_to_collection(collection_id: str) -> ResponseReturnValue:
    moment = collections.add_images(_get(collection_id), _selection())
    return success({"added": collections.count_added_at(moment)})


@api.post("/api/collections/<collection_id>/remove")
def remove_from_collection(collection_id: str) -> ResponseReturnValue:
    """The images stay on the shelf."""
    moment = collections.remove_images(_get(collection_id), _selection())
    return success({"removed": past.count_removed_at(moment)})


@api.get("/api/choices")
def export_choices() -> ResponseReturnValue:
    return success(portable.export_choices())


@api.post("/api/choices")
def import_choices() -> ResponseReturnValue:
    """Add the favourites and collections of an export."""
    request.max_content_length = MAX_FILE_BYTES
    done = portable.import_choices(read_body().fields)
    return success(
        {
            "favourites": done.favourite_count,
            "collections": done.collection_count,
            "images": done.image_count,
        }
    )


def _get(collection_id: str) -> Collection:
    return collections.get_collection(collection_id)


def _selection() -> Selection:
    names = read_body().texts("imageNames")[:MAX_TEXTS]
    return Selection(ids=tuple(images.list_ids_of_names(names)))


def _value(shown: collections.Shown) -> dict[str, Any]:
    """`coverId` is the id of an image; absent without one. `isCapped`: there are more images."""
    value = {"id": shown.collection.id, "title": shown.collection.title, "images": shown.image_count}
    cover = {"coverId": shown.cover.id} if shown.cover else {}
    return value | cover | ({"isCapped": True} if shown.is_capped else {})
