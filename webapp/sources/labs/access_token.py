"""The access token of the media service, and the account it belongs to: the session call provides both."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from webapp.errors import SignedOut
from webapp.sources import Account
from webapp.sources.cookies.found import expiry
from webapp.sources.http import Response
from webapp.sources.labs.site import LabsSite
from webapp.sources.refusals import (
    SIGN_IN_AGAIN,
    SIGNED_OUT,
    changed,
    check_not_page,
    quoted,
    read_document,
    shape_of,
)
from webapp.sources.single_flight import SingleFlight

SESSION_PATH = "/fx/api/auth/session"
MAX_SESSION_BYTES = 1024 * 1024
RENEWAL_PAUSE_SECONDS = 60.0
RENEWED_BEFORE_EXPIRY = timedelta(minutes=5)

_NEW_TOKEN_REFUSED = f"Flow refuses even the access token that it has just provided. {SIGN_IN_AGAIN}"


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A bearer token for the media service, and the account that the cookies sign in.

    `expires_at` is None if the service named no time or one in the past, which has no meaning
    (PROTOCOL.md, part 2).
    """

    account: Account
    value: str = field(repr=False)
    expires_at: datetime | None


def read_access_token(response: Response, now: datetime) -> AccessToken:
    """Raises SignedOut if the session is empty or carries an error, FlowChanged for an unknown shape."""
    if response.status in (401, 403):
        raise SignedOut(SIGNED_OUT)
    check_not_page(response)
    document = read_document(response)
    if response.status != 200 or not isinstance(document, dict | None):
        raise changed(response, f"it is not a session ({response.status})", sample=shape_of(document))
    if not document:
        raise SignedOut(SIGNED_OUT)
    if document.get("error"):
        raise SignedOut(f"{SIGNED_OUT}{quoted(document['error'])}")
    value = document.get("access_token")
    if not isinstance(value, str) or not re.fullmatch(r"[!-~]{1,8192}", value):
        raise changed(response, "the session has no access token", sample=shape_of(document))
    expires_at = expiry(document.get("expires"))
    return AccessToken(_account(document), value, expires_at if expires_at and expires_at > now else None)


def _account(document: dict[str, object]) -> Account:
    user = document.get("user")
    user = user if isinstance(user, dict) else {}
    email, name = (_short_text(user.get(field_name)) for field_name in ("email", "name"))
    return Account(email, name)


def _short_text(value: object) -> str:
    return value.encode("utf-8", "replace").decode().strip()[:200] if isinstance(value, str) else ""


def _now() -> datetime:
    return datetime.now(UTC)


class AccessTokenCache:
    """The access token of one profile, shared by its threads.

    A token is used until it is refused or five minutes before it expires. It is renewed at most once a
    minute, unless the profile has got other cookies. One thread fetches, the others wait for its token or
    its error. `clock` counts seconds, `now` is the time of day.
    """

    def __init__(
        self,
        site: LabsSite,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._site = site
        self._clock = clock
        self._now = now
        # The fields below are used only inside `_flight.get`, by one thread at a time.
        self._flight: SingleFlight[AccessToken] = SingleFlight()
        self._token: AccessToken | None = None
        self._signed_out: SignedOut | None = None
        self._fetched_with: dict[str, str] = {}
        self._fetched_at = self._renewed_at = float("-inf")

    def account(self) -> Account:
        """Ask which account the cookies sign in; its e-mail may be empty. Raises SignedOut, FlowChanged."""
        return self._flight.get(lambda: None, self._fetch).account

    def token(self, refused: str | None = None) -> str:
        """A token other than `refused`, fetched if need be. Raises SignedOut if there is none."""
        return self._flight.get(lambda: self._usable(refused), lambda: self._renew(refused)).value

    def _usable(self, refused: str | None) -> AccessToken | None:
        token = self._token
        if token is None or token.value == refused or self._is_expiring(token):
            return None
        return token

    def _is_expiring(self, token: AccessToken) -> bool:
        """Not within a minute after the fetch, or a short-lived token would be fetched for every request."""
        if token.expires_at is None or self._is_within_pause(self._fetched_at):
            return False
        return self._now() + RENEWED_BEFORE_EXPIRY >= token.expires_at

    def _renew(self, refused: str | None) -> AccessToken:
        self._check_pause(refused)
        if refused is None:
            return self._fetch()
        self._token = None
        token = self._fetch()
        # Set after the fetch has worked: a failed renewal may be tried again at once.
        self._renewed_at = self._clock()
        return token

    def _check_pause(self, refused: str | None) -> None:
        """Raises SignedOut if the same cookies failed less than a minute ago."""
        if self._site.cookies() != self._fetched_with:
            return
        if self._signed_out and self._is_within_pause(self._fetched_at):
            raise SignedOut(str(self._signed_out))
        if refused is not None and self._is_within_pause(self._renewed_at):
            raise SignedOut(_NEW_TOKEN_REFUSED)

    def _is_within_pause(self, started_at: float) -> bool:
        return self._clock() - started_at < RENEWAL_PAUSE_SECONDS

    def _fetch(self) -> AccessToken:
        try:
            token = read_access_token(self._site.get(SESSION_PATH, MAX_SESSION_BYTES), self._now())
        except SignedOut as error:
            self._store(None, SignedOut(str(error)))
            raise
        self._store(token, None)
        return token

    def _store(self, token: AccessToken | None, signed_out: SignedOut | None) -> None:
        self._token, self._signed_out, self._fetched_at = token, signed_out, self._clock()
        # Read after the response, which may have renewed the cookies: they are no other cookies.
        self._fetched_with = self._site.cookies()
