"""Lets a bounded number of callers block until their run ends."""

import threading
from collections.abc import Callable

from webapp.errors import Overloaded

# The condition is a database query, and fast downloads notify every few milliseconds: test it at most this
# often.
_MIN_INTERVAL_SECONDS = 0.02
# The condition may also become true without a notification, e.g. when a cooldown begins.
_MAX_INTERVAL_SECONDS = 0.25


class Waiters:
    """Whoever changes the state of a run calls `notify_all`; callers block in `wait_until`."""

    def __init__(self, max_waiters: int, stopping: threading.Event) -> None:
        self._places = threading.BoundedSemaphore(max_waiters)
        self._changed = threading.Condition()
        self._stopping = stopping

    def limit(self, max_waiters: int) -> None:
        """Let this many callers wait. Only while none does."""
        self._places = threading.BoundedSemaphore(max_waiters)

    def notify_all(self) -> None:
        """Wake all callers, so that each tests its condition again."""
        with self._changed:
            self._changed.notify_all()

    def wait_until(self, is_over: Callable[[], bool]) -> None:
        """Return when `is_over()`.

        Raises Overloaded when too many callers wait already, or when the program stops. Either way the work
        itself goes on, or is resumed at the next start.
        """
        if not self._places.acquire(blocking=False):
            raise Overloaded(
                "Too many calls are waiting already. The work of this one was started anyway: ask for its "
                "state, or send it with “wait”: false."
            )
        try:
            self._wait(is_over)
        finally:
            self._places.release()

    def _wait(self, is_over: Callable[[], bool]) -> None:
        # `is_over` is tested without the condition's lock: it queries the database, and meanwhile no thread
        # that notifies should have to wait. A notification in between is lost; the timeout makes up for that.
        while not is_over():
            if self._stopping.is_set():
                raise Overloaded("Flowshelf is shutting down. The work is resumed when it starts again.")
            with self._changed:
                self._changed.wait(timeout=_MAX_INTERVAL_SECONDS)
            self._stopping.wait(_MIN_INTERVAL_SECONDS)
