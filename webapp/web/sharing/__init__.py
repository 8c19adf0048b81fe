"""Sharing on the local network: access codes for two roles, and the sessions of browsers that signed in.

codes       the codes of the owner and of guests, stored in share.json
attempts    limits guessing: counts wrong codes per address
links       sign-in links, the addresses of this machine, QR codes
"""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta

from webapp.config import Config
from webapp.database.states import Role
from webapp.errors import WrongCode
from webapp.store import sessions
from webapp.times import now, timestamp
from webapp.web.sharing.attempts import AttemptLimiter
from webapp.web.sharing.codes import Codes

SESSION_DAYS = 90
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

    def role_of_session(self, session_id: str) -> Role | None:
        """The role of a session; None if it is unknown, too old, or began with a code since replaced."""
        session = sessions.find_session(_hash(session_id), since=_oldest())
        if session is None or session.code_hash != self._code_hash(Role(session.role)):
            return None
        return Role(session.role)

    def begin_session(self, role: Role) -> str:
        """Start a session and return its id for the cookie. The database stores only a hash of the id."""
        session_id = secrets.token_urlsafe(32)
        sessions.add_session(_hash(session_id), role, self._code_hash(role), since=_oldest(), at=now())
        return session_id

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
