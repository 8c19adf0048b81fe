"""Whole pages, panels and pictures: everything that is asked by GET."""

import json
from pathlib import Path

from flask import Blueprint, Response, abort, make_response, render_template, request, send_file
from flask.typing import ResponseReturnValue

from webapp import storage
from webapp.errors import BadPicture, FolderGone
from webapp.models import Image
from webapp.store import downloads, images, profiles
from webapp.store.filters import FileState, Filter, Sort, matching
from webapp.times import now
from webapp.views.asking import filter_args, filter_of
from webapp.views.panels import background, download_panel, sync_panel

pages = Blueprint("pages", __name__)

IMAGES_PER_PAGE = 60
THUMBNAIL_EDGE = 640
ONE_DAY_SECONDS = 24 * 3600


@pages.get("/")
def gallery() -> str:
    """The images that match the address's filter; a welcome when there is no profile."""
    everyone = profiles.list_profiles()
    if not everyone:
        return render_template("welcome.html")
    filter_ = filter_of(request.args)
    return render_template(
        "gallery.html",
        profiles=everyone,
        profile_id=filter_.profile_id,
        sync=sync_panel(filter_.profile_id),
        download=download_panel(filter_.profile_id),
        choices=choices_of(filter_),
        **shown_images(filter_),
    )


@pages.get("/grid")
def grid() -> str:
    """A page of images alone: for a gallery that grew, was filtered, or is scrolled on."""
    return render_template("partials/grid.html", **shown_images(filter_of(request.args)))


def shown_images(filter_: Filter) -> dict:
    """What the grid says: the page that the address asks for, and counts of all that match."""
    before, after = request.args.get("before"), request.args.get("after")
    return {
        "filter": filter_,
        "args": filter_args(filter_),
        "page": images.list_page(filter_, limit=IMAGES_PER_PAGE, before=before, after=after),
        "totals": images.count_images(matching(filter_)),
        "shelf_count": images.count_profile(filter_.profile_id).total,
    }


def choices_of(filter_: Filter) -> dict[str, list[str]]:
    """What the filter can choose from: the values that occur."""
    return {
        "aspect": images.list_values("aspect_ratio", filter_.profile_id),
        "model": images.list_values("model_name", filter_.profile_id),
        "state": list(FileState),
        "sort": list(Sort),
    }


@pages.get("/cards")
def cards() -> ResponseReturnValue:
    """What became of cards in view: their pictures and states, to be swapped in by their ids."""
    ids = request.args.getlist("id")[:IMAGES_PER_PAGE]
    answer = make_response(render_template("partials/cards.html", images=downloads.list_outcomes(ids)))
    if under_way := background().previews.list_under_way(ids):
        answer.headers["HX-Trigger"] = json.dumps({"previews-under-way": {"ids": under_way}})
    return answer


@pages.get("/panels/sync")
def show_sync_panel() -> str:
    return render_template("partials/sync_panel.html", panel=sync_panel(chosen_profile_id()))


@pages.get("/panels/download")
def show_download_panel() -> str:
    return render_template("partials/download_panel.html", panel=download_panel(chosen_profile_id()))


@pages.get("/images/<image_id>")
def show_image(image_id: str) -> str:
    image = images.get_image(image_id)
    return render_template("image.html", image=image, profile=profiles.get_profile(image.profile_id))


@pages.get("/images/<image_id>/file")
def send_image(image_id: str) -> ResponseReturnValue:
    """The picture itself, as it lies on the disk; served by row, never by path."""
    image = images.get_image(image_id)
    response = send_file(_path_of(image), conditional=True, max_age=ONE_DAY_SECONDS)
    response.headers["Content-Disposition"] = f'inline; filename="{Path(image.local_path).name}"'
    return _private(response)


@pages.get("/images/<image_id>/thumbnail")
def send_thumbnail(image_id: str) -> ResponseReturnValue:
    """A small WebP, made once; a picture that does not decode is marked as damaged."""
    image = images.get_image(image_id)
    path = _path_of(image)
    thumbnail = background().thumbnail_path(image)
    if not thumbnail.exists():
        try:
            storage.make_thumbnail(path, thumbnail, THUMBNAIL_EDGE)
        except BadPicture:
            images.mark_damaged([image.id], now())
            abort(404)
    return _private(send_file(thumbnail, conditional=True, max_age=ONE_DAY_SECONDS))


@pages.get("/profiles")
def show_profiles() -> str:
    return render_template("profiles.html", rows=profile_rows())


@pages.get("/profiles/<profile_id>")
def show_profile(profile_id: str) -> str:
    profile = profiles.get_profile(profile_id)
    return render_template("profile.html", profile=profile, totals=images.count_profile(profile_id))


@pages.get("/profiles/<profile_id>/remove")
def ask_remove_profile(profile_id: str) -> str:
    profile = profiles.get_profile(profile_id)
    return render_template(
        "profile_remove.html",
        profile=profile,
        totals=images.count_profile(profile_id),
        folder=background().folder_of(profile_id),
    )


def profile_rows() -> list[dict]:
    return [
        {"profile": profile, "totals": images.count_profile(profile.id)}
        for profile in profiles.list_profiles()
    ]


def chosen_profile_id() -> str | None:
    """The profile that the address names, None for all. Raises UnknownProfile."""
    profile_id = request.values.get("profile")
    return profiles.get_profile(profile_id).id if profile_id else None


def _path_of(image: Image) -> Path:
    """The file of an image under a storage root; a file that is gone makes the row pending."""
    if not image.local_path:
        abort(404)
    try:
        if storage.is_there(image.local_path, background().downloads.roots):
            return storage.path_under(image.local_path, background().downloads.roots)
        images.mark_missing([image.id])
    except FolderGone:
        pass  # the disk is out: no row changes
    abort(404)


def _private(response: Response) -> Response:
    response.headers["Cache-Control"] = f"private, max-age={ONE_DAY_SECONDS}"
    return response
