"""Times as flow.google.com writes them: `[seconds, nanoseconds]` of Unix time."""

import re
from datetime import UTC, datetime, timedelta

from webapp import times

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def timestamp_of(value: object) -> str | None:
    """A time in the form of `webapp.times`; None if it is unreadable or not after 1970 began."""
    seconds, nanoseconds = ([*value, None, None])[:2] if isinstance(value, list) else (None, None)
    whole, fraction = _integer(seconds), _integer(nanoseconds) or 0
    # Zero and negative numbers are default values, not the time of an image.
    if not whole or whole < 0 or not 0 <= fraction < 10**9:
        return None
    try:
        return times.timestamp(_EPOCH + timedelta(seconds=whole, microseconds=fraction // 1000))
    except OverflowError:
        return None


def _integer(value: object) -> int | None:
    """An integer, which Google may write as text because it has 64 bits."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,12}", value, re.ASCII):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**12 else None
