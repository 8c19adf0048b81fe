"""One image: its page, its file and its thumbnails. What a page of the gallery shows is in `pages`."""

from dataclasses import dataclass
from pathlib import Path

from flask import Response, abort, render_template, request, send_file
from flask.typing import ResponseReturnValue

from webapp import storage
from webapp.errors import BadPicture, FolderGone
from webapp.models import Image
from webapp.states import DownloadState, RunKind
from webapp.store import images, profiles, runs
from webapp.times import now
from webapp.views.asking import filter_args, filter_of
from webapp.views.formats import THUMBNAIL_EDGES, file_state, history_word, size
from webapp.views.pages import pages
from webapp.views.panels import background

ONE_YEAR_SECONDS = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Event:
    """Something that became of an image, `moment` None for what is so now."""

    moment: str | None
    sentence: str
    reason: str | None = None


@pages.get("/images/<image_id>")
def show_image(image_id: str) -> ResponseReturnValue:
    """An image and its neighbours in the filter that the address spells; 204 for a page that asks again
    while what it has `seen` is still so."""
    image = images.get_image(image_id)
    is_under_way = is_on_its_way(image)
    seen = f"{file_state(image)}-{is_under_way:d}"
    if request.args.get("seen") == seen:
        return "", 204
    filter_ = filter_of(request.args)
    previous_id, next_id = images.list_neighbours(filter_, image)
    return render_template(
        "image.html",
        image=image,
        profile=profiles.get_profile(image.profile_id),
        args=filter_args(filter_),
        previous_id=previous_id,
        next_id=next_id,
        events=events_of(image),
        is_under_way=is_under_way,
        seen=seen,
    )


def is_on_its_way(image: Image) -> bool:
    """Whether the file may come any moment: not while its run is paused or waits for cookies."""
    state = file_state(image)
    return state == "running" or (state == "wanted" and runs.is_active(image.profile_id, RunKind.DOWNLOAD))


def events_of(image: Image) -> list[Event]:
    """The story of an image as far as the shelf knows it, what came first at the top."""
    where = f" ({history_word(image.history)})" if image.history else ""
    wish = image.wish if image.wish and not image.local_path else None
    weight = f", {size(image.size_bytes)}" if image.size_bytes else ""
    happened = [
        Event(image.created_at, "Made in Flow" if image.kind != "uploaded" else "Uploaded to Flow"),
        Event(image.stored_at, f"Found in Flow’s history{where}"),
        Event(image.downloaded_at, f"Downloaded{weight}"),
        Event(image.damaged_at, "The file was found to be damaged"),
        Event(image.not_wanted_at, "The file was deleted; it is left out until you ask for it again"),
        Event(image.gone_upstream_at, "No longer found in Flow’s history"),
        Event(image.hidden_at, "Hidden from the gallery"),
    ]
    if wish and wish.state == DownloadState.FAILED:
        happened.append(Event(wish.finished_at, "The download failed", wish.error))
    story = sorted((event for event in happened if event.moment), key=lambda event: event.moment)
    waits = {DownloadState.WANTED: "Waiting to be downloaded", DownloadState.RUNNING: "Being downloaded"}
    return story + ([Event(None, waits[wish.state])] if wish and wish.state in waits else [])


@pages.get("/images/<image_id>/file")
def send_image(image_id: str) -> ResponseReturnValue:
    """The picture itself, as it lies on the disk; served by row, never by path."""
    image = images.get_image(image_id)
    return _kept(send_file(_path_of(image), as_attachment="attachment" in request.args), image)


@pages.get("/images/<image_id>/thumbnail/<int:edge>")
def send_thumbnail(image_id: str, edge: int) -> ResponseReturnValue:
    """A small WebP, made once; a picture that does not decode is marked as damaged."""
    if edge not in THUMBNAIL_EDGES:
        abort(404)
    image = images.get_image(image_id)
    path = _path_of(image)
    thumbnail = background().thumbnail_path(image, edge)
    if not thumbnail.exists():
        try:
            storage.make_thumbnail(path, thumbnail, edge)
        except BadPicture:
            images.mark_damaged([image.id], now())
            abort(404)
    return _kept(send_file(thumbnail), image)


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


def _kept(response: Response, image: Image) -> Response:
    """An address that names the bytes may be kept for ever; any other is asked for again, by its ETag."""
    is_exact = image.sha256 is not None and request.args.get("v") == image.sha256[:12]
    keep = f"max-age={ONE_YEAR_SECONDS}, immutable" if is_exact else "no-cache"
    response.headers["Cache-Control"] = f"private, {keep}"
    return response
