"""Forms and buttons: each is read, commanded and answered by a panel, or without JavaScript by a page."""

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_htmx import HTMX

from webapp.database.states import SyncMode
from webapp.errors import BadRequest, FlowError, FlowshelfError, UnknownImage
from webapp.store import profiles
from webapp.store.gallery import images, selections
from webapp.store.runs import failures
from webapp.web.access import open_to_guests
from webapp.web.services import background
from webapp.web.views.filter_parameters import selection_of, way_back
from webapp.web.views.formats import CHOICES
from webapp.web.views.image import ONE_YEAR_SECONDS
from webapp.web.views.pages import MAX_CARDS, profile_page, profile_rows
from webapp.web.views.panels import download_panel, sync_panel

commands = Blueprint("commands", __name__)
htmx = HTMX()

PANELS = {"sync": sync_panel, "download": download_panel}


# Phase 1


@commands.post("/profiles/<profile_id>/sync")
def start_sync(profile_id: str) -> ResponseReturnValue:
    background().syncs.start(profile_id, mode=_mode(request.form.get("mode", SyncMode.NEW)))
    return panel_response("sync")


@commands.post("/profiles/<profile_id>/sync/pause")
def pause_sync(profile_id: str) -> ResponseReturnValue:
    background().syncs.pause(profiles.get_profile(profile_id).id)
    return panel_response("sync")


@commands.post("/walks/<int(max=9223372036854775807):walk_id>/answer")
def answer_walk(walk_id: int) -> ResponseReturnValue:
    background().syncs.answer(walk_id, mark=request.form.get("mark") == "yes")
    return panel_response("sync")


# Phase 2


@commands.post("/downloads")
def request_downloads() -> ResponseReturnValue:
    """Download the image whose button was pressed, else those that were selected; or of these, when
    `failed_only`, try those again whose download failed."""
    selection = selection_of(request.form)
    failed_only = bool(request.form.get("failed_only"))
    by_profile = selections.list_ids_by_profile(selection, failed_only=failed_only)
    if not by_profile and not failed_only:
        raise UnknownImage("These images are no longer on the shelf. Reload the page to see what is.")
    for profile_id, image_ids in by_profile.items():
        background().downloads.request(profile_id, image_ids)
    return panel_response("download")


@commands.post("/profiles/<profile_id>/downloads/pending")
def request_pending(profile_id: str) -> ResponseReturnValue:
    background().downloads.request_pending(profile_id, _limit(request.form.get("limit")))
    return panel_response("download")


@commands.post("/profiles/<profile_id>/downloads/retry")
def retry_failures(profile_id: str) -> ResponseReturnValue:
    """Wish again for what failed in the profile's last run."""
    background().downloads.request(profile_id, failures.list_failed_ids(profile_id))
    return panel_response("download")


@commands.post("/profiles/<profile_id>/downloads/<any(pause, resume, cancel):verb>")
def steer_downloads(profile_id: str, verb: str) -> ResponseReturnValue:
    profile_id = profiles.get_profile(profile_id).id
    work = background().downloads
    {"pause": work.pause, "resume": work.resume, "cancel": work.cancel}[verb](profile_id)
    return panel_response("download")


@commands.post("/previews")
def request_previews() -> ResponseReturnValue:
    """Have previews fetched for the cards that are named; the cards in view ask for themselves."""
    ids = request.form.getlist("id")[:MAX_CARDS]
    background().previews.request(ids, again=request.form.get("again") == "yes")
    return ("", 204) if htmx else redirect(way_back(), code=303)


@commands.post("/density")
@open_to_guests
def choose_density() -> ResponseReturnValue:
    """How close together the cards stand."""
    return remember_choice("density")


@commands.post("/theme")
@open_to_guests
def choose_theme() -> ResponseReturnValue:
    """Light, dark, or as the system has it."""
    return remember_choice("theme")


def remember_choice(name: str) -> ResponseReturnValue:
    """Keep how a browser wants to see the shelf; in a cookie, so that the first paint of a page is right."""
    choice = request.form.get(name)
    if choice not in CHOICES[name]:
        raise BadRequest(f"The {name} is one of these: {', '.join(CHOICES[name])}.")
    answer = make_response(("", 204)) if htmx else redirect(way_back(), code=303)
    answer.set_cookie(name, choice, max_age=ONE_YEAR_SECONDS, httponly=True, samesite="Lax")
    return answer


@commands.post("/images/<image_id>/download")
def request_one(image_id: str) -> ResponseReturnValue:
    """Download one image from its own page; the answer is that page, as a whole."""
    image = images.get_image(image_id)
    background().downloads.request(image.profile_id, [image.id])
    return redirect(way_back(), code=303)


# Profiles


@commands.post("/profiles")
def add_profile() -> ResponseReturnValue:
    name = request.form.get("name", "")
    try:
        profile = background().accounts.add(name, request.form.get("cookies", ""))
    except FlowshelfError as error:
        # The pasted text is not shown again: it is a secret, and this is a page.
        template = "profiles.html" if profiles.list_profiles() else "welcome.html"
        page = render_template(template, rows=profile_rows(), name=name, problem=str(error))
        return make_response(page, 422)
    return redirect(url_for("pages.gallery", profile=profile.id), code=303)


@commands.post("/profiles/<profile_id>/cookies")
def replace_cookies(profile_id: str) -> ResponseReturnValue:
    try:
        is_confirmed = request.form.get("same_account") == "yes"
        background().replace_cookies(profile_id, request.form.get("cookies", ""), is_confirmed=is_confirmed)
    except FlowshelfError as error:
        return _profile_page(profile_id, problem=str(error))
    return redirect(url_for("pages.show_profile", profile_id=profile_id), code=303)


@commands.post("/profiles/<profile_id>/check")
def check_profile(profile_id: str) -> ResponseReturnValue:
    try:
        background().check(profile_id)
    except FlowError as error:
        return _profile_page(profile_id, problem=str(error))
    return redirect(url_for("pages.show_profile", profile_id=profile_id), code=303)


@commands.post("/profiles/<profile_id>/name")
def rename_profile(profile_id: str) -> ResponseReturnValue:
    profiles.rename_profile(profile_id, request.form.get("name", ""))
    return redirect(url_for("pages.show_profile", profile_id=profile_id), code=303)


@commands.post("/profiles/<profile_id>/remove")
def remove_profile(profile_id: str) -> ResponseReturnValue:
    background().remove_profile(profile_id, with_files=request.form.get("with_files") == "yes")
    return redirect(url_for("pages.show_profiles"), code=303)


def panel_response(name: str) -> ResponseReturnValue:
    """The panel itself for HTMX, else the page that the form stood on."""
    profile_id = request.form.get("profile") or None
    if htmx:
        panel = PANELS[name](profile_id)
        return render_template(f"partials/{name}_panel.html", panel=panel)
    return redirect(way_back(), code=303)


def _profile_page(profile_id: str, problem: str) -> ResponseReturnValue:
    return make_response(profile_page(profile_id, problem=problem), 422)


def _mode(text: str) -> SyncMode:
    try:
        return SyncMode(text)
    except ValueError as error:
        raise BadRequest("The mode of a sync is one of new, all, full and resume.") from error


def _limit(text: str | None) -> int | None:
    if not text:
        return None
    if len(text) > 7 or not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise BadRequest("Say how many images to download: a whole number from 1.")
    return int(text)
