"""Profiles: their pages, and the forms that add, rename, check and remove them."""

from typing import Any

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.errors import FlowError, FlowshelfError
from webapp.store import pairings
from webapp.store import profiles as store_profiles
from webapp.store.gallery import counts
from webapp.store.runs import schedules
from webapp.web.services import background

profiles = Blueprint("profiles", __name__)


@profiles.get("/profiles")
def show_profiles() -> str:
    return render_template("profiles.html", rows=profile_rows())


@profiles.get("/profiles/<profile_id>")
def show_profile(profile_id: str) -> str:
    return render_profile(profile_id)


@profiles.get("/profiles/<profile_id>/remove")
def confirm_removal(profile_id: str) -> str:
    return render_template(
        "profile_remove.html",
        profile=store_profiles.get_profile(profile_id),
        totals=counts.count_profile(profile_id),
        folder=background().folder_of(profile_id),
    )


@profiles.post("/profiles")
def add_profile() -> ResponseReturnValue:
    name = request.form.get("name", "")
    try:
        profile = background().accounts.add(name, request.form.get("cookies", ""))
    except FlowshelfError as error:
        # Without the pasted text: it is a secret and must not be in a page.
        template = "profiles.html" if store_profiles.list_profiles() else "welcome.html"
        page = render_template(template, rows=profile_rows(), name=name, problem=str(error))
        return make_response(page, 422)
    return redirect(url_for("gallery.show_gallery", profile=profile.id), code=303)


@profiles.post("/profiles/<profile_id>/cookies")
def replace_cookies(profile_id: str) -> ResponseReturnValue:
    try:
        is_confirmed = request.form.get("same_account") == "yes"
        background().replace_cookies(profile_id, request.form.get("cookies", ""), is_confirmed=is_confirmed)
    except FlowshelfError as error:
        return make_response(render_profile(profile_id, problem=str(error)), 422)
    return _redirect_to(profile_id)


@profiles.post("/profiles/<profile_id>/check")
def check_profile(profile_id: str) -> ResponseReturnValue:
    try:
        background().check(profile_id)
    except FlowError as error:
        return make_response(render_profile(profile_id, problem=str(error)), 422)
    return _redirect_to(profile_id)


@profiles.post("/profiles/<profile_id>/name")
def rename_profile(profile_id: str) -> ResponseReturnValue:
    store_profiles.rename_profile(profile_id, request.form.get("name", ""))
    return _redirect_to(profile_id)


@profiles.post("/profiles/<profile_id>/remove")
def remove_profile(profile_id: str) -> ResponseReturnValue:
    background().remove_profile(profile_id, with_files=request.form.get("with_files") == "yes")
    return redirect(url_for("profiles.show_profiles"), code=303)


def render_profile(profile_id: str, problem: str | None = None) -> str:
    """The page of a profile. `problem` says why the last form was refused."""
    return render_template(
        "profile.html",
        profile=store_profiles.get_profile(profile_id),
        totals=counts.count_profile(profile_id),
        schedule=schedules.get_schedule(profile_id),
        pairing=pairings.find_pairing_of(profile_id),
        problem=problem,
    )


def profile_rows() -> list[dict[str, Any]]:
    """All profiles with the counts of their images, for `profiles.html`."""
    return [
        {"profile": profile, "totals": counts.count_profile(profile.id)}
        for profile in store_profiles.list_profiles()
    ]


def _redirect_to(profile_id: str) -> ResponseReturnValue:
    return redirect(url_for("profiles.show_profile", profile_id=profile_id), code=303)
