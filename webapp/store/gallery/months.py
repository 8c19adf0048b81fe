"""Splits a filter's query into ranges of months that contain matching images.

An index finds the images of one kind, or of one profile, in order of time. Images that are both may be rare
or may not exist, and the query would then go through all the others. `image_tally` knows the months in which
the combination occurs, so only those are queried.
"""

from collections.abc import Iterator, Mapping, Sequence

from peewee import Expression

from webapp.database.models import Image
from webapp.store.gallery.counts import MONTH_LENGTH, count_by_month
from webapp.store.gallery.filters import FileState, Filter, Sort, has_few, resolved
from webapp.store.gallery.scope import SharedCollections

# Sorts after every other character.
_LAST = chr(0x10FFFF)


def list_ranges(
    filter_: Filter, edge: Image | None, count: int, *, backwards: bool = False
) -> list[tuple[Expression, ...]]:
    """Conditions to query one after the other until `count` images beyond `edge` are found.

    Each limits the query to some months; a single empty one does not limit it.
    """
    filter_ = resolved(filter_)
    months = count_by_month(filter_) if _count_known(filter_) > 1 else None
    if months is None or (months and not _pays_off(filter_)):
        return [()]
    ascends = (filter_.sort is Sort.OLDEST) != backwards
    ahead = sorted((month for month in months if _is_ahead(month, edge, ascends)), reverse=not ascends)
    return [_between(min(range_), max(range_)) for range_ in _grouped(ahead, months, count)]


def _count_known(filter_: Filter) -> int:
    """How many conditions the tally may know: two of them may exclude each other."""
    values = (filter_.profile_id, filter_.kind, filter_.aspect_ratio, filter_.model_name, filter_.state)
    return sum(map(bool, (*values, filter_.text, filter_.since, filter_.until)))


def _pays_off(filter_: Filter) -> bool:
    """Whether a filter combines several tallied values, and no other condition limits it to a few images."""
    tallied = (filter_.profile_id, filter_.kind, filter_.aspect_ratio, filter_.model_name)
    has_state = filter_.state in (FileState.DONE, FileState.PENDING)
    if sum(map(bool, tallied)) + has_state < 2 or (filter_.state and not has_state):
        return False
    if filter_.sort not in (Sort.NEWEST, Sort.OLDEST) or filter_.project_id or filter_.workflow_id:
        return False
    if filter_.collection_id or isinstance(filter_.scope, SharedCollections):
        return False
    return not has_few(filter_)


def _is_ahead(month: str, edge: Image | None, ascends: bool) -> bool:
    if edge is None:
        return True
    here = edge.created_at[:MONTH_LENGTH]
    return month >= here if ascends else month <= here


def _grouped(ahead: Sequence[str], months: Mapping[str, int], count: int) -> Iterator[list[str]]:
    """Runs of consecutive months, each cut off as soon as it contains `count` images."""
    range_: list[str] = []
    found = 0
    for month in ahead:
        if range_ and (found >= count or not _are_consecutive(range_[-1], month)):
            yield range_
            range_, found = [], 0
        range_.append(month)
        found += months[month]
    if range_:
        yield range_


def _are_consecutive(one: str, other: str) -> bool:
    first, second = (int(month[:4]) * 12 + int(month[5:]) for month in (one, other))
    return abs(first - second) == 1


def _between(first: str, last: str) -> tuple[Expression, ...]:
    return Image.created_at >= first, Image.created_at < last + _LAST
