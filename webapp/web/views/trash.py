"""The Trash page: deleted files, how long they stay, and the ways back and out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_htmx import HTMX

from webapp import storage, times
from webapp.database.models import Image, TrashedFile
from webapp.database.states import TrashReason, TrashState
from webapp.errors import BadRequest, FlowshelfError
from webapp.maintenance.trash import path_of
from webapp.store import trash
from webapp.store.gallery import images
from webapp.store.profiles import list_profiles
from webapp.web.access import asks_for_code
from webapp.web.services import background
from webapp.web.views.image import send_versioned
from webapp.web.views.image_display import THUMBNAIL_EDGES, image_title
from webapp.web.views.return_path import return_path

trash_pages = Blueprint("trash", __name__)
htmx = HTMX()

FILES_PER_PAGE = 60
REASONS: dict[str, str] = {
    TrashReason.DELETED: "Deleted",
    TrashReason.PROFILE: "Removed with its profile",
    TrashReason.REPLACED: "Replaced by another file",
}


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file of the Trash page. `leaves_at`: when it is deleted for good; None if only a person does that.
    `is_seen`: a sync has seen its image in Flow since; before that it stays. `image`: the image that the file
    belongs to, None if its profile was removed.
    """

    row: TrashedFile
    title: str
    reason: str
    leaves_at: str | None
    is_seen: bool
    image: Image | None
    has_thumbnail: bool

    @property
    def is_under_way(self) -> bool:
        return self.row.state != TrashState.KEPT


@trash_pages.get("/trash")
def show_trash() -> str:
    before = request.args.get("before", type=int)
    rows = trash.list_newest(FILES_PER_PAGE + 1, before)
    return render_template(
        "trash.html",
        files=_shown(rows[:FILES_PER_PAGE]),
        older_than=rows[FILES_PER_PAGE - 1].id if len(rows) > FILES_PER_PAGE else None,
        is_first=before is None,
        summary=trash.summary(),
        days=background().settings.current.trash_days,
        outcome=_outcome(),
    )


def _shown(rows: Sequence[TrashedFile]) -> list[ShownFile]:
    stored = {image.id: image for image in images.list_by_ids([row.image_id for row in rows])}
    ids = [row.id for row in rows]
    seen_ids, leaving_ids = trash.list_safe_ids(ids), trash.list_safe_ids(ids, is_seen=False)
    days = timedelta(days=background().settings.current.trash_days)
    profile_ids = {profile.id for profile in list_profiles()}
    return [
        ShownFile(
            row=row,
            title=image_title(stored[row.image_id]) if row.image_id in stored else _file_name(row),
            reason=REASONS.get(row.reason, ""),
            leaves_at=times.timestamp(times.parsed(row.trashed_at) + days) if row.id in leaving_ids else None,
            is_seen=row.id in seen_ids,
            image=stored.get(row.image_id),
            has_thumbnail=row.profile_id in profile_ids and row.state == TrashState.KEPT,
        )
        for row in rows
    ]


def _file_name(row: TrashedFile) -> str:
    return PurePosixPath(row.local_path).name


def _outcome() -> dict[str, int] | None:
    """What the last command did, from the query of the page that it redirected to."""
    names = ("restored", "aside", "stayed", "emptied")
    found = {name: request.args.get(name, 0, int) for name in names}
    return found if any(name in request.args for name in names) else None


@trash_pages.get("/trash/<int(max=9223372036854775807):row_id>/thumbnail/<int:edge>")
def send_thumbnail(row_id: int, edge: int) -> ResponseReturnValue:
    """A small WebP of a file in the trash. Those of removed profiles have none."""
    row = trash.find(row_id)
    if row is None or edge not in THUMBNAIL_EDGES or not _has_profile(row):
        abort(404)
    named = Image(
        id=row.image_id, profile_id=row.profile_id, sha256=row.sha256, changed_sha256=row.changed_sha256
    )
    try:
        roots = background().downloads.roots
        path = storage.path_under(str(path_of(row, roots)), roots)
        thumbnail = background().thumbnails.get(named, path, edge)
    except (FlowshelfError, OSError):
        abort(404)
    version = row.changed_sha256 or row.sha256
    etag = f"{version}-{edge}" if version else None
    return send_versioned(thumbnail, "image/webp", version, etag)


def _has_profile(row: TrashedFile) -> bool:
    return any(profile.id == row.profile_id for profile in list_profiles())


@trash_pages.post("/trash/undo")
def undo() -> ResponseReturnValue:
    """Restore all files of one Delete, or of several that a toast has merged (`undo`, more than once)."""
    done = [background().trash.undo(act) for act in request.form.getlist("undo")]
    outcome: dict[str, Any] = {
        "restored": sum(each.restored_count for each in done),
        "aside": sum(each.aside_count for each in done),
        "stayed": sum(each.kept_count for each in done),
    }
    here = url_for("selections.show_outcome", **outcome) if htmx else return_path(**outcome)
    return redirect(here, code=303)


@trash_pages.post("/trash/restore")
def restore() -> ResponseReturnValue:
    """Restore one file (`only`), the ticked ones (`file`), or all that were there when the page was made
    (`all`, the newest of them)."""
    if (up_to := request.form.get("all", type=int)) is not None:
        ids = trash.list_all_ids(up_to)
    elif (only := request.form.get("only", type=int)) is not None:
        ids = [only]
    else:
        ids = request.form.getlist("file", type=int)
    if not ids:
        raise BadRequest("No file is selected. Tick the files that you want to restore.")
    done = background().trash.restore(ids)
    return redirect(
        url_for(
            "trash.show_trash",
            restored=done.restored_count,
            aside=done.aside_count,
            stayed=done.kept_count,
        ),
        code=303,
    )


@trash_pages.get("/trash/empty")
def confirm_emptying() -> str:
    return render_template("trash_empty.html", summary=trash.summary(), back=url_for("trash.show_trash"))


@trash_pages.post("/trash/empty")
@asks_for_code
def empty() -> ResponseReturnValue:
    """Delete for good what the person saw: files up to the id that the confirmation page named, if they are
    still as it said."""
    up_to = request.form.get("up_to", type=int)
    found = trash.summary()
    if up_to is None or request.form.get("only_here", type=int) != found.only_here_count:
        page = render_template(
            "trash_empty.html", summary=found, back=url_for("trash.show_trash"), has_changed=True
        )
        return page, 409
    emptied = background().empty_trash(trash.list_all_ids(up_to))
    return redirect(url_for("trash.show_trash", emptied=emptied), code=303)
