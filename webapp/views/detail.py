"""One image: its page, its file and its thumbnails. What a page of the gallery shows is in `pages`."""

from dataclasses import dataclass
from pathlib import Path

from flask import Response, abort, render_template, request, send_file
from flask.typing import ResponseReturnValue

from webapp import storage
from webapp.errors import BadPicture, FolderGone
from webapp.models import Image
from webapp.states import DownloadState, EventKind
from webapp.store import images, profiles, projects
from webapp.times import now
from webapp.views.asking import filter_args, filter_of
from webapp.views.formats import THUMBNAIL_EDGES, history_word
from webapp.views.pages import pages
from webapp.views.panels import background

ONE_YEAR_SECONDS = 365 * 24 * 3600

EVENT_SENTENCES = {
    EventKind.DOWNLOADED: "Downloaded",
    EventKind.FAILED: "The download failed",
    EventKind.DELETED: "The file was deleted here; it is left out until you ask for it again",
    EventKind.FILE_GONE: "The file was no longer there",
    EventKind.DAMAGED: "The file was found to be damaged",
    EventKind.GONE: "No longer found in Flow’s history",
    EventKind.BACK: "Found in Flow’s history again",
    EventKind.HIDDEN: "Hidden from the gallery",
    EventKind.SHOWN: "Shown in the gallery again",
}
WAITS = {DownloadState.WANTED: "Waiting to be downloaded", DownloadState.RUNNING: "Being downloaded"}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that became of an image, `moment` None for what is so now."""

    moment: str | None
    sentence: str
    reason: str | None = None


@pages.get("/images/<image_id>")
def show_image(image_id: str) -> str:
    """An image and its neighbours in the filter that the address spells."""
    image = images.get_image(image_id)
    filter_ = filter_of(request.args)
    previous_id, next_id = images.list_neighbours(filter_, image)
    return render_template(
        "image.html",
        image=image,
        profile=profiles.get_profile(image.profile_id),
        args=filter_args(filter_),
        previous_id=previous_id,
        next_id=next_id,
        versions=images.list_versions(image),
        project_title=projects.find_title(image.profile_id, image.project_id),
        events=events_of(image),
    )


def events_of(image: Image) -> list[Event]:
    """The story of an image as far as the shelf knows it, what came first at the top."""
    where = f" ({history_word(image.history)})" if image.history else ""
    began = [
        Event(image.created_at, "Uploaded to Flow" if image.kind == "uploaded" else "Made in Flow"),
        Event(image.stored_at, f"Found in Flow’s history{where}"),
    ]
    became = [
        Event(event.created_at, EVENT_SENTENCES[event.kind], event.reason)
        for event in images.list_events(image.id)
    ]
    wait = WAITS.get(image.wish.state) if image.wish and not image.local_path else None
    return [event for event in began if event.moment] + became + ([Event(None, wait)] if wait else [])


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
