"""Times as flow.google.com writes them: `[seconds, nanoseconds]` of Unix time."""

import re
from datetime import UTC, datetime, timedelta

from webapp import times

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(said: object) -> str | None:
    """A time in the form of `webapp.times`; None if it is unreadable or lies before 1970."""
    seconds, nanoseconds = ([*said, None, None])[:2] if isinstance(said, list) else (None, None)
    whole, fraction = _number(seconds), _number(nanoseconds) or 0
    # Zero and less are default values, not the time of anything.
    if not whole or whole < 0 or not 0 <= fraction < 10**9:
        return None
    try:
        return times.timestamp(_EPOCH + timedelta(seconds=whole, microseconds=fraction // 1000))
    except OverflowError:
        return None


def _number(said: object) -> int | None:
    """A whole number as one or, as Google writes 64-bit ones, as text."""
    if isinstance(said, str) and re.fullmatch(r"\d{1,12}", said, re.ASCII):
        return int(said)
    return said if isinstance(said, int) and not isinstance(said, bool) and abs(said) < 10**12 else None
