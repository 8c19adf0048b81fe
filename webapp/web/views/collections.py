"""Collections: their pages, adding images to them, renaming, deleting, and all choices as JSON."""

import json

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_htmx import HTMX

from webapp.database.models import Collection
from webapp.store.choices import collections, portable
from webapp.store.gallery import images, selections
from webapp.store.gallery.filters import Selection
from webapp.web.access import open_to_guests
from webapp.web.views.filter_parameters import current_scope, gallery_url, selection_fields, selection_of
from webapp.web.views.return_path import return_path
from webapp.web.views.selections import SHOWN_IMAGES
from webapp.web.views.zones import viewed_now

collection_pages = Blueprint("collections", __name__)
htmx = HTMX()


@collection_pages.get("/collections")
@open_to_guests
def show_collections() -> str:
    """The collections that the current role may see, each with its cover."""
    return render_template("collections.html", shown=collections.list_shown(current_scope()))


@collection_pages.get("/collections/<collection_id>")
@open_to_guests
def show_collection(collection_id: str) -> ResponseReturnValue:
    """The address of a collection: the gallery shows it."""
    found = collections.get_collection(collection_id, current_scope())
    return redirect(gallery_url(collection=found.id), code=302)


@collection_pages.post("/collections")
def add_collection() -> ResponseReturnValue:
    added = collections.add_collection(request.form.get("title", ""))
    return redirect(url_for("collections.show_edit", collection_id=added.id), code=303)


@collection_pages.get("/collections/<collection_id>/edit")
def show_edit(collection_id: str) -> str:
    """What can be done with a collection: rename, cover, download, ZIP, delete."""
    found = collections.get_collection(collection_id)
    return render_template("collection_edit.html", shown=collections.shown(found))


@collection_pages.post("/collections/<collection_id>/rename")
def rename(collection_id: str) -> ResponseReturnValue:
    collections.rename(collections.get_collection(collection_id), request.form.get("title", ""))
    return redirect(url_for("collections.show_edit", collection_id=collection_id), code=303)


@collection_pages.post("/collections/<collection_id>/cover")
def set_cover(collection_id: str) -> ResponseReturnValue:
    """The image of the form becomes the cover; without one, the newest image is it again."""
    image_id = request.form.get("image_id")
    image = images.get_image(image_id) if image_id else None
    collections.set_cover(collections.get_collection(collection_id), image)
    return redirect(return_path(), code=303)


@collection_pages.post("/collections/<collection_id>/delete")
def delete(collection_id: str) -> ResponseReturnValue:
    collections.remove(collections.get_collection(collection_id))
    return redirect(url_for("collections.show_collections"), code=303)


# Images in collections


@collection_pages.post("/selection/collect")
def ask() -> str:
    """Asks for the collection that the selected images are to be added to."""
    selection = selection_of(request.form)
    first = selections.list_first(selection, SHOWN_IMAGES)
    return render_template(
        "collect.html",
        image_count=selections.summary_of(selection).image_count,
        images=first,
        collections=collections.list_collections(),
        fields=selection_fields(selection),
        back=return_path(),
    )


@collection_pages.post("/selection/collect/add")
def add_images() -> ResponseReturnValue:
    """Add the selected images to the collection with the title of the form, a new one if there is none."""
    found = collections.get_or_add(request.form.get("title", ""))
    moment = collections.add_images(found, selection_of(request.form))
    return redirect(return_path(collected=moment, into=found.id), code=303)


@collection_pages.post("/selection/collect/undo")
def undo() -> ResponseReturnValue:
    """Undo what was done at these times: several, if a toast has merged several actions."""
    for moment in request.form.getlist("collected"):
        collections.undo_adding(moment)
    for moment in request.form.getlist("uncollected"):
        collections.undo_removing(moment)
    if htmx:
        return "", 204, {"HX-Trigger": "images-changed"}
    return redirect(return_path(), code=303)


@collection_pages.post("/selection/uncollect")
def remove_images() -> ResponseReturnValue:
    """Take the selected images out of the collection `out_of`; they stay on the shelf."""
    found = collections.get_collection(request.form.get("out_of", ""))
    moment = collections.remove_images(found, selection_of(request.form))
    return redirect(return_path(uncollected=moment, out_of=found.id), code=303)


# As JSON


@collection_pages.get("/choices.json")
def export_choices() -> Response:
    """All favourites and collections, for a file that `flowshelf import` reads."""
    text = json.dumps(portable.export_choices(), ensure_ascii=False, indent=1)
    response = Response(text, content_type="application/json; charset=utf-8")
    name = f"flowshelf-choices-{viewed_now():%Y-%m-%d}.json"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@collection_pages.app_template_global()
def collection_named(collection_id: str | None) -> Collection | None:
    """The collection that a filter shows."""
    return collections.get_collection(collection_id, current_scope()) if collection_id else None


@collection_pages.app_template_global()
def everything_in(collection_id: str) -> list[tuple[str, str]]:
    """The form fields that select all images of a collection."""
    from_it = collections.filter_of(collection_id)
    return selection_fields(Selection(everything=from_it))
