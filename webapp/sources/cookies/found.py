"""A cookie found in pasted text: its site, its expiry, and its name in a sentence."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from webapp import times
from webapp.errors import BadCookies

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,60}")
_HOST = re.compile(r"(?:[a-z0-9-]{1,30}\.){1,3}[a-z]{2,12}")
_ATTRIBUTES = frozenset(
    ("path", "domain", "expires", "max-age", "secure", "httponly", "samesite", "priority", "partitioned")
)
LOOPBACK = ("127.0.0.1", "localhost", "::1")

# Chrome's exports use seconds, some extensions milliseconds: a larger number is in milliseconds.
_MAX_SECONDS = 1e11
_MAX_DATE_LENGTH = 60


@dataclass(frozen=True, slots=True)
class FoundCookie:
    """One cookie of a paste; `domain` and `expires_at` are None if the paste does not contain them."""

    name: str
    value: str = field(repr=False)
    domain: str | None = None
    expires_at: datetime | None = None

    @property
    def host(self) -> str:
        """The host it belongs to, without the leading dot for subdomains; empty when unknown."""
        # Cookie Quick Manager writes a URL, “https://.google.com/”.
        host = (self.domain or "").strip().lower()
        return (host.partition("://")[2] or host).partition("/")[0].lstrip(".")

    @property
    def shown_site(self) -> str:
        """Its host for a sentence. An impossible host may be part of a secret value, so it is not shown."""
        return self.host if _HOST.fullmatch(self.host) else "another site"

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


def header_cookies(header: str, site: str | None) -> Iterator[FoundCookie]:
    """The cookies of `a=b; c=d`. Attributes are dropped; `expires` applies to the cookie before it."""
    pending = None
    for part in header.split(";"):
        name, equals, value = (text.strip() for text in part.partition("="))
        if name.lower() in _ATTRIBUTES:
            if pending and name.lower() == "expires":
                pending = FoundCookie(pending.name, pending.value, site, expiry(value))
            continue
        if pending:
            yield pending
        pending = FoundCookie(name, _unquoted(value), site) if equals else None
    if pending:
        yield pending


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value


def latest_by_name(cookies: Iterable[FoundCookie]) -> dict[str, FoundCookie]:
    """Of cookies with the same name the one that expires last, and of equal ones the last in the paste."""
    by_expiry = sorted(
        cookies, key=lambda cookie: times.timestamp(cookie.expires_at) if cookie.expires_at else ""
    )
    return {cookie.name: cookie for cookie in by_expiry}


def names_of(found: Iterable[FoundCookie]) -> tuple[str, ...]:
    """The distinct names. An impossible name may be part of a secret value, so it is left out."""
    return tuple(dict.fromkeys(cookie.name for cookie in found if _NAME.fullmatch(cookie.name)))


def listed(names: Sequence[str], max_count: int = 6) -> str:
    """Names for a sentence, at most `max_count` of them."""
    shown, more = list(names[:max_count]), len(names) - max_count
    if more > 0:
        return f"{', '.join(shown)} and {more} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]


def earliest_expiry(cookies: Iterable[FoundCookie]) -> str | None:
    """When the first of the cookies expires, in the form of `webapp.times`; None when unknown."""
    moments = [cookie.expires_at for cookie in cookies if cookie.expires_at]
    return times.timestamp(min(moments)) if moments else None


def latest_expiry(cookies: Iterable[FoundCookie]) -> datetime:
    """When the last of the cookies expires; at least one expiry has to be known."""
    return max(cookie.expires_at for cookie in cookies if cookie.expires_at)


def check_characters(value: str, what: str, advice: str) -> None:
    """Raises BadCookies for a truncated value, and one with characters that a header cannot hold."""
    if value.endswith("…"):
        raise BadCookies(f"{what} was cut: it ends in “…”, as lists shorten it. {advice}")
    if not re.fullmatch(r"[\x21-\x3a\x3c-\x7e]+", value):
        raise BadCookies(f"{what} contains characters that no cookie has, such as a space. {advice}")


def expiry(value: object) -> datetime | None:
    """When a cookie expires, given as Unix time (seconds or milliseconds), ISO text or an HTTP date.

    None for a session cookie (0, -1, "Session") and for an unreadable value.
    """
    if isinstance(value, str):
        text = value.strip()
        return _of_number(text) if re.fullmatch(r"-?\d{1,20}(\.\d{1,20})?", text) else _of_date(text)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _of_number(value)
    return None


def _of_number(value: str | int | float) -> datetime | None:
    try:
        seconds = float(value)
        if math.isnan(seconds) or seconds <= 0:
            return None
        seconds = seconds / 1000 if seconds > _MAX_SECONDS else seconds
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _of_date(text: str) -> datetime | None:
    if len(text) > _MAX_DATE_LENGTH:
        return None
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None
