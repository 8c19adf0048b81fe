"""Where in time the images of a filter lie, as far as the tally knows: a walk by time leaves out the rest.

An index finds what is of one kind, or of one profile. What has to be both is met seldom on the way when
the two seldom go together, and never when they exclude each other.
"""

from collections.abc import Iterator

from peewee import Expression

from webapp.database.models import Image
from webapp.store.gallery import search
from webapp.store.gallery.counts import MONTH, count_by_month
from webapp.store.gallery.filters import FileState, Filter, Sort

_BEHIND = chr(0x10FFFF)


def list_stretches(
    filter_: Filter, edge: Image | None, count: int, *, backwards: bool = False
) -> list[tuple[Expression, ...]]:
    """Conditions to ask for the next images of a filter one after the other, until `count` are found."""
    if not _is_worth_it(filter_):
        return [()]
    ascends = (filter_.sort is Sort.OLDEST) != backwards
    months = count_by_month(filter_)
    ahead = sorted((month for month in months if _is_ahead(month, edge, ascends)), reverse=not ascends)
    return [_between(min(stretch), max(stretch)) for stretch in _joined(ahead, months, count)]


def _is_worth_it(filter_: Filter) -> bool:
    """Whether several things have to come together, and nothing leads to a few images anyway."""
    tallied = (filter_.profile_id, filter_.kind, filter_.aspect_ratio, filter_.model_name)
    has_state = filter_.state in (FileState.DONE, FileState.PENDING)
    if sum(map(bool, tallied)) + has_state < 2 or (filter_.state and not has_state):
        return False
    if filter_.sort is Sort.DOWNLOADED or filter_.project_id or filter_.workflow_id:
        return False
    return not filter_.text.strip() or search.find_candidates(filter_.text.strip()) is None


def _is_ahead(month: str, edge: Image | None, ascends: bool) -> bool:
    if edge is None:
        return True
    here = edge.created_at[:MONTH]
    return month >= here if ascends else month <= here


def _joined(ahead: list[str], months: dict[str, int], count: int) -> Iterator[list[str]]:
    """Months that follow each other, as many as have `count` images together."""
    stretch, found = [], 0
    for month in ahead:
        if stretch and (found >= count or not _touch(stretch[-1], month)):
            yield stretch
            stretch, found = [], 0
        stretch.append(month)
        found += months[month]
    if stretch:
        yield stretch


def _touch(one: str, other: str) -> bool:
    first, second = (int(month[:4]) * 12 + int(month[5:]) for month in (one, other))
    return abs(first - second) == 1


def _between(first: str, last: str) -> tuple[Expression, ...]:
    return Image.created_at >= first, Image.created_at < last + _BEHIND
