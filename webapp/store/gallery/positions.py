"""Where an image stands among those of a filter, as in “3 of 477”."""

from dataclasses import dataclass

from webapp.database.models import Image
from webapp.store.gallery import counts
from webapp.store.gallery.counts import MAX_COUNTED, MONTH_LENGTH
from webapp.store.gallery.filters import Filter, Sort, matching, resolved

# Sorts after every time of a month.
_MONTH_END = "~"


@dataclass(frozen=True, slots=True)
class Position:
    """The first image of a filter has the number 1."""

    number: int
    total: int


def find_first(filter_: Filter, image: Image) -> Position | None:
    """The position if it can be counted in a few milliseconds, otherwise None."""
    filter_ = resolved(filter_)
    is_quick = counts.count_shelf(None) <= MAX_COUNTED
    if not is_quick and counts.is_tallied(filter_) and not (filter_.since or filter_.until):
        by_month = counts.count_by_month(filter_) or {}
        is_quick = by_month.get(image.created_at[:MONTH_LENGTH], 0) <= MAX_COUNTED
    return find_position(filter_, image) if is_quick else None


def find_position(filter_: Filter, image: Image) -> Position | None:
    """The exact position; None when the image does not match the filter. With a million images it may take a
    second."""
    if not matching(filter_).where(Image.id == image.id).exists():
        return None
    return Position(_count_before(filter_, image) + 1, counts.count_all(filter_).total)


def _count_before(filter_: Filter, image: Image) -> int:
    """How many images precede one. Of a tallied filter only the image's month is counted one by one."""
    filter_ = resolved(filter_)
    before = matching(filter_, as_whole=True).where(filter_.beyond(image, backwards=True))
    by_month = counts.count_by_month(filter_) if counts.is_tallied(filter_) else None
    if by_month is None or filter_.since or filter_.until:
        return before.count()
    here = image.created_at[:MONTH_LENGTH]
    of_month = before.where(Image.created_at >= here, Image.created_at < here + _MONTH_END)
    if filter_.sort is Sort.OLDEST:
        return of_month.count() + sum(count for month, count in by_month.items() if month < here)
    return of_month.count() + sum(count for month, count in by_month.items() if month > here)
