"""The time zone of the person who looks at a page. Stored times are UTC.

It is that of the cookie `zone`, which app.js sets, otherwise that of this machine.
"""

import zoneinfo
from datetime import UTC, datetime, tzinfo
from functools import lru_cache

from flask import has_request_context, request

from webapp import times

COOKIE = "zone"
MAX_CHARACTERS = 64


def viewer_zone() -> tzinfo | None:
    """The zone for the dates of the current response; None for this machine's, also outside requests."""
    name = request.cookies.get(COOKIE) if has_request_context() else None
    return _find_zone(name) if name and len(name) <= MAX_CHARACTERS else None


def viewed(text: str) -> datetime:
    """A stored time as the viewer's clock shows it."""
    return times.local(times.parsed(text), viewer_zone())


def viewed_now() -> datetime:
    return times.local(datetime.now(UTC), viewer_zone())


@lru_cache
def _find_zone(name: str) -> tzinfo | None:
    """The zone with a name such as `Asia/Tokyo`; None for a name that is not in the zone database."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None
