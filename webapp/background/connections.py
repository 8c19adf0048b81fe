"""One source and one pace per profile, shared by all threads that work for it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from webapp.config import Config
from webapp.database.models import Profile
from webapp.errors import FlowUnavailable, SignedOut, UnusualActivity
from webapp.sources import Capabilities, Source
from webapp.sources.retry import Cooldown, RetryPolicy
from webapp.store import profiles


class StoredCredentials:
    """The secrets of a profile as the database keeps them; the calling thread has a connection open."""

    def __init__(self, profile_id: str) -> None:
        self._profile_id = profile_id

    def cookies(self) -> dict[str, str]:
        return profiles.get_cookies(self._profile_id)

    def renew_cookies(self, sent: dict[str, str], renewed: dict[str, str], expire_at: str | None) -> None:
        profiles.renew_cookies(self._profile_id, sent, renewed, expire_at)

    def key(self) -> str | None:
        return profiles.get_key(self._profile_id)

    def set_key(self, key: str) -> None:
        profiles.keep_key(self._profile_id, key)


@dataclass(slots=True)
class Connection:
    """How a profile talks to its service. `is_stale`: other cookies came meanwhile, take a new one.

    `is_checked`: it is known whose cookies these are; `checking` lets one thread ask for all.
    """

    source: Source
    retry: RetryPolicy
    is_checked: bool
    is_stale: bool = False
    checking: threading.Lock = field(default_factory=threading.Lock)

    def close(self) -> None:
        """Whatever asks or waits to ask comes to its end."""
        self.source.close()
        self.retry.close()


class Connections:
    def __init__(self, config: Config, open_source: Callable, stopping: threading.Event) -> None:
        self._config = config
        self._open_source = open_source
        self._stopping = stopping
        self._lock = threading.Lock()
        self._connections: dict[str, Connection] = {}

    def of(self, profile_id: str) -> Connection:
        """The profile's connection. Raises SignedOut when it has no cookies."""
        with self._lock:
            if connection := self._connections.get(profile_id):
                return connection
            profile = profiles.get_profile(profile_id)
            if not profiles.get_cookies(profile_id):
                raise SignedOut("This profile has no cookies yet. Paste them on its page to go on.")
            connection = Connection(
                self._open_source(self._config, StoredCredentials(profile_id), self._stopping),
                self._retry(profile),
                is_checked=not profile.is_unchecked,
            )
            self._connections[profile_id] = connection
            return connection

    def _retry(self, profile: Profile) -> RetryPolicy:
        """The pace of a profile, resting when an earlier process was told to."""

        def keep_cooldown(error: UnusualActivity | None) -> None:
            profiles.note_cooldown(profile.id, error and error.retry_after_seconds, error and str(error))

        retry = RetryPolicy(
            self._config.retry_pauses_seconds,
            page_delay_seconds=self._config.page_delay_seconds,
            on_cooldown=keep_cooldown,
        )
        if profile.cooldown_until:
            seconds = profiles.cooldown_seconds(profile)
            retry.cool_down(seconds, str(UnusualActivity(seconds)))
        return retry

    def capabilities(self, profile_id: str) -> Capabilities:
        """What the profile's service promises of its histories; that of the first service when it has no
        cookies."""
        if connection := self._connections.get(profile_id):
            return connection.source.capabilities
        # For a look only: a connection belongs to those who ask.
        source = self._open_source(self._config, StoredCredentials(profile_id), self._stopping)
        source.close()
        return source.capabilities

    def check(self, profile_id: str, connection: Connection, stopping: threading.Event) -> None:
        """Make sure once that cookies which could not be checked when they were pasted are this profile's.

        Raises OtherAccount or AccountExists when they are not, and what `Source.check` raises.
        """
        with connection.checking:
            if not connection.is_checked:
                account = connection.retry.call(connection.source.check, stopping, bounded=False)
                profiles.note_account(profile_id, account)
                connection.is_checked = True

    @contextmanager
    def if_current(self, connection: Connection | None) -> Iterator[bool]:
        """Hold off new cookies while it is written down that a connection's cookies are dead.

        False when new ones came already: then the verdict is about nobody's cookies.
        """
        with self._lock:
            yield connection is None or not connection.is_stale

    def cooldown(self, profile_id: str) -> Cooldown | None:
        """Whether the profile rests, because Flow asked for it or does not answer."""
        connection = self._connections.get(profile_id)
        return connection.retry.cooldown() if connection else None

    def require_available(self, profile_id: str) -> None:
        """Raises FlowUnavailable while Flow answers nobody and the next try is still to come."""
        cooldown = self.cooldown(profile_id)
        profile = profiles.get_profile(profile_id)
        if profiles.cooldown_seconds(profile):
            raise UnusualActivity(profiles.cooldown_seconds(profile))
        if cooldown and cooldown.reason and cooldown.seconds:
            raise FlowUnavailable(
                f"Flow does not answer, so this waits and goes on by itself; the next try is in "
                f"{cooldown.seconds:.0f} seconds. The last one ended so: {cooldown.reason}"
            )

    def drop(self, profile_id: str) -> None:
        """Forget what belongs to the old cookies of a profile."""
        with self._lock:
            connection = self._connections.pop(profile_id, None)
            if connection:
                connection.is_stale = True
        if connection:
            connection.close()

    def close(self) -> None:
        with self._lock:
            connections, self._connections = list(self._connections.values()), {}
        for connection in connections:
            connection.close()
