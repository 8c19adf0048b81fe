"""What the simulated Flow was asked, how many asked at once, and what no client may do."""

import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived; `kind` is history, session, page, script, media, picture or other;
    start, projects, project, address, person or call at the new Flow."""

    kind: str
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    at: float
    body: bytes = b""

    @property
    def input(self) -> dict:
        """What a history request asks for, without superjson's wrapping; empty when unreadable."""
        try:
            return dict(json.loads(self.query.get("input", ""))["json"])
        except (ValueError, TypeError, KeyError):
            return {}

    @property
    def cursor(self) -> str | None:
        return self.input.get("cursor")

    @property
    def cookies(self) -> dict[str, str]:
        pairs = (part.strip().partition("=") for part in self.headers.get("cookie", "").split(";"))
        return {name: value for name, _, value in reversed(list(pairs)) if name}


class Journal:
    """Requests in order of arrival, and violations of the contract. Any thread may write."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[Request] = []
        self._violations: list[str] = []
        self._active: Counter[str] = Counter()
        self._most: Counter[str] = Counter()

    @contextmanager
    def handling(self, request: Request) -> Iterator[int]:
        """Counts a request while it is being answered; yields how many of its kind are, itself included."""
        with self._lock:
            self._requests.append(request)
            self._active[request.kind] += 1
            active = self._active[request.kind]
            self._most[request.kind] = max(self._most[request.kind], active)
        try:
            yield active
        finally:
            with self._lock:
                self._active[request.kind] -= 1

    def blame(self, text: str) -> None:
        with self._lock:
            self._violations.append(text)

    def requests(self) -> list[Request]:
        with self._lock:
            return list(self._requests)

    def violations(self) -> list[str]:
        with self._lock:
            return list(self._violations)

    def most(self, kind: str) -> int:
        with self._lock:
            return self._most[kind]

    def clear(self) -> None:
        """Forget the past; requests under way stay counted."""
        with self._lock:
            self._requests.clear()
            self._violations.clear()
            self._most = Counter(self._active)
