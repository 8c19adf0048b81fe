"""The owner's session at the simulated labs.google: session cookie, access tokens and the API key."""

import base64
import threading
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TypedDict

COOKIE = "__Secure-next-auth.session-token"
# next-auth splits longer cookie values into parts of this size.
PART_CHARACTERS = 3933
_WHOLE_CHARACTERS, _SPLIT_CHARACTERS = 700, 4200


class User(TypedDict):
    name: str
    email: str
    image: str


class SessionBody(TypedDict, total=False):
    """The JSON of the session call; an empty object means that nobody is signed in."""

    user: User
    expires: str
    access_token: str
    error: str


class LabsSignIn:
    """Issues and checks cookies, tokens and the key. Any thread may call it.

    token_lifetime_seconds: how long a new access token is accepted.
    session_error: the session call returns this error and a token that is not accepted.
    session_expires: the session call returns this text in place of the true expiry.
    key, decoy_key: the API key in the page's script, and another service's key in the same script.
    lock: guards the state of the whole `World`. Reentrant, because its methods call each other.
    """

    def __init__(self, rng: Random, now: datetime, email: str, name: str) -> None:
        self.lock = threading.RLock()
        self.email, self.name = email, name
        self.token_lifetime_seconds = 3600.0
        self.session_error: str | None = None
        self.session_expires: str | None = None
        self._secret_rng = rng
        self._ahead = now - datetime.now(UTC)
        self._tokens: dict[str, datetime] = {}
        self._renewal: tuple[str, bool] | None = None
        self.change_key()
        self.sign_in()

    def now(self) -> datetime:
        """Return the time in this world, which may differ from the machine's by a fixed amount."""
        return datetime.now(UTC) + self._ahead

    def sign_in(self) -> dict[str, str]:
        """Start a new session and return its cookies. All earlier cookies are refused from now on."""
        with self.lock:
            self._newest, self._is_split = self._cookie_value(_WHOLE_CHARACTERS), False
            self._accepted = {self._newest}
            self._renewal, self.session_error = None, None
            return self.cookies()

    def sign_out(self) -> None:
        """Refuse all cookies. Access tokens are accepted until they expire."""
        with self.lock:
            self._accepted, self._renewal = set(), None

    def renew_cookie(self, split: bool = False) -> None:
        """Send a new cookie with the next session response; the old one works until that is used."""
        with self.lock:
            self._renewal = self._cookie_value(_SPLIT_CHARACTERS if split else _WHOLE_CHARACTERS), split

    def cookies(self) -> dict[str, str]:
        """Return the newest cookies, as the owner's browser has them."""
        with self.lock:
            return parts_of(self._newest) if self._is_split else {COOKIE: self._newest}

    def cookie_header(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies().items())

    def is_owner(self, cookies: dict[str, str]) -> bool:
        """Whether these cookies sign in. The first use of a renewed cookie invalidates the earlier ones."""
        value = joined(cookies)
        with self.lock:
            if value not in self._accepted:
                return False
            if value == self._newest:
                self._accepted = {value}
            return True

    def session(self, cookies: dict[str, str]) -> tuple[SessionBody, list[str]]:
        """Return the JSON of the session call and its `Set-Cookie` lines; both empty if not signed in."""
        with self.lock:
            if not self.is_owner(cookies):
                return {}, []
            token, expires_at = self._fresh_token()
            image = "https://lh3.googleusercontent.com/a/x"
            body: SessionBody = {
                "user": {"name": self.name, "email": self.email, "image": image},
                "expires": self.session_expires or _iso(expires_at),
                "access_token": token,
            }
            if self.session_error:
                body["error"] = self.session_error
                body["access_token"] = self._new_token()
            return body, self._renewed(cookies)

    def _renewed(self, sent: dict[str, str]) -> list[str]:
        """Return `Set-Cookie` lines that set the renewed cookie and, as next-auth does, delete the sent
        ones whose names it no longer uses."""
        if self._renewal is None:
            return []
        (self._newest, self._is_split), self._renewal = self._renewal, None
        self._accepted.add(self._newest)
        current = self.cookies()
        gone = [name for name in sent if name.startswith(COOKIE) and name not in current]
        attributes = "Path=/; HttpOnly; Secure; SameSite=Lax"
        lines = [f"{name}=; {attributes}; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT" for name in gone]
        expires = (self.now() + timedelta(days=30)).strftime("%a, %d %b %Y %H:%M:%S GMT")
        return lines + [f"{name}={value}; {attributes}; Expires={expires}" for name, value in current.items()]

    def _fresh_token(self) -> tuple[str, datetime]:
        """Return the newest token and its expiry. A token in the last sixth of its life is replaced."""
        spare = timedelta(seconds=self.token_lifetime_seconds / 6)
        token, expires_at = next(reversed(self._tokens.items()), ("", self.now()))
        if expires_at - spare > self.now():
            return token, expires_at
        token, expires_at = self._new_token(), self.now() + timedelta(seconds=self.token_lifetime_seconds)
        self._tokens[token] = expires_at
        return token, expires_at

    def accepts_token(self, token: str) -> bool:
        with self.lock:
            return token in self._tokens and self._tokens[token] > self.now()

    def expire_tokens(self) -> None:
        """Refuse all tokens issued so far; the session call issues new ones."""
        with self.lock:
            self._tokens.clear()

    def change_key(self) -> None:
        """Publish a new build of the page with another key; the old key is refused."""
        with self.lock:
            self.key, self.decoy_key = self._key(), self._key()
            self.build = f"{self._secret_rng.getrandbits(64):016x}"

    def _key(self) -> str:
        return "AIzaSy" + _letters(self._secret_rng, 33)

    def _new_token(self) -> str:
        return "ya29." + _letters(self._secret_rng, 120)

    def _cookie_value(self, characters: int) -> str:
        parts = (_letters(self._secret_rng, count) for count in (16, characters, 22))
        return ".".join(("eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0", "", *parts))


def parts_of(value: str) -> dict[str, str]:
    """Split a long cookie value into numbered cookies, as next-auth does."""
    starts = range(0, len(value), PART_CHARACTERS)
    return {f"{COOKIE}.{index}": value[start : start + PART_CHARACTERS] for index, start in enumerate(starts)}


def joined(cookies: dict[str, str]) -> str:
    """Join all cookies whose names start with `COOKIE`, by number, as next-auth does.

    An old cookie without a number therefore spoils a value that was split later, as at the real service.
    """
    found = {name: value for name, value in cookies.items() if name.startswith(COOKIE)}
    return "".join(found[name] for name in sorted(found, key=_part_number))


def _part_number(name: str) -> int:
    suffix = name.removeprefix(COOKIE).lstrip(".")
    return int(suffix) if suffix.isdecimal() else -1


def _letters(rng: Random, count: int) -> str:
    return base64.urlsafe_b64encode(rng.randbytes(count)).decode()[:count]


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
