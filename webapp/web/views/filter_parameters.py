"""Filters and selections as addresses and forms spell them."""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

from flask import request, url_for
from werkzeug.datastructures import MultiDict

from webapp.errors import BadRequest, Forbidden
from webapp.store.gallery.filters import FileState, Filter, Selection, Sort
from webapp.store.profiles import get_profile
from webapp.web.access import is_owner

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
MAX_CHARACTERS = 200
# The value of `everything` in a form of which the ticked images are to be left out.
ALL_BUT_TICKED = "but-ticked"
# What the gallery says of the command that led to it.
SAID = ("hid", "deleted", "kept")


def filter_of(args: Mapping[str, str]) -> Filter:
    """The filter that an address spells. Raises UnknownProfile, BadRequest for what makes no sense."""
    profile_id = args.get("profile") or None
    return Filter(
        profile_id=get_profile(profile_id).id if profile_id else None,
        text=args.get("q", "").replace("\0", " ").strip()[:MAX_CHARACTERS],
        state=_choice(FileState, args.get("state")),
        aspect_ratio=args.get("aspect") or None,
        kind=args.get("kind") or None,
        model_name=args.get("model") or None,
        project_id=args.get("project") or None,
        workflow_id=args.get("card") or None,
        since=_day(args.get("from")),
        until=_day(args.get("to")),
        sort=_choice(Sort, args.get("sort")) or Sort.NEWEST,
    )


def filter_asked() -> Filter:
    """The filter of this request's address. Raises Forbidden for what is not to be shown to who asks."""
    filter_ = filter_of(request.args)
    if filter_.state and filter_.state not in file_states():
        raise Forbidden("Guests are shown the pictures of this shelf, not what became of the others.")
    return filter_


def file_states() -> list[FileState]:
    """What can be asked of an image's file. What the owner hid is hidden from guests, and what failed is no
    business of theirs."""
    return list(FileState) if is_owner() else [FileState.DONE]


def filter_args(filter_: Filter) -> dict[str, str]:
    """The shortest words of an address that spell a filter."""
    words = {
        "profile": filter_.profile_id,
        "q": filter_.text,
        "state": filter_.state,
        "aspect": filter_.aspect_ratio,
        "kind": filter_.kind,
        "model": filter_.model_name,
        "project": filter_.project_id,
        "card": filter_.workflow_id,
        "from": filter_.since,
        "to": filter_.until,
        "sort": filter_.sort if filter_.sort is not Sort.NEWEST else None,
    }
    return {word: str(value) for word, value in words.items() if value}


def selection_of(form: MultiDict) -> Selection:
    """The images that a form means: the one whose button was pressed, all that match but some, or those
    that were ticked. Raises BadRequest when that is none.

    Without JavaScript the ticks themselves are the exceptions, when `everything` says so.
    """
    if only := form.get("only"):
        return Selection(ids=(only,))
    if everything := form.get("everything"):
        left_out = form.getlist("image_id" if everything == ALL_BUT_TICKED else "except")
        return Selection(everything=filter_of(form), except_ids=frozenset(left_out))
    ids = tuple(dict.fromkeys(form.getlist("image_id")))
    if not ids:
        raise BadRequest("No image is selected. Tick some pictures first, or press the button of one.")
    return Selection(ids=ids)


def selection_fields(selection: Selection) -> list[tuple[str, str]]:
    """The hidden fields of a form that spell a selection."""
    if selection.everything is None:
        return [("image_id", image_id) for image_id in selection.ids]
    fields = [("everything", "1"), *filter_args(selection.everything).items()]
    return fields + [("except", image_id) for image_id in sorted(selection.except_ids)]


def is_our_path(text: str) -> bool:
    """Whether an address from outside stays on this site: a path, and nothing a browser takes for a host."""
    return text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable()


def way_back(**said: object) -> str:
    """The page of ours that a form stood on. `said` is what that page says of what was done: words of
    its address, in place of those that an earlier form left there."""
    here = request.form.get("here", "")
    if not is_our_path(here):
        return url_for("pages.gallery", profile=request.form.get("profile") or None, **said)
    place, _, words = here.partition("?")
    kept = [(word, value) for word, value in parse_qsl(words) if word not in SAID]
    query = urlencode(kept + [(word, str(value)) for word, value in said.items()])
    return f"{place}?{query}" if query else place


def _choice(kind: type, text: str | None):
    try:
        return kind(text) if text else None
    except ValueError as error:
        raise BadRequest(f"“{text[:60]}” is no choice here: {', '.join(kind)}.") from error


def _day(text: str | None) -> str | None:
    if text and not _DAY.fullmatch(text):
        raise BadRequest(f"“{text[:20]}” is no day. Write it as 2026-11-03.")
    return text or None
