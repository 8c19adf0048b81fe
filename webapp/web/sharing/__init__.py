"""Sharing on the LAN: two codes, and the sessions of browsers that signed in with them.

codes       the owner's and the guest's code, in share.json
tries       wrong codes, counted by where they came from
links       links with a code, the addresses of this machine, QR codes
"""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta

from webapp.config import Config
from webapp.database.states import Role
from webapp.errors import WrongCode
from webapp.store import sessions
from webapp.times import now, timestamp
from webapp.web.sharing.attempts import Tries
from webapp.web.sharing.codes import Codes

SESSION_DAYS = 90
WRONG = "This code is not right. It may have been renewed: ask the owner of this shelf for the new link."


class Sharing:
    """Who gets in, and as whom. When it is not `is_on`, everybody who can reach the port is the owner."""

    def __init__(self, config: Config) -> None:
        self.is_on = config.share
        self.host = config.host
        self.codes = Codes(config.data_dir) if config.share else None
        self._tries = Tries()

    def role_of_code(self, code: str, address: str) -> Role:
        """Raises WrongCode, or Locked when the address has guessed too often: then even a right code is not
        told from a wrong one."""
        role = self.codes.role_of(code)
        if not self._tries.is_right(address, role is not None):
            raise WrongCode(WRONG)
        return role

    def role_of_session(self, session_id: str) -> Role | None:
        session = sessions.find_session(_hash(session_id), since=_oldest())
        if session is None or session.code_hash != self._code_hash(Role(session.role)):
            return None
        return Role(session.role)

    def begin_session(self, role: Role) -> str:
        """A new session; what its cookie is to hold. The database learns only a hash of it."""
        session_id = secrets.token_urlsafe(32)
        sessions.add_session(_hash(session_id), role, self._code_hash(role), since=_oldest(), at=now())
        return session_id

    def end_session(self, session_id: str) -> None:
        sessions.remove_session(_hash(session_id))

    def count_sessions(self, role: Role) -> int:
        return sessions.count_sessions(self._code_hash(role), since=_oldest())

    def renew(self, role: Role) -> None:
        """Another code for a role. All sessions of that role end with the old one."""
        self.codes.renew(role)
        sessions.remove_sessions(role)

    def _code_hash(self, role: Role) -> str:
        return _hash(self.codes.code_of(role))


def _hash(secret: str) -> str:
    """Enough for what has more than a hundred random bits: nobody can go through those."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _oldest() -> str:
    return timestamp(datetime.now(UTC) - timedelta(days=SESSION_DAYS))
