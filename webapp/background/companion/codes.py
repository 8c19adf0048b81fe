"""Codes that pair a browser: 128 random bits, valid ten minutes and once, in memory only."""

import hashlib
import secrets
import threading
import time
from collections.abc import Callable

LIFETIME_SECONDS = 600.0
MAX_CODES = 100


class PairingCodes:
    """The codes that are valid now. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # When each code was made, oldest first, by its hash: looking one up takes a time that says nothing
        # about the codes.
        self._made: dict[str, float] = {}

    def new(self) -> str:
        code = secrets.token_hex(16)
        with self._lock:
            self._made[_hash(code)] = self._clock()
            while len(self._made) > MAX_CODES:
                del self._made[next(iter(self._made))]
        return code

    def use(self, code: str) -> bool:
        """Whether a code is valid. It is not any more afterwards."""
        with self._lock:
            made_at = self._made.pop(_hash(code), None)
        return made_at is not None and self._clock() - made_at < LIFETIME_SECONDS


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "replace")).hexdigest()
