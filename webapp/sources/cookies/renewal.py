"""Reads new cookies from the `Set-Cookie` headers of a response."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from webapp import times
from webapp.sources.cookies.found import expiry
from webapp.sources.cookies.google import MAX_VALUE, is_sent
from webapp.sources.cookies.pasted import WHOLE, part_number
from webapp.sources.cookies.shapes import SESSION_COOKIE


@dataclass(frozen=True, slots=True)
class Renewal:
    """The cookies to store from now on (empty: nothing was renewed), and when they expire, None when the
    response does not say."""

    cookies: dict[str, str]
    expire_at: str | None = None


def labs_renewal(lines: Iterable[str], stored: dict[str, str]) -> Renewal:
    """What the `Set-Cookie` lines of labs.google renew."""
    return Renewal(renewed_cookies(lines), renewed_end(lines, datetime.now(UTC)))


def google_renewal(lines: Iterable[str], stored: dict[str, str]) -> Renewal:
    """What the `Set-Cookie` lines of flow.google.com renew. The expiry of a single cookie of the family does
    not show when the session expires."""
    return Renewal(renewed_google_cookies(lines, stored))


def renewed_cookies(lines: Iterable[str]) -> dict[str, str]:
    """The session cookie that a response sets, joined if it is split; empty when it sets none.

    next-auth deletes cookies with empty values and `Max-Age=0`: leftover parts when the number of parts
    changes, and all of them at sign-out. Deletions are ignored, and so are parts when one is missing,
    because they would not sign in.
    """
    parts: dict[int, str] = {}
    for line in lines:
        name, _, value = line.partition(";")[0].strip().partition("=")
        number = part_number(name.strip())
        if number is not None and value.strip() and not is_deletion(line):
            parts[number] = value.strip()
    if WHOLE in parts:
        return {SESSION_COOKIE: parts[WHOLE]}
    is_whole = parts and sorted(parts) == list(range(len(parts)))
    return {SESSION_COOKIE: "".join(parts[number] for number in sorted(parts))} if is_whole else {}


def renewed_end(lines: Iterable[str], now: datetime) -> str | None:
    """When the session cookie that a response sets expires, or the first of its parts; None when the response
    does not say."""
    moments = []
    for line in lines:
        name = line.partition("=")[0].strip()
        if part_number(name) is not None and not is_deletion(line) and (moment := _expiry_of(line, now)):
            moments.append(moment)
    return times.timestamp(min(moments)) if moments else None


def _expiry_of(line: str, now: datetime) -> datetime | None:
    """`Max-Age` takes precedence over `Expires` (RFC 6265, 5.3)."""
    if lifetime := re.search(r";\s*max-age=(\d{1,10})\s*(?:;|$)", line, re.IGNORECASE):
        return expiry(now.timestamp() + int(lifetime[1]))
    date = re.search(r";\s*expires=([^;]{1,60})", line, re.IGNORECASE)
    return expiry(date[1]) if date else None


def renewed_google_cookies(lines: Iterable[str], stored: dict[str, str]) -> dict[str, str]:
    """The stored cookies, updated with those of the family that a response sets.

    Deletions are ignored: only the next page shows for certain whether the session has ended.
    """
    fresh = {}
    for line in lines:
        name, _, value = (part.strip() for part in line.partition(";")[0].partition("="))
        is_valid = re.fullmatch(r"[\x21-\x3a\x3c-\x7e]+", value) and len(value) <= MAX_VALUE
        if is_sent(name) and is_valid and not is_deletion(line):
            fresh[name] = value
    return stored | fresh


def is_deletion(line: str) -> bool:
    """Whether a `Set-Cookie` line deletes a cookie."""
    return (
        re.search(
            r";\s*(?:max-age=(?:0|-\d+)\s*(?:;|$)|expires=[^;]*[ -](?:1970|1990) )", line, re.IGNORECASE
        )
        is not None
    )
