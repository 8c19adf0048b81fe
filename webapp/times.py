"""Points in time as sortable text: `YYYY-MM-DDTHH:MM:SS.ffffffZ`, 27 characters, always UTC.

A time zone is a `tzinfo`, or None for that of this machine.
"""

from datetime import UTC, date, datetime, timedelta, tzinfo

_SHORTEST = timedelta(microseconds=1)

UNREADABLE = datetime(1970, 1, 1, tzinfo=UTC)
# Later years are damage, and would overflow in sums.
MAX_YEAR = 9000


def timestamp(moment: datetime) -> str:
    """The text of a datetime, which must have a time zone."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def now() -> str:
    """The text of the present moment."""
    return timestamp(datetime.now(UTC))


def parsed(text: str) -> datetime:
    """The datetime, with its time zone, of a text made by `timestamp`; `UNREADABLE` for any other text, which
    a damaged database may hold."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return UNREADABLE
    is_likely = moment.tzinfo is not None and UNREADABLE.year <= moment.year < MAX_YEAR
    return moment if is_likely else UNREADABLE


def local(moment: datetime, zone: tzinfo | None) -> datetime:
    """A moment as clocks in `zone` show it; in UTC where the machine knows no clock for it, as in year 9000
    on Windows."""
    try:
        return moment.astimezone(zone)
    except (OSError, OverflowError, ValueError):
        return moment.astimezone(UTC)


def day_bounds(day: str, zone: tzinfo | None) -> tuple[str, str]:
    """The first and the last microsecond of a day (`2026-11-03`) in `zone`, as texts that sort.

    Raises ValueError for a day that is not in the calendar.
    """
    first = date.fromisoformat(day)
    begin = _midnight(first, zone)
    if first == date.max:
        return timestamp(begin), timestamp(datetime.max.replace(tzinfo=UTC))
    return timestamp(begin), timestamp(_midnight(first + timedelta(days=1), zone) - _SHORTEST)


def _midnight(day: date, zone: tzinfo | None) -> datetime:
    """When a day begins. Where clocks are changed at midnight: the first of two, or the end of the gap."""
    naive = datetime(day.year, day.month, day.day)
    try:
        return (naive.replace(tzinfo=zone) if zone else naive).astimezone(UTC)
    except (OSError, OverflowError, ValueError):
        return naive.replace(tzinfo=UTC)
