"""The gallery: whole pages of images, and the fragments that a page in a browser loads later."""

import json
from dataclasses import replace
from typing import Any

from flask import Blueprint, make_response, render_template, request
from flask.typing import ResponseReturnValue

from webapp.database.models import Profile
from webapp.database.states import RunKind
from webapp.store import profiles, runs
from webapp.store.choices import collections
from webapp.store.gallery import counts, images
from webapp.store.gallery.filters import Filter, Sort
from webapp.store.gallery.visible_profiles import list_profiles_within
from webapp.store.history import projects
from webapp.store.runs import downloads
from webapp.web.access import is_owner, open_to_guests
from webapp.web.page_cache import cached_page
from webapp.web.services import background
from webapp.web.views.filter_parameters import (
    current_scope,
    file_states,
    filter_args,
    filter_of,
    gallery_url,
    requested_filter,
)
from webapp.web.views.labels import profile_name
from webapp.web.views.model_names import model_choices
from webapp.web.views.search_notes import notes_of
from webapp.web.views.status import status_line
from webapp.web.views.timeline import Tick, list_ticks, requested_start

gallery = Blueprint("gallery", __name__)

IMAGES_PER_PAGE = 60
# Two pages are as quickly scrolled through.
MIN_FOR_TIMELINE = 2 * IMAGES_PER_PAGE
# The most cards that one request may ask for: as many small ones as a very large screen shows.
MAX_CARDS = 300


@gallery.get("/")
@open_to_guests
def show_gallery() -> ResponseReturnValue:
    """The images that match the filter of the URL; the welcome page if there is no profile yet."""
    if is_owner() and not profiles.list_profiles():
        return render_template("welcome.html")
    return _show_images()


@cached_page
def _show_images() -> ResponseReturnValue:
    all_profiles = list_profiles_within(current_scope())
    filter_ = requested_filter()
    values = {"profiles": all_profiles, "profile_id": filter_.profile_id}
    values |= {"heading": _heading_of(filter_, all_profiles)}
    grid = grid_values(filter_)
    values |= grid | {"timeline": timeline_of(filter_, grid["totals"])}
    if is_owner():
        panel = status_line(filter_.profile_id)
        response = make_response(render_template("gallery.html", status=panel, **values))
    else:
        response = make_response(render_template("guest_gallery.html", **values))
    # The URL that HTMX shows after a change of the filter: without the empty fields of the form.
    response.headers["HX-Replace-Url"] = gallery_url(**filter_args(filter_))
    return response


def _heading_of(filter_: Filter, all_profiles: list[Profile]) -> str:
    """What the gallery shows: a collection, a profile, or all images."""
    if filter_.collection_id:
        return collections.get_collection(filter_.collection_id, filter_.scope).title
    named = (profile_name(each) for each in all_profiles if each.id == filter_.profile_id)
    return next(named, "All images")


@gallery.get("/filters")
@open_to_guests
def show_filters() -> str:
    """The fields of the filter: for the menu of the gallery, and a page of their own without JavaScript."""
    filter_ = requested_filter()
    values = {"filter": filter_, "args": filter_args(filter_), "choices": filter_choices(filter_)}
    return render_template("filters.html", **values)


@gallery.get("/grid")
@open_to_guests
def show_grid() -> str:
    """The grid alone, to replace that of a page when the filter changes or new images arrive."""
    return render_template("partials/grid.html", **grid_values(requested_filter()))


@gallery.get("/grid/more")
@open_to_guests
def show_more() -> str:
    """The next cards and the pager that follows them, to be added to a page that is scrolled."""
    filter_ = requested_filter()
    return render_template(
        "partials/more.html", args=filter_args(filter_), filter=filter_, page=requested_page(filter_)
    )


@gallery.get("/grid/totals")
def show_totals() -> str:
    """The counts alone, exact ones, for a page that keeps its cards while a run ends."""
    filter_ = filter_of(request.args)
    values = count_values(filter_, counts.count_all(filter_))
    return render_template("partials/totals.html", is_fragment=True, **values)


@gallery.get("/timeline")
def show_timeline() -> str:
    """The timeline alone, for a page that stays open while a sync stores images."""
    filter_ = filter_of(request.args)
    ticks = timeline_of(filter_, counts.count_first(filter_))
    return render_template("partials/timeline.html", timeline=ticks, args=filter_args(filter_))


@gallery.get("/cards")
def show_cards() -> ResponseReturnValue:
    """The pictures and states of some cards, which HTMX swaps in by their ids."""
    ids, args = request.args.getlist("id")[:MAX_CARDS], filter_args(filter_of(request.args))
    outcomes = downloads.list_outcomes(ids)
    response = make_response(render_template("partials/cards.html", images=outcomes, args=args))
    if under_way := background().previews.list_under_way(ids):
        response.headers["HX-Trigger"] = json.dumps({"previews-under-way": {"ids": under_way}})
    return response


def grid_values(filter_: Filter) -> dict[str, Any]:
    """The values of `partials/grid.html`: the requested page, and counts of all images that match."""
    page = requested_page(filter_)
    totals = counts.count_listed(page.images) if page.is_whole else counts.count_first(filter_)
    values = {"filter": filter_, "page": page, "search_notes": notes_of(filter_, totals.total)}
    return values | count_values(filter_, totals)


def count_values(filter_: Filter, totals: counts.Totals) -> dict[str, Any]:
    """The values of `partials/totals.html`. `shelf_count` counts the images without the filter."""
    unfiltered = Filter(profile_id=filter_.profile_id, scope=filter_.scope)
    is_unfiltered = replace(filter_, sort=unfiltered.sort) == unfiltered
    shelf_count = (
        totals.total
        if is_unfiltered
        else max(totals.total, counts.count_shelf(unfiltered.profile_id, unfiltered.scope))
    )
    return {"args": filter_args(filter_), "totals": totals, "shelf_count": shelf_count}


def requested_page(filter_: Filter) -> images.GalleryPage:
    """The page that the URL names: from a month (`at`), or beyond an image."""
    if start := requested_start(filter_):
        return images.list_page_from(filter_, start, limit=IMAGES_PER_PAGE)
    before, after = request.args.get("before"), request.args.get("after")
    return images.list_page(filter_, limit=IMAGES_PER_PAGE, before=before, after=after)


@gallery.app_template_global()
def sync_states(profile_id: str | None) -> set[str]:
    """The states of the last syncs of a profile, or of all profiles; empty if there was none."""
    shown = [profiles.get_profile(profile_id)] if profile_id else profiles.list_profiles()
    last = (runs.find_last_run(profile.id, RunKind.SYNC) for profile in shown)
    return {run.state for run in last if run}


def timeline_of(filter_: Filter, totals: counts.Totals) -> list[Tick]:
    return list_ticks(filter_) if totals.total > MIN_FOR_TIMELINE else []


def filter_choices(filter_: Filter) -> dict[str, list[Any]]:
    """The choices of each field of the filter: the values that occur in the profile."""
    return {
        "aspect": counts.list_values("aspect_ratio", filter_.profile_id, filter_.scope),
        "model": model_choices(counts.list_values("model_name", filter_.profile_id, filter_.scope)),
        "project": projects.list_projects(filter_.profile_id),
        "collection": collections.list_collections(filter_.scope),
        "state": file_states(),
        "sort": list(Sort),
    }
