"""The shelf in numbers: images by month, shape, model and profile, each with its downloaded share."""

from dataclasses import dataclass

from peewee import Case, Expression, Function, fn

from webapp.database.models import Profile, Tally, db
from webapp.store.gallery.counts import count_state
from webapp.store.gallery.filters import FileState

# What FTS5 fills a leaf of its index with.
_LEAF_BYTES = 4050
YEAR = 4  # so much of a month names it
MAX_MONTHS = 36
MAX_ROWS = 12


@dataclass(frozen=True, slots=True)
class Share:
    """How many images have `value` in common, and how many of them are downloaded."""

    value: str | None
    total: int
    downloaded: int
    size_bytes: int


def count_by_time(profile_id: str | None) -> list[Share]:
    """Images per month, per year when that would be too many bars; those without any are among them."""
    months = _count_by(profile_id, Tally.month)
    if not months:
        return []
    every = _months_between(min(month.value for month in months), max(month.value for month in months))
    if len(every) > MAX_MONTHS:
        years = _count_by(profile_id, fn.SUBSTR(Tally.month, 1, YEAR))
        return sorted(years, key=lambda year: year.value)
    counted = {month.value: month for month in months}
    return [counted.get(month, Share(month, 0, 0, 0)) for month in every]


def count_by(column: str, profile_id: str | None) -> list[Share]:
    """The most frequent values of a column of images; None: nothing is known of that."""
    return _count_by(profile_id, getattr(Tally, column))[:MAX_ROWS]


def count_by_profile() -> list[tuple[Profile, Share]]:
    """Profiles that have images, those with the largest files first."""
    shares = {share.value: share for share in _count_by(None, Tally.profile_id)}
    rows = [(profile, shares[profile.id]) for profile in Profile.select() if profile.id in shares]
    return sorted(rows, key=lambda row: row[1].size_bytes, reverse=True)


def count_by_state(profile_id: str | None) -> list[tuple[FileState, int]]:
    """What became of the files; images that are in no such state are not counted."""
    states = (FileState.DONE, FileState.ACTIVE, FileState.FAILED, FileState.PENDING, FileState.GONE)
    counts = [(state, count_state(state, profile_id)) for state in states]
    return [(state, count) for state, count in counts if count]


def database_bytes() -> tuple[int, int]:
    """The size of the database, and how much of it about is the index of words: counted by its leaves, for
    to read them all would take a second."""
    leaves = "SELECT MAX(pgno) / 2 AS count FROM image_text_idx GROUP BY segid"
    (leaf_count,) = db.execute_sql(f"SELECT COALESCE(SUM(count), 0) FROM ({leaves})").fetchone()
    whole = db.pragma("page_count") * db.pragma("page_size")
    return whole, min(leaf_count * _LEAF_BYTES, whole)


def _count_by(profile_id: str | None, value: Expression | Function) -> list[Share]:
    total = fn.SUM(Tally.image_count)
    files = fn.SUM(Case(None, [(Tally.has_file, Tally.image_count)], 0))
    rows = Tally.select(fn.NULLIF(value, ""), total, files, fn.SUM(Tally.size_bytes))
    if profile_id:
        rows = rows.where(Tally.profile_id == profile_id)
    rows = rows.group_by(value).having(total > 0)
    return [Share(*row) for row in rows.order_by(total.desc(), value).tuples()]


def _months_between(first: str, last: str) -> list[str]:
    """`2025-11` to `2026-02` are four."""
    start, end = (int(month[:YEAR]) * 12 + int(month[5:]) - 1 for month in (first, last))
    return [f"{month // 12:04}-{month % 12 + 1:02}" for month in range(start, end + 1)]
