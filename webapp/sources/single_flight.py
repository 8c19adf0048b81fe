"""Lets one thread obtain what several need, while the others wait for its outcome."""

import copy
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from webapp.errors import FlowshelfError, SourceClosed

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Threads that come while one is obtaining get its value, or its failure, without asking again.

    That one was told to stop is no failure of the others: the next of them obtains.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rounds = 0
        self._failure: FlowshelfError | None = None

    def get(self, find: Callable[[], T | None], obtain: Callable[[], T]) -> T:
        """What `find` has, else what `obtain` gets. Raises what `obtain` raises."""
        rounds = self._rounds
        with self._lock:
            value = find()
            if value is not None:
                return value
            if self._rounds != rounds and not isinstance(self._failure, SourceClosed | None):
                raise copy.copy(self._failure)
            return self._obtained(obtain)

    def _obtained(self, obtain: Callable[[], T]) -> T:
        self._failure = None
        try:
            return obtain()
        except FlowshelfError as error:
            self._failure = copy.copy(error)
            raise
        finally:
            # Last, so that whoever came in the meantime sees that this round was theirs too.
            self._rounds += 1
