"""One image: its page, its file and its thumbnails. What a page of the gallery shows is in `pages`."""

import logging
from dataclasses import dataclass
from pathlib import Path

from flask import Response, abort, render_template, request, send_file
from flask.typing import ResponseReturnValue

from webapp import storage
from webapp.database.models import Image
from webapp.database.states import DownloadState, EventKind, RunKind
from webapp.errors import BadPicture, DiskFull, FolderGone, NoThumbnail, UnknownImage
from webapp.maintenance import verify
from webapp.store import profiles, runs
from webapp.store.gallery import images
from webapp.store.history import projects
from webapp.times import now
from webapp.web.access import is_owner, open_to_guests
from webapp.web.services import background
from webapp.web.views.filter_parameters import filter_args, filter_asked
from webapp.web.views.formats import THUMBNAIL_EDGES, file_state, history_word
from webapp.web.views.pages import pages

log = logging.getLogger(__name__)

ONE_YEAR_SECONDS = 365 * 24 * 3600
PICTURE_KINDS = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".avif": "image/avif",
}
UNKNOWN_KIND = "application/octet-stream"

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
WAITS = {DownloadState.QUEUED: "Waiting to be downloaded", DownloadState.RUNNING: "Being downloaded"}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that became of an image, `moment` None for what is so now."""

    moment: str | None
    sentence: str
    reason: str | None = None


def shown_image(image_id: str) -> Image:
    """An image that whoever asks may see: what the owner hid is not there for guests. Raises UnknownImage."""
    image = images.get_image(image_id)
    if image.hidden_at and not is_owner():
        raise UnknownImage("There is no such image on this shelf.")
    return image


@pages.get("/images/<image_id>")
@open_to_guests
def show_image(image_id: str) -> ResponseReturnValue:
    """An image and its neighbours in the filter that the address spells; 204 for a page that asks again
    while what it has `seen` is still so."""
    image = shown_image(image_id)
    is_under_way = is_on_its_way(image)
    seen = f"{file_state(image)}-{is_under_way:d}"
    if request.args.get("seen") == seen:
        return "", 204
    filter_ = filter_asked()
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
        events=events_of(image) if is_owner() else [],
        is_under_way=is_under_way,
        seen=seen,
    )


def is_on_its_way(image: Image) -> bool:
    """Whether the file may come any moment: not while its run is paused or waits for cookies."""
    state = file_state(image)
    return state == "running" or (state == "queued" and runs.is_active(image.profile_id, RunKind.DOWNLOAD))


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
    wait = WAITS.get(image.latest_download.state) if image.latest_download and not image.local_path else None
    return [event for event in began if event.moment] + became + ([Event(None, wait)] if wait else [])


@pages.get("/images/<image_id>/file")
@open_to_guests
def send_image(image_id: str) -> ResponseReturnValue:
    """The picture itself, as it lies on the disk; served by row, never by path. What a row of another
    program calls a picture and is none is handed out as a file to keep, never shown as a page of ours."""
    image = shown_image(image_id)
    path = _path_of(image)
    kind = PICTURE_KINDS.get(path.suffix.lower())
    attached = "attachment" in request.args or kind is None
    return _kept(path, image, mimetype=kind or UNKNOWN_KIND, as_attachment=attached)


@pages.get("/images/<image_id>/thumbnail/<int:edge>")
@open_to_guests
def send_thumbnail(image_id: str, edge: int) -> ResponseReturnValue:
    """A small WebP, made once; a picture that does not decode is marked as damaged."""
    if edge not in THUMBNAIL_EDGES:
        abort(404)
    image = shown_image(image_id)
    path = _path_of(image)
    try:
        thumbnail = background().thumbnails.get(image, path, edge)
    except BadPicture:
        images.mark_damaged([image.id], now())
        abort(404)
    except NoThumbnail as error:
        log.warning("%s", error)
        abort(404)
    except (DiskFull, FolderGone):
        return send_image(image_id)  # it cannot be written: the picture itself serves
    return _kept(storage.path_under(str(thumbnail), [thumbnail.parents[1]]), image, mimetype="image/webp")


def _path_of(image: Image) -> Path:
    """The file of an image under a storage root. Raises FolderGone to the owner alone: it names a path."""
    try:
        return _file_of(image)
    except FolderGone:
        if is_owner():
            raise
        abort(404)


def _file_of(image: Image) -> Path:
    """The file of an image under a storage root; a file that is gone makes the row pending, one that was
    changed by hand is noted.

    Raises FolderGone when the whole folder is: then no row changes.
    """
    if not image.local_path:
        raise UnknownImage("This image has no file yet. Download it first.")
    if not storage.is_there(image.local_path, background().downloads.roots):
        images.mark_missing([image.id])
        raise UnknownImage(
            "The file of this image is not there any more: somebody deleted or moved it. The image is "
            "pending again; download it to have the file back."
        )
    path = storage.path_under(image.local_path, background().downloads.roots)
    if image.size_bytes is not None and path.stat().st_size != image.size_bytes:
        verify.note_change(image, path)
    return path


def _kept(path: Path, image: Image, **sent: object) -> Response:
    """An address that names the bytes may be kept for ever; any other is asked for again, by its ETag."""
    response = send_file(path, **sent)
    is_exact = image.sha256 is not None and request.args.get("v") == image.sha256[:12]
    keep = f"max-age={ONE_YEAR_SECONDS}, immutable" if is_exact else "no-cache"
    response.headers["Cache-Control"] = f"private, {keep}"
    return response
