"""Buttons that command syncs and downloads. The response is the panel or the status line of the button;
without JavaScript it is a redirect to the page that the button was on."""

from collections.abc import Callable

from flask import Blueprint, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_htmx import HTMX

from webapp.database.states import SyncMode
from webapp.errors import BadRequest, Busy, FlowshelfError, UnknownImage
from webapp.maintenance import changes
from webapp.store import profiles
from webapp.store.gallery import images, selections
from webapp.store.runs import failures
from webapp.web.services import background
from webapp.web.views.filter_parameters import selection_of
from webapp.web.views.gallery import MAX_CARDS
from webapp.web.views.panels import Panel, download_panel, sync_panel
from webapp.web.views.return_path import return_path
from webapp.web.views.status import status_line

commands = Blueprint("commands", __name__)
htmx = HTMX()

# Each by the id of its element, with its template.
PANELS: dict[str, tuple[Callable[[str | None], Panel], str]] = {
    "sync-panel": (sync_panel, "partials/sync_panel.html"),
    "download-panel": (download_panel, "partials/download_panel.html"),
    "status": (status_line, "partials/status.html"),
}


# Phase 1: metadata sync


@commands.post("/profiles/<profile_id>/sync")
def start_sync(profile_id: str) -> ResponseReturnValue:
    background().syncs.start(profile_id, mode=_mode(request.form.get("mode", SyncMode.NEW)))
    return panel_response("sync-panel")


@commands.post("/sync")
def start_all_syncs() -> ResponseReturnValue:
    """Sync every profile, each as its own button does."""
    _for_each_profile(background().syncs.start)
    return panel_response("sync-panel")


@commands.post("/profiles/<profile_id>/sync/pause")
def pause_sync(profile_id: str) -> ResponseReturnValue:
    background().syncs.pause(profiles.get_profile(profile_id).id)
    return panel_response("sync-panel")


@commands.post("/walks/<int(max=9223372036854775807):walk_id>/answer")
def answer_walk(walk_id: int) -> ResponseReturnValue:
    """Answer the question whether the images that a full sync did not find are no longer in Flow."""
    background().syncs.answer(walk_id, mark=request.form.get("mark") == "yes")
    return panel_response("sync-panel")


# Phase 2: downloads


@commands.post("/downloads")
def request_downloads() -> ResponseReturnValue:
    """Download the selected images; with `failed_only` just those whose last download failed."""
    selection = selection_of(request.form)
    failed_only = bool(request.form.get("failed_only"))
    by_profile = selections.list_ids_by_profile(selection, failed_only=failed_only)
    if not by_profile and not failed_only:
        raise UnknownImage(
            "These images are no longer in Flowshelf. Reload the page to see the current ones."
        )
    for profile_id, image_ids in by_profile.items():
        background().downloads.request(profile_id, image_ids)
    return panel_response("download-panel")


@commands.post("/profiles/<profile_id>/downloads/pending")
def request_pending(profile_id: str) -> ResponseReturnValue:
    """Download all images of a profile that are not downloaded yet, or the newest `limit` of them."""
    background().downloads.request_pending(profile_id, _limit(request.form.get("limit")))
    return panel_response("download-panel")


@commands.post("/downloads/pending")
def request_all_pending() -> ResponseReturnValue:
    """Download all images of every profile that are not downloaded yet."""
    _for_each_profile(background().downloads.request_pending)
    return panel_response("download-panel")


@commands.post("/profiles/<profile_id>/downloads/retry")
def retry_failures(profile_id: str) -> ResponseReturnValue:
    """Download again the images of a profile whose last download failed."""
    background().downloads.request(profile_id, failures.list_failed_ids(profile_id))
    return panel_response("download-panel")


@commands.post("/profiles/<profile_id>/downloads/pause")
def pause_downloads(profile_id: str) -> ResponseReturnValue:
    background().downloads.pause(profiles.get_profile(profile_id).id)
    return panel_response("download-panel")


@commands.post("/profiles/<profile_id>/downloads/resume")
def resume_downloads(profile_id: str) -> ResponseReturnValue:
    background().downloads.resume(profiles.get_profile(profile_id).id)
    return panel_response("download-panel")


@commands.post("/profiles/<profile_id>/downloads/cancel")
def cancel_downloads(profile_id: str) -> ResponseReturnValue:
    background().downloads.cancel(profiles.get_profile(profile_id).id)
    return panel_response("download-panel")


@commands.post("/images/<image_id>/download")
def request_one(image_id: str) -> ResponseReturnValue:
    """Download one image, with `changed=replace` also if its file was changed outside Flowshelf, or adopted.

    The button is on the page of the image, so the response is a redirect to a page.
    """
    image = images.get_image(image_id)
    replaces_changed = request.form.get("changed") == "replace"
    background().downloads.request(image.profile_id, [image.id], replaces_changed=replaces_changed)
    return redirect(return_path(), code=303)


@commands.post("/images/<image_id>/keep")
def keep_changed(image_id: str) -> ResponseReturnValue:
    """Take a changed file for the right one. `sha256` says which content the person saw."""
    image = images.get_image(image_id)
    changes.keep(image, background().downloads.roots, shown_sha256=request.form.get("sha256"))
    return redirect(return_path(), code=303)


@commands.post("/previews")
def request_previews() -> ResponseReturnValue:
    """Fetch fresh preview URLs for some cards. The browser asks for those of the cards in view."""
    ids = request.form.getlist("id")[:MAX_CARDS]
    background().previews.request(ids, again=request.form.get("again") == "yes")
    return ("", 204) if htmx else redirect(return_path(), code=303)


def panel_response(name: str) -> ResponseReturnValue:
    """The region of the page that HTMX is about to replace: the status line, otherwise the panel `name`.
    Without HTMX a redirect to the page that the form was on."""
    profile_id = request.form.get("profile") or None
    if htmx:
        make_panel, template = PANELS[htmx.target if htmx.target in PANELS else name]
        return render_template(template, panel=make_panel(profile_id))
    return redirect(return_path(), code=303)


def _for_each_profile(command: Callable[[str], object]) -> None:
    """Give a command for each profile. One that fails does not stop the others; its error is raised at the
    end. A profile that is busy is not an error unless all are."""
    errors: list[FlowshelfError] = []
    all_profiles = profiles.list_profiles()
    for profile in all_profiles:
        try:
            command(profile.id)
        except FlowshelfError as error:
            errors.append(error)
    serious = [error for error in errors if not isinstance(error, Busy)]
    if serious or (errors and len(errors) == len(all_profiles)):
        raise (serious or errors)[0]


def _mode(text: str) -> SyncMode:
    try:
        return SyncMode(text)
    except ValueError as error:
        raise BadRequest("The mode of a sync must be one of: new, all, full, resume.") from error


def _limit(text: str | None) -> int | None:
    if not text:
        return None
    if len(text) > 7 or not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise BadRequest("Enter how many images to download: a whole number from 1 to 1,000,000.")
    return int(text)
