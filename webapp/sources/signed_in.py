"""Requests with a profile's cookies, which any response may renew."""

import threading
from collections.abc import Callable, Iterable, Mapping

from webapp.errors import SignedOut
from webapp.sources import Credentials
from webapp.sources.cookies.renewal import Renewal
from webapp.sources.http import HttpClient, Response

Renewed = Callable[[Iterable[str], dict[str, str]], Renewal]


class SignedInRequests:
    """Sends requests with the stored cookies, and stores the cookies that responses renew. Thread-safe.

    `renewed` takes the `Set-Cookie` lines of a response and the stored cookies, and returns the cookies to
    store; these may differ in their expiry only.

    Requests run concurrently, so several responses may each renew something. A renewal is applied to the
    cookies stored at that moment, unless a person has pasted new ones since the request was sent.
    """

    def __init__(self, credentials: Credentials, http: HttpClient, renewed: Renewed) -> None:
        self._credentials = credentials
        self._http = http
        self._renewed = renewed
        # Guards the fields below, and makes reading and replacing the stored cookies one step. Never held
        # during a request.
        self._lock = threading.Lock()
        self._latest: dict[str, str] = {}
        self._expire_at: str | None = None
        self._generation = 0

    def refresh(self) -> None:
        """Read cookies that a browser keeps again. Raises SignedOut when it has none."""
        self._credentials.refresh()

    def cookies(self) -> dict[str, str]:
        """The cookies stored now. Raises SignedOut when there are none."""
        with self._lock:
            return self._stored()

    def generation(self) -> int:
        """A number that grows whenever the stored cookies were replaced by other means than a renewal."""
        with self._lock:
            self._stored()
            return self._generation

    def get(self, url: str, headers: Mapping[str, str], limit_bytes: int) -> Response:
        return self._sent(lambda cookie: self._http.get(url, {**headers, **cookie}, limit_bytes))

    def post(self, url: str, headers: Mapping[str, str], body: bytes, limit_bytes: int) -> Response:
        return self._sent(lambda cookie: self._http.post(url, {**headers, **cookie}, body, limit_bytes))

    def _sent(self, send: Callable[[dict[str, str]], Response]) -> Response:
        with self._lock:
            cookies, generation = self._stored(), self._generation
        response = send({"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())})
        self._renew(response.set_cookies(), generation)
        return response

    def _renew(self, lines: tuple[str, ...], generation: int) -> None:
        with self._lock:
            if not lines or self._credentials.is_live:
                return
            # Compared again under the lock: the response may be to cookies that have been replaced since.
            if self._credentials.cookies() != self._latest or self._generation != generation:
                return
            renewal = self._renewed(lines, self._latest)
            is_longer = renewal.expire_at is not None and renewal.expire_at != self._expire_at
            if renewal.cookies and (renewal.cookies != self._latest or is_longer):
                self._credentials.renew_cookies(self._latest, renewal.cookies, renewal.expire_at)
                self._latest, self._expire_at = renewal.cookies, renewal.expire_at

    def _stored(self) -> dict[str, str]:
        stored = self._credentials.cookies()
        if not stored:
            raise SignedOut("This profile has no cookies. Paste them to go on.")
        if stored != self._latest:
            self._latest, self._generation = stored, self._generation + 1
        return stored
