"""Browsers that signed in to a shared Flowshelf. Only hashes of their cookies are stored."""

from webapp.database.models import Session
from webapp.database.states import Role
from webapp.store import transaction

# Anybody with a link can sign in any number of times, so only the latest sessions of each role are stored.
MAX_SESSIONS = 500


def add_session(
    id_hash: str, role: Role, code_hash: str, client_hash: str | None, *, since: str, at: str
) -> None:
    """Store a session that began at `at`; delete those that began before `since` or exceed MAX_SESSIONS."""
    with transaction():
        Session.create(
            id_hash=id_hash,
            role=role,
            code_hash=code_hash,
            client_hash=client_hash,
            created_at=at,
            code_at=at,
        )
        latest = Session.select(Session.id_hash).where(Session.role == role)
        latest = latest.order_by(Session.created_at.desc()).limit(MAX_SESSIONS)
        exceeds = (Session.role == role) & Session.id_hash.not_in(latest)
        Session.delete().where((Session.created_at < since) | exceeds).execute()


def find_session(id_hash: str, *, since: str) -> Session | None:
    """The session with this hash, if it began at or after `since`."""
    return Session.get_or_none(Session.id_hash == id_hash, Session.created_at >= since)


def note_code(id_hash: str, at: str) -> None:
    """Record when the code was typed in a session."""
    Session.update(code_at=at).where(Session.id_hash == id_hash).execute()


def count_sessions(code_hash: str, *, since: str) -> int:
    return Session.select().where(Session.code_hash == code_hash, Session.created_at >= since).count()


def remove_session(id_hash: str) -> None:
    Session.delete().where(Session.id_hash == id_hash).execute()


def remove_sessions(role: Role) -> None:
    Session.delete().where(Session.role == role).execute()
