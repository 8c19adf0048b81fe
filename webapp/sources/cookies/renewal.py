"""Reads new cookies out of the `Set-Cookie` headers of an answer."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from webapp import times
from webapp.sources.cookies.found import expiry
from webapp.sources.cookies.google import MAX_VALUE, is_kept
from webapp.sources.cookies.pasted import WHOLE, part_number
from webapp.sources.cookies.shapes import SESSION_COOKIE


@dataclass(frozen=True, slots=True)
class Renewal:
    """Cookies to keep from now on (none: nothing is renewed), and when they end, None when the answer does
    not say."""

    cookies: dict[str, str]
    expire_at: str | None = None


def labs_renewal(lines: Iterable[str], kept: dict[str, str]) -> Renewal:
    return Renewal(renewed_cookies(lines), renewed_end(lines, datetime.now(UTC)))


def google_renewal(lines: Iterable[str], kept: dict[str, str]) -> Renewal:
    """One cookie of the family renewed says nothing of when the session ends."""
    return Renewal(renewed_google_cookies(lines, kept))


def renewed_cookies(lines: Iterable[str]) -> dict[str, str]:
    """The session cookie that an answer sets, joined if it came in parts; empty when it sets none.

    next-auth deletes cookies by empty values with `Max-Age=0`: the parts of another division, or
    everything when it signs out. A deletion renews nothing, and parts of which one is missing
    would not sign in.
    """
    parts = {}
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
    """When the session cookie that an answer sets ends, its first part to end counting; None when the
    answer does not say."""
    ends = []
    for line in lines:
        name = line.partition("=")[0].strip()
        if part_number(name) is not None and not is_deletion(line):
            ends += [end] if (end := _end(line, now)) else []
    return times.timestamp(min(ends)) if ends else None


def _end(line: str, now: datetime) -> datetime | None:
    """A lifetime goes before a date, as browsers have it."""
    if lifetime := re.search(r";\s*max-age=(\d{1,10})\s*(?:;|$)", line, re.IGNORECASE):
        return expiry(now.timestamp() + int(lifetime[1]))
    said = re.search(r";\s*expires=([^;]{1,60})", line, re.IGNORECASE)
    return expiry(said[1]) if said else None


def renewed_google_cookies(lines: Iterable[str], kept: dict[str, str]) -> dict[str, str]:
    """The cookies kept, with what the `Set-Cookie` lines of an answer say anew of the family.

    A deletion renews nothing: whether the session has ended, the next page says for certain.
    """
    fresh = {}
    for line in lines:
        name, _, value = (part.strip() for part in line.partition(";")[0].partition("="))
        is_sound = re.fullmatch(r"[\x21-\x3a\x3c-\x7e]+", value) and len(value) <= MAX_VALUE
        if is_kept(name) and is_sound and not is_deletion(line):
            fresh[name] = value
    return kept | fresh


def is_deletion(line: str) -> bool:
    """Whether a `Set-Cookie` line takes a cookie away."""
    return (
        re.search(
            r";\s*(?:max-age=(?:0|-\d+)\s*(?:;|$)|expires=[^;]*[ -](?:1970|1990) )", line, re.IGNORECASE
        )
        is not None
    )
