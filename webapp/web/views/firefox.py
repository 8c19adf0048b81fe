"""The page on which a person chooses a Firefox of this machine (`api_firefox` is the same for scripts).

Requests name an entry of the list by its key, never a path.
"""

from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.background.firefox import NOT_OFFERED, Look, SignedInAccount
from webapp.database.models import Profile
from webapp.errors import BadRequest, FlowshelfError
from webapp.store import firefox_profiles
from webapp.store import profiles as store_profiles
from webapp.web.services import background

firefox = Blueprint("firefox", __name__)


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A sign-in for the page, and the profile of its account. `is_read`: that profile reads it already."""

    found: SignedInAccount
    is_read: bool
    owner: Profile | None


@firefox.before_request
def require_offered() -> None:
    if request.endpoint != "firefox.show_firefox":
        background().firefox.require_offered()


@firefox.get("/firefox")
def show_firefox() -> str:
    return _render()


@firefox.post("/firefox/<key>/look")
def look(key: str) -> ResponseReturnValue:
    background().firefox.look(key)
    return redirect(url_for("firefox.show_firefox", _anchor=f"firefox-{key}"), code=303)


@firefox.post("/firefox/<key>/use")
def use(key: str) -> ResponseReturnValue:
    form = request.form
    container, index = _number(form.get("container", "")), _number(form.get("index", "")) or 0
    try:
        profile = background().use_firefox(
            key, container, index, name=form.get("name", ""), replaces=form.get("replaces", "")
        )
    except FlowshelfError as error:
        return make_response(_render(problem=str(error), problem_key=key), 422)
    return redirect(url_for("gallery.show_gallery", profile=profile.id), code=303)


def _render(problem: str | None = None, problem_key: str | None = None) -> str:
    service = background().firefox
    listed = service.list_profiles() if service.is_offered else []
    looks = [(profile, service.find_look(profile.key)) for profile in listed]
    rows = [(profile, look, found_rows(profile.folder, look)) for profile, look in looks]
    return render_template(
        "firefox.html",
        rows=rows,
        is_offered=service.is_offered,
        is_sealed=service.is_sealed,
        not_offered=NOT_OFFERED,
        problem=problem,
        problem_key=problem_key,
    )


def found_rows(folder: Path, look: Look | None) -> list[FoundRow]:
    """What a look into the Firefox profile in `folder` has found; nothing before a look."""
    return [
        FoundRow(
            found,
            firefox_profiles.is_read(owner, folder, found.container),
            owner,
        )
        for found in (look.found if look else ())
        for owner in (store_profiles.find_owner(found.account) if found.account else None,)
    ]


def _number(text: str) -> int | None:
    if not text:
        return None
    if len(text) > 10 or not text.isdecimal():
        raise BadRequest("Containers and accounts have whole numbers.")
    return int(text)
