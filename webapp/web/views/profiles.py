"""Profiles: their pages, and the forms that add, rename, check and remove them."""

from contextlib import closing
from typing import Any

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.database.states import RunKind, Way
from webapp.errors import AccountExists, FlowError, FlowshelfError
from webapp.sources.cookies import MAX_FILE_BYTES, cookie_warnings, text_of_file
from webapp.store import pairings, runs
from webapp.store import profiles as store_profiles
from webapp.store.gallery import counts
from webapp.store.runs import schedules
from webapp.web.access import asks_for_code
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
@asks_for_code
def add_profile() -> ResponseReturnValue:
    try:
        pasted_text = _pasted_text()
        profile = background().accounts.add(request.form.get("name", ""), pasted_text)
    except FlowshelfError as error:
        # Without the pasted text: it is a secret and must not be in a page.
        template = "profiles.html" if store_profiles.list_profiles() else "welcome.html"
        name = request.form.get("name", "")
        owner_id = error.profile_id if isinstance(error, AccountExists) else None
        values = {"rows": profile_rows(), "name": name, "problem": str(error), "owner_id": owner_id}
        page = render_template(template, **values)
        return make_response(page, 422)
    # The page of the profile says whose account it is, before anything is read from it.
    return _redirect_to(profile.id)


@profiles.post("/profiles/<profile_id>/cookies")
@asks_for_code
def replace_cookies(profile_id: str) -> ResponseReturnValue:
    try:
        pasted_text = _pasted_text()
        is_confirmed = request.form.get("same_account") == "yes"
        background().replace_cookies(profile_id, pasted_text, is_confirmed=is_confirmed)
    except FlowshelfError as error:
        return make_response(render_profile(profile_id, problem=str(error)), 422)
    return _redirect_to(profile_id)


@profiles.post("/profiles/<profile_id>/check")
def check_profile(profile_id: str) -> ResponseReturnValue:
    try:
        background().check(profile_id)
    except FlowError as error:
        return make_response(render_profile(profile_id, check_problem=str(error)), 422)
    return _redirect_to(profile_id)


@profiles.post("/profiles/<profile_id>/name")
def rename_profile(profile_id: str) -> ResponseReturnValue:
    store_profiles.rename_profile(profile_id, request.form.get("name", ""))
    return _redirect_to(profile_id)


@profiles.post("/profiles/<profile_id>/remove")
@asks_for_code
def remove_profile(profile_id: str) -> ResponseReturnValue:
    background().remove_profile(profile_id, with_files=request.form.get("with_files") == "yes")
    return redirect(url_for("profiles.show_profiles"), code=303)


def render_profile(profile_id: str, problem: str | None = None, check_problem: str | None = None) -> str:
    """The page of a profile. `problem` says why its new cookies were refused, `check_problem` why the stored
    ones could not be checked."""
    profile = store_profiles.get_profile(profile_id)
    is_pasted = profile.way == Way.PASTE
    return render_template(
        "profile.html",
        profile=profile,
        totals=counts.count_profile(profile_id),
        schedule=schedules.get_schedule(profile_id),
        is_new=runs.find_last_run(profile_id, RunKind.SYNC) is None,
        warnings=cookie_warnings(profile.cookie_names.split(", ")) if is_pasted else (),
        pairing=pairings.find_pairing_of(profile_id),
        problem=problem,
        check_problem=check_problem,
    )


def _pasted_text() -> str:
    """The text of the chosen file, otherwise of the field. Raises BadCookies for a file that is no text.

    Call it before anything else reads the form: a HAR may be pasted as well, so the field may be as long as a
    file.
    """
    request.max_form_memory_size = MAX_FILE_BYTES
    file = request.files.get("cookies_file")
    if file is None:
        return request.form.get("cookies", "")
    with closing(file):  # a long one is in a temporary file
        content = file.stream.read(MAX_FILE_BYTES + 1)
    return text_of_file(content) if content else request.form.get("cookies", "")


def profile_rows() -> list[dict[str, Any]]:
    """All profiles with the counts of their images, for `profiles.html`."""
    return [
        {"profile": profile, "totals": counts.count_profile(profile.id)}
        for profile in store_profiles.list_profiles()
    ]


def _redirect_to(profile_id: str) -> ResponseReturnValue:
    return redirect(url_for("profiles.show_profile", profile_id=profile_id), code=303)
