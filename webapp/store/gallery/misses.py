"""Why a search finds nothing: which of its terms no image meets."""

from dataclasses import dataclass, replace

from webapp.store.gallery import counts, images
from webapp.store.gallery.counts import Totals
from webapp.store.gallery.filters import Filter
from webapp.store.gallery.patience import TooSlow, patience
from webapp.store.gallery.query import Clause, Query

# More are not looked into: each asks the database.
MAX_CLAUSES = 12
MAX_MISSES = 3


@dataclass(frozen=True, slots=True)
class Miss:
    """Clauses without which images match: `rest` is the filter without them, `totals` what that finds.

    `is_sole`: no image of the filter meets any of them. Otherwise each clause of the search is met by some
    image, but no image meets all.
    """

    clauses: tuple[Clause, ...]
    rest: Filter
    totals: Totals
    is_sole: bool


def list_misses(filter_: Filter) -> list[Miss]:
    """What keeps a filter that finds nothing from finding something, as far as its text does; nothing if it
    takes long to find out."""
    clauses = filter_.query.clauses
    try:
        with patience():
            if not clauses or len(clauses) > MAX_CLAUSES or not _exists(replace(filter_, text="")):
                return []
            unmet = tuple(clause for clause in clauses if not _exists(_with(filter_, clause)))
    except TooSlow:
        return []
    if unmet:
        return _misses(filter_, [unmet], is_sole=True)
    return _misses(filter_, [(clause,) for clause in clauses], is_sole=False)


def _misses(filter_: Filter, left_out: list[tuple[Clause, ...]], *, is_sole: bool) -> list[Miss]:
    found: list[Miss] = []
    for clauses in left_out:
        rest = _with(filter_, *(each for each in filter_.query.clauses if each not in clauses))
        totals = counts.count_first(rest)
        if is_sole or totals.total:
            found.append(Miss(clauses, rest, totals, is_sole))
        if len(found) == MAX_MISSES:
            break
    return found


def _with(filter_: Filter, *clauses: Clause) -> Filter:
    return replace(filter_, text=str(Query(clauses)))


def _exists(filter_: Filter) -> bool:
    return bool(images.list_page(filter_, limit=1).images)
