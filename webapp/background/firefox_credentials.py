"""The sign-in of a Firefox on this machine as the credentials of a profile, and what to do when it ends."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from webapp.config import Config
from webapp.database.models import Profile
from webapp.database.states import Way
from webapp.errors import AccountNotSignedIn, FirefoxSignedOut, SignedOut, SourceClosed
from webapp.sources import Account
from webapp.sources.firefox import (
    FirefoxFiles,
    FirefoxSignIn,
    describe_profile,
    missing_sign_in,
    read_sign_in,
    read_user_agent,
)


class KeptAccount(Protocol):
    """Which of the accounts of a Firefox is meant, as `Credentials` has it."""

    def account_index(self) -> int | None: ...

    def set_account_index(self, index: int) -> None: ...

    def expected_account(self) -> Account | None: ...


@dataclass(slots=True)
class AskedAccount:
    """An account that is asked for once, by its number or by itself; `index` is where it was found."""

    index: int | None = None
    account: Account | None = None

    def account_index(self) -> int | None:
        return self.index

    def set_account_index(self, index: int) -> None:
        self.index = index

    def expected_account(self) -> Account | None:
        return self.account


class FirefoxCredentials:
    """The cookies of a Firefox as it has them, read again before each start page. Thread-safe.

    In between they are cached: Firefox replaces some of them all the time, and each start page belongs to
    the cookies that it was fetched with. They are never stored and never renewed: that is for Firefox.

    `on_other_session` is called when Firefox has another sign-in than the one that was first read, which may
    be of another account. These credentials are of no use then.
    """

    is_live = True

    def __init__(
        self,
        files: FirefoxFiles,
        kept: KeptAccount,
        on_other_session: Callable[["FirefoxCredentials"], None] = lambda _: None,
    ) -> None:
        self._files = files
        self._kept = kept
        self._on_other_session = on_other_session
        self._lock = threading.Lock()  # held while the files are read, which takes some milliseconds
        self._sign_in: FirefoxSignIn | None = None

    def cookies(self) -> dict[str, str]:
        """Raises FirefoxSignedOut when Firefox has no sign-in, or its files cannot be read."""
        with self._lock:
            if self._sign_in is None:
                self._sign_in = read_complete(self._files)
            return self._sign_in.cookies

    def refresh(self) -> None:
        """Read the cookies again. Raises FirefoxSignedOut as `cookies` does, and SourceClosed after another
        sign-in: the caller's connection is closed, and the next one checks the account."""
        with self._lock:
            before, self._sign_in = self._sign_in, read_complete(self._files)
            is_other = before is not None and before.session != self._sign_in.session
        if is_other:
            self._on_other_session(self)
            raise SourceClosed("Firefox has signed in anew, so the account is checked again.")

    def renew_cookies(self, sent: dict[str, str], renewed: dict[str, str], expire_at: str | None) -> None:
        """Nothing: Firefox renews its own."""

    def user_agent(self) -> str | None:
        return read_user_agent(self._files.folder)

    def account_index(self) -> int | None:
        return self._kept.account_index()

    def set_account_index(self, index: int) -> None:
        self._kept.set_account_index(index)

    def expected_account(self) -> Account | None:
        return self._kept.expected_account()

    def key(self) -> str | None:
        return None

    def set_key(self, key: str) -> None:
        """flow.google.com needs none."""


def read_complete(files: FirefoxFiles) -> FirefoxSignIn:
    """The sign-in of a Firefox. Raises FirefoxSignedOut if it has none."""
    sign_in = read_sign_in(files)
    if not sign_in.is_complete:
        raise FirefoxSignedOut(
            f"Open Flow in Firefox ({describe_profile(files.folder, files.container)}) and sign in. "
            f"{missing_sign_in(sign_in)} Everything goes on by itself then."
        )
    return sign_in


def files_of(profile: Profile, config: Config) -> FirefoxFiles:
    """Where the cookies of a profile with `Way.FIREFOX` are."""
    if not profile.firefox_folder:
        raise FirefoxSignedOut("This profile names no Firefox. Choose one on the page “Firefox”.")
    return FirefoxFiles(Path(profile.firefox_folder), profile.firefox_container, config.firefox_copies_dir)


def explain_signed_out(profile: Profile, error: SignedOut) -> SignedOut:
    """What to do, for a profile that reads a Firefox: there is nothing to paste."""
    if profile.way != Way.FIREFOX or isinstance(error, FirefoxSignedOut) or not profile.firefox_folder:
        return error
    if isinstance(error, AccountNotSignedIn):
        return other_account_in(profile)
    return FirefoxSignedOut(
        f"Open Flow in Firefox ({_where(profile)}): the sign-in there has ended, or Google wants you to "
        f"confirm that it is you. Sign in{_as(profile)} at https://flow.google.com, and press Create there "
        "once if your images show already. Everything goes on by itself then."
    )


def other_account_in(profile: Profile) -> FirefoxSignedOut:
    """The error for a Firefox that is signed in, but not to the profile's account."""
    return FirefoxSignedOut(
        f"Open Flow in Firefox ({_where(profile)}) and sign in{_as(profile)}: others are signed in there, "
        "but not this account. Everything goes on by itself then, and nothing of the others was read."
    )


def _where(profile: Profile) -> str:
    return describe_profile(Path(profile.firefox_folder or ""), profile.firefox_container)


def _as(profile: Profile) -> str:
    return f" as {profile.account_email}" if profile.account_email else ""
