"""Finds the account that a profile's cookies belong to.

The e-mail is on the start page or comes from a call of its own; the account number comes from the refusal
of a call without a token. Each may be missing for a signed-in account (PROTOCOL.md, “Bootstrap”), and the
call for the e-mail is known from a single client. So their failures are ignored, and only a refused
listing call means signed out.
"""

import hashlib

from webapp.errors import FlowError, SignedOut, SourceClosed, UnusualActivity, WaitingForBrowser
from webapp.sources import Account
from webapp.sources.flow_google import projects
from webapp.sources.flow_google.calls import Calls
from webapp.sources.flow_google.frames import Reply
from webapp.sources.flow_google.json_stream import JsonStream, Unreadable
from webapp.sources.flow_google.records import value_at
from webapp.sources.flow_google.start_page import SIGNED_OUT, StartPage

PERSON_CALL = "o30O0e"
PERSON_ARGUMENTS: list[object] = [
    ["me"],
    [[["person.photo", "person.name", "person.email", "person.metadata"]], None, [1, 7, 10]],
]
_EMAIL_PATH = (0, 0, 2, 9, 0, 1)
MAX_EMAIL = 200
_MAX_BYTES = 4 * 1024 * 1024


def find_account(calls: Calls, page: StartPage) -> Account:
    """The account of a start page that was just fetched. Raises SignedOut, and what `Calls.call` raises."""
    if page.email:
        return Account(page.email[:MAX_EMAIL], "", key_of(_find_number(calls, page)))
    caller = calls.identify(page, projects.LISTING_CALL, projects.listing_arguments(None), _MAX_BYTES)
    if not caller.is_signed_in:
        raise SignedOut(SIGNED_OUT)
    listing = calls.call(projects.LISTING_CALL, projects.listing_arguments(None), _MAX_BYTES)
    return Account(_find_email(calls), "", key_of(caller.account_number), _project_ids(listing.payload))


def _find_number(calls: Calls, page: StartPage) -> str | None:
    """The account number, if it can be had: the e-mail is known already, so it is not essential."""
    try:
        caller = calls.identify(page, projects.LISTING_CALL, projects.listing_arguments(None), _MAX_BYTES)
    except (SourceClosed, UnusualActivity, WaitingForBrowser):
        raise
    except FlowError:
        return None
    return caller.account_number


def key_of(number: str | None) -> str:
    """A hash, because the number identifies a person and is not needed itself."""
    return hashlib.sha256(f"flow.google.com {number}".encode()).hexdigest()[:32] if number else ""


def _find_email(calls: Calls) -> str:
    try:
        reply = calls.call_once(PERSON_CALL, PERSON_ARGUMENTS, _MAX_BYTES)
    except (SourceClosed, UnusualActivity, WaitingForBrowser):
        raise
    except FlowError:
        return ""
    return email_of_reply(reply)


def email_of_reply(reply: Reply | None) -> str:
    """The e-mail in the reply to the call for it; empty if there is none."""
    return email_in(_document(reply.payload)) if reply else ""


def email_in(person: object) -> str:
    """The e-mail in the payload of the call for it; empty if there is none."""
    email = value_at(person, *_EMAIL_PATH)
    return email.strip()[:MAX_EMAIL] if isinstance(email, str) and "@" in email else ""


def _project_ids(payload: str | None) -> tuple[str, ...]:
    cards = value_at(_document(payload), 0)
    ids = (value_at(card, 0) for card in cards) if isinstance(cards, list) else ()
    return tuple(project_id for project_id in ids if isinstance(project_id, str))


def _document(payload: str | None) -> object:
    try:
        return JsonStream(payload).value() if payload else None
    except Unreadable:
        return None
