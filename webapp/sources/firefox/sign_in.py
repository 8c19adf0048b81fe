"""The cookies of a Firefox that sign in to Flow."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from webapp.errors import FirefoxSignedOut
from webapp.sources.cookies.google import FLOW_HOST, MAX_VALUE, OWN, is_sent
from webapp.sources.firefox.bounded import NotReadable
from webapp.sources.firefox.cookie_file import FileState, StoredCookie, file_state, read_stored_cookies
from webapp.sources.firefox.profiles import read_user_agent
from webapp.sources.firefox.session_store import read_session_cookies

__all__ = ["FileState", "FirefoxFiles", "FirefoxSignIn", "file_state", "missing_sign_in", "read_sign_in"]

GOOGLE_HOST = ".google.com"
HOSTS = (GOOGLE_HOST, FLOW_HOST)
# One of these is needed; about everything else Flow has to decide.
_SESSION = ("SID", "__Secure-1PSID")
_EXPECTED = {*_SESSION, "HSID", "SSID", "APISID", "SAPISID", "__Secure-1PSIDTS"}
# They change without another sign-in; the first kind with every response of Google.
_ROTATING = re.compile(r".*SID(?:CC|TS|RTS)")
_CHATTER = re.compile(r".*SIDCC")
_PLAIN = re.compile(r"[\x21-\x3a\x3c-\x7e]+")


@dataclass(frozen=True, slots=True)
class FirefoxFiles:
    """Where a profile's cookies are: a folder of Firefox, a container in it or None, and a private folder
    of ours for copies."""

    folder: Path
    container: int | None
    work_dir: Path


@dataclass(frozen=True, slots=True)
class FirefoxSignIn:
    """The cookies to send, by name, and the user agent of that Firefox. Its `repr` shows no value."""

    cookies: dict[str, str] = field(repr=False)
    user_agent: str | None = None

    @property
    def is_complete(self) -> bool:
        """Whether there is a sign-in to Google at all."""
        return not set(_SESSION).isdisjoint(self.cookies)

    @property
    def session(self) -> str:
        """Tells two sign-ins apart, which may be of two accounts. It stays the same while cookies rotate."""
        return _hash(value for value in self.cookies.items() if not _ROTATING.fullmatch(value[0]))

    @property
    def fingerprint(self) -> str:
        """Changes when the cookies may sign in again although they did not before."""
        return _hash(value for value in self.cookies.items() if not _CHATTER.fullmatch(value[0]))


def read_sign_in(files: FirefoxFiles) -> FirefoxSignIn:
    """Read the sign-in as Firefox has it now. Raises FirefoxSignedOut if its files cannot be read.

    Google's sign-in cookies are stored on disk. Session cookies are looked up only for a missing name.
    """
    try:
        stored = read_stored_cookies(files.folder, HOSTS, files.container, files.work_dir)
    except NotReadable as error:
        raise FirefoxSignedOut(
            f"The cookies of Firefox cannot be read: {error}. Check that the profile “{files.folder.name}” "
            "still exists and open it in Firefox; everything goes on by itself."
        ) from error
    now = datetime.now(UTC)
    cookies = _sent(cookie for cookie in stored if cookie.expires_at is None or cookie.expires_at > now)
    if _lacks(cookies):
        cookies = _sent(read_session_cookies(files.folder, HOSTS, files.container)) | cookies
    return FirefoxSignIn(cookies, read_user_agent(files.folder))


def missing_sign_in(sign_in: FirefoxSignIn) -> str:
    """What is missing for Flow, in a sentence; empty if nothing is."""
    if not sign_in.is_complete:
        return "It is not signed in to Google."
    if set(OWN).isdisjoint(sign_in.cookies):
        return "It is signed in to Google, but has not opened Flow yet."
    return ""


def _lacks(cookies: dict[str, str]) -> bool:
    return not cookies.keys() >= _EXPECTED or set(OWN).isdisjoint(cookies)


def _sent(cookies: Iterable[StoredCookie]) -> dict[str, str]:
    """By name: Flow's own cookie from its host, all others from google.com."""
    return {
        cookie.name: cookie.value
        for cookie in cookies
        if is_sent(cookie.name)
        and (cookie.host == FLOW_HOST) == (cookie.name in OWN)
        and len(cookie.value) <= MAX_VALUE
        and _PLAIN.fullmatch(cookie.value)
    }


def _hash(values: Iterable[tuple[str, str]]) -> str:
    return hashlib.sha256(repr(sorted(values)).encode()).hexdigest()
