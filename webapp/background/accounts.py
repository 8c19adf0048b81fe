"""Profiles and their cookies: nothing is kept before Flow said whom they sign in, if it can be asked."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from webapp.background.connections import Connection, Connections
from webapp.config import Config
from webapp.database.models import Profile
from webapp.database.states import Health
from webapp.errors import (
    AccountMoved,
    BadCookies,
    FlowError,
    FlowshelfError,
    FlowUnavailable,
    OtherAccount,
    SignedOut,
    UnusualActivity,
)
from webapp.sources import Account, Capabilities, Source
from webapp.sources.cookies import PastedCookies, parse_cookies
from webapp.store import profiles

# Errors that are about the whole account, whatever was asked.
OF_ACCOUNT = (UnusualActivity, SignedOut, AccountMoved)


@dataclass(slots=True)
class PastedCredentials:
    """Cookies that are tried before they are kept; the answer to the trial may renew them."""

    kept: dict[str, str]
    expire_at: str | None

    def cookies(self) -> dict[str, str]:
        return self.kept

    def renew_cookies(self, sent: dict[str, str], renewed: dict[str, str], expire_at: str | None) -> None:
        self.kept, self.expire_at = renewed, expire_at

    def key(self) -> str | None:
        return None

    def set_key(self, key: str) -> None:
        """A check needs no key."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What a trial of pasted cookies brought: whom they sign in (None: the service is out of reach), the
    cookies to keep with their end, and the service that they are for."""

    account: Account | None
    cookies: dict[str, str]
    expire_at: str | None
    service: str
    capabilities: Capabilities


class Accounts:
    def __init__(
        self, config: Config, connections: Connections, open_source: Callable, stopping: threading.Event
    ) -> None:
        self._config = config
        self._connections = connections
        self._open_source = open_source
        self._stopping = stopping

    def add(self, name: str, pasted_text: str) -> Profile:
        """A new profile with pasted cookies, saved as unchecked when Flow is out of reach.

        Raises BadCookies, BadRequest for the name, AccountExists, AccountMoved.
        """
        pasted = self._parse(pasted_text)
        call = self._try(pasted)
        if call.account:
            profiles.check_account(None, call.account)
        profile = profiles.add_profile(name, call.capabilities.histories)
        try:
            self._keep(profile.id, call)
        except FlowshelfError:  # somebody added the same account in this very moment
            profiles.remove_profile(profile.id)
            raise
        return profiles.get_profile(profile.id)

    def replace_cookies(self, profile_id: str, pasted_text: str, *, is_confirmed: bool = False) -> Profile:
        """Other cookies for a profile; the old ones stay when the new ones do not do.

        `is_confirmed`: a person says that they are of the same account.

        Raises BadCookies, OtherAccount, AccountExists, AccountMoved, and FlowUnavailable when nobody can
        say whose they are and the profile belongs to an account already.
        """
        profile = profiles.get_profile(profile_id)
        pasted = self._parse(pasted_text)
        require_no_cooldown(profile)
        try:
            call = self._try(pasted)
        except UnusualActivity as error:
            profiles.note_cooldown(profile_id, error.retry_after_seconds, str(error))
            raise
        if call.account is None and (profile.account_email or profile.account_key):
            raise FlowUnavailable(
                f"Flow cannot be reached, so it is not known whether these cookies are those of "
                f"{profile.account_email or 'this profile'}. The old ones were kept. Paste them again later."
            )
        try:
            self._keep(profile_id, call, is_confirmed=is_confirmed)
        except OtherAccount as error:
            raise OtherAccount(f"{error} The old cookies were kept.") from error
        return profiles.get_profile(profile_id)

    def check(self, profile_id: str) -> Profile:
        """Ask Flow whom the kept cookies sign in. Raises what the service says, noted as health."""
        require_no_cooldown(profiles.get_profile(profile_id))
        connection = self._connections.of(profile_id)
        try:
            account = connection.source.check()
        except OF_ACCOUNT as error:
            note_failure(profile_id, connection, error)
            raise
        profiles.note_account(profile_id, account)
        return profiles.get_profile(profile_id)

    def _parse(self, pasted_text: str) -> PastedCookies:
        hosts = [urlsplit(url).hostname for url in (self._config.labs_url, self._config.flow_url)]
        return parse_cookies(pasted_text, datetime.now(UTC), labs_host=hosts[0], flow_host=hosts[1])

    def _try(self, pasted: PastedCookies) -> Tried:
        credentials = PastedCredentials(dict(pasted.cookies), pasted.expires_at)
        source = self._open_source(self._config, credentials, self._stopping)
        try:
            account = _account_or_none(source)
            return Tried(account, credentials.kept, credentials.expire_at, source.name, source.capabilities)
        except SignedOut as error:
            raise BadCookies(
                f"Flow does not sign anybody in with these cookies; they may have been cut. {error}"
            ) from error
        finally:
            source.close()

    def _keep(self, profile_id: str, call: Tried, *, is_confirmed: bool = False) -> None:
        if call.account:
            profiles.check_account(profile_id, call.account, is_confirmed=is_confirmed)
        profiles.set_cookies(profile_id, call.cookies, call.expire_at)
        profiles.note_service(profile_id, call.service, call.capabilities.histories)
        # Before anything is said about the new cookies: from here on no verdict on the old ones counts.
        self._connections.drop(profile_id)
        if call.account:
            profiles.note_account(profile_id, call.account, is_confirmed=is_confirmed)
        else:
            profiles.note_unchecked(
                profile_id,
                "Flow could not be reached when these cookies were pasted. They are tried at the next sync.",
            )


def note_failure(profile_id: str, connection: Connection, error: FlowError) -> None:
    """Note as health what an error of `OF_ACCOUNT` says of a profile."""
    match error:
        case UnusualActivity():
            connection.retry.note_cooldown(error)
        case SignedOut():
            profiles.note_health(profile_id, Health.WAITING_FOR_COOKIES, str(error))
        case AccountMoved():
            profiles.note_health(profile_id, Health.MOVED, str(error))


def require_no_cooldown(profile: Profile) -> None:
    """Raises UnusualActivity while the service wants to be left alone."""
    if seconds := profiles.cooldown_seconds(profile):
        raise UnusualActivity(seconds)


def _account_or_none(source: Source) -> Account | None:
    """None while the service is out of reach. Raises UnusualActivity: that is an answer."""
    try:
        return source.check()
    except UnusualActivity:
        raise
    except FlowUnavailable:
        return None
