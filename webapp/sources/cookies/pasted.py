"""Chooses from a person's pasted text the cookies that one of the two services needs."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from webapp.errors import BadCookies
from webapp.sources.cookies import google
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
from webapp.sources.cookies.shapes import SESSION_COOKIE, found_cookies
from webapp.sources.cookies.user_agent import find_user_agent

LABS_HOST = "labs.google"
MAX_PASTE = 1_000_000
WHOLE = -1

_SESSION_NAME = re.compile(re.escape(SESSION_COOKIE) + r"(?:\.(\d{1,2}))?")
# Word processors and chat programs replace or separate plain characters by these.
_PLAIN = str.maketrans(dict.fromkeys("“”„‟«»", '"') | dict.fromkeys("‘’‚‛", "'") | {"\u00a0": " "})
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))

_OLD = (
    f"Only if your pictures still open at {LABS_HOST}/fx: press F12 there, open Application (in Firefox "
    f"Storage), then Cookies, https://{LABS_HOST}, and copy the value of {SESSION_COOKIE}."
)
# Today's Flow comes first, because most accounts have moved there.
ADVICE = f"{google.ADVICE} {_OLD}"


@dataclass(frozen=True, slots=True)
class PastedCookies:
    """The usable cookies of a paste. Its `repr` shows names only.

    `cookies` holds only those that `service` ("labs.google" or "flow.google.com") needs, because the
    service may refuse a request with all cookies (status 431). The parts of a labs session are joined.
    `found_names` are the plausible names of all cookies in the paste. `expires_at` is in the form of
    `webapp.times`, None when unknown. `user_agent` is that of the browser, when a request was pasted.
    """

    cookies: dict[str, str] = field(repr=False)
    found_names: tuple[str, ...]
    expires_at: str | None
    service: str = LABS_HOST
    user_agent: str | None = None


def service_of(cookie_names: Iterable[str]) -> str:
    """The service that cookies of these names belong to: "labs.google" or "flow.google.com"."""
    names = list(cookie_names)
    is_labs = any(part_number(name) is not None for name in names)
    return FLOW_HOST if google.signs_in(names) and not is_labs else LABS_HOST


def parse_cookies(
    text: str, now: datetime, labs_host: str = LABS_HOST, flow_host: str = FLOW_HOST
) -> PastedCookies:
    """Find the cookies of one service in a paste of any format in labs/PROTOCOL.md, part 6.

    A paste with all cookies that flow.google.com needs belongs to that service: accounts move there and never
    back. `labs_host` and `flow_host` are accepted as sites of cookies besides Google's own hosts, for servers
    that are set in the configuration. Raises BadCookies, which says what was found and what is missing
    but never quotes a value.
    """
    text = _plain(text)
    found, user_agent = found_cookies(text), find_user_agent(text)
    ours = google.own_cookies(found, now, flow_host)
    if not google.missing(ours):
        cookies, expires_at = google.checked(ours)
        return PastedCookies(cookies, names_of(found), expires_at, FLOW_HOST, user_agent)
    sessions = [cookie for cookie in found if _is_session(cookie) and _is_of(cookie, labs_host)]
    valid = [cookie for cookie in sessions if not cookie.is_expired(now)]
    if not valid:
        raise BadCookies(_what_is_missing(found, sessions, now, flow_host))
    used = _parts_in_order(valid)
    value = "".join(cookie.value for cookie in used)
    _check_value(value)
    return PastedCookies(
        {SESSION_COOKIE: value}, names_of(found), earliest_expiry(used), user_agent=user_agent
    )


def _plain(text: str) -> str:
    if len(text) > MAX_PASTE:
        raise BadCookies(
            f"The pasted text is longer than cookies can be ({len(text):,} characters). {ADVICE}"
        )
    plain = text.translate(_INVISIBLE).translate(_PLAIN).strip()
    if re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", plain):
        raise BadCookies(f"The pasted text contains control characters, which no cookie has. {ADVICE}")
    if len(plain) > 1 and plain[0] == plain[-1] and plain[0] in "\"'`":
        plain = plain[1:-1].strip()
    if not plain:
        raise BadCookies(f"There is nothing in the pasted text. {ADVICE}")
    return plain


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
    match = _SESSION_NAME.fullmatch(name)
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
    check_characters(value, "The session cookie", ADVICE)
    parts = value.split(".")
    if not value.startswith("eyJ") or (len(parts) == 5 and all(parts[2:])):
        return
    if len(parts) > 5:
        raise BadCookies("The session cookie is too long: was it pasted twice? Copy it once more.")
    raise BadCookies(
        "The session cookie was cut: its end is missing. Copy it once more, whole; if the browser shows it "
        f"in parts ({SESSION_COOKIE}.0, .1, ...), copy all of them."
    )


def _what_is_missing(
    found: list[FoundCookie], sessions: list[FoundCookie], now: datetime, flow_host: str
) -> str:
    if not found:
        return f"No cookies were found in the pasted text. {ADVICE}"
    if sessions:
        expired_at = latest_expiry(sessions)
        return f"The session cookie in the pasted text expired on {expired_at:%Y-%m-%d}. {ADVICE}"
    if any(cookie.value and google.is_google_name(cookie.name) for cookie in found):
        return f"{google.what_is_missing(found, now, flow_host)} {_OLD}"
    elsewhere = [cookie for cookie in found if _is_session(cookie)]
    if elsewhere:
        site = elsewhere[0].shown_site
        return f"The session cookie in the pasted text belongs to {site}, not to Flow. {ADVICE}"
    count = "One cookie was" if len(found) == 1 else f"{len(found)} cookies were"
    return (
        f"{count} found in the pasted text, but none that signs in to Flow "
        f"(scripts such as document.cookie cannot see those). {ADVICE}"
    )
