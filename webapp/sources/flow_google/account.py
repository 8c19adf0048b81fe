"""Whose cookies these are: the e-mail on the start page, else by a call, and the account's number.

The page may lack the e-mail although one is signed in, and the call for it is known from a single client.
So each of these may fail without stopping anything; only a refused call means that nobody is signed in.
"""

import hashlib

from webapp.errors import FlowError, SignedOut, SourceClosed, UnusualActivity
from webapp.sources import Account
from webapp.sources.flow_google import projects
from webapp.sources.flow_google.calls import Calls
from webapp.sources.flow_google.records import inside
from webapp.sources.flow_google.start_page import SIGNED_OUT, StartPage
from webapp.sources.flow_google.values import Unreadable, Values

PERSON_CALL = "o30O0e"
PERSON_ARGUMENTS = [
    ["me"],
    [[["person.photo", "person.name", "person.email", "person.metadata"]], None, [1, 7, 10]],
]
_EMAIL_PLACE = (0, 0, 2, 9, 0, 1)
MAX_EMAIL = 200
_LIMIT_BYTES = 4 * 1024 * 1024


def find_account(calls: Calls, page: StartPage) -> Account:
    """The account of a fresh start page. Raises SignedOut, and what keeps it from being known."""
    if page.email:
        return Account(page.email[:MAX_EMAIL], "", _key(_number_or_none(calls, page)))
    caller = calls.caller(page, projects.LISTING_CALL, projects.listing_arguments(None), _LIMIT_BYTES)
    if not caller.is_signed_in:
        raise SignedOut(SIGNED_OUT)
    listing = calls.ask(projects.LISTING_CALL, projects.listing_arguments(None), _LIMIT_BYTES)
    return Account(_email(calls), "", _key(caller.number), _project_ids(listing.payload))


def _number_or_none(calls: Calls, page: StartPage) -> str | None:
    """The number where the e-mail is known anyway: what goes wrong here costs nothing."""
    try:
        caller = calls.caller(page, projects.LISTING_CALL, projects.listing_arguments(None), _LIMIT_BYTES)
    except (SourceClosed, UnusualActivity):
        raise
    except FlowError:
        return None
    return caller.number


def _key(number: str | None) -> str:
    """A hash, because the number identifies a person and nothing here needs it."""
    return hashlib.sha256(f"flow.google.com {number}".encode()).hexdigest()[:32] if number else ""


def _email(calls: Calls) -> str:
    try:
        reply = calls.ask_once(PERSON_CALL, PERSON_ARGUMENTS, _LIMIT_BYTES)
    except (SourceClosed, UnusualActivity):
        raise
    except FlowError:
        return ""
    return email_in(_document(reply.payload))


def email_in(person: object) -> str:
    """The e-mail in what the call for the person brings, empty where there is none."""
    said = inside(person, *_EMAIL_PLACE)
    return said.strip()[:MAX_EMAIL] if isinstance(said, str) and "@" in said else ""


def _project_ids(payload: str | None) -> tuple[str, ...]:
    cards = inside(_document(payload), 0)
    ids = (inside(card, 0) for card in cards) if isinstance(cards, list) else ()
    return tuple(project_id for project_id in ids if isinstance(project_id, str))


def _document(payload: str | None) -> object:
    try:
        return Values(payload).value() if payload else None
    except Unreadable:
        return None
