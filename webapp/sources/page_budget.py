"""Limits the rate of requests for history pages with a token bucket."""

import random
import threading
import time
from collections.abc import Callable

from webapp.sources.throttle import Stopped

SIZE = 10


class PageBudget:
    """A token bucket that starts full: `SIZE` pages without a pause, then one per `refill_seconds`.

    The bucket refills while a request is under way, so a slow response causes no additional wait. With
    `refill_seconds` 0 there is no limit. `clock` counts seconds. `refill_seconds` may change at any time:
    the next token is counted by it.
    """

    def __init__(self, refill_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.refill_seconds = refill_seconds
        self._clock = clock
        self._lock = threading.Lock()  # guards the two fields below
        self._tokens = float(SIZE)
        self._refilled_at = clock()

    def take(self, stopping: threading.Event) -> None:
        """Wait until a page may be requested. Raises Stopped as soon as `stopping` is set."""
        # Outside the lock: the token is taken already, and other threads must be able to queue behind it.
        if stopping.wait(self._take_token()):
            raise Stopped

    def drain(self) -> None:
        """Empty the bucket, because the service asked to slow down."""
        with self._lock:
            self._refill()
            self._tokens = min(self._tokens, 0.0)

    def _take_token(self) -> float:
        """Take a token, in advance if there is none. Returns the seconds until it is there.

        These vary at random by up to a quarter, so that clients do not ask in step.
        """
        with self._lock:
            self._refill()
            self._tokens -= 1
            return max(0.0, -self._tokens) * self.refill_seconds * random.uniform(0.75, 1.25)

    def _refill(self) -> None:
        now = self._clock()
        passed_seconds, self._refilled_at = now - self._refilled_at, now
        if self.refill_seconds:
            self._tokens = min(float(SIZE), self._tokens + passed_seconds / self.refill_seconds)
        else:
            self._tokens = float(SIZE)
