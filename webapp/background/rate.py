"""How fast downloads arrive, averaged over the last seconds."""

import time
from collections import deque

WINDOW_SECONDS = 10.0


class Rate:
    """Counts images and their bytes. Thread-safe, because `append` and `list` of a deque are atomic."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._sizes: deque[tuple[float, int]] = deque(maxlen=10_000)

    def add(self, size_bytes: int) -> None:
        self._sizes.append((time.monotonic(), size_bytes))

    def per_second(self) -> tuple[float, float]:
        """Images per second and bytes per second."""
        now = time.monotonic()
        recent = [size for added_at, size in list(self._sizes) if now - added_at <= WINDOW_SECONDS]
        # At least half a second, so that the first image does not count as a thousand per second.
        seconds = max(min(now - self._began, WINDOW_SECONDS), 0.5)
        return len(recent) / seconds, sum(recent) / seconds
