"""Sharing on the local network: access codes for two roles, and the sessions of browsers that signed in.

codes       the codes of the owner and of guests, stored in share.json
attempts    limits guessing: counts wrong codes per address
links       sign-in links, the addresses of this machine, QR codes
"""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from webapp.config import Config
from webapp.database.models import Session
from webapp.database.states import Role
from webapp.errors import WrongCode
from webapp.store import sessions
from webapp.times import now, timestamp
from webapp.web.sharing.attempts import AttemptLimiter
from webapp.web.sharing.codes import Codes

SESSION_DAYS = 90
# How long a typed code allows what a stolen session must not.
FRESH_MINUTES = 10
WRONG = "This code is wrong, or it has been replaced. Ask the owner of this Flowshelf for the current link."


class Sharing:
    """Signs browsers and scripts in while Flowshelf is shared. An app that is not shared has no Sharing:
    everybody who can reach its port is the owner."""

    def __init__(self, config: Config) -> None:
        self.host = config.host
        self.prefix = config.prefix
        self.codes = Codes(config.data_dir)
        self._attempts = AttemptLimiter()

    def role_of_code(self, code: str, address: str) -> Role:
        """The role that a code gives. `address` is the client's IP address.

        Raises WrongCode, or Locked after too many wrong codes from this address. While it is locked, a right
        code is accepted only if it is random, see `AttemptLimiter.note`.
        """
        role = self.codes.find_role(code)
        is_random = role is not None and self.codes.is_random(role)
        self._attempts.note(address, is_right=role is not None, is_random=is_random)
        if role is None:
            raise WrongCode(WRONG)
        return role

    def role_of_session(self, session_id: str, client: str | None) -> Role | None:
        """The role of a session; None if it is unknown, too old, or began with a code since replaced.

        `client` is who sends it, see `begin_session`. An owner's session of another client is unknown.
        """
        session = self._find(session_id, client)
        return Role(session.role) if session else None

    def begin_session(self, role: Role, client: str | None) -> str:
        """Start a session and return its id for the cookie. The database stores only a hash of the id.

        `client` describes the browser's address and kind, None over https. Without https an owner's session
        is tied to it: browsers send cookies to every port of a host, so another program there may read it.
        """
        session_id = secrets.token_urlsafe(32)
        client_hash = _hash(client) if client and role is Role.OWNER else None
        code_hash = self._code_hash(role)
        sessions.add_session(_hash(session_id), role, code_hash, client_hash, since=_oldest(), at=now())
        return session_id

    def has_fresh_code(self, session_ids: Iterable[str], client: str | None) -> bool:
        """Whether the owner's code was typed in one of these sessions in the last `FRESH_MINUTES`."""
        found = (self._find(session_id, client) for session_id in session_ids)
        since = timestamp(datetime.now(UTC) - timedelta(minutes=FRESH_MINUTES))
        return any(
            session and session.role == Role.OWNER and (session.code_at or "") > since for session in found
        )

    def note_code(self, session_ids: Iterable[str], client: str | None) -> None:
        """Record that the owner's code was typed just now."""
        for session_id in session_ids:
            if self.role_of_session(session_id, client) is Role.OWNER:
                sessions.note_code(_hash(session_id), now())

    def _find(self, session_id: str, client: str | None) -> Session | None:
        session = sessions.find_session(_hash(session_id), since=_oldest())
        if session is None or session.code_hash != self._code_hash(Role(session.role)):
            return None
        if session.client_hash and session.client_hash != _hash(client or ""):
            return None
        return session

    def end_session(self, session_id: str) -> None:
        sessions.remove_session(_hash(session_id))

    def count_sessions(self, role: Role) -> int:
        return sessions.count_sessions(self._code_hash(role), since=_oldest())

    def renew(self, role: Role) -> None:
        """Replace the code of a role, which ends all sessions of that role."""
        self.codes.renew(role)
        sessions.remove_sessions(role)

    def _code_hash(self, role: Role) -> str:
        return _hash(self.codes.code_of(role))


def _hash(secret: str) -> str:
    """Fast and without salt: secrets of more than a hundred random bits cannot be found by trying."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _oldest() -> str:
    """The time before which sessions have expired."""
    return timestamp(datetime.now(UTC) - timedelta(days=SESSION_DAYS))
