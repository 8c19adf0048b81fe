"""Lets one thread obtain a value that several need, while the others wait for its result."""

import copy
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from webapp.errors import FlowshelfError, Scope

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Threads that arrive while another one obtains the value share its result or its failure.

    SourceClosed is not shared: it stopped that one thread, so the next one obtains the value itself.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # held while a thread obtains the value
        self._rounds = 0
        self._failure: FlowshelfError | None = None

    def get(self, find: Callable[[], T | None], obtain: Callable[[], T]) -> T:
        """The value that `find` returns, else that of `obtain`. Raises what `obtain` raises."""
        # Read before waiting: another count afterwards means that a round ended while this thread waited.
        rounds = self._rounds
        with self._lock:
            value = find()
            if value is not None:
                return value
            failure = self._failure
            if self._rounds != rounds and failure is not None and failure.scope is not Scope.CONNECTION:
                # A copy per thread, because raising an exception changes its traceback.
                raise copy.copy(failure)
            return self._obtained(obtain)

    def _obtained(self, obtain: Callable[[], T]) -> T:
        self._failure = None
        try:
            return obtain()
        except FlowshelfError as error:
            self._failure = copy.copy(error)
            raise
        finally:
            # Counted after the failure is stored: a thread that sees the new count must see that too.
            self._rounds += 1
