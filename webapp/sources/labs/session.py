"""From cookies to a bearer token: the session call, asked by one thread for all of a profile."""

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
RENEWED_BEFORE_END = timedelta(minutes=5)

_FRESH_ONE_REFUSED = f"Flow refuses even the access token that it has just handed out. {SIGN_IN_AGAIN}"


@dataclass(frozen=True, slots=True)
class Session:
    """Whom the cookies sign in, and the token for the media service.

    `ends_at` is None when the service named no end, or one that has passed already: such an end
    says nothing (PROTOCOL.md, part 2).
    """

    account: Account
    token: str = field(repr=False)
    ends_at: datetime | None


def read_session(response: Response, now: datetime) -> Session:
    """The session in an answer. Raises SignedOut when it is empty or carries an error, FlowChanged."""
    if response.status in (401, 403):
        raise SignedOut(SIGNED_OUT)
    check_not_page(response)
    document = read_document(response)
    if response.status != 200 or not isinstance(document, dict | None):
        raise changed(response, f"the session is none ({response.status})", sample=shape_of(document))
    if not document:
        raise SignedOut(SIGNED_OUT)
    if document.get("error"):
        raise SignedOut(f"{SIGNED_OUT}{quoted(document['error'])}")
    token = document.get("access_token")
    if not isinstance(token, str) or not re.fullmatch(r"[!-~]{1,8192}", token):
        raise changed(response, "the session has no access token", sample=shape_of(document))
    end = expiry(document.get("expires"))
    return Session(_account(document), token, end if end and end > now else None)


def _account(document: dict) -> Account:
    user = document.get("user")
    user = user if isinstance(user, dict) else {}
    email, name = (_short_text(user.get(field_name)) for field_name in ("email", "name"))
    return Account(email, name)


def _short_text(said: object) -> str:
    return said.encode("utf-8", "replace").decode().strip()[:200] if isinstance(said, str) else ""


def _now() -> datetime:
    return datetime.now(UTC)


class SignIn:
    """The bearer token of one profile, shared by its threads.

    It is used until it is refused or five minutes before its end, and renewed at most once a
    minute unless other cookies are kept by then. `clock` counts seconds, `now` is the time of day.
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
        self._flight: SingleFlight[Session] = SingleFlight()
        self._session: Session | None = None
        self._signed_out: SignedOut | None = None
        self._asked_with: dict[str, str] = {}
        self._asked_at = self._renewed_at = float("-inf")

    def account(self) -> Account:
        """Ask anew whom the cookies sign in; its e-mail may be empty. Raises SignedOut, FlowChanged."""
        return self._flight.get(lambda: None, self._ask).account

    def token(self, refused: str | None = None) -> str:
        """A token that is not `refused`. Raises SignedOut when there is none to be had."""
        return self._flight.get(lambda: self._usable(refused), lambda: self._renewed(refused)).token

    def _usable(self, refused: str | None) -> Session | None:
        session = self._session
        if session is None or session.token == refused or self._is_ending(session):
            return None
        return session

    def _is_ending(self, session: Session) -> bool:
        if session.ends_at is None or self._is_within_pause(self._asked_at):
            return False
        return self._now() + RENEWED_BEFORE_END >= session.ends_at

    def _renewed(self, refused: str | None) -> Session:
        self._check_pause(refused)
        if refused is None:
            return self._ask()
        self._session = None
        session = self._ask()
        self._renewed_at = self._clock()
        return session

    def _check_pause(self, refused: str | None) -> None:
        if self._site.cookies() != self._asked_with:
            return
        if self._signed_out and self._is_within_pause(self._asked_at):
            raise SignedOut(str(self._signed_out))
        if refused is not None and self._is_within_pause(self._renewed_at):
            raise SignedOut(_FRESH_ONE_REFUSED)

    def _is_within_pause(self, moment: float) -> bool:
        return self._clock() - moment < RENEWAL_PAUSE_SECONDS

    def _ask(self) -> Session:
        try:
            session = read_session(self._site.get(SESSION_PATH, MAX_SESSION_BYTES), self._now())
        except SignedOut as error:
            self._note(None, SignedOut(str(error)))
            raise
        self._note(session, None)
        return session

    def _note(self, session: Session | None, signed_out: SignedOut | None) -> None:
        self._session, self._signed_out, self._asked_at = session, signed_out, self._clock()
        # The answer may have renewed the cookies: that alone is no reason to ask again.
        self._asked_with = self._site.cookies()
