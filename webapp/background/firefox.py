"""Choosing a Firefox on this machine: its profiles, whose sign-in each has, and the profile that reads it."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from webapp.background.connections import Connections, OpenSource
from webapp.background.firefox_credentials import FirefoxCredentials, read_complete
from webapp.config import Config
from webapp.database.models import Profile
from webapp.errors import (
    AccountExists,
    FirefoxSignedOut,
    FlowError,
    FlowshelfError,
    Forbidden,
    SignedOut,
    UnknownFirefox,
)
from webapp.sources import Account, Capabilities
from webapp.sources.firefox import (
    FirefoxFiles,
    FirefoxProfile,
    find_profiles,
    missing_sign_in,
    read_sign_in,
)
from webapp.store import firefox_profiles, profiles

# How long the page shows what a look has found.
KEEP_SECONDS = 600.0
NOT_OFFERED = (
    "Flowshelf offers the Firefox of this machine only while nobody else can reach the shelf: whoever opened "
    "this page from elsewhere would use the sign-in of whoever runs the machine. Stop Flowshelf, use the "
    "command flowshelf profiles add NAME --firefox, and start it again."
)


@dataclass(frozen=True, slots=True)
class SignedInAccount:
    """A sign-in that a look has found, in a container or outside of all (None).

    `account` is None when Flow did not say whose it is; then `problem` says why.
    """

    container: int | None
    container_name: str
    account: Account | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """What a look into a profile of Firefox has found; `problem` says why there is nothing."""

    found: tuple[SignedInAccount, ...]
    problem: str = ""


class Firefox:
    """Lists the profiles of Firefox, asks Flow whose sign-in they have, and lets profiles read them.

    `on_change` is called with the id of a profile that reads a Firefox from now on.
    """

    def __init__(
        self,
        config: Config,
        connections: Connections,
        open_source: OpenSource,
        stopping: threading.Event,
        on_change: Callable[[str], None] = lambda profile_id: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._connections = connections
        self._open_source = open_source
        self._stopping = stopping
        self._on_change = on_change
        self._clock = clock
        self._lock = threading.Lock()  # guards `_looks`
        self._looks: dict[str, tuple[float, Look]] = {}

    @property
    def is_offered(self) -> bool:
        """Whether pages and the API offer it: not on a shelf that anybody else may reach."""
        config = self._config
        return not (config.share or config.trusted_proxy or config.allowed_hosts or config.prefix)

    @property
    def is_sealed(self) -> bool:
        """Whether no Firefox is looked for at all, as in the demo."""
        return not self._config.firefox_roots

    def require_offered(self) -> None:
        if not self.is_offered:
            raise Forbidden(NOT_OFFERED)

    def list_profiles(self) -> list[FirefoxProfile]:
        """The profiles of Firefox on this machine, the last used one first."""
        return find_profiles(self._config.firefox_roots)

    def find(self, key: str) -> FirefoxProfile:
        """The profile with that key. Raises UnknownFirefox."""
        for profile in self.list_profiles():
            if profile.key == key:
                return profile
        raise UnknownFirefox("This profile of Firefox is not on this machine any more. Reload the page.")

    def look(self, key: str) -> Look:
        """Read the cookies of a profile and its containers, and ask Flow whose sign-in each is."""
        profile = self.find(key)
        look = self._look(profile)
        with self._lock:
            self._looks[key] = self._clock(), look
        return look

    def find_look(self, key: str) -> Look | None:
        """The last look at a profile; None if there is none or it is older than `KEEP_SECONDS`."""
        with self._lock:
            made_at, look = self._looks.get(key, (float("-inf"), None))
            return look if self._clock() - made_at < KEEP_SECONDS else None

    def use(self, key: str, container: int | None, *, name: str = "", replaces: str = "") -> Profile:
        """Let a profile read this Firefox: a new one, or that of the account.

        `name` is for a new profile, else that of the account. `replaces` is the id of the account's profile
        if a person has agreed that it changes its way. Raises AccountExists when nobody has, and what
        `Source.check` raises.
        """
        firefox = self.find(key)
        self._require_container(firefox, container)
        account, service, capabilities = self._ask(self._files(firefox, container))
        existing = profiles.find_profile_of(account)
        if existing and existing.id != replaces:
            raise AccountExists(f"{existing.name} is on this shelf: use this Firefox for it from now on?")
        profile = existing or self._add(name or account.email.partition("@")[0] or "Firefox", capabilities)
        try:
            self._switch(profile.id, firefox, container, account, service, capabilities)
        except FlowshelfError:  # another request added the same account meanwhile
            if not existing:
                profiles.remove_profile(profile.id)
            raise
        self._on_change(profile.id)
        return profiles.get_profile(profile.id)

    def _add(self, name: str, capabilities: Capabilities) -> Profile:
        return profiles.add_profile(name, capabilities.histories)

    def _switch(
        self,
        profile_id: str,
        firefox: FirefoxProfile,
        container: int | None,
        account: Account,
        service: str,
        capabilities: Capabilities,
    ) -> None:
        """The order is that of pasted cookies (`Accounts`): account, sign-in, connection, health."""
        profiles.check_account(profile_id, account, is_confirmed=True)
        firefox_profiles.use_firefox(profile_id, firefox.folder, container)
        profiles.note_service(profile_id, service, capabilities.histories)
        self._connections.drop(profile_id)
        profiles.note_account(profile_id, account, is_confirmed=True)

    def _look(self, profile: FirefoxProfile) -> Look:
        found, problem = [], ""
        for container in (None, *(one.id for one in profile.containers)):
            files = self._files(profile, container)
            try:
                sign_in = read_sign_in(files)
            except FirefoxSignedOut as error:
                return Look((), str(error))
            if sign_in.is_complete:
                found.append(self._account_in(profile, files))
            elif container is None:
                problem = missing_sign_in(sign_in)
        return Look(tuple(found), "" if found else f"{problem} Open Flow in Firefox and sign in there.")

    def _account_in(self, profile: FirefoxProfile, files: FirefoxFiles) -> SignedInAccount:
        name = profile.container_name(files.container)
        try:
            account, _, _ = self._ask(files)
        except FlowError as error:
            return SignedInAccount(files.container, name, None, str(error))
        return SignedInAccount(files.container, name, account)

    def _ask(self, files: FirefoxFiles) -> tuple[Account, str, Capabilities]:
        """The account of a sign-in, and the service. Raises FirefoxSignedOut and what `Source.check` does."""
        read_complete(files)
        source = self._open_source(self._config, FirefoxCredentials(files), self._stopping)
        try:
            return source.check(), source.name, source.capabilities
        except FirefoxSignedOut:
            raise
        except SignedOut as error:
            raise FirefoxSignedOut(
                f"{missing_sign_in(read_complete(files)) or 'Flow does not accept the sign-in there.'} "
                "Open https://flow.google.com in that Firefox, sign in, and look again."
            ) from error
        finally:
            source.close()

    def _files(self, profile: FirefoxProfile, container: int | None) -> FirefoxFiles:
        return FirefoxFiles(profile.folder, container, self._config.firefox_copies_dir)

    @staticmethod
    def _require_container(firefox: FirefoxProfile, container: int | None) -> None:
        if container is not None and container not in [one.id for one in firefox.containers]:
            raise UnknownFirefox("This Firefox has no such container any more. Reload the page.")
