"""Counts for the overview page: images by month, shape, model, profile and state."""

import re
from dataclasses import dataclass

from peewee import Case, ColumnBase, fn

from webapp.database.base import db
from webapp.database.models import Profile, Tally
from webapp.store.gallery.counts import count_state
from webapp.store.gallery.filters import FileState

# The size to which FTS5 fills a leaf page of its index.
_LEAF_BYTES = 4050
YEAR_LENGTH = len("2026")
# A damaged database may hold any text.
_MONTH = re.compile(r"[1-9][0-9]{3}-(0[1-9]|1[0-2])")
# Above this number of months the overview shows years.
MAX_MONTHS = 36
MAX_ROWS = 12


@dataclass(frozen=True, slots=True)
class Share:
    """How many images have the same `value` (None: it is unknown), how many of them are downloaded, and the
    bytes of their files."""

    value: str | None
    total: int
    downloaded: int
    size_bytes: int


def count_by_time(profile_id: str | None) -> list[Share]:
    """Images per month from the first to the last one, including empty months; per year when there are more
    than MAX_MONTHS."""
    shares = _count_by(profile_id, Tally.month)
    counted = {share.value: share for share in shares if share.value and _MONTH.fullmatch(share.value)}
    if not counted:
        return []
    months = _months_between(min(counted), max(counted))
    if len(months) > MAX_MONTHS:
        years = _count_by(profile_id, fn.SUBSTR(Tally.month, 1, YEAR_LENGTH))
        known = {month[:YEAR_LENGTH] for month in counted}
        return sorted((year for year in years if year.value in known), key=lambda year: year.value or "")
    return [counted.get(month, Share(month, 0, 0, 0)) for month in months]


def count_by(column: str, profile_id: str | None) -> list[Share]:
    """The MAX_ROWS most frequent values of a tallied column."""
    return _count_by(profile_id, getattr(Tally, column))[:MAX_ROWS]


def count_by_profile() -> list[tuple[Profile, Share]]:
    """Profiles that have images, the one with the most bytes first."""
    shares = {share.value: share for share in _count_by(None, Tally.profile_id)}
    rows = [(profile, shares[profile.id]) for profile in Profile.select() if profile.id in shares]
    return sorted(rows, key=lambda row: row[1].size_bytes, reverse=True)


def count_by_state(profile_id: str | None) -> list[tuple[FileState, int]]:
    """How many images are in each state that occurs."""
    states = (FileState.DONE, FileState.ACTIVE, FileState.FAILED, FileState.PENDING, FileState.GONE)
    counts = [(state, count_state(state, profile_id)) for state in states]
    return [(state, count) for state, count in counts if count]


def database_bytes() -> tuple[int, int]:
    """The size of the database, and about how much of it is the full-text index.

    The index is estimated by the number of its leaf pages, because reading all of them would take a second.
    """
    # By hand: `image_text_idx` is an internal table of FTS5, which has no model.
    leaves = "SELECT MAX(pgno) / 2 AS count FROM image_text_idx GROUP BY segid"
    (leaf_count,) = db.execute_sql(f"SELECT COALESCE(SUM(count), 0) FROM ({leaves})").fetchone()
    whole = db.pragma("page_count") * db.pragma("page_size")
    return whole, min(leaf_count * _LEAF_BYTES, whole)


def _count_by(profile_id: str | None, value: ColumnBase) -> list[Share]:
    total = fn.SUM(Tally.image_count)
    files = fn.SUM(Case(None, [(Tally.has_file, Tally.image_count)], 0))
    rows = Tally.select(fn.NULLIF(value, ""), total, files, fn.SUM(Tally.size_bytes))
    if profile_id:
        rows = rows.where(Tally.profile_id == profile_id)
    rows = rows.group_by(value).having(total > 0)
    return [Share(*row) for row in rows.order_by(total.desc(), value).tuples().iterator()]


def _months_between(first: str, last: str) -> list[str]:
    """All months from `first` to `last`, both included and in the form `2025-11`."""
    start, end = (int(month[:YEAR_LENGTH]) * 12 + int(month[5:]) - 1 for month in (first, last))
    return [f"{month // 12:04}-{month % 12 + 1:02}" for month in range(start, end + 1)]
