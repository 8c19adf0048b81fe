"""Who may come in to the simulated flow.google.com: a family of cookies, and a token against forgery."""

import base64
import threading
from random import Random

FAMILY = ("SID", "HSID", "SSID", "APISID", "SAPISID", "__Secure-1PSID", "__Secure-3PSID")
ROTATING = ("__Secure-1PSIDTS", "__Secure-3PSIDTS")
OWN = "OSID"


class GoogleSignIn:
    """The owner's session at google.com.

    `hides_token` and `hides_email` leave these out of the start page, `hides_person` lets the call for
    the person answer with nothing. `error_slot` is where a transport error has its HTTP code, 5 or 6.
    """

    def __init__(self, rng: Random, email: str) -> None:
        self.email = email
        self.hides_token = self.hides_email = self.hides_person = False
        self.error_slot = 5
        self._rng = rng
        self._lock = threading.RLock()
        self.release()
        self.sign_in()
        self.account_number = f"1{rng.randrange(10**20):020d}"

    def sign_in(self) -> dict[str, str]:
        """Cookies of a new session; no other ones count from now on."""
        with self._lock:
            self._lasting = {name: f"g.a000{self._letters(40)}" for name in (*FAMILY, OWN)}
            self._newest = self._rotated()
            self._good = {self._newest}
            self._is_due, self._is_open = False, True
            self.change_token()
            return self.cookies()

    def sign_out(self) -> None:
        with self._lock:
            self._is_open = False

    def rotate(self) -> None:
        """The next answer brings other rotating cookies; the old ones count until those are used."""
        with self._lock:
            self._is_due = True

    def change_token(self) -> None:
        """Pages that were handed out carry a stale token from now on."""
        with self._lock:
            self.token = f"AIQ-{self._letters(30)}:1789{self._rng.randrange(10**9):09d}"

    def release(self) -> None:
        """A new build of the page, with another number of its own."""
        with self._lock:
            self.build = f"boq_labs-flow-ui_2026{self._rng.randrange(1000):04d}.00_p0"
            self.session_id = str(-self._rng.randrange(10**17, 10**18))

    def cookies(self) -> dict[str, str]:
        """What a browser of the owner holds at this moment."""
        with self._lock:
            return self._lasting | dict(zip(ROTATING, self._newest, strict=True))

    def cookie_header(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies().items())

    def is_owner(self, cookies: dict[str, str]) -> bool:
        """Whether these cookies sign in; the first use of rotated ones ends their predecessors."""
        sent = tuple(cookies.get(name, "") for name in ROTATING)
        with self._lock:
            if not self._is_open or not self._lasting.items() <= cookies.items() or sent not in self._good:
                return False
            if sent == self._newest:
                self._good = {sent}
            return True

    def set_cookies(self) -> tuple[str, ...]:
        """The `Set-Cookie` lines of an answer."""
        with self._lock:
            if not self._is_due:
                return ()
            self._is_due, self._newest = False, self._rotated()
            self._good.add(self._newest)
            attributes = "Domain=.google.com; Path=/; Secure; HttpOnly; Priority=HIGH"
            return tuple(
                f"{name}={value}; {attributes}" for name, value in zip(ROTATING, self._newest, strict=True)
            )

    def _rotated(self) -> tuple[str, str]:
        return (f"sidts-{self._letters(50)}", f"sidts-{self._letters(50)}")

    def _letters(self, count: int) -> str:
        return base64.urlsafe_b64encode(self._rng.randbytes(count)).decode()[:count]
