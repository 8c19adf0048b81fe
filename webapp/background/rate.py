"""How fast something goes, over the last seconds."""

import time
from collections import deque

WINDOW_SECONDS = 10.0


class Rate:
    """Counts things with a size; threads may share it."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._sizes: deque[tuple[float, int]] = deque(maxlen=10_000)

    def add(self, size_bytes: int) -> None:
        self._sizes.append((time.monotonic(), size_bytes))

    def per_second(self) -> tuple[float, float]:
        """Things and bytes a second."""
        now = time.monotonic()
        recent = [size for moment, size in list(self._sizes) if now - moment <= WINDOW_SECONDS]
        seconds = max(min(now - self._began, WINDOW_SECONDS), 0.5)
        return len(recent) / seconds, sum(recent) / seconds
