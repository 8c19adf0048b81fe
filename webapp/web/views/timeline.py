"""The timeline at the edge of the gallery: a link to each month, and the page that such a link shows."""

import calendar
import re
from dataclasses import dataclass, replace
from math import ceil, sqrt
from urllib.parse import urlencode

from flask import request

from webapp.errors import BadRequest
from webapp.store.gallery import timeline
from webapp.store.gallery.filters import Filter, Sort
from webapp.web.views.filter_parameters import filter_args
from webapp.web.views.formats import number
from webapp.web.views.zones import viewer_zone

# A month, or a year of a long history.
_PERIOD = re.compile(r"([0-9]{4})(?:-(0[1-9]|1[0-2]))?")
LEVELS = 4


@dataclass(frozen=True, slots=True)
class Tick:
    """A link to a month. `heading` is its year if it is the first one of that year. `level` says how many
    images it has, from 1 to LEVELS."""

    query: str
    label: str
    level: int
    heading: str | None


def list_ticks(filter_: Filter) -> list[Tick]:
    """The links of the timeline, in the order of the gallery; none when there is nothing to choose."""
    found = timeline.timeline_of(filter_)
    if len(found.counts) < 2:
        return []
    start, highest = urlencode(filter_args(filter_)), max(found.counts.values())
    ticks, year = [], None
    for period, count in found.counts.items():
        is_first, year = period[:4] != year, period[:4]
        ticks.append(
            Tick(
                query=f"{start}{'&' if start else ''}at={period}",
                label=_label(period, count if found.is_exact else None),
                level=max(1, ceil(LEVELS * sqrt(count / highest))),
                heading=year if is_first else None,
            )
        )
    return ticks


def _label(period: str, count: int | None) -> str:
    """`March 2026 · 1,204 images`; without a count if that is not known."""
    year, _, month = period.partition("-")
    name = f"{calendar.month_name[int(month)]} {year}" if month else year
    return name if count is None else f"{name} · {number(count)} {'image' if count == 1 else 'images'}"


def requested_start(filter_: Filter) -> Filter | None:
    """The part of a filter with which the requested page begins: its images up to the end of the month `at`,
    or from its beginning if the oldest come first. None if the URL names no month, or time is not the order.

    Raises BadRequest.
    """
    at = request.args.get("at")
    if not at or filter_.sort not in (Sort.NEWEST, Sort.OLDEST):
        return None
    found = _PERIOD.fullmatch(at)
    if not found or int(found[1]) == 0:
        raise BadRequest(f"“{at[:20]}” is not a month. Write it like 2026-11.")
    first, last = _days(int(found[1]), int(found[2]) if found[2] else None)
    if filter_.sort is Sort.OLDEST:
        return replace(filter_, since=max(filter_.since or first, first), zone=viewer_zone())
    return replace(filter_, until=min(filter_.until or last, last), zone=viewer_zone())


def _days(year: int, month: int | None) -> tuple[str, str]:
    """The first and the last day of a month or year."""
    last = calendar.monthrange(year, month or 12)[1]
    return f"{year:04}-{month or 1:02}-01", f"{year:04}-{month or 12:02}-{last}"
