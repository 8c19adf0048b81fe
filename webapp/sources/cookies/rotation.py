"""The request that keeps a session of Google alive (flow_google/PROTOCOL.md, Sign-in).

Calls to Flow never renew the rotating cookies of a session. This request does, unless the session is bound to
the device of its browser.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto

from webapp.errors import FlowError, SourceClosed
from webapp.sources.cookies.google import OWN, is_google_name
from webapp.sources.cookies.renewal import renewed_google_cookies
from webapp.sources.http import HttpClient, Response, host_of, retry_after_seconds

PATH = "/RotateCookies"
BODY = b'[000,"-0000000000000000000"]'
ROTATING = ("__Secure-1PSIDTS", "__Secure-3PSIDTS")
MAX_RESPONSE_BYTES = 64 * 1024

SESSION_OVER = "Google says that this session has ended (401)."
NO_NEW_COOKIES = "Google sent no new cookies for this session."
REFUSED = "Google refused to renew the cookies of this session ({status})."


class Outcome(Enum):
    """RENEWED: the session goes on with new cookies. REFUSED: this session cannot be renewed. FAILED: nothing
    is known about the session, because there was no response, or Google asked for fewer requests."""

    RENEWED = auto()
    REFUSED = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True)
class Rotation:
    """The result of one request.

    `cookies` are those to store from now on; a refusal may bring some too. `reason` is a sentence that says
    why the session was not renewed. `retry_after_seconds` is the pause that Google asked for, if it did.
    """

    outcome: Outcome
    cookies: dict[str, str] = field(default_factory=dict, repr=False)
    reason: str = ""
    retry_after_seconds: float | None = None


def rotate(http: HttpClient, accounts_url: str, stored: Mapping[str, str]) -> Rotation:
    """Ask Google for new rotating cookies, once. Raises SourceClosed when the program stops."""
    sent = cookies_to_send(stored)
    headers = {
        "Content-Type": "application/json",
        "Cookie": "; ".join(f"{name}={value}" for name, value in sent.items()),
    }
    try:
        response = http.post(f"{accounts_url}{PATH}", headers, BODY, MAX_RESPONSE_BYTES)
    except SourceClosed:
        raise
    except FlowError as error:
        return Rotation(Outcome.FAILED, reason=str(error))
    return _read(response, sent)


def cookies_to_send(stored: Mapping[str, str]) -> dict[str, str]:
    """The cookies of .google.com. Those of the host flow.google.com are not for accounts.google.com."""
    return {name: value for name, value in stored.items() if is_google_name(name) and name not in OWN}


def _read(response: Response, sent: Mapping[str, str]) -> Rotation:
    if response.status in (408, 429) or response.status >= 500:
        reason = f"{host_of(response.url)} cannot renew the cookies now ({response.status})."
        pause = retry_after_seconds(response.header("retry-after"), datetime.now(UTC))
        return Rotation(Outcome.FAILED, reason=reason, retry_after_seconds=pause)
    if response.status == 401:
        return Rotation(Outcome.REFUSED, reason=SESSION_OVER)
    if response.status != 200:
        return Rotation(Outcome.REFUSED, reason=REFUSED.format(status=response.status))
    fresh = cookies_to_send(renewed_google_cookies(response.set_cookies(), {}))
    if any(name in fresh and fresh[name] != sent.get(name) for name in ROTATING):
        return Rotation(Outcome.RENEWED, fresh)
    return Rotation(Outcome.REFUSED, fresh, NO_NEW_COOKIES)
