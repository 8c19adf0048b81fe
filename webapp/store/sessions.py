"""Browsers that signed in while the shelf was shared; none of them is known by more than a hash."""

from webapp.database.models import Session
from webapp.database.states import Role
from webapp.store import transaction

# Whoever has a link can sign in as often as they like; of each role the latest are kept.
MAX_SESSIONS = 500


def add_session(id_hash: str, role: Role, code_hash: str, *, since: str, at: str) -> None:
    """Keep a session, and forget those that began before `since` or are too many."""
    with transaction():
        Session.create(id_hash=id_hash, role=role, code_hash=code_hash, created_at=at)
        latest = Session.select(Session.id_hash).where(Session.role == role)
        latest = latest.order_by(Session.created_at.desc()).limit(MAX_SESSIONS)
        is_too_many = (Session.role == role) & Session.id_hash.not_in(latest)
        Session.delete().where((Session.created_at < since) | is_too_many).execute()


def find_session(id_hash: str, *, since: str) -> Session | None:
    return Session.get_or_none(Session.id_hash == id_hash, Session.created_at >= since)


def count_sessions(code_hash: str, *, since: str) -> int:
    return Session.select().where(Session.code_hash == code_hash, Session.created_at >= since).count()


def remove_session(id_hash: str) -> None:
    Session.delete().where(Session.id_hash == id_hash).execute()


def remove_sessions(role: Role) -> None:
    Session.delete().where(Session.role == role).execute()
