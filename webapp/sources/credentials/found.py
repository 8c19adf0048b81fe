"""A cookie as it was found in pasted text, and what the shapes say about its end."""

import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# Chrome's exports count seconds; some extensions milliseconds, which lie beyond this.
_LARGEST_SECONDS = 1e11


@dataclass(frozen=True, slots=True)
class FoundCookie:
    """One cookie of a paste; `domain` and `expires_at` are None where its shape does not say."""

    name: str
    value: str = field(repr=False)
    domain: str | None = None
    expires_at: datetime | None = None


def expiry(said: object) -> datetime | None:
    """When a cookie ends, from Unix time (seconds or milliseconds), ISO text or an HTTP date.

    None for a session cookie (0, -1, "Session") and for what cannot be read.
    """
    if isinstance(said, str):
        text = said.strip()
        return _of_number(text) if re.fullmatch(r"-?\d{1,20}(\.\d{1,20})?", text) else _of_date(text)
    if isinstance(said, int | float) and not isinstance(said, bool):
        return _of_number(said)
    return None


def _of_number(said: str | int | float) -> datetime | None:
    try:
        seconds = float(said)
        if math.isnan(seconds) or seconds <= 0:
            return None
        seconds = seconds / 1000 if seconds > _LARGEST_SECONDS else seconds
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _of_date(text: str) -> datetime | None:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None
