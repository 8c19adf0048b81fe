"""How patiently one profile asks: tries again what may pass, and slows down as a whole.

All threads that work for a profile share one `Pace`. When the service asks any of them to slow
down, all of them wait.
"""

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from webapp.errors import BadPicture, FlowUnavailable, SlowDown

T = TypeVar("T")


class Stopped(Exception):
    """The work was told to stop while it waited; nothing is known to be wrong."""


class Pace:
    """`pauses_seconds` are the pauses between the tries of one call: one try more than pauses."""

    def __init__(self, pauses_seconds: tuple[float, ...]) -> None:
        self._pauses = pauses_seconds
        self._lock = threading.Lock()
        self._rests_until = 0.0

    def tried(self, call: Callable[[], T], stopping: threading.Event) -> T:
        """What `call` returns, asked again when its failure may pass; the last failure is raised.

        Raises Stopped as soon as `stopping` is set while it waits.
        """
        for pause in self._pauses:
            self._wait(self.rest_seconds(), stopping)
            try:
                return call()
            except (FlowUnavailable, BadPicture) as error:
                self._wait(self._pause_after(error, pause), stopping)
        self._wait(self.rest_seconds(), stopping)
        return call()

    def rest_seconds(self) -> float:
        """How long the profile still rests because the service asked for it."""
        with self._lock:
            return max(0.0, self._rests_until - time.monotonic())

    def _pause_after(self, error: Exception, pause: float) -> float:
        asked = getattr(error, "retry_after_seconds", None)
        seconds = asked if asked is not None else jittered(pause)
        if isinstance(error, SlowDown):
            with self._lock:
                self._rests_until = max(self._rests_until, time.monotonic() + seconds)
        return seconds

    @staticmethod
    def _wait(seconds: float, stopping: threading.Event) -> None:
        if stopping.wait(seconds) if seconds > 0 else stopping.is_set():
            raise Stopped


def jittered(seconds: float) -> float:
    """`seconds`, up to a quarter more or less, so that many who wait do not come back together."""
    return seconds * random.uniform(0.75, 1.25)
