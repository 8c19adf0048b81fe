"""Points in time as sortable text: `YYYY-MM-DDTHH:MM:SS.ffffffZ`, 27 characters, always UTC."""

from datetime import UTC, datetime


def timestamp(moment: datetime) -> str:
    """The text of a datetime, which must have a time zone."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def now() -> str:
    """The text of the present moment."""
    return timestamp(datetime.now(UTC))


def parsed(text: str) -> datetime:
    """The datetime, with its time zone, of a text made by `timestamp`."""
    return datetime.fromisoformat(text)
