"""Whole pages and panels: what is asked by GET, one image aside."""

import json
from dataclasses import replace

from flask import Blueprint, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.store import profiles
from webapp.store.gallery import counts, images
from webapp.store.gallery.filters import Filter, Sort
from webapp.store.history import projects
from webapp.store.runs import downloads, schedules
from webapp.web.access import is_owner, open_to_guests
from webapp.web.services import background
from webapp.web.views.filter_parameters import file_states, filter_args, filter_asked, filter_of
from webapp.web.views.model_names import model_choices
from webapp.web.views.panels import download_panel, download_strip, sync_panel

pages = Blueprint("pages", __name__)

IMAGES_PER_PAGE = 60
# As many small cards as a very large screen shows.
MAX_CARDS = 300


@pages.get("/")
@open_to_guests
def gallery() -> ResponseReturnValue:
    """The images that match the address's filter; a welcome when there is no profile."""
    everyone = profiles.list_profiles()
    if not everyone and is_owner():
        return render_template("welcome.html")
    filter_ = filter_asked()
    shown = {"profiles": everyone, "profile_id": filter_.profile_id, "choices": choices_of(filter_)}
    shown |= shown_images(filter_)
    if is_owner():
        panels = {"sync": sync_panel(filter_.profile_id), "download": download_panel(filter_.profile_id)}
        answer = make_response(render_template("gallery.html", **panels, **shown))
    else:
        answer = make_response(render_template("guest_gallery.html", **shown))
    # What HTMX puts into the address: only what was chosen, without the empty fields of the form.
    answer.headers["HX-Replace-Url"] = url_for("pages.gallery", **filter_args(filter_))
    return answer


@pages.get("/grid")
@open_to_guests
def grid() -> str:
    """A page of images alone: for a gallery that grew, was filtered, or is scrolled on."""
    return render_template("partials/grid.html", **shown_images(filter_asked()))


@pages.get("/grid/more")
@open_to_guests
def more() -> str:
    """The next cards alone, for a gallery that is scrolled on, and where to go on from there."""
    filter_ = filter_asked()
    return render_template(
        "partials/more.html", args=filter_args(filter_), filter=filter_, page=page_of(filter_)
    )


@pages.get("/grid/totals")
def show_totals() -> str:
    """How many match alone, counted to the end, for a gallery that is left as it is while a run ends."""
    filter_ = filter_of(request.args)
    shown = said_of(filter_, counts.count_all(filter_))
    return render_template("partials/totals.html", is_fragment=True, **shown)


def shown_images(filter_: Filter) -> dict:
    """What the grid says: the page that the address asks for, and counts of all that match."""
    page = page_of(filter_)
    totals = counts.count_listed(page.images) if page.is_whole else counts.count_first(filter_)
    return {"filter": filter_, "page": page} | said_of(filter_, totals)


def said_of(filter_: Filter, totals: counts.Totals) -> dict:
    shelf = Filter(profile_id=filter_.profile_id)
    is_whole = replace(filter_, sort=shelf.sort) == shelf
    shelf_count = totals.total if is_whole else counts.count_shelf(shelf.profile_id)
    return {"args": filter_args(filter_), "totals": totals, "shelf_count": shelf_count}


def page_of(filter_: Filter) -> images.GalleryPage:
    before, after = request.args.get("before"), request.args.get("after")
    return images.list_page(filter_, limit=IMAGES_PER_PAGE, before=before, after=after)


def choices_of(filter_: Filter) -> dict[str, list]:
    """What the filter can choose from: the values that occur."""
    return {
        "aspect": counts.list_values("aspect_ratio", filter_.profile_id),
        "model": model_choices(counts.list_values("model_name", filter_.profile_id)),
        "project": projects.list_projects(filter_.profile_id),
        "state": file_states(),
        "sort": list(Sort),
    }


@pages.get("/cards")
def cards() -> ResponseReturnValue:
    """What became of cards in view: their pictures and states, to be swapped in by their ids."""
    ids, args = request.args.getlist("id")[:MAX_CARDS], filter_args(filter_of(request.args))
    outcomes = downloads.list_outcomes(ids)
    answer = make_response(render_template("partials/cards.html", images=outcomes, args=args))
    if under_way := background().previews.list_under_way(ids):
        answer.headers["HX-Trigger"] = json.dumps({"previews-under-way": {"ids": under_way}})
    return answer


@pages.get("/panels/sync")
def show_sync_panel() -> str:
    return render_template("partials/sync_panel.html", panel=sync_panel(chosen_profile_id()))


@pages.get("/panels/download")
def show_download_panel() -> str:
    return render_template("partials/download_panel.html", panel=download_panel(chosen_profile_id()))


@pages.get("/panels/strip")
def show_download_strip() -> str:
    return render_template("partials/download_strip.html", rows=download_strip())


@pages.app_context_processor
def add_strip() -> dict:
    """Every page may say how far the downloads are."""
    return {"download_strip": download_strip}


@pages.get("/profiles")
def show_profiles() -> str:
    return render_template("profiles.html", rows=profile_rows())


@pages.get("/profiles/<profile_id>")
def show_profile(profile_id: str) -> str:
    return profile_page(profile_id)


@pages.get("/profiles/<profile_id>/remove")
def ask_remove_profile(profile_id: str) -> str:
    profile = profiles.get_profile(profile_id)
    return render_template(
        "profile_remove.html",
        profile=profile,
        totals=counts.count_profile(profile_id),
        folder=background().folder_of(profile_id),
    )


def profile_page(profile_id: str, problem: str | None = None) -> str:
    return render_template(
        "profile.html",
        profile=profiles.get_profile(profile_id),
        totals=counts.count_profile(profile_id),
        schedule=schedules.get_schedule(profile_id),
        problem=problem,
    )


def profile_rows() -> list[dict]:
    return [
        {"profile": profile, "totals": counts.count_profile(profile.id)}
        for profile in profiles.list_profiles()
    ]


def chosen_profile_id() -> str | None:
    """The profile that the address names, None for all. Raises UnknownProfile."""
    profile_id = request.values.get("profile")
    return profiles.get_profile(profile_id).id if profile_id else None
