"""Profiles and their cookies. Cookies are stored after Flow has named their account, or unchecked if it does
not respond and the account of their profile is not known yet."""

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from webapp.background.connections import Connection, Connections, OpenSource, waiting_health
from webapp.background.firefox_credentials import explain_signed_out
from webapp.config import Config
from webapp.database.models import Profile
from webapp.database.states import Health
from webapp.errors import (
    AccountMoved,
    AccountNotSignedIn,
    BadCookies,
    FlowError,
    FlowshelfError,
    FlowUnavailable,
    OtherAccount,
    SignedOut,
    SourceClosed,
    UnusualActivity,
)
from webapp.sources import Account, Capabilities, Source
from webapp.sources.cookies import PastedCookies, parse_cookies
from webapp.sources.flow_google import FlowGoogleSource
from webapp.store import profiles

# Errors that concern the whole account, whatever was requested.
ACCOUNT_ERRORS = (UnusualActivity, SignedOut, AccountMoved)
THIS_IS_THE_DEMO = (
    "This is the demo, which has accounts of its own. These cookies were not stored, and not sent to Google. "
    "For your own images end it and start “flowshelf”."
)


@dataclass(slots=True)
class PastedCredentials:
    """Cookies that are checked before they are stored; the response to the check may renew them.

    `account` is the one to look for among those that the cookies sign in; `index` is where it was found.
    """

    current: dict[str, str]
    expire_at: str | None
    browser: str | None
    index: int | None = None
    account: Account | None = None
    is_live: bool = False

    def refresh(self) -> None:
        """A check uses what was pasted."""

    def cookies(self) -> dict[str, str]:
        return self.current

    def renew_cookies(self, sent: dict[str, str], renewed: dict[str, str], expire_at: str | None) -> None:
        self.current, self.expire_at = renewed, expire_at

    def user_agent(self) -> str | None:
        return self.browser

    def account_index(self) -> int | None:
        return self.index

    def set_account_index(self, index: int) -> None:
        self.index = index

    def expected_account(self) -> Account | None:
        return self.account

    def key(self) -> str | None:
        return None

    def set_key(self, key: str) -> None:
        """A check needs no key."""


@dataclass(frozen=True, slots=True)
class CheckedCookies:
    """Pasted cookies after their check. `account` is None when Flow did not respond; then `unchecked_because`
    says why."""

    account: Account | None
    cookies: dict[str, str]
    expire_at: str | None
    user_agent: str | None
    service: str
    capabilities: Capabilities
    account_index: int | None = None
    unchecked_because: str = ""


class Accounts:
    """Adds profiles, replaces their cookies and checks them."""

    def __init__(
        self, config: Config, connections: Connections, open_source: OpenSource, stopping: threading.Event
    ) -> None:
        self._config = config
        self._connections = connections
        self._open_source = open_source
        self._stopping = stopping

    def add(self, name: str, pasted_text: str) -> Profile:
        """Add a profile with pasted cookies; they are stored unchecked when Flow does not respond.

        Without a name it is shown by the e-mail of its account. Raises BadCookies, BadRequest for the name,
        AccountExists, AccountMoved.
        """
        pasted = self._parse(pasted_text)
        checked = self._check_pasted(pasted)
        if checked.account:
            profiles.check_account(None, checked.account)
        profile = profiles.add_profile(name, checked.capabilities.histories)
        try:
            self._store(profile.id, checked)
        except FlowshelfError:  # another request added the same account since `check_account`
            profiles.remove_profile(profile.id)
            raise
        return profiles.get_profile(profile.id)

    def add_without_cookies(self, name: str, email: str) -> Profile:
        """Add a profile for an account of flow.google.com that a paired browser signs in.

        Raises AccountExists, BadRequest for the name.
        """
        profile = profiles.add_profile(name, FlowGoogleSource.capabilities.histories)
        try:
            profiles.set_account(profile.id, Account(email, ""), FlowGoogleSource.name)
        except FlowshelfError:  # another request added the same account meanwhile
            profiles.remove_profile(profile.id)
            raise
        return profile

    def replace_cookies(self, profile_id: str, pasted_text: str, *, is_confirmed: bool = False) -> Profile:
        """Replace a profile's cookies; the old ones stay when the new ones are refused.

        `is_confirmed`: the user says that they belong to the same account, which counts only where Flow does
        not tell. Raises BadCookies, OtherAccount, AccountExists, AccountMoved, and FlowUnavailable when Flow
        cannot be asked for the account and the profile has one.
        """
        profile = profiles.get_profile(profile_id)
        pasted = self._parse(pasted_text)
        require_no_cooldown(profile)
        try:
            checked = self._check_pasted(pasted, profiles.expected_account(profile_id))
        except UnusualActivity as error:
            profiles.note_cooldown(profile_id, error.retry_after_seconds, str(error))
            raise
        if checked.account is None and (profile.account_email or profile.account_key):
            raise FlowUnavailable(
                f"Flow cannot be reached, so Flowshelf cannot tell whether these cookies belong to "
                f"{profile.account_email or 'this profile'}. The old ones were kept. Paste them again later. "
                f"{checked.unchecked_because}"
            )
        try:
            self._store(profile_id, checked, is_confirmed=is_confirmed)
        except OtherAccount as error:
            raise OtherAccount(f"{error} The old cookies were kept.") from error
        return profiles.get_profile(profile_id)

    def check(self, profile_id: str) -> Profile:
        """Ask Flow which account the stored cookies sign in to, and store the result as the profile's health.

        Raises what `Source.check` raises.
        """
        require_no_cooldown(profiles.get_profile(profile_id))
        connection = None
        try:
            connection = self._connections.of(profile_id)
            self._connections.note_account(profile_id, connection.source.check())
        except SourceClosed:
            if connection is None or not connection.is_stale:
                raise
            return self.check(profile_id)  # other cookies came meanwhile: of those it must say
        except ACCOUNT_ERRORS as error:
            raise note_account_error(profile_id, connection, error) from error
        return profiles.get_profile(profile_id)

    def _parse(self, pasted_text: str) -> PastedCookies:
        labs_host, flow_host = (
            urlsplit(url).hostname or "" for url in (self._config.labs_url, self._config.flow_url)
        )
        return parse_cookies(pasted_text, datetime.now(UTC), labs_host=labs_host, flow_host=flow_host)

    def _check_pasted(self, pasted: PastedCookies, expected: Account | None = None) -> CheckedCookies:
        """Check cookies. They may sign in several accounts: `expected` is taken if it is among them."""
        credentials = PastedCredentials(
            dict(pasted.cookies), pasted.expires_at, pasted.user_agent, pasted.account_index, expected
        )
        source = self._open_source(self._config, credentials, self._stopping)
        try:
            try:
                account, unchecked_because = _account_or_reason(source)
            except AccountNotSignedIn:
                credentials.account = None  # whose they are then is for `check_account` to say
                account, unchecked_because = _account_or_reason(source)
            return CheckedCookies(
                account,
                credentials.current,
                credentials.expire_at,
                pasted.user_agent,
                source.name,
                source.capabilities,
                credentials.index,
                unchecked_because,
            )
        except SignedOut as error:
            if self._config.is_sealed:
                raise BadCookies(THIS_IS_THE_DEMO) from error
            raise BadCookies(_refusal(pasted, error)) from error
        finally:
            source.close()

    def _store(self, profile_id: str, checked: CheckedCookies, *, is_confirmed: bool = False) -> None:
        """Store checked cookies. The order of the steps matters.

        The account is compared first, so that cookies of another account never replace the old ones. The old
        connection is dropped after the new cookies are stored, so that the next one reads them, and before
        the profile's health is set, so that no thread overwrites it with an error of the old cookies.
        """
        if checked.account:
            profiles.check_account(profile_id, checked.account, is_confirmed=is_confirmed)
        profiles.set_cookies(profile_id, checked.cookies, checked.expire_at, checked.user_agent)
        profiles.set_account_index(profile_id, checked.account_index)
        profiles.note_service(profile_id, checked.service, checked.capabilities.histories)
        self._connections.drop(profile_id)
        if checked.account:
            profiles.note_account(profile_id, checked.account, is_confirmed=is_confirmed)
        else:
            profiles.note_unchecked(
                profile_id,
                "Flow could not be reached when these cookies were pasted, so it is not known yet whose they "
                f"are and whether they work. {checked.unchecked_because}",
            )


def note_account_error(profile_id: str, connection: Connection | None, error: FlowError) -> FlowError:
    """Store what one of the `ACCOUNT_ERRORS` means for the health of a profile.

    Returns the error for the person. `connection` is None if it could not be opened.
    """
    match error:
        case UnusualActivity():
            if connection:
                connection.retry.note_cooldown(error)
        case SignedOut():
            error = explain_signed_out(profiles.get_profile(profile_id), error)
            profiles.note_health(profile_id, waiting_health(error), str(error))
        case AccountMoved():
            profiles.note_health(profile_id, Health.MOVED, str(error))
    return error


def require_no_cooldown(profile: Profile) -> None:
    """Raises UnusualActivity while Flow wants no requests of this profile."""
    if seconds := profiles.cooldown_seconds(profile):
        raise UnusualActivity(seconds)


def _account_or_reason(source: Source) -> tuple[Account | None, str]:
    """The account that the cookies sign in to; None and the reason when Flow does not respond.

    UnusualActivity is raised and not treated as “no response”: Flow did respond, with a refusal.
    """
    try:
        return source.check(), ""
    except UnusualActivity:
        raise
    except FlowUnavailable as error:
        return None, str(error)


def _refusal(pasted: PastedCookies, error: SignedOut) -> str:
    """Why complete-looking cookies do not sign in. What is missing is the likeliest reason."""
    reason = " ".join(pasted.warnings) or str(error)
    return f"These cookies do not sign in to Flow. {reason}"
