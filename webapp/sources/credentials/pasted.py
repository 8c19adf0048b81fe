"""Turns what a person pasted as "cookies" into the one cookie that the labs service needs."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from webapp import times
from webapp.errors import BadCookies
from webapp.sources.credentials.found import FoundCookie
from webapp.sources.credentials.shapes import SESSION_COOKIE, found_cookies

LABS_HOST = "labs.google"
LARGEST_PASTE = 1_000_000
WHOLE = -1

_SESSION_NAME = re.compile(re.escape(SESSION_COOKIE) + r"(?:\.(\d{1,2}))?")
_GOOGLE_NAMES = re.compile(r"(?:__Secure-)?(?:[13]P)?(?:S?APISID|[HS]?SID|SSID|SIDCC|SIDTS|OSID|LSID|NID)")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,60}")
_HOST = re.compile(r"(?:[a-z0-9-]{1,30}\.){1,3}[a-z]{2,12}")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

# Characters that word processors and chats put in place of, or between, the plain ones.
_PLAIN = str.maketrans(dict.fromkeys("“”„‟«»", '"') | dict.fromkeys("‘’‚‛", "'") | {"\u00a0": " "})
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))

_ADVICE = (
    f"What Flow needs is the cookie {SESSION_COOKIE}: open https://{LABS_HOST}/fx where you are signed in, "
    f"open the browser's developer tools, there Application (in Firefox: Storage), Cookies, "
    f"https://{LABS_HOST}, and copy its value."
)


@dataclass(frozen=True, slots=True)
class PastedCookies:
    """What a paste is worth. Its `repr` shows names only.

    `cookies` holds just the session cookie, because sending every Google cookie can be answered
    431; its parts are joined. `found_names` are the readable names of all cookies in the paste.
    `expires_at` is in the form of `webapp.times`, None when the paste does not say.
    """

    cookies: dict[str, str] = field(repr=False)
    found_names: tuple[str, ...]
    expires_at: str | None


def parse_cookies(text: str, now: datetime, labs_host: str = LABS_HOST) -> PastedCookies:
    """The session cookie of a paste in any shape of flow-labs-api.md, part 6.

    `labs_host` is where cookies may come from beside labs.google, for other servers in the
    settings. Raises BadCookies, which says what was found and what is missing, never a value.
    """
    found = found_cookies(_plain(text))
    ours = [cookie for cookie in found if _is_session(cookie) and _is_of(cookie, labs_host)]
    living = [cookie for cookie in ours if not _is_expired(cookie, now)]
    if not living:
        raise BadCookies(_what_is_missing(found, ours))
    used = _parts_in_order(living)
    value = "".join(cookie.value for cookie in used)
    _check_value(value)
    return PastedCookies({SESSION_COOKIE: value}, _names(found), _end(used))


def _plain(text: str) -> str:
    if len(text) > LARGEST_PASTE:
        raise BadCookies(
            f"The pasted text is longer than cookies can be ({len(text):,} characters). {_ADVICE}"
        )
    plain = text.translate(_INVISIBLE).translate(_PLAIN).strip()
    if re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", plain):
        raise BadCookies(f"The pasted text holds control characters, which no cookie has. {_ADVICE}")
    if len(plain) > 1 and plain[0] == plain[-1] and plain[0] in "\"'`":
        plain = plain[1:-1].strip()
    if not plain:
        raise BadCookies(f"There is nothing in the pasted text. {_ADVICE}")
    return plain


def _is_session(cookie: FoundCookie) -> bool:
    return bool(cookie.value) and part_number(cookie.name) is not None


def _is_of(cookie: FoundCookie, labs_host: str) -> bool:
    host = (cookie.domain or labs_host).strip().lstrip(".").lower()
    return host in (labs_host.lower(), LABS_HOST, f"www.{LABS_HOST}", *_LOOPBACK)


def _is_expired(cookie: FoundCookie, now: datetime) -> bool:
    return cookie.expires_at is not None and cookie.expires_at <= now


def _parts_in_order(cookies: list[FoundCookie]) -> list[FoundCookie]:
    """The whole cookie if there is one, else its parts by number. Raises BadCookies when one is missing.

    A paste can hold both when two were pasted together. The whole one is taken because it cannot
    lack a part. Of two with the same name that which lives longer counts, then the later one.
    """
    ends = sorted(cookies, key=lambda cookie: times.timestamp(cookie.expires_at) if cookie.expires_at else "")
    parts = {part_number(cookie.name): cookie for cookie in ends}
    if WHOLE in parts:
        return [parts[WHOLE]]
    missing = sorted(set(range(max(parts) + 1)) - set(parts))
    if missing:
        raise BadCookies(
            f"The session cookie is split and not all of it was copied: {_listed(_part_names(parts))} "
            f"found, {_listed(_part_names(missing))} missing. Copy all parts that the browser shows."
        )
    return [parts[number] for number in sorted(parts)]


def part_number(name: str) -> int | None:
    """Which part of the session cookie `name` is, WHOLE for all of it, None for another cookie."""
    match = _SESSION_NAME.fullmatch(name)
    return match and (WHOLE if match[1] is None else int(match[1]))


def _part_names(numbers: Iterable[int]) -> list[str]:
    return [f"…session-token.{number}" for number in sorted(numbers)]


def _check_value(value: str) -> None:
    """Refuses a value that was cut, and one that cannot stand in a request's header."""
    if value.endswith("…"):
        raise BadCookies(f"The session cookie was cut: it ends in “…”, as lists show it. {_ADVICE}")
    if not re.fullmatch(r"[\x21-\x3a\x3c-\x7e]+", value):
        raise BadCookies(
            f"The session cookie holds characters that no cookie has, such as a space. {_ADVICE}"
        )
    parts = value.split(".")
    if not value.startswith("eyJ") or (len(parts) == 5 and all(parts[2:])):
        return
    if len(parts) > 5:
        raise BadCookies(
            "The session cookie is longer than one can be: was it pasted twice? Copy it once more."
        )
    raise BadCookies(
        "The session cookie was cut: its end is missing. Copy it once more, whole; if the browser shows it "
        f"in parts ({SESSION_COOKIE}.0, .1, ...), copy all of them."
    )


def _what_is_missing(found: list[FoundCookie], ours: list[FoundCookie]) -> str:
    if not found:
        return f"No cookies were found in the pasted text. {_ADVICE}"
    if ours:
        ended = max(cookie.expires_at for cookie in ours)
        return f"The session cookie in the pasted text expired on {ended:%Y-%m-%d}. Sign in again. {_ADVICE}"
    others = [cookie for cookie in found if _is_session(cookie)]
    if others:
        return (
            f"The session cookie in the pasted text is of {_site(others[0])}, not of {LABS_HOST}. {_ADVICE}"
        )
    return _without_session(found)


def _without_session(found: list[FoundCookie]) -> str:
    names = _names(found)
    google = [name for name in names if _GOOGLE_NAMES.fullmatch(name)]
    if google:
        return (
            f"These are cookies of google.com ({_listed(google)}), which open the new flow.google.com. "
            f"{SESSION_COOKIE} of {LABS_HOST} is missing. {_ADVICE}"
        )
    count = "One cookie was" if len(found) == 1 else f"{len(found)} cookies were"
    return (
        f"{count} found in the pasted text, but {SESSION_COOKIE} is missing "
        f"(a page's own scripts, such as document.cookie, cannot see it). {_ADVICE}"
    )


def _site(cookie: FoundCookie) -> str:
    host = (cookie.domain or "").strip().lstrip(".").lower()
    return host if _HOST.fullmatch(host) else "another site"


def _names(found: list[FoundCookie]) -> tuple[str, ...]:
    """Names once each. What is no possible name may be a piece of a value, and stays out."""
    return tuple(dict.fromkeys(cookie.name for cookie in found if _NAME.fullmatch(cookie.name)))


def _listed(names: list[str]) -> str:
    shown, more = names[:6], len(names) - 6
    if more > 0:
        return f"{', '.join(shown)} and {more} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]


def _end(used: list[FoundCookie]) -> str | None:
    ends = [cookie.expires_at for cookie in used if cookie.expires_at]
    return times.timestamp(min(ends)) if ends else None
