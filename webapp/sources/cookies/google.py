"""The cookies that flow.google.com needs: a family of google.com's, and one of its own."""

import re
from collections.abc import Iterable
from datetime import datetime

from webapp.errors import BadCookies
from webapp.sources.cookies.found import (
    LOOPBACK,
    FoundCookie,
    check_characters,
    end_of,
    latest_by_name,
    listed,
)

FLOW_HOST = "flow.google.com"
NEEDED = ("SID", "HSID", "SSID", "APISID", "SAPISID", "__Secure-1PSID", "__Secure-3PSID")
OWN = ("OSID", "__Secure-OSID")
# Lost by exports that keep only cookies marked “Secure”.
_NOT_SECURE = ("SID", "HSID", "APISID")
_FAMILY = re.compile(
    r"(?:__Secure-)?(?:[13]P)?(?:S?APISID|[HS]?SID|SSID|SIDCC|SIDTS|SIDRTS)|(?:__Secure-)?(?:OSID|LSID)|NID"
)
# Renewed all the time: their end says nothing about that of the session.
_ROTATING = re.compile(r".*SID(?:CC|TS|RTS)")
_NOT_KEPT = ("NID", "LSID", "__Secure-LSID")
MAX_VALUE = 4096

# Typed, because the old address leads on to this one: then the first request is one to labs.google.
STEPS = (
    f"open a private window, type {FLOW_HOST} in the address bar and sign in; press F12, open Network and "
    f"reload the page; then right-click the request named {FLOW_HOST} and choose “Copy as cURL”"
)
ADVICE = f"To copy the cookies, {STEPS}. Close that window without signing out."


def is_google_name(name: str) -> bool:
    """Whether a cookie is of the family that signs in to Google's services."""
    return _FAMILY.fullmatch(name) is not None


def signs_in(names: Iterable[str]) -> bool:
    """Whether cookies of these names are those of flow.google.com."""
    return not {*OWN, "SID"}.isdisjoint(names)


def own_cookies(found: list[FoundCookie], now: datetime, flow_host: str) -> dict[str, FoundCookie]:
    """The living cookies of a paste that flow.google.com is sent, by name."""
    return latest_by_name(
        cookie
        for cookie in found
        if cookie.value and is_kept(cookie.name) and is_of(cookie, flow_host) and not cookie.is_expired(now)
    )


def is_of(cookie: FoundCookie, flow_host: str) -> bool:
    return cookie.host in ("", FLOW_HOST, "google.com", flow_host.lower(), *LOOPBACK)


def missing(names: Iterable[str]) -> list[str]:
    """What has to be there and is not; either of its own two names will do."""
    there = set(names)
    absent = [name for name in NEEDED if name not in there]
    return absent if there.intersection(OWN) else [*absent, OWN[0]]


def checked(cookies: dict[str, FoundCookie]) -> tuple[dict[str, str], str | None]:
    """Values by name, and when the session ends. Raises BadCookies for a value that cannot be one."""
    for cookie in cookies.values():
        check_characters(cookie.value, f"The cookie {cookie.name}", ADVICE)
        if len(cookie.value) > MAX_VALUE:
            raise BadCookies(f"The cookie {cookie.name} is longer than one can be. {ADVICE}")
    lasting = [cookie for name, cookie in cookies.items() if not _ROTATING.fullmatch(name)]
    return {name: cookie.value for name, cookie in cookies.items()}, end_of(lasting)


def what_is_missing(found: list[FoundCookie], now: datetime, flow_host: str) -> str:
    """Why the cookies of google.com in a paste are not enough."""
    google = [cookie for cookie in found if cookie.value and is_google_name(cookie.name)]
    ours = [cookie for cookie in google if is_of(cookie, flow_host)]
    if not ours:
        return (
            f"The cookies of Google in the pasted text are of {google[0].shown_site}, not of {FLOW_HOST}. "
            f"{ADVICE}"
        )
    ended = [cookie for cookie in ours if cookie.is_expired(now)]
    absent = missing(cookie.name for cookie in ours if not cookie.is_expired(now))
    if set(absent) & {cookie.name for cookie in ended}:
        last = max(cookie.expires_at for cookie in ended)
        return f"Cookies of google.com in the pasted text expired on {last:%Y-%m-%d}. Sign in again. {ADVICE}"
    names = list(dict.fromkeys(cookie.name for cookie in ours))
    return (
        f"These are cookies of google.com ({listed(names)}), as {FLOW_HOST} needs them, but "
        f"{listed(absent, 9)} {'is' if len(absent) == 1 else 'are'} missing{_cause(absent)}. {ADVICE}"
    )


def is_kept(name: str) -> bool:
    """Whether a cookie of this name is sent to flow.google.com."""
    return is_google_name(name) and name not in _NOT_KEPT


def _cause(absent: list[str]) -> str:
    if not set(_NOT_SECURE) - set(absent) and "SAPISID" not in absent:
        return ": an export that keeps only cookies marked “Secure” loses them, so copy all of them"
    if absent == [OWN[0]]:
        return f": {FLOW_HOST} gives it, so the cookies of another page of Google's do not do"
    return ""
