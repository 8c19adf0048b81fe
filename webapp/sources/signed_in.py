"""Requests with a profile's cookies to the one service that they belong to; any answer may renew them."""

import threading
from collections.abc import Callable, Iterable, Mapping

from webapp.errors import SignedOut
from webapp.sources import Credentials
from webapp.sources.cookies.renewal import Renewal
from webapp.sources.http import HttpClient, Response

Renewed = Callable[[Iterable[str], dict[str, str]], Renewal]


class SignedInRequests:
    """`renewed` tells from the `Set-Cookie` lines of an answer and the cookies kept which ones are kept from
    then on; the same ones may be given longer to live. Threads may share it.

    Several requests under way may each renew something: a renewal is about the cookies kept by
    then, as long as they came from those that were sent.
    """

    def __init__(self, credentials: Credentials, http: HttpClient, renewed: Renewed) -> None:
        self._credentials = credentials
        self._http = http
        self._renewed = renewed
        self._lock = threading.Lock()
        self._latest: dict[str, str] = {}
        self._expire_at: str | None = None
        self._generation = 0

    def cookies(self) -> dict[str, str]:
        """The cookies kept at this moment. Raises SignedOut when there are none."""
        with self._lock:
            return self._kept()

    def generation(self) -> int:
        """Another number whenever other cookies are kept than those that answers renewed."""
        with self._lock:
            self._kept()
            return self._generation

    def get(self, url: str, headers: Mapping[str, str], limit_bytes: int) -> Response:
        return self._sent(lambda cookie: self._http.get(url, {**headers, **cookie}, limit_bytes))

    def post(self, url: str, headers: Mapping[str, str], body: bytes, limit_bytes: int) -> Response:
        return self._sent(lambda cookie: self._http.post(url, {**headers, **cookie}, body, limit_bytes))

    def _sent(self, send: Callable[[dict[str, str]], Response]) -> Response:
        with self._lock:
            cookies, generation = self._kept(), self._generation
        response = send({"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())})
        self._renew(response.set_cookies(), generation)
        return response

    def _renew(self, lines: tuple[str, ...], generation: int) -> None:
        with self._lock:
            if not lines or self._credentials.cookies() != self._latest or self._generation != generation:
                return
            renewal = self._renewed(lines, self._latest)
            is_longer = renewal.expire_at is not None and renewal.expire_at != self._expire_at
            if renewal.cookies and (renewal.cookies != self._latest or is_longer):
                self._credentials.renew_cookies(self._latest, renewal.cookies, renewal.expire_at)
                self._latest, self._expire_at = renewal.cookies, renewal.expire_at

    def _kept(self) -> dict[str, str]:
        kept = self._credentials.cookies()
        if not kept:
            raise SignedOut("This profile has no cookies. Paste them to go on.")
        if kept != self._latest:
            self._latest, self._generation = kept, self._generation + 1
        return kept
