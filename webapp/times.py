"""Points in time as sortable text: `YYYY-MM-DDTHH:MM:SS.ffffffZ`, 27 characters, always UTC."""

from datetime import UTC, datetime

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
