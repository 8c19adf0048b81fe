"""Connections to the service: per profile one source and one retry policy, shared by all its threads."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from webapp.background.firefox_credentials import FirefoxCredentials, files_of, other_account_in
from webapp.background.settings import Settings
from webapp.config import Config
from webapp.database.models import Profile
from webapp.database.states import Health, Way
from webapp.errors import (
    AccountNotSignedIn,
    FlowshelfError,
    FlowUnavailable,
    OtherAccount,
    SignedOut,
    UnusualActivity,
    WaitingForBrowser,
)
from webapp.sources import Account, Capabilities, Credentials, Source
from webapp.sources.flow_google.companion_transport import Browser
from webapp.sources.retry import Cooldown, RetryPolicy
from webapp.sources.services import open_through_browser
from webapp.store import pairings, profiles

log = logging.getLogger(__name__)

NOT_PAIRED = (
    "No browser is connected to this profile any more. Connect one on the page “Connect this browser”, or "
    "paste cookies on the profile's page; everything then goes on from there."
)

OpenSource = Callable[[Config, Credentials, threading.Event], Source]


class StoredCredentials:
    """A profile's secrets, read from the database. The calling thread must have a connection to it."""

    is_live = False

    def refresh(self) -> None:
        """They are read at each use anyway."""

    def __init__(self, profile_id: str) -> None:
        self._profile_id = profile_id

    def cookies(self) -> dict[str, str]:
        return profiles.get_cookies(self._profile_id)

    def renew_cookies(self, sent: dict[str, str], renewed: dict[str, str], expire_at: str | None) -> None:
        profiles.renew_cookies(self._profile_id, sent, renewed, expire_at)

    def user_agent(self) -> str | None:
        return profiles.find_user_agent(self._profile_id)

    def account_index(self) -> int | None:
        return profiles.get_profile(self._profile_id).account_index

    def set_account_index(self, index: int) -> None:
        profiles.set_account_index(self._profile_id, index)

    def expected_account(self) -> Account | None:
        return profiles.expected_account(self._profile_id)

    def key(self) -> str | None:
        return profiles.find_key(self._profile_id)

    def set_key(self, key: str) -> None:
        profiles.set_key(self._profile_id, key)


@dataclass(slots=True)
class Connection:
    """The source and retry policy of a profile for one set of cookies.

    `is_checked`: the account of these cookies is known to be the profile's; the lock `checking` makes one
    thread find out while the others wait. `is_stale`: the profile has other cookies now, so errors of this
    connection say nothing about the profile. Get a new one from `Connections.of`.
    """

    source: Source
    retry: RetryPolicy
    credentials: Credentials
    is_checked: bool
    is_stale: bool = False
    checking: threading.Lock = field(default_factory=threading.Lock)

    def close(self) -> None:
        """Abort the requests under way and wake the threads that wait to send one."""
        self.source.close()
        self.retry.close()


class Connections:
    """The open connections, by profile.

    `_lock` guards the table and every `is_stale`. Whoever holds it may query the database, never the network.
    """

    def __init__(
        self,
        config: Config,
        settings: Settings,
        open_source: OpenSource,
        stopping: threading.Event,
        browser_of: Callable[[str], Browser],
    ) -> None:
        """`browser_of` returns the paired browser of a profile."""
        self._config = config
        self._settings = settings
        self._open_source = open_source
        self._browser_of = browser_of
        self._stopping = stopping
        self._lock = threading.Lock()
        self._connections: dict[str, Connection] = {}

    def of(self, profile_id: str) -> Connection:
        """The profile's connection, opened if there is none.

        Raises SignedOut when it has no cookies, WaitingForBrowser when it has no paired browser.
        """
        # The cookies are read under the lock as well: `drop` is called after new ones were stored, so a
        # connection opened before it is dropped by it, and one opened after it has the new cookies.
        with self._lock:
            if connection := self._connections.get(profile_id):
                return connection
            profile = profiles.get_profile(profile_id)
            if reason := _find_lack(profile):
                raise reason
            credentials = self._credentials(profile)
            if credentials.is_live:
                credentials.cookies()  # raises when the Firefox has no sign-in
            connection = Connection(
                self._open(profile, credentials),
                self._retry_policy(profile),
                credentials,
                # A browser may be signed in to another account by now.
                is_checked=not profile.is_unchecked and not credentials.is_live,
            )
            self._connections[profile_id] = connection
            log.debug("connection of %s to %s: opened", profile_id, connection.source.name)
            return connection

    def _credentials(self, profile: Profile) -> Credentials:
        """What the profile signs in with. Reads nothing yet."""
        stored = StoredCredentials(profile.id)
        if profile.way != Way.FIREFOX:
            return stored

        def drop(credentials: FirefoxCredentials) -> None:
            if (current := self._connections.get(profile.id)) and current.credentials is credentials:
                self.drop(profile.id)

        return FirefoxCredentials(files_of(profile, self._config), stored, drop)

    def _open(self, profile: Profile, credentials: Credentials) -> Source:
        """The source of the way that the profile signs in."""
        if profile.way == Way.COMPANION:
            browser = self._browser_of(profile.id)
            return open_through_browser(self._config, credentials, browser, self._stopping)
        return self._open_source(self._config, credentials, self._stopping)

    def _retry_policy(self, profile: Profile) -> RetryPolicy:
        """The retry policy of a profile. A cooldown is stored, so that the next process respects it too."""

        def store_cooldown(error: UnusualActivity | None) -> None:
            if error:
                profiles.note_cooldown(profile.id, error.retry_after_seconds, str(error))
            else:
                profiles.note_cooldown(profile.id, None, None)

        retry = RetryPolicy(
            self._config.retry_pauses_seconds,
            page_delay_seconds=self._settings.current.page_delay_seconds,
            on_cooldown=store_cooldown,
        )
        if profile.cooldown_until:
            seconds = profiles.cooldown_seconds(profile)
            retry.cool_down(seconds, str(UnusualActivity(seconds)))
        return retry

    def apply_settings(self) -> None:
        """Let all open connections follow a change of the settings."""
        with self._lock:
            for connection in self._connections.values():
                connection.retry.set_page_delay(self._settings.current.page_delay_seconds)

    def capabilities(self, profile_id: str) -> Capabilities:
        """What the profile's service can do; of labs.google when the profile has no cookies."""
        if connection := self._connections.get(profile_id):
            return connection.source.capabilities
        # Opened and closed at once: this must work without cookies, where `of` raises.
        profile = profiles.get_profile(profile_id)
        source = self._open(profile, self._credentials(profile))
        source.close()
        return source.capabilities

    def check(self, profile_id: str, connection: Connection, stopping: threading.Event) -> None:
        """Verify the account of cookies that could not be checked when they were pasted.

        Each thread calls this before it uses a connection; only the first call asks Flow. Raises OtherAccount
        or AccountExists when the account is not this profile's, FirefoxSignedOut when a Firefox has it, and
        what `Source.check` raises.
        """
        with connection.checking:
            if not connection.is_checked:
                try:
                    account = connection.retry.call(connection.source.check, stopping, bounded=False)
                except AccountNotSignedIn as error:
                    if connection.credentials.is_live:
                        raise
                    raise OtherAccount(f"These cookies belong to another account. {error}") from error
                self.note_account(profile_id, account)
                connection.is_checked = True

    @staticmethod
    def note_account(profile_id: str, account: Account) -> None:
        """Record the account of a profile's cookies. Raises as `check` does.

        Pasted cookies of another account are a mistake. A Firefox that is signed in to another account may be
        signed in to this one again, so its profile waits.
        """
        try:
            profiles.note_account(profile_id, account)
        except OtherAccount as error:
            profile = profiles.get_profile(profile_id)
            raise (other_account_in(profile) if profile.way == Way.FIREFOX else error) from error

    @contextmanager
    def if_current(self, profile_id: str, connection: Connection | None) -> Iterator[bool]:
        """Whether the cookies of a connection are still the profile's.

        None stands for the connection that could not be opened, because the profile had no cookies and no
        paired browser.

        A thread whose cookies do not work stores "waiting for cookies" inside this block. Whoever stores new
        cookies then calls `drop`, which waits for the end of the block, and resumes the runs that wait after
        that. Without the block they could do so between this thread's check and its write: then the run would
        wait although the cookies work.
        """
        with self._lock:
            if connection is None:
                profile = profiles.get_profile(profile_id)
                # What a Firefox has comes and goes, and a thread looks at it again (`FirefoxWatch`).
                yield profile.way == Way.FIREFOX or _find_lack(profile) is not None
            else:
                yield not connection.is_stale

    def cooldown(self, profile_id: str) -> Cooldown | None:
        """Why no request is sent for the profile at the moment; None when requests are sent."""
        connection = self._connections.get(profile_id)
        return connection.retry.cooldown() if connection else None

    def require_available(self, profile_id: str) -> None:
        """Raises FlowUnavailable while requests are held back because Flow does not respond.

        Raises UnusualActivity while they are held back because Google asked for it.
        """
        cooldown = self.cooldown(profile_id)
        profile = profiles.get_profile(profile_id)
        if seconds := profiles.cooldown_seconds(profile):
            raise UnusualActivity(seconds)
        if cooldown and cooldown.reason and cooldown.seconds:
            raise FlowUnavailable(
                f"Flow does not respond, so this waits and goes on by itself; the next try is in "
                f"{cooldown.seconds:.0f} seconds. The last one failed: {cooldown.reason}"
            )

    def drop(self, profile_id: str) -> None:
        """Close the profile's connection, because its cookies were replaced or the profile is removed.

        `is_stale` is set before the requests are aborted: their threads must see that the errors which follow
        say nothing about the new cookies. The connection is closed outside the lock, because those threads
        may wait for it.
        """
        with self._lock:
            connection = self._connections.pop(profile_id, None)
            if connection:
                connection.is_stale = True
        if connection:
            connection.close()
            log.debug("connection of %s to %s: dropped", profile_id, connection.source.name)

    def close(self) -> None:
        """Close all connections when the program stops. They do not become stale: cookies did not change."""
        with self._lock:
            connections, self._connections = list(self._connections.values()), {}
        for connection in connections:
            connection.close()


def _find_lack(profile: Profile) -> SignedOut | None:
    """What a profile lacks to be signed in at all; None if nothing."""
    if profile.way == Way.COMPANION:
        return None if pairings.find_pairing_of(profile.id) else WaitingForBrowser(NOT_PAIRED)
    if profile.way == Way.FIREFOX or profiles.get_cookies(profile.id):
        return None
    return SignedOut("This profile has no cookies yet. Paste them on its page to go on.")


def waiting_health(error: FlowshelfError) -> Health:
    """The health of a profile that waits because of a SignedOut."""
    is_browser = isinstance(error, WaitingForBrowser)
    return Health.WAITING_FOR_BROWSER if is_browser else Health.WAITING_FOR_COOKIES
