"""Callers that stay until their work is done, a bounded number of them."""

import threading
from collections.abc import Callable

from webapp.errors import Overloaded

# Fast downloads bring a change every few milliseconds, and each look asks the database.
_BETWEEN_LOOKS_SECONDS = 0.02


class Waiting:
    """Wakes those who wait whenever something about a run changed."""

    def __init__(self, most: int, stopping: threading.Event) -> None:
        self._places = threading.BoundedSemaphore(most)
        self._changed = threading.Condition()
        self._stopping = stopping

    def notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def until(self, is_over: Callable[[], bool]) -> None:
        """Come back when `is_over`. Raises Overloaded when too many wait already or the program stops;
        the work itself goes on, or stays queued for the next start."""
        if not self._places.acquire(blocking=False):
            raise Overloaded(
                "Too many calls are waiting for their work already. This one was begun all the same; ask for "
                "its state, or send it with “wait”: false."
            )
        try:
            self._stay(is_over)
        finally:
            self._places.release()

    def _stay(self, is_over: Callable[[], bool]) -> None:
        while not is_over():
            if self._stopping.is_set():
                raise Overloaded("Flowshelf is shutting down. The work goes on when it is started again.")
            with self._changed:
                self._changed.wait(timeout=0.25)
            self._stopping.wait(_BETWEEN_LOOKS_SECONDS)
