"""Filters and selections, read from and written to the parameters of URLs and forms."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from enum import StrEnum
from typing import Any, TypeVar

from flask import request, url_for
from werkzeug.datastructures import MultiDict

from webapp.errors import BadRequest, Forbidden
from webapp.store.choices import collections
from webapp.store.gallery.filters import STATES_OF_FLAGS, FileState, Filter, Selection, Sort
from webapp.store.gallery.query import Field, Flag
from webapp.store.gallery.scope import WHOLE_SHELF, Scope, guest_scope
from webapp.store.gallery.visible_profiles import get_profile_within
from webapp.store.profiles import get_profile
from webapp.web.access import is_owner
from webapp.web.views.zones import viewer_zone

ChoiceT = TypeVar("ChoiceT", bound=StrEnum)

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
MAX_CHARACTERS = 200
# The value of the field `everything` when the ticked images are the exceptions.
ALL_BUT_TICKED = "but-ticked"


def filter_of(args: Mapping[str, str], scope: Scope = WHOLE_SHELF) -> Filter:
    """The filter of the parameters `args`.

    Raises UnknownProfile, UnknownCollection, or BadRequest for an invalid value.
    """
    profile_id = args.get("profile") or None
    since, until = _day(args.get("from")), _day(args.get("to"))
    return Filter(
        profile_id=get_profile_within(profile_id, scope).id if profile_id else None,
        text=args.get("q", "").replace("\0", " ").strip()[:MAX_CHARACTERS],
        state=_choice(FileState, args.get("state")),
        aspect_ratio=args.get("aspect") or None,
        kind=args.get("kind") or None,
        model_name=args.get("model") or None,
        project_id=args.get("project") or None,
        workflow_id=args.get("card") or None,
        is_favourite=bool(args.get("favourite")),
        collection_id=_collection_id(args.get("collection"), scope),
        scope=scope,
        since=since,
        until=until,
        zone=viewer_zone(),
        sort=_choice(Sort, args.get("sort")) or Sort.NEWEST,
    )


def current_scope() -> Scope:
    """What the role of the current request may see."""
    return WHOLE_SHELF if is_owner() else guest_scope()


def _collection_id(text: str | None, scope: Scope) -> str | None:
    return collections.get_collection(text, scope).id if text else None


def requested_filter() -> Filter:
    """The filter of the current URL, within what the current role may see; for guests by what guests are
    shown: projects and titles are not.

    Raises Forbidden if a guest filters by something else.
    """
    filter_ = filter_of(request.args, current_scope())
    if filter_.state and filter_.state not in file_states():
        raise Forbidden("Guests can only filter for downloaded images.")
    if is_owner():
        return filter_
    if filter_.project_id:
        raise Forbidden("Guests cannot filter by project.")
    _check_terms(filter_)
    return replace(filter_, searches_titles=not filter_.text)


def file_states() -> list[FileState]:
    """The file states that the filter offers: all to the owner, only “Downloaded” to guests, who must not
    find hidden images."""
    return list(FileState) if is_owner() else [FileState.DONE]


def searchable_flags() -> list[Flag]:
    """What can follow `is:` in a search, by the same rule."""
    return [flag for flag in Flag if STATES_OF_FLAGS.get(flag) in (None, *file_states())]


def _check_terms(filter_: Filter) -> None:
    """Raise Forbidden if the text of a guest's filter asks for what guests are not shown."""
    for term in filter_.query.terms:
        if term.field is Field.PROJECT:
            raise Forbidden("Guests cannot search by project.")
        if term.field is Field.IS and Flag(term.text) not in searchable_flags():
            raise Forbidden(f"Guests can only search for {words_listed(searchable_flags())} images.")


def words_listed(values: Iterable[str]) -> str:
    """“pending, failed or gone”."""
    *first, last = values
    return f"{', '.join(first)} or {last}"


def filter_args(filter_: Filter) -> dict[str, str]:
    """The URL parameters of a filter, without those that have their default value."""
    args = {
        "profile": filter_.profile_id,
        "q": filter_.text,
        "state": filter_.state,
        "aspect": filter_.aspect_ratio,
        "kind": filter_.kind,
        "model": filter_.model_name,
        "project": filter_.project_id,
        "card": filter_.workflow_id,
        "favourite": "1" if filter_.is_favourite else None,
        "collection": filter_.collection_id,
        "from": filter_.since,
        "to": filter_.until,
        "sort": filter_.sort if filter_.sort is not Sort.NEWEST else None,
    }
    return {name: str(value) for name, value in args.items() if value}


def gallery_url(**args: Any) -> str:
    """The URL of the gallery with these parameters; None leaves one out. Any, as for `url_for` itself."""
    return url_for("gallery.show_gallery", **args)


def requested_profile_id() -> str | None:
    """The profile that the URL or form names; None for all. Raises UnknownProfile."""
    profile_id = request.values.get("profile")
    return get_profile(profile_id).id if profile_id else None


def selection_of(form: MultiDict[str, str]) -> Selection:
    """The images that a form stands for: the one whose button was pressed, or all that match a filter except
    some, or the ticked ones. Raises BadRequest if there are none.

    Without JavaScript, `everything` can turn the ticked images into the exceptions (ALL_BUT_TICKED).
    """
    if only := form.get("only"):
        return Selection(ids=(only,))
    if everything := form.get("everything"):
        exceptions = form.getlist("image_id" if everything == ALL_BUT_TICKED else "except")
        return Selection(everything=filter_of(form), except_ids=frozenset(exceptions))
    ids = tuple(dict.fromkeys(form.getlist("image_id")))
    if not ids:
        raise BadRequest("No image is selected. Tick some images first, or use the button of a single image.")
    return Selection(ids=ids)


def selection_fields(selection: Selection) -> list[tuple[str, str]]:
    """The names and values of hidden form fields that `selection_of` reads as this selection."""
    if selection.everything is None:
        return [("image_id", image_id) for image_id in selection.ids]
    fields = [("everything", "1"), *filter_args(selection.everything).items()]
    return fields + [("except", image_id) for image_id in sorted(selection.except_ids)]


def _choice(choices: type[ChoiceT], text: str | None) -> ChoiceT | None:
    try:
        return choices(text) if text else None
    except ValueError as error:
        shown = (text or "")[:60]
        raise BadRequest(f"“{shown}” is not one of: {', '.join(choices)}.") from error


def _day(text: str | None) -> str | None:
    if not text:
        return None
    try:
        if not _DAY.fullmatch(text):
            raise ValueError
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise BadRequest(f"“{text[:20]}” is not a date. Write it like 2026-11-03.") from error
