"""The shelf in numbers: images by month, shape, model and profile, each with its downloaded share."""

from dataclasses import dataclass

from peewee import Expression, Function, fn

from webapp.models import Image, Profile
from webapp.store.filters import FileState, Filter, matching
from webapp.store.images import count_images

YEAR, MONTH = 4, 7  # so much of `created_at` names it
MOST_MONTHS = 36
MOST_ROWS = 12


@dataclass(frozen=True, slots=True)
class Share:
    """How many images have `value` in common, and how many of them are downloaded."""

    value: str | None
    total: int
    downloaded: int
    size_bytes: int


def count_by_time(profile_id: str | None) -> list[Share]:
    """Images per month, per year when that would be too many bars; those without any are among them."""
    months = _count_by(profile_id, fn.SUBSTR(Image.created_at, 1, MONTH))
    if not months:
        return []
    every = _months_between(min(month.value for month in months), max(month.value for month in months))
    if len(every) > MOST_MONTHS:
        years = _count_by(profile_id, fn.SUBSTR(Image.created_at, 1, YEAR))
        return sorted(years, key=lambda year: year.value)
    counted = {month.value: month for month in months}
    return [counted.get(month, Share(month, 0, 0, 0)) for month in every]


def count_by(column: str, profile_id: str | None) -> list[Share]:
    """The most frequent values of a column of images; None: nothing is known of that."""
    return _count_by(profile_id, getattr(Image, column))[:MOST_ROWS]


def count_by_profile() -> list[tuple[Profile, Share]]:
    """Profiles that have images, those with the largest files first."""
    shares = {share.value: share for share in _count_by(None, Image.profile_id)}
    rows = [(profile, shares[profile.id]) for profile in Profile.select() if profile.id in shares]
    return sorted(rows, key=lambda row: row[1].size_bytes, reverse=True)


def count_by_state(profile_id: str | None) -> list[tuple[FileState, int]]:
    """What became of the files; images that are in no such state are not counted."""
    states = (FileState.DONE, FileState.ACTIVE, FileState.FAILED, FileState.PENDING, FileState.GONE)
    counts = [(state, _count_in(state, profile_id)) for state in states]
    return [(state, count) for state, count in counts if count]


def _count_in(state: FileState, profile_id: str | None) -> int:
    return count_images(matching(Filter(profile_id=profile_id, state=state))).total


def _count_by(profile_id: str | None, value: Expression | Function) -> list[Share]:
    counts = (fn.COUNT(Image.id), fn.COUNT(Image.local_path), fn.COALESCE(fn.SUM(Image.size_bytes), 0))
    rows = matching(Filter(profile_id=profile_id)).select(value, *counts).group_by(value)
    return [Share(*row) for row in rows.order_by(counts[0].desc(), value).tuples()]


def _months_between(first: str, last: str) -> list[str]:
    """`2025-11` to `2026-02` are four."""
    start, end = (int(month[:YEAR]) * 12 + int(month[5:]) - 1 for month in (first, last))
    return [f"{month // 12:04}-{month % 12 + 1:02}" for month in range(start, end + 1)]
