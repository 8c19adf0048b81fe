"""Finds a profile's account among those that are signed in in one browser.

Google numbers them from 0 in the order of signing in, so the number of an account changes: the profile keeps
the account, and the number only as the one to try first.
"""

from webapp.errors import AccountNotSignedIn, FlowChanged, SignedOut, SignedOutBrowser, WaitingForBrowser
from webapp.sources import Account, Credentials
from webapp.sources.flow_google import frames, projects
from webapp.sources.flow_google.account import (
    PERSON_ARGUMENTS,
    PERSON_CALL,
    email_of_reply,
    key_of,
)
from webapp.sources.flow_google.json_stream import Unreadable
from webapp.sources.flow_google.start_page import SIGNED_OUT, StartPage
from webapp.sources.flow_google.transport import Transport
from webapp.sources.http import Response

MAX_ACCOUNTS = 10
_MAX_BYTES = 4 * 1024 * 1024


class AccountSearch:
    """The search of one profile."""

    def __init__(self, transport: Transport, credentials: Credentials) -> None:
        self._transport = transport
        self._credentials = credentials

    def page(self) -> StartPage:
        """Fetch the start page of the profile's account, whichever number it has by now.

        A page that does not tell whose it is counts as the right one at the kept number only. Raises
        AccountNotSignedIn, and what `Transport.start_page` raises.
        """
        kept = self._credentials.account_index()
        expected = self._credentials.expected_account()
        try:
            page = self._transport.start_page(kept)
            is_ours = expected is None or self._is_of(page, expected) is not False
        except SignedOut as error:
            # With `/u/0/` signed out nobody is signed in; any other number may be gone by itself.
            if expected is None or not kept or _is_away(error):
                raise
            return self._search(expected, kept, set(), error)
        if expected is None or is_ours:
            if (page.index or 0) != (kept or 0):
                self._credentials.set_account_index(page.index or 0)
            return page
        return self._search(expected, kept or 0, {page.email.lower()}, None)

    def _search(
        self, expected: Account, kept: int, seen: set[str], signed_out: SignedOut | None
    ) -> StartPage:
        """The account's start page below another number than `kept`. `seen` are the e-mails seen so far."""
        for index in range(MAX_ACCOUNTS):
            if index == kept:
                continue
            try:
                page = self._transport.start_page(index)
                is_ours = self._is_of(page, expected)
            except (SignedOut, FlowChanged) as error:
                if _is_away(error):
                    raise
                break  # the numbers have no holes
            if is_ours:
                self._credentials.set_account_index(index)
                return page
            if index > kept and page.email.lower() in seen:
                break  # Flow answers a number that nobody has with the first account
            seen.add(page.email.lower())
        if signed_out and not seen:
            raise signed_out
        raise AccountNotSignedIn(
            f"Sign in to {expected.email or 'the account of this profile'} at https://flow.google.com in "
            "this browser: other accounts are signed in there, but not this one."
        )

    def _is_of(self, page: StartPage, expected: Account) -> bool | None:
        """Whether a page is that of an account; None if it cannot be decided. E-mail or number suffices.

        Raises SignedOut for the page of nobody.
        """
        if page.email and expected.email and page.email.lower() == expected.email.lower():
            return True
        if expected.key and (key := self._key(page)):
            return key == expected.key
        email = page.email or (expected.email and self._email(page))
        return email.lower() == expected.email.lower() if email and expected.email else None

    def _key(self, page: StartPage) -> str:
        arguments = projects.listing_arguments(None)
        response = self._transport.call(page, projects.LISTING_CALL, arguments, _MAX_BYTES, is_anonymous=True)
        _check_signed_in(response)
        return key_of(frames.account_number_in(response.body))

    def _email(self, page: StartPage) -> str:
        """The e-mail that a call of its own names; empty if it does not."""
        response = self._transport.call(page, PERSON_CALL, list(PERSON_ARGUMENTS), _MAX_BYTES)
        _check_signed_in(response)
        try:
            return email_of_reply(frames.read_reply(response.body, PERSON_CALL))
        except Unreadable:
            return ""


def _check_signed_in(response: Response) -> None:
    if response.status in (401, 403):
        raise SignedOut(SIGNED_OUT)


def _is_away(error: Exception) -> bool:
    """Whether the browser itself is not there."""
    return isinstance(error, WaitingForBrowser) and not isinstance(error, SignedOutBrowser)
