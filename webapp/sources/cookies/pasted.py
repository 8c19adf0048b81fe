"""Chooses from a person's pasted text the cookies that one of the two services needs."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from webapp.errors import BadCookies
from webapp.sources.cookies import google
from webapp.sources.cookies.documents import read_har
from webapp.sources.cookies.found import (
    LOOPBACK,
    FoundCookie,
    check_characters,
    earliest_expiry,
    latest_by_name,
    latest_expiry,
    listed,
    names_of,
)
from webapp.sources.cookies.google import FLOW_HOST
from webapp.sources.cookies.pasted_requests import PastedRequest, account_index_in, account_index_of
from webapp.sources.cookies.plain import plain
from webapp.sources.cookies.reading import Reading
from webapp.sources.cookies.shapes import SESSION_COOKIE, SESSION_NAME, read_paste
from webapp.sources.cookies.user_agent import find_user_agent, sendable

LABS_HOST = "labs.google"
MAX_PASTE = 1_000_000
# A HAR file contains the responses as well; what is longer than a paste has to be one.
MAX_HAR = 24_000_000
WHOLE = -1

_OLD = (
    f"; only if your images still open at {LABS_HOST}/fx, press F12 there, open Application (in Firefox "
    f"Storage), then Cookies, https://{LABS_HOST}, and copy the value of {SESSION_COOKIE}."
)
ADVICE = google.ADVICE
# Today's Flow comes first, because most accounts have moved there.
ADVICE_FOR_BOTH = f"{ADVICE.removesuffix('.')}{_OLD}"


@dataclass(frozen=True, slots=True)
class PastedCookies:
    """The usable cookies of a paste. Its `repr` shows names only.

    `cookies` holds only those that `service` ("labs.google" or "flow.google.com") needs, because the
    service may refuse a request with all cookies (status 431). The parts of a labs session are joined.
    `found_names` are the plausible names of all cookies in the paste. `expires_at` is in the form of
    `webapp.times`, None when unknown. `user_agent` is that of the browser, when a request was pasted.
    `account_index` is the N of `/u/N/` in its URL, None for the first account. `warnings` are sentences about
    cookies that are missing although it may work without them.
    """

    cookies: dict[str, str] = field(repr=False)
    found_names: tuple[str, ...]
    expires_at: str | None
    service: str = LABS_HOST
    user_agent: str | None = None
    account_index: int | None = None
    warnings: tuple[str, ...] = ()


def service_of(cookie_names: Iterable[str]) -> str:
    """The service that cookies of these names belong to: "labs.google" or "flow.google.com"."""
    names = list(cookie_names)
    is_labs = any(part_number(name) is not None for name in names)
    return FLOW_HOST if google.signs_in(names) and not is_labs else LABS_HOST


def parse_cookies(
    text: str, now: datetime, labs_host: str = LABS_HOST, flow_host: str = FLOW_HOST
) -> PastedCookies:
    """Find the cookies of one service in a paste of any format in labs/PROTOCOL.md, part 6.

    A paste with the cookies that flow.google.com needs belongs to that service: accounts move there and never
    back. With a labs session besides, only its own cookie shows that the browser was there. `labs_host` and
    `flow_host` are accepted as sites of cookies besides Google's own hosts, for servers that are set in the
    configuration. Raises BadCookies, which says what was found and what is missing but never quotes a value.
    """
    reading, text = _read(text)
    flow_hosts, labs_hosts = (FLOW_HOST, flow_host, *LOOPBACK), (LABS_HOST, labs_host, *LOOPBACK)
    names = names_of(reading.cookies)
    ours = google.own_cookies(reading.cookies, now, flow_host)
    sessions = [cookie for cookie in reading.cookies if _is_session(cookie) and _is_of(cookie, labs_host)]
    if not google.missing(ours) and (google.has_own(ours) or not sessions):
        cookies, expires_at = google.checked(ours)
        user_agent = _user_agent(reading.requests, flow_hosts) or find_user_agent(text)
        return PastedCookies(
            cookies,
            names,
            expires_at,
            FLOW_HOST,
            user_agent,
            _account_index(reading, text, flow_hosts),
            google.warnings(cookies),
        )
    value, expires_at = _labs_session(reading, sessions, now, flow_host)
    user_agent = _user_agent(reading.requests, labs_hosts) or find_user_agent(text)
    return PastedCookies({SESSION_COOKIE: value}, names, expires_at, user_agent=user_agent)


def _read(text: str) -> tuple[Reading, str]:
    """What a paste contains, and its text where more can be looked for."""
    if len(text) > MAX_PASTE:
        if len(text) <= MAX_HAR and (har := read_har(text)):
            return har, ""
        raise BadCookies(
            f"The pasted text is longer than cookies can be ({len(text):,} characters). {ADVICE}"
        )
    text = plain(text)
    if re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", text):
        raise BadCookies(f"The pasted text contains control characters, which no cookie has. {ADVICE}")
    if not text:
        raise BadCookies(f"There is nothing in the pasted text. {ADVICE}")
    return read_paste(text), text


def _user_agent(requests: Sequence[PastedRequest], hosts: Iterable[str]) -> str | None:
    """That of the last request to one of the hosts."""
    known = frozenset(hosts)
    named = (request.headers.get("user-agent", "") for request in reversed(requests) if request.host in known)
    return next((user_agent for name in named if (user_agent := sendable(name))), None)


def _account_index(reading: Reading, text: str, hosts: Iterable[str]) -> int | None:
    """0 is the first account, as no number is."""
    if reading.requests:
        return account_index_of(reading.requests, hosts) or None
    return account_index_in(text) or None


def _labs_session(
    reading: Reading, sessions: list[FoundCookie], now: datetime, flow_host: str
) -> tuple[str, str | None]:
    """The session cookie of labs.google, joined if it was split, and when it expires. Raises BadCookies."""
    valid = [cookie for cookie in sessions if not cookie.is_expired(now)]
    if not valid:
        raise BadCookies(_what_is_missing(reading, sessions, now, flow_host))
    used = _parts_in_order(valid)
    value = "".join(cookie.value for cookie in used)
    _check_value(value)
    return value, earliest_expiry(used)


def _is_session(cookie: FoundCookie) -> bool:
    return bool(cookie.value) and part_number(cookie.name) is not None


def _is_of(cookie: FoundCookie, labs_host: str) -> bool:
    return cookie.host in ("", labs_host.lower(), LABS_HOST, f"www.{LABS_HOST}", *LOOPBACK)


def _parts_in_order(cookies: list[FoundCookie]) -> list[FoundCookie]:
    """The session cookie if it came unsplit, otherwise its parts in order.

    Raises BadCookies when a part is missing. A paste contains both when two sessions were pasted together.
    The unsplit one is preferred, because no part of it can be missing.
    """
    numbered = ((part_number(name), cookie) for name, cookie in latest_by_name(cookies).items())
    parts = {number: cookie for number, cookie in numbered if number is not None}
    if WHOLE in parts:
        return [parts[WHOLE]]
    missing = sorted(set(range(max(parts) + 1)) - set(parts))
    if missing:
        raise BadCookies(
            f"The session cookie is split and not all of it was copied: {listed(_part_names(parts))} "
            f"found, {listed(_part_names(missing))} missing. Copy all parts that the browser shows."
        )
    return [parts[number] for number in sorted(parts)]


def part_number(name: str) -> int | None:
    """Which part of the session cookie `name` is; WHOLE if it is not split, None for another cookie."""
    match = SESSION_NAME.fullmatch(name)
    if match is None:
        return None
    return WHOLE if match[1] is None else int(match[1])


def _part_names(numbers: Iterable[int]) -> list[str]:
    return [f"…session-token.{number}" for number in sorted(numbers)]


def _check_value(value: str) -> None:
    """Raises BadCookies for a truncated or impossible value.

    A value that begins with `eyJ` is an encrypted token (JWE): five parts, of which only the second may be
    empty.
    """
    check_characters(value, "The session cookie", ADVICE_FOR_BOTH)
    parts = value.split(".")
    if not value.startswith("eyJ") or (len(parts) == 5 and all(parts[2:])):
        return
    if len(parts) > 5:
        raise BadCookies("The session cookie is too long: was it pasted twice? Copy it once more.")
    raise BadCookies(
        "The session cookie was cut: its end is missing. Copy it once more, whole; if the browser shows it "
        f"in parts ({SESSION_COOKIE}.0, .1, ...), copy all of them."
    )


def _what_is_missing(reading: Reading, sessions: list[FoundCookie], now: datetime, flow_host: str) -> str:
    found, shape = reading.cookies, reading.shape
    if reading.cut:
        return f"The pasted text was cut: {reading.cut} it begins has no end. Copy all of it once more."
    if not found:
        return _without_cookies(reading)
    if sessions:
        day = f"{latest_expiry(sessions):%Y-%m-%d}"
        return f"Flowshelf read {shape}, but the session cookie expired on {day}. {ADVICE_FOR_BOTH}"
    if any(cookie.value and google.is_google_name(cookie.name) for cookie in found):
        return google.what_is_missing(reading, now, flow_host)
    if elsewhere := [cookie for cookie in found if _is_session(cookie)]:
        return (
            f"Flowshelf read {shape}, but the session cookie belongs to {elsewhere[0].shown_site}, not to "
            f"Flow. {ADVICE_FOR_BOTH}"
        )
    count = "one cookie" if len(found) == 1 else f"{len(found)} cookies"
    return (
        f"Flowshelf read {shape} with {count}, but none signs in to Flow (scripts such as document.cookie "
        f"cannot see those). {ADVICE_FOR_BOTH if _is_at_labs(reading) else ADVICE}"
    )


def _without_cookies(reading: Reading) -> str:
    if reading.note:
        return f"Flowshelf read {reading.shape} without cookies: {reading.note}. {ADVICE}"
    what = "the pasted text" if reading.shape == "text" else reading.shape
    return f"No cookies were found in {what}. {ADVICE_FOR_BOTH if _is_at_labs(reading) else ADVICE}"


def _is_at_labs(reading: Reading) -> bool:
    """Whether a paste comes from the old Flow."""
    hosts = {request.host for request in reading.requests} | {cookie.host for cookie in reading.cookies}
    return LABS_HOST in hosts or any(part_number(cookie.name) is not None for cookie in reading.cookies)
