"""A cookie as it was found in pasted text: its end, its site, and how sentences speak of several."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from webapp import times
from webapp.errors import BadCookies

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,60}")
_HOST = re.compile(r"(?:[a-z0-9-]{1,30}\.){1,3}[a-z]{2,12}")
LOOPBACK = ("127.0.0.1", "localhost", "::1")

# Chrome's exports count seconds; some extensions milliseconds, which lie beyond this.
_MAX_SECONDS = 1e11


@dataclass(frozen=True, slots=True)
class FoundCookie:
    """One cookie of a paste; `domain` and `expires_at` are None where its shape does not say."""

    name: str
    value: str = field(repr=False)
    domain: str | None = None
    expires_at: datetime | None = None

    @property
    def host(self) -> str:
        """The host it belongs to, without the dot that stands for all below it; empty when nobody says."""
        return (self.domain or "").strip().lstrip(".").lower()

    @property
    def shown_site(self) -> str:
        """Its host for a sentence; what is no possible one may be a piece of a value, and stays out."""
        return self.host if _HOST.fullmatch(self.host) else "another site"

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


def latest_by_name(cookies: Iterable[FoundCookie]) -> dict[str, FoundCookie]:
    """Of two with the same name that which lives longer counts, then the later one."""
    ends = sorted(cookies, key=lambda cookie: times.timestamp(cookie.expires_at) if cookie.expires_at else "")
    return {cookie.name: cookie for cookie in ends}


def names_of(found: Iterable[FoundCookie]) -> tuple[str, ...]:
    """Names once each. What is no possible name may be a piece of a value, and stays out."""
    return tuple(dict.fromkeys(cookie.name for cookie in found if _NAME.fullmatch(cookie.name)))


def listed(names: Sequence[str], most: int = 6) -> str:
    """Names for a sentence, at most so many of them."""
    shown, more = list(names[:most]), len(names) - most
    if more > 0:
        return f"{', '.join(shown)} and {more} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]


def end_of(used: Iterable[FoundCookie]) -> str | None:
    """When the first of them ends, in the form of `webapp.times`; None when nobody says."""
    ends = [cookie.expires_at for cookie in used if cookie.expires_at]
    return times.timestamp(min(ends)) if ends else None


def check_characters(value: str, what: str, advice: str) -> None:
    """Refuses a value that was cut, and one that cannot stand in a request's header."""
    if value.endswith("…"):
        raise BadCookies(f"{what} was cut: it ends in “…”, as lists show it. {advice}")
    if not re.fullmatch(r"[\x21-\x3a\x3c-\x7e]+", value):
        raise BadCookies(f"{what} holds characters that no cookie has, such as a space. {advice}")


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
        seconds = seconds / 1000 if seconds > _MAX_SECONDS else seconds
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
