"""The months of a gallery, to jump to one of them."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from peewee import Select, fn

from webapp.database.models import Image
from webapp.store.gallery import search
from webapp.store.gallery.counts import MONTH_LENGTH, count_by_month, is_tallied
from webapp.store.gallery.filters import Filter, Sort, matching, resolved
from webapp.store.gallery.scope import WHOLE_SHELF, SharedCollections, SharedShelf, has_many

# With more months than this a rail would be a solid block; it then consists of years.
MAX_MONTHS = 150
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
_YEAR_LENGTH = len("2026")


@dataclass(frozen=True, slots=True)
class Timeline:
    """How many images there are in each month (`2026-03`) or, of a long history, each year (`2026`), in the
    order of the filter, by UTC. `is_exact` is False if some of them may not match the filter."""

    counts: Mapping[str, int]
    is_exact: bool


def timeline_of(filter_: Filter) -> Timeline:
    """The months that can be jumped to; none of hidden images, and none if time is not the order."""
    filter_ = resolved(filter_)
    if filter_.sort not in (Sort.NEWEST, Sort.OLDEST):
        return Timeline({}, is_exact=True)
    by_month = _count_found(filter_)
    is_exact = by_month is not None or (is_tallied(filter_) and not (filter_.since or filter_.until))
    if by_month is None:
        by_month = Counter(count_by_month(filter_) or {})
        by_month.subtract(_count_deleted(filter_))
        by_month = +by_month  # without months of which nothing is left
    known = {month: count for month, count in by_month.items() if _MONTH.fullmatch(month)}
    counts = known if len(known) <= MAX_MONTHS else _by_year(known)
    ordered = sorted(counts.items(), reverse=filter_.sort is Sort.NEWEST)
    return Timeline(dict(ordered), is_exact)


def _count_found(filter_: Filter) -> dict[str, int] | None:
    """The counts of a search that the full-text index answers, which finds few images, and of chosen images:
    the tally knows neither them nor what guests must not count. No month of collections that take long to
    count. None otherwise."""
    chosen: tuple[str, ...] = (filter_.collection_id,) if filter_.collection_id else ()
    if isinstance(filter_.scope, SharedCollections):
        chosen = filter_.scope.collection_ids
    if chosen and has_many(chosen):
        return {}
    is_chosen = filter_.is_favourite or filter_.collection_id or isinstance(filter_.scope, SharedCollections)
    if not is_chosen and not search.is_selective(filter_.query, in_titles=filter_.searches_titles):
        return None
    return _by_month(matching(filter_))


def _count_deleted(filter_: Filter) -> dict[str, int]:
    """Images whose file a person deleted, by month: the tally counts them, but guests are not shown them."""
    if not isinstance(filter_.scope, SharedShelf):
        return {}
    deleted = matching(replace(filter_, scope=WHOLE_SHELF)).where(Image.not_wanted_at.is_null(False))
    return _by_month(deleted)


def _by_month(images: Select) -> dict[str, int]:
    month = fn.SUBSTR(Image.created_at, 1, MONTH_LENGTH)
    return dict(images.select(month, fn.COUNT(Image.id)).group_by(month).tuples().iterator())


def _by_year(by_month: Mapping[str, int]) -> dict[str, int]:
    years: defaultdict[str, int] = defaultdict(int)
    for month, count in by_month.items():
        years[month[:_YEAR_LENGTH]] += count
    return years
