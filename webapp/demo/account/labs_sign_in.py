"""Who may come in: session cookies, access tokens and the API key of the simulated Flow."""

import base64
import threading
from datetime import UTC, datetime, timedelta
from random import Random

COOKIE = "__Secure-next-auth.session-token"
PART_CHARACTERS = 3933
_SHORT, _LONG = 700, 4200


class SignIn:
    """The half of a world that knows its owner.

    `session_error` makes session answers carry an error beside a dead token, `session_expires` is
    a text to send in place of the true end.
    """

    def __init__(self, rng: Random, now: datetime, email: str, name: str) -> None:
        self.lock = threading.RLock()
        self.email, self.name = email, name
        self.token_lifetime_seconds = 3600.0
        self.session_error: str | None = None
        self.session_expires: str | None = None
        self._rng = rng
        self._ahead = now - datetime.now(UTC)
        self._tokens: dict[str, datetime] = {}
        self._renewal: tuple[str, bool] | None = None
        self.change_key()
        self.sign_in()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def sign_in(self) -> dict[str, str]:
        """Cookies of a new session; no other ones count from now on."""
        with self.lock:
            self._newest, self._is_split = self._cookie_value(_SHORT), False
            self._good = {self._newest}
            self._renewal, self.session_error = None, None
            return self.cookies()

    def sign_out(self) -> None:
        """The cookies are dead; tokens handed out live on until they expire."""
        with self.lock:
            self._good, self._renewal = set(), None

    def renew_cookie(self, split: bool = False) -> None:
        """The next session answer brings a new cookie; the old one counts until the new one is used."""
        with self.lock:
            self._renewal = self._cookie_value(_LONG if split else _SHORT), split

    def cookies(self) -> dict[str, str]:
        """What a browser of the owner holds at this moment."""
        with self.lock:
            return parts_of(self._newest) if self._is_split else {COOKIE: self._newest}

    def cookie_header(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies().items())

    def is_owner(self, cookies: dict[str, str]) -> bool:
        """Whether these cookies sign in; the first use of a renewed one ends its predecessors."""
        value = joined(cookies)
        with self.lock:
            if value not in self._good:
                return False
            if value == self._newest:
                self._good = {value}
            return True

    def session(self, cookies: dict[str, str]) -> tuple[dict, list[str]]:
        """The session answer and its Set-Cookie headers; empty for strangers."""
        with self.lock:
            if not self.is_owner(cookies):
                return {}, []
            token, end = self._fresh_token()
            response = {
                "user": {
                    "name": self.name,
                    "email": self.email,
                    "image": "https://lh3.googleusercontent.com/a/x",
                },
                "expires": self.session_expires or _iso(end),
                "access_token": token,
            }
            if self.session_error:
                response |= {"error": self.session_error, "access_token": self._new_token()}
            return response, self._renewed(cookies)

    def _renewed(self, sent: dict[str, str]) -> list[str]:
        """As next-auth does it: set the new cookies, and delete those of another division."""
        if self._renewal is None:
            return []
        (self._newest, self._is_split), self._renewal = self._renewal, None
        self._good.add(self._newest)
        kept = self.cookies()
        gone = [name for name in sent if name.startswith(COOKIE) and name not in kept]
        attributes = "Path=/; HttpOnly; Secure; SameSite=Lax"
        lines = [f"{name}=; {attributes}; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT" for name in gone]
        end = (self.now() + timedelta(days=30)).strftime("%a, %d %b %Y %H:%M:%S GMT")
        return lines + [f"{name}={value}; {attributes}; Expires={end}" for name, value in kept.items()]

    def _fresh_token(self) -> tuple[str, datetime]:
        """The newest token, or a new one when a sixth of its life or less is left."""
        spare = timedelta(seconds=self.token_lifetime_seconds / 6)
        token, end = next(reversed(self._tokens.items()), ("", self.now()))
        if end - spare > self.now():
            return token, end
        token, end = self._new_token(), self.now() + timedelta(seconds=self.token_lifetime_seconds)
        self._tokens[token] = end
        return token, end

    def accepts_token(self, token: str) -> bool:
        with self.lock:
            return token in self._tokens and self._tokens[token] > self.now()

    def expire_tokens(self) -> None:
        """All tokens handed out so far are refused; the session gives out new ones."""
        with self.lock:
            self._tokens.clear()

    def change_key(self) -> None:
        """A new release of the page with another key; the one before is refused."""
        with self.lock:
            self.key, self.decoy_key = self._key(), self._key()
            self.build = f"{self._rng.getrandbits(64):016x}"

    def _key(self) -> str:
        return "AIzaSy" + _letters(self._rng, 33)

    def _new_token(self) -> str:
        return "ya29." + _letters(self._rng, 120)

    def _cookie_value(self, characters: int) -> str:
        parts = (_letters(self._rng, 16), _letters(self._rng, characters), _letters(self._rng, 22))
        return ".".join(("eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0", "", *parts))


def parts_of(value: str) -> dict[str, str]:
    """A long value divided as next-auth divides it."""
    starts = range(0, len(value), PART_CHARACTERS)
    return {f"{COOKIE}.{index}": value[start : start + PART_CHARACTERS] for index, start in enumerate(starts)}


def joined(cookies: dict[str, str]) -> str:
    """What next-auth reads: every cookie that starts with the name, put together by number.

    A whole cookie that is left over beside parts spoils the value, as it does at the real service.
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
