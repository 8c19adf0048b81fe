"""How many history pages may be asked for: a bucket of requests that fills up again with time."""

import random
import threading
import time
from collections.abc import Callable

from webapp.sources.throttle import Stopped

SIZE = 10


class PageBudget:
    """The first `SIZE` pages come without a pause, later ones one every `refill_seconds`.

    The time between two requests counts, so a slow response is no reason to wait longer. Asked to slow
    down, the bucket is empty at once.
    """

    def __init__(self, refill_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._refill_seconds = refill_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._left = float(SIZE)
        self._counted_at = clock()

    def take(self, stopping: threading.Event) -> None:
        """Wait until a page may be asked for. Raises Stopped as soon as `stopping` is set."""
        if stopping.wait(self._seconds_until_next()):
            raise Stopped

    def drain(self) -> None:
        if self._refill_seconds:
            with self._lock:
                self._refill()
                self._left = min(self._left, 0.0)

    def _seconds_until_next(self) -> float:
        """The pause before the next request, which takes its place now: up to a quarter more or less, so that
        many programs do not ask in step."""
        if not self._refill_seconds:
            return 0.0
        with self._lock:
            self._refill()
            self._left -= 1
            return max(0.0, -self._left) * self._refill_seconds * random.uniform(0.75, 1.25)

    def _refill(self) -> None:
        now = self._clock()
        self._left = min(float(SIZE), self._left + (now - self._counted_at) / self._refill_seconds)
        self._counted_at = now
