"""Requests that the simulated Flow received, how many ran at once, and violations of its rules."""

import json
import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

# The kinds of requests by service. Besides these there are ROTATION, "media", "picture" and "other".
LABS_KINDS = ("history", "session", "page", "script")
CALL_KINDS = ("projects", "project", "address", "person", "call")
FLOW_GOOGLE_KINDS = ("start", *CALL_KINDS)
# The request to accounts.google.com that renews the cookies of a session.
ROTATION = "rotation"
# A path of one of several accounts that are signed in.
ACCOUNT_PATH = re.compile(r"/u/(\d{1,3})(?=/)")


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived. Names of headers are in lower case; `at` is of the monotonic clock.

    kind: one of the kinds above. "call" is a call of flow.google.com that the simulation does not know.
    """

    kind: str
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    at: float
    body: bytes = b""
    scheme: str = "http"

    @property
    def origin(self) -> str:
        """The origin that the client knows this server by."""
        return f"{self.scheme}://{self.headers.get('host', '')}"

    @property
    def input(self) -> dict[str, object]:
        """The arguments of a history request, without superjson's wrapping; {} if they are unreadable."""
        try:
            return dict(json.loads(self.query.get("input", ""))["json"])
        except (ValueError, TypeError, KeyError):
            return {}

    @property
    def cursor(self) -> object:
        """The cursor of a history request: text, or None for the first page."""
        return self.input.get("cursor")

    @property
    def account_index(self) -> int:
        """The N of a path below `/u/N/` at flow.google.com, else that of the header, else 0."""
        match = ACCOUNT_PATH.match(self.path)
        number = match[1] if match else self.headers.get("x-goog-authuser", "")
        return int(number) if number.isdecimal() else 0

    @property
    def cookies(self) -> dict[str, str]:
        """Cookies by name. Of two with the same name the first counts."""
        pairs = (part.strip().partition("=") for part in self.headers.get("cookie", "").split(";"))
        return {name: value for name, _, value in reversed(list(pairs)) if name}


class Journal:
    """Requests in the order of arrival, and violations. Any thread may write."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[Request] = []
        self._violations: list[str] = []
        self._active: Counter[str] = Counter()
        self._max_active: Counter[str] = Counter()

    @contextmanager
    def handling(self, request: Request) -> Iterator[int]:
        """Record a request and count it as active; yields how many of its kind are, this one included."""
        with self._lock:
            self._requests.append(request)
            self._active[request.kind] += 1
            active = self._active[request.kind]
            self._max_active[request.kind] = max(self._max_active[request.kind], active)
        try:
            yield active
        finally:
            with self._lock:
                self._active[request.kind] -= 1

    def add_violation(self, text: str) -> None:
        with self._lock:
            self._violations.append(text)

    def requests(self) -> list[Request]:
        with self._lock:
            return list(self._requests)

    def violations(self) -> list[str]:
        with self._lock:
            return list(self._violations)

    def max_active(self, kind: str) -> int:
        """Return the largest number of requests of a kind that were active at once."""
        with self._lock:
            return self._max_active[kind]

    def clear(self) -> None:
        """Forget all requests and violations; requests that are still active stay counted as such."""
        with self._lock:
            self._requests.clear()
            self._violations.clear()
            self._max_active = Counter(self._active)
