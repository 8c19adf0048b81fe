"""Choosing a Firefox on this machine: its profiles, whose sign-in each has, and the profile that reads it."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from webapp.background.accounts import require_no_cooldown
from webapp.background.connections import Connections, OpenSource
from webapp.background.firefox_credentials import AskedAccount, FirefoxCredentials, read_complete
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
from webapp.store.profile_names import owner_name

MAX_ACCOUNTS = 10
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

    `index` is its number there: one Firefox may be signed in to several accounts. `account` is None when Flow
    did not say whose it is; then `problem` says why.
    """

    container: int | None
    container_name: str
    index: int
    account: Account | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """What a look into a profile of Firefox has found; `problem` says why there is nothing."""

    found: tuple[SignedInAccount, ...]
    problem: str = ""


class Firefox:
    """Lists the profiles of Firefox, asks Flow whose sign-in they have, and lets profiles read them."""

    def __init__(
        self,
        config: Config,
        connections: Connections,
        open_source: OpenSource,
        stopping: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._connections = connections
        self._open_source = open_source
        self._stopping = stopping
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

    def use(
        self, key: str, container: int | None, index: int = 0, *, name: str = "", replaces: str = ""
    ) -> Profile:
        """Let a profile read an account that the last look has found: a new profile, or that of the account.

        `name` is for a new profile, and may be empty. `replaces` is the id of the account's profile if a
        person has agreed that it changes its way. Raises AccountExists when nobody has, UnknownFirefox when
        the look found no such account, UnusualActivity during a cooldown, and what `Source.check` raises.
        """
        firefox = self.find(key)
        seen = self._find_account(key, container, index)
        if owner := profiles.find_owner(seen):
            require_no_cooldown(owner)
        # By itself and not by its number: that changes when somebody signs in or out.
        asked = AskedAccount(index or None, seen if seen.email or seen.key else None)
        account, service, capabilities = self._ask(self._files(firefox, container), asked)
        existing = profiles.find_owner(account)
        if existing and existing.id != replaces:
            question = f"{owner_name(existing)} is on this shelf: use this Firefox for it from now on?"
            raise AccountExists(question, existing.id)
        profile = existing or profiles.add_profile(name, capabilities.histories)
        try:
            profiles.check_account(profile.id, account, is_confirmed=True)
            firefox_profiles.use_firefox(profile.id, firefox.folder, container, asked.index)
            self._note(profile.id, account, service, capabilities)
        except FlowshelfError:  # another request added the same account meanwhile
            if not existing:
                profiles.remove_profile(profile.id)
            raise
        return profiles.get_profile(profile.id)

    def _note(self, profile_id: str, account: Account, service: str, capabilities: Capabilities) -> None:
        """The order is that of pasted cookies (`Accounts`): account, sign-in, connection, health."""
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
                found += self._accounts_in(profile, files)
            elif container is None:
                problem = missing_sign_in(sign_in)
        return Look(tuple(found), "" if found else f"{problem} Open Flow in Firefox and sign in there.")

    def _accounts_in(self, profile: FirefoxProfile, files: FirefoxFiles) -> list[SignedInAccount]:
        """All accounts of a sign-in, in Google's order. Flow answers a number that nobody has with the first
        of them."""
        name, found = profile.container_name(files.container), list[SignedInAccount]()
        for index in range(MAX_ACCOUNTS):
            asked = AskedAccount(index or None)
            try:
                account, _, _ = self._ask(files, asked)
            except FlowError as error:
                return found or [SignedInAccount(files.container, name, index, None, str(error))]
            is_known = any(_is_one(account, one.account) for one in found if one.account)
            if is_known or (asked.index or 0) != index:
                return found
            found.append(SignedInAccount(files.container, name, index, account))
        return found

    def _find_account(self, key: str, container: int | None, index: int) -> Account:
        look = self.find_look(key) or self.look(key)
        for one in look.found:
            if (one.container, one.index) == (container, index) and one.account:
                return one.account
        raise UnknownFirefox(look.problem or "This Firefox has no such account any more. Press Look again.")

    def _ask(self, files: FirefoxFiles, asked: AskedAccount) -> tuple[Account, str, Capabilities]:
        """The account of a sign-in, and the service. Raises FirefoxSignedOut and what `Source.check` does."""
        read_complete(files)
        source = self._open_source(self._config, FirefoxCredentials(files, asked), self._stopping)
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


def _is_one(one: Account, other: Account) -> bool:
    """Whether two accounts of one Firefox are the same; without e-mail and number they may be."""
    return (one.key == other.key) if one.key and other.key else one.email.lower() == other.email.lower()
