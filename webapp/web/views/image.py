"""One image: its page, its file and its thumbnails."""

import hashlib
import logging
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath

from flask import Blueprint, Response, abort, render_template, request, send_file
from flask.typing import ResponseReturnValue

from webapp import storage
from webapp.database.models import Image
from webapp.database.states import DownloadState, EventKind, RunKind
from webapp.errors import BadPicture, DiskFull, FlowshelfError, FolderGone, NoThumbnail, UnknownImage
from webapp.file_names import INSIDE
from webapp.maintenance import changes
from webapp.maintenance.leaving import Teller, open_copy
from webapp.maintenance.leaving.copies import MAX_EMBEDDED_BYTES
from webapp.store import profiles, runs
from webapp.store.choices import collections
from webapp.store.gallery import images, positions
from webapp.store.history import projects
from webapp.times import now
from webapp.web.access import is_owner, open_to_guests
from webapp.web.compression import ONE_YEAR_SECONDS
from webapp.web.services import background
from webapp.web.views.filter_parameters import current_scope, filter_args, requested_filter
from webapp.web.views.image_display import THUMBNAIL_EDGES, file_state
from webapp.web.views.labels import history_label

log = logging.getLogger(__name__)

image_pages = Blueprint("images", __name__)

MEDIA_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".avif": "image/avif",
}
UNKNOWN_MEDIA_TYPE = "application/octet-stream"

EVENT_SENTENCES: dict[str, str] = {
    EventKind.DOWNLOADED: "Downloaded",
    EventKind.FAILED: "The download failed",
    EventKind.DELETED: "The file was deleted in Flowshelf; it is not downloaded again until you choose to",
    EventKind.FILE_GONE: "The file was missing",
    EventKind.DAMAGED: "The file was found to be damaged",
    EventKind.CHANGED: "The file was changed outside Flowshelf",
    EventKind.ADOPTED: "Adopted from a file",
    EventKind.KEPT: "The changed file was kept",
    EventKind.GONE: "No longer found in Flow",
    EventKind.BACK: "Found in Flow again",
    EventKind.HIDDEN: "Hidden from the gallery",
    EventKind.SHOWN: "Shown in the gallery again",
}
DOWNLOAD_SENTENCES: dict[str, str] = {
    DownloadState.QUEUED: "Queued for download",
    DownloadState.RUNNING: "Downloading",
}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to an image. `moment` is None for what is happening now."""

    moment: str | None
    sentence: str
    reason: str | None = None


def get_visible_image(image_id: str) -> Image:
    """An image that the current role may see. Raises UnknownImage, for guests also outside their scope."""
    return images.get_image(image_id, current_scope())


@image_pages.get("/images/<image_id>")
@open_to_guests
def show_image(image_id: str) -> ResponseReturnValue:
    """An image, with links to its neighbours in the filter of the URL.

    The page refreshes itself during a download and sends the state that it shows as `seen`: 204 if nothing
    changed.
    """
    image = get_visible_image(image_id)
    _look_at_file(image)
    is_under_way = is_downloading(image)
    seen = f"{file_state(image)}-{is_under_way:d}"
    if request.args.get("seen") == seen:
        return "", 204
    filter_ = requested_filter()
    previous_id, next_id = images.list_neighbours(filter_, image)
    return render_template(
        "image.html",
        image=image,
        profile=profiles.get_profile(image.profile_id),
        args=filter_args(filter_),
        previous_id=previous_id,
        next_id=next_id,
        position=positions.find_first(filter_, image),
        versions=images.list_versions(image, current_scope()),
        project_title=projects.find_title(image.profile_id, image.project_id),
        collections=collections.list_of_image(image, current_scope()),
        events=events_of(image) if is_owner() else [],
        is_under_way=is_under_way,
        seen=seen,
    )


@image_pages.get("/images/<image_id>/position")
@open_to_guests
def show_position(image_id: str) -> str:
    """The position of an image in the filter of the URL, for pages that were sent before it was counted."""
    image, filter_ = get_visible_image(image_id), requested_filter()
    return render_template("partials/position.html", position=positions.find_position(filter_, image))


@image_pages.app_template_global()
def project_page(image: Image) -> str | None:
    """The page of an image's project in today's Flow; None when the image does not come from there. For the
    owner only: a guest must not learn the names of projects."""
    if not is_owner() or not image.project_id:
        return None
    account_index = profiles.get_profile(image.profile_id).account_index
    return background().project_page(image.project_id, account_index)


def is_downloading(image: Image) -> bool:
    """Whether the file may arrive at any moment. Not while it is queued in a run that is paused or
    waiting."""
    state = file_state(image)
    return state == "running" or (state == "queued" and runs.is_active(image.profile_id, RunKind.DOWNLOAD))


def events_of(image: Image) -> list[Event]:
    """What is known about the past of an image, oldest first, and its current download at the end."""
    source = f" ({history_label(image.history)})" if image.history else ""
    events = [Event(image.created_at, "Uploaded to Flow" if image.kind == "uploaded" else "Made in Flow")]
    if image.stored_at:
        events.append(Event(image.stored_at, f"Found in Flow{source}"))
    events += [
        Event(event.created_at, EVENT_SENTENCES[event.kind], event.reason)
        for event in images.list_events(image.id)
        if event.kind in EVENT_SENTENCES  # a damaged database may hold any
    ]
    if image.latest_download and not image.local_path:
        current = DOWNLOAD_SENTENCES.get(image.latest_download.state)
        events += [Event(None, current)] if current else []
    return events


@image_pages.get("/images/<image_id>/file")
@open_to_guests
def send_image(image_id: str) -> ResponseReturnValue:
    """The downloaded file. The URL names a row and never a path.

    A file that is not an image type (an imported row may point to any file) is sent as an attachment: a
    browser must not run it as a page of this site.
    """
    image = images.get_file(image_id, current_scope())
    path = _path_of(image)
    sha256 = _sha256_of(image, path)
    media_type = MEDIA_TYPES.get(path.suffix.lower())
    if "attachment" in request.args and media_type:
        return _send_copy(get_visible_image(image_id), path, media_type, sha256)
    return send_versioned(
        path, media_type or UNKNOWN_MEDIA_TYPE, sha256, sha256, as_attachment=media_type is None
    )


@image_pages.get("/images/<image_id>/thumbnail/<int:edge>")
@open_to_guests
def send_thumbnail(image_id: str, edge: int) -> ResponseReturnValue:
    """A small WebP, created at the first request. An image that cannot be decoded is marked as damaged."""
    if edge not in THUMBNAIL_EDGES:
        abort(404)
    image = images.get_file(image_id, current_scope())
    path = _path_of(image)
    if not background().thumbnails.is_made(image, edge) or path.stat().st_size != image.size_bytes:
        _sha256_of(image, path)  # notes a changed file, which has another thumbnail
    try:
        thumbnail = background().thumbnails.get(image, path, edge)
    except BadPicture:
        images.mark_damaged([image.id], now())
        abort(404)
    except NoThumbnail as error:
        log.warning("%s", error)
        abort(404)
    except (DiskFull, FolderGone):
        return send_image(image_id)  # the thumbnail cannot be stored
    version = image.changed_sha256 or image.sha256
    etag = f"{version}-{edge}" if version else None
    return send_versioned(
        storage.path_under(str(thumbnail), [thumbnail.parents[1]]), "image/webp", version, etag
    )


def _path_of(image: Image) -> Path:
    """The file of an image. Guests get a 404 instead of FolderGone, which names a path."""
    try:
        return _file_of(image)
    except FolderGone:
        if is_owner():
            raise
        abort(404)


def _file_of(image: Image) -> Path:
    """The file of an image, under a storage root. Marks the image as not downloaded if the file is missing.

    Raises UnknownImage without a file, and FolderGone if the storage root itself is missing: then no row
    changes, because the disk may just be unplugged.
    """
    path = image.file_path
    if not path:
        raise UnknownImage("This image is not downloaded yet. Download it first.")
    if not storage.is_there(path, background().downloads.roots):
        images.mark_missing([image.id])
        raise UnknownImage(
            "The file of this image is missing: it was deleted or moved outside of Flowshelf. Download the "
            "image again to get it back."
        )
    return storage.path_under(path, background().downloads.roots)


def _sha256_of(image: Image, path: Path) -> str:
    """The sha256 of what the file holds now: never the stored one for changed bytes."""
    with storage.translate_errors(path.parent):
        return changes.sha256_of(image, path)


def _look_at_file(image: Image) -> None:
    """Notice a file that was changed, so that the page can say so. What else may be wrong with it is said
    where it is requested."""
    if image.file_path:
        with suppress(FlowshelfError):
            _sha256_of(image, storage.path_under(image.file_path, background().downloads.roots))


def _send_copy(image: Image, path: Path, media_type: str, sha256: str) -> Response:
    """The file to save, with a name by the template and with its metadata inside, if that is the setting.

    Both tell a guest only what guests are shown.
    """
    current = background().settings.current
    fields = Teller(for_guest=not is_owner()).fields_of(image)
    name = PurePosixPath(fields.file_name(current.file_names, path.suffix)).name
    if current.file_metadata != INSIDE or path.stat().st_size > MAX_EMBEDDED_BYTES:
        return send_versioned(path, media_type, sha256, sha256, as_attachment=True, download_name=name)
    with open_copy(path, fields.description, current.file_metadata) as copy:
        content = b"".join(copy.chunks)
    response = send_file(
        BytesIO(content),
        mimetype=media_type,
        as_attachment=True,
        download_name=name,
        etag=hashlib.sha256(content).hexdigest(),
    )
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def send_versioned(
    path: Path,
    media_type: str,
    version: str | None,
    etag: str | None,
    *,
    as_attachment: bool = False,
    download_name: str | None = None,
) -> Response:
    """A response that browsers may cache for good if the URL contains the version of the file, the beginning
    of its sha256. Otherwise they have to ask each time, by ETag."""
    is_usable = etag is not None and etag.isascii() and etag.replace("-", "").isalnum()
    found = path.stat()
    response = send_file(
        path,
        mimetype=media_type,
        as_attachment=as_attachment,
        download_name=download_name,
        etag=etag if etag and is_usable else True,
        # The modification time of an image's file is that of the image, whatever its bytes are.
        last_modified=max(found.st_mtime, found.st_ctime),
    )
    # What a guest was shown may be out of their scope with the next request.
    is_versioned = version is not None and request.args.get("v") == version[:12] and is_owner()
    caching = f"max-age={ONE_YEAR_SECONDS}, immutable" if is_versioned else "no-cache"
    response.headers["Cache-Control"] = f"private, {caching}"
    return response
