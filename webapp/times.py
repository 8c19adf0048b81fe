"""Points in time as text that sorts: `YYYY-MM-DDTHH:MM:SS.ffffffZ`, 27 characters, always UTC."""

from datetime import UTC, datetime


def timestamp(moment: datetime) -> str:
    """The text of an aware moment."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def now() -> str:
    return timestamp(datetime.now(UTC))


def parsed(text: str) -> datetime:
    """The aware moment of a text that `timestamp` made."""
    return datetime.fromisoformat(text)
