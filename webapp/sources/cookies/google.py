"""The cookies that flow.google.com needs: a family of google.com cookies, and one of its own.

What cannot work without was measured at a sister service (flow_google/PROTOCOL.md, “Sign-in”): SID, or
`__Secure-1PSID` in its place, and OSID or else APISID with SAPISID. Everything else is worth a warning only.
"""

import re
from collections.abc import Iterable
from datetime import datetime

from webapp.errors import BadCookies
from webapp.sources.cookies.found import (
    LOOPBACK,
    FoundCookie,
    check_characters,
    earliest_expiry,
    latest_by_name,
    latest_expiry,
    listed,
)
from webapp.sources.cookies.reading import Reading

FLOW_HOST = "flow.google.com"
OWN = ("OSID", "__Secure-OSID")
SESSION = ("SID", "__Secure-1PSID")
_PROOF = ("APISID", "SAPISID")
FRESHNESS = "__Secure-1PSIDTS"
# What a browser sends as well.
_USUAL = ("SID", "HSID", "SSID", "APISID", "SAPISID", "__Secure-1PSID", "__Secure-3PSID")
_FAMILY = re.compile(
    r"(?:__Secure-)?(?:[13]P)?(?:S?APISID|[HS]?SID|SSID|SIDCC|SIDTS|SIDRTS)|(?:__Secure-)?(?:OSID|LSID)|NID"
)
# Renewed all the time: their expiry says nothing about that of the session.
_ROTATING = re.compile(r".*SID(?:CC|TS|RTS)")
_NOT_SENT = ("NID", "LSID", "__Secure-LSID")
MAX_VALUE = 4096

# Typed, because the old URL redirects to this one, and then the first request is one to labs.google.
STEPS = (
    f"open a private window, type {FLOW_HOST} in the address bar and sign in; press F12, open Network and "
    f"reload the page; then right-click the request named {FLOW_HOST} and choose “Copy as cURL”"
)
ADVICE = f"To copy the cookies, {STEPS}."


def is_google_name(name: str) -> bool:
    """Whether a cookie of this name belongs to the family that signs in to Google's services."""
    return _FAMILY.fullmatch(name) is not None


def signs_in(names: Iterable[str]) -> bool:
    """Whether cookies of these names sign in to flow.google.com."""
    return not {*OWN, *SESSION}.isdisjoint(names)


def own_cookies(found: Iterable[FoundCookie], now: datetime, flow_host: str) -> dict[str, FoundCookie]:
    """The unexpired cookies of a paste that are sent to flow.google.com, by name."""
    return latest_by_name(
        cookie
        for cookie in found
        if cookie.value and is_sent(cookie.name) and is_of(cookie, flow_host) and not cookie.is_expired(now)
    )


def is_of(cookie: FoundCookie, flow_host: str) -> bool:
    """Whether a cookie belongs to flow.google.com, as far as the paste shows."""
    return cookie.host in ("", FLOW_HOST, "google.com", flow_host.lower(), *LOOPBACK)


def missing(names: Iterable[str]) -> list[str]:
    """The cookies without which nothing works, by the name that a browser most likely has."""
    present = set(names)
    absent = [SESSION[0]] if present.isdisjoint(SESSION) else []
    return absent if has_own(present) or present.issuperset(_PROOF) else [*absent, OWN[0]]


def has_own(names: Iterable[str]) -> bool:
    """Whether flow.google.com itself set one of these cookies."""
    return not set(OWN).isdisjoint(names)


def usually_sent(names: Iterable[str]) -> list[str]:
    """The cookies that a browser sends and these are not, the one that matters most first."""
    present = set(names)
    absent = [name for name in (FRESHNESS, *_USUAL) if name not in present]
    return absent if has_own(present) else [*absent, OWN[0]]


def warnings(names: Iterable[str]) -> tuple[str, ...]:
    """Sentences about cookies that are missing although these may work without them."""
    absent = usually_sent(names)
    others = [name for name in absent if name != FRESHNESS]
    sentences = []
    if FRESHNESS in absent:
        sentences.append(
            f"{FRESHNESS} is missing. Without it Flow may refuse these cookies, or end the session within "
            "minutes: copy all cookies of the request."
        )
    if others:
        is_missing, also = "is" if len(others) == 1 else "are", " as well" if FRESHNESS in absent else ""
        sentences.append(f"{listed(others, 9)} {is_missing} missing{also}. Flow usually works without.")
    return tuple(sentences)


def checked(cookies: dict[str, FoundCookie]) -> tuple[dict[str, str], str | None]:
    """Values by name, and when the session expires. Raises BadCookies for an impossible value."""
    for cookie in cookies.values():
        check_characters(cookie.value, f"The cookie {cookie.name}", ADVICE)
        if len(cookie.value) > MAX_VALUE:
            raise BadCookies(f"The cookie {cookie.name} is longer than a cookie can be. {ADVICE}")
    lasting = [cookie for name, cookie in cookies.items() if not _ROTATING.fullmatch(name)]
    return {name: cookie.value for name, cookie in cookies.items()}, earliest_expiry(lasting)


def what_is_missing(reading: Reading, now: datetime, flow_host: str) -> str:
    """A sentence that says why the google.com cookies of a paste are not sufficient, and what to do."""
    google = [cookie for cookie in reading.cookies if cookie.value and is_google_name(cookie.name)]
    ours = [cookie for cookie in google if is_of(cookie, flow_host)]
    if not ours:
        return (
            f"Flowshelf read {reading.shape}, but its Google cookies belong to {google[0].shown_site}, "
            f"not to {FLOW_HOST}. {ADVICE}"
        )
    expired = [cookie for cookie in ours if cookie.is_expired(now)]
    absent = missing(cookie.name for cookie in ours if not cookie.is_expired(now))
    if set(absent) & {cookie.name for cookie in expired}:
        last = latest_expiry(expired)
        return (
            f"Flowshelf read {reading.shape}, but its google.com cookies expired on {last:%Y-%m-%d}. {ADVICE}"
        )
    names = list(dict.fromkeys(cookie.name for cookie in ours))
    return (
        f"Flowshelf read {reading.shape} with google.com cookies ({listed(names)}), but "
        f"{listed(absent)} {'is' if len(absent) == 1 else 'are'} missing{_cause(absent)}. {ADVICE}"
    )


def is_sent(name: str) -> bool:
    """Whether a cookie of this name is sent to flow.google.com."""
    return is_google_name(name) and name not in _NOT_SENT


def _cause(absent: list[str]) -> str:
    if absent == [OWN[0]]:
        return f": {FLOW_HOST} sets it, so cookies copied from another Google page are not enough"
    return ""
