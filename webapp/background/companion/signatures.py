"""Signatures of requests and answers (PROTOCOL.md, “Signatures”), and protection against replay."""

import hashlib
import hmac
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from webapp.errors import ClockOff, PairingRefused

MAX_AGE_SECONDS = 60.0
# Per pairing. A browser at work sends some dozens of requests a second at most.
MAX_NONCES = 50_000
_HEX_ID = re.compile(r"[0-9a-f]{32}")
_TIME = re.compile(r"\d{12,14}")

REFUSED = (
    "This browser is not paired with this Flowshelf, or no longer. Open the page “Connect this browser” on "
    "the dashboard, and pair it again."
)
CLOCK_OFF = "The clocks of this browser and of Flowshelf differ by more than a minute. Check the clock."


def key_of(secret: str) -> bytes:
    """The key that both sides keep, of the secret that is sent once."""
    return hashlib.sha256(secret.encode()).digest()


def signature_of_request(key: bytes, method: str, path: str, time_ms: str, nonce: str, body: bytes) -> str:
    return _signature(key, "request", method, path, time_ms, nonce, hashlib.sha256(body).hexdigest())


def signature_of_answer(key: bytes, status: int, nonce: str, body: bytes) -> str:
    return _signature(key, "answer", str(status), nonce, hashlib.sha256(body).hexdigest())


def _signature(key: bytes, *lines: str) -> str:
    return hmac.new(key, "\n".join(lines).encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What the signature of a request is over. `path` has the prefix, and the query if there is one.

    `body` reads the body: it is not read of a request that is refused by its headers.
    """

    method: str
    path: str
    time_ms: str
    nonce: str
    signature: str
    body: Callable[[], bytes]


class RequestGuard:
    """Accepts each signed request once. `clock` is the time of day in seconds."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        # What was seen before the start is not known any more, so nothing from before it is accepted.
        self._began_at = int(clock() * 1000) / 1000
        # Held from the look-up of a nonce to its note: of two equal requests at once only one is accepted.
        self._lock = threading.Lock()
        # Per pairing: when each nonce was seen, oldest first.
        self._seen: dict[str, dict[str, float]] = {}

    def now_ms(self) -> int:
        return int(self._clock() * 1000)

    def check(self, pairing_id: str, key: bytes, request: SignedRequest) -> None:
        """Raises PairingRefused unless the request is signed with the key, of this minute, and new."""
        if not (_HEX_ID.fullmatch(request.nonce) and _TIME.fullmatch(request.time_ms)):
            raise PairingRefused(REFUSED)
        sent_at = int(request.time_ms) / 1000
        if sent_at < self._began_at or abs(self._clock() - sent_at) > MAX_AGE_SECONDS:
            raise ClockOff(CLOCK_OFF)
        expected = signature_of_request(
            key, request.method, request.path, request.time_ms, request.nonce, request.body()
        )
        if not hmac.compare_digest(expected.encode(), request.signature.encode()):
            raise PairingRefused(REFUSED)
        self._note(pairing_id, request.nonce)

    def forget(self, pairing_id: str) -> None:
        """Forget the nonces of a pairing that has ended."""
        with self._lock:
            self._seen.pop(pairing_id, None)

    def _note(self, pairing_id: str, nonce: str) -> None:
        with self._lock:
            seen = self._seen.setdefault(pairing_id, {})
            # A request may be a minute ahead of this clock, and stays acceptable for another minute.
            oldest = self._clock() - 2 * MAX_AGE_SECONDS
            while seen and (first := next(iter(seen))) and seen[first] < oldest:
                del seen[first]
            # Full: refused, because forgetting a nonce would allow its replay.
            if nonce in seen or len(seen) >= MAX_NONCES:
                raise PairingRefused(REFUSED)
            seen[nonce] = self._clock()


def is_id(text: str) -> bool:
    """Whether a text has the form of a pairing's id, a code or a nonce."""
    return _HEX_ID.fullmatch(text) is not None
