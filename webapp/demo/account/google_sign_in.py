"""The owner's session at the simulated flow.google.com: Google cookies, and a token against forgery."""

import base64
import threading
import time
from dataclasses import dataclass
from random import Random

# Cookies that last as long as the session, and two that Google replaces every few minutes.
FAMILY = ("SID", "HSID", "SSID", "APISID", "SAPISID", "__Secure-1PSID", "__Secure-3PSID")
ROTATING = ("__Secure-1PSIDTS", "__Secure-3PSIDTS")
# The cookie of the host flow.google.com itself.
OWN = "OSID"
_ATTRIBUTES = "Domain=.google.com; Path=/; Secure; HttpOnly; Priority=HIGH"

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class RotationAnswer:
    """The status of a response to RotateCookies, and its `Set-Cookie` lines."""

    status: int
    set_cookies: tuple[str, ...] = ()


class GoogleSignIn:
    """Issues and checks cookies. Any thread may call it.

    hides_token, hides_email: the start page lacks these.
    hides_person: the call for the person returns an empty list.
    error_slot: the position of the HTTP status in a transport error, 5 or 6.
    token: the XSRF token that every call has to carry as `at`.
    build, session_id: the start page's build label and number, which calls repeat as `bl` and `f.sid`.
    rotating_lifetime_seconds: how long rotating cookies sign in to Flow; None for as long as the session.
    renews_expired: rotating cookies that have expired can still be renewed.
    rotation_pause_seconds: a session is renewed at most that often, otherwise the response is 429.
    bound_status: the response to a renewal of a bound session, 200 (without new cookies) or 401; None when
        the session is not bound to its browser's device.
    """

    def __init__(self, rng: Random, email: str) -> None:
        self.email = email
        self.hides_token = self.hides_email = self.hides_person = False
        self.error_slot = 5
        self.rotating_lifetime_seconds: float | None = None
        self.renews_expired = False
        self.rotation_pause_seconds = 60.0
        self.bound_status: int | None = None
        self._passed_seconds = 0.0
        self._rng = rng
        self._lock = threading.RLock()
        self.release()
        self.sign_in()
        self.account_number = f"1{rng.randrange(10**20):020d}"

    def sign_in(self) -> dict[str, str]:
        """Start a new session and return its cookies. All earlier cookies are refused from now on."""
        with self._lock:
            self._lasting = {name: f"g.a000{self._letters(40)}" for name in (*FAMILY, OWN)}
            self._newest = self._rotated()
            self._accepted = {self._newest: self._now()}
            self._rotation_is_due, self._is_signed_in = False, True
            self._rotated_at = float("-inf")
            self.change_token()
            return self.cookies()

    def sign_out(self) -> None:
        """Refuse all cookies until the next `sign_in`."""
        with self._lock:
            self._is_signed_in = False

    def rotate(self) -> None:
        """Send new rotating cookies with the next start page; the old ones work until those are used."""
        with self._lock:
            self._rotation_is_due = True

    def change_token(self) -> None:
        """Replace the token, so that the one in start pages sent so far is stale."""
        with self._lock:
            self.token = f"AIQ-{self._letters(30)}:1789{self._rng.randrange(10**9):09d}"

    def release(self) -> None:
        """Publish a new build of the page, with another build label and session number."""
        with self._lock:
            self.build = f"boq_labs-flow-ui_2026{self._rng.randrange(1000):04d}.00_p0"
            self.session_id = str(-self._rng.randrange(10**17, 10**18))

    def cookies(self) -> dict[str, str]:
        """Return the newest cookies, as the owner's browser has them."""
        with self._lock:
            return self._lasting | dict(zip(ROTATING, self._newest, strict=True))

    def cookie_header(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies().items())

    def is_owner(self, cookies: dict[str, str]) -> bool:
        """Whether these cookies sign in. The first use of rotated cookies invalidates the earlier ones."""
        sent = _pair_in(cookies)
        with self._lock:
            has_lasting = self._lasting.items() <= cookies.items()
            if not self._is_signed_in or not has_lasting or not self._is_accepted(sent):
                return False
            if sent == self._newest:
                self._accepted = {sent: self._accepted[sent]}
            return True

    # Rotation, which a client asks for at accounts.google.com.

    def answer_rotation(self, cookies: dict[str, str]) -> RotationAnswer | None:
        """Renew the session of these cookies; None when they are not those of this account."""
        sent = _pair_in(cookies)
        with self._lock:
            if any(cookies.get(name) != self._lasting[name] for name in FAMILY):
                return None
            is_known = sent in self._accepted if self.renews_expired else self._is_accepted(sent)
            if not self._is_signed_in or not is_known:
                return RotationAnswer(401)
            if self._now() - self._rotated_at < self.rotation_pause_seconds:
                return RotationAnswer(429)
            self._rotated_at = self._now()
            if self.bound_status is not None:
                return RotationAnswer(self.bound_status)
            return RotationAnswer(200, self._issue())

    def pass_time(self, seconds: float) -> None:
        """Let rotating cookies age, and pauses end, as if `seconds` had passed."""
        with self._lock:
            self._passed_seconds += seconds

    def end_copies(self) -> None:
        """Renew a bound session as its own browser does, with its key: every copy is refused."""
        with self._lock:
            self._newest = self._rotated()
            self._accepted = {self._newest: self._now()}

    def set_cookies(self) -> tuple[str, ...]:
        """Return the `Set-Cookie` lines of a response: after `rotate` once, otherwise none."""
        with self._lock:
            if not self._rotation_is_due:
                return ()
            self._rotation_is_due = False
            return self._issue()

    def _issue(self) -> tuple[str, ...]:
        """New rotating cookies. The ones before are accepted until these are used."""
        self._newest = self._rotated()
        self._accepted[self._newest] = self._now()
        return tuple(
            f"{name}={value}; {_ATTRIBUTES}" for name, value in zip(ROTATING, self._newest, strict=True)
        )

    def _is_accepted(self, pair: Pair) -> bool:
        lifetime = self.rotating_lifetime_seconds
        issued_at = self._accepted.get(pair)
        return issued_at is not None and (lifetime is None or self._now() - issued_at < lifetime)

    def _now(self) -> float:
        return time.monotonic() + self._passed_seconds

    def _rotated(self) -> Pair:
        return (f"sidts-{self._letters(50)}", f"sidts-{self._letters(50)}")

    def _letters(self, count: int) -> str:
        return base64.urlsafe_b64encode(self._rng.randbytes(count)).decode()[:count]


def _pair_in(cookies: dict[str, str]) -> Pair:
    return cookies.get(ROTATING[0], ""), cookies.get(ROTATING[1], "")
