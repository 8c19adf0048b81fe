"""When a profile may ask its service, and how many of its threads at once: one mood for all of them."""

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from webapp.errors import FlowUnavailable, SlowDown, SourceClosed, UnusualActivity

# In a row, without any answer in between.
FAILURES_UNTIL_REST = 5
# In calm whiles: the service is back for that long at most before it is noticed.
LONGEST_REST = 4
_LONGEST_NAP_SECONDS = 0.2


class Stopped(Exception):
    """The work was told to stop while it waited; nothing is known to be wrong."""


@dataclass(frozen=True, slots=True)
class Turn:
    """`is_probe`: it finds out whether the service is back. `failures_before` were counted when it began."""

    is_probe: bool
    failures_before: int


@dataclass(frozen=True, slots=True)
class Rest:
    """Why nobody asks at the moment: `reason` is what failed again and again, None when the service only
    asked for a pause. `seconds` are those until the next try. `is_wanted`: the service wants the rest."""

    seconds: float
    reason: str | None = None
    is_wanted: bool = False


class Mood:
    """Threads stand in line, so that each comes to its turn and a rest is ended by one after the other.

    Asked to slow down, the profile rests, and from then on as many ask at once as the service bore at
    that moment, and after each `calm_seconds` without another word of it one more.

    When it does not answer again and again, the profile rests for about `calm_seconds`, then twice and
    four times as long; after each rest one request finds out whether it is back.
    """

    def __init__(self, calm_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._calm_seconds = calm_seconds
        self._clock = clock
        self._changed = threading.Condition()
        self._line: deque[object] = deque()
        self._active_count = 0
        self._most: int | None = None
        self._steady_since = 0.0
        self._rests_until = 0.0
        self._rest_reason = ""
        self._failures_count = 0
        self._failures_in_a_row = 0
        self._failed_probes = 0
        self._tries_at = 0.0
        self._reason = ""
        self._is_closed = False

    def begin(self, stopping: threading.Event) -> Turn:
        """Wait for a turn, which `end` gives back. Raises Stopped as soon as `stopping` is set."""
        ticket = object()
        with self._changed:
            self._line.append(ticket)
            try:
                while not stopping.is_set() and not self._is_turn_of(ticket):
                    self._changed.wait(self._nap_seconds())
                if stopping.is_set():
                    raise Stopped
                self._active_count += 1
                return Turn(self._is_out, self._failures_count)
            finally:
                self._line.remove(ticket)
                self._changed.notify_all()

    def end(self, turn: Turn, error: BaseException | None = None, pause_seconds: float = 0.0) -> None:
        """What became of a turn. `pause_seconds` is how long the profile rests if it is to slow down."""
        with self._changed:
            self._active_count -= 1
            if isinstance(error, UnusualActivity):
                return self.rest_for(error.retry_after_seconds or 0.0, str(error))
            if isinstance(error, SlowDown):
                self._slow_down(pause_seconds)
            if not isinstance(error, FlowUnavailable):
                self._failures_in_a_row = self._failed_probes = 0
            # Threads that failed side by side, or shared one failure, met one failure of the service.
            elif not isinstance(error, SourceClosed) and turn.failures_before == self._failures_count:
                self._note_failure(turn, error)
            self._changed.notify_all()

    def rest_for(self, seconds: float, reason: str) -> None:
        """Ask nothing for so long, whatever else happens; that is no failure of the service."""
        with self._changed:
            self._rests_until = max(self._rests_until, self._clock() + seconds)
            self._rest_reason = reason
            self._changed.notify_all()

    def wait(self, seconds: float, stopping: threading.Event) -> None:
        """One thread's own pause. Raises Stopped as soon as `stopping` is set."""
        until = time.monotonic() + seconds
        with self._changed:
            while not self._is_closed and (left := until - time.monotonic()) > 0:
                if stopping.is_set():
                    raise Stopped
                self._changed.wait(min(left, _LONGEST_NAP_SECONDS))

    def close(self) -> None:
        """Nobody waits any more, because what is asked is closed as well."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def rest(self) -> Rest | None:
        """Whether the profile rests, for how long, and why."""
        with self._changed:
            seconds = self._rest_seconds()
            if self._rest_reason and seconds:
                return Rest(seconds, self._rest_reason, is_wanted=True)
            if self._is_out:
                return Rest(seconds, self._reason)
            return Rest(seconds) if seconds else None

    @property
    def is_rest_wanted(self) -> bool:
        """Whether the service wants to be left alone at the moment."""
        rest = self.rest()
        return rest is not None and rest.is_wanted

    @property
    def _is_out(self) -> bool:
        return self._failures_in_a_row >= FAILURES_UNTIL_REST

    def _is_turn_of(self, ticket: object) -> bool:
        return self._is_closed or (self._line[0] is ticket and self._has_room())

    def _has_room(self) -> bool:
        if self._rest_seconds() > 0:
            return False
        self._rest_reason = ""
        if self._is_out:
            return self._active_count == 0
        self._grow()
        return self._most is None or self._active_count < self._most

    def _grow(self) -> None:
        steady_seconds = self._clock() - self._steady_since
        if self._most is not None and steady_seconds >= self._calm_seconds:
            self._most += int(steady_seconds / self._calm_seconds) if self._calm_seconds else 1
            self._steady_since = self._clock()

    def _slow_down(self, pause_seconds: float) -> None:
        """The one that was refused was one too many; those beside it are what the service bears."""
        bears = max(1, self._active_count)
        self._most = bears if self._most is None else min(self._most, bears)
        self._steady_since = self._clock()
        self._rests_until = max(self._rests_until, self._clock() + pause_seconds)

    def _note_failure(self, turn: Turn, error: FlowUnavailable) -> None:
        was_out = self._is_out
        self._failures_count += 1
        self._failures_in_a_row += 1
        if self._is_out and (turn.is_probe or not was_out):
            rest = self._calm_seconds * min(2**self._failed_probes, LONGEST_REST) * random.uniform(0.75, 1.25)
            self._failed_probes += 1
            self._reason = str(error)
            self._tries_at = self._clock() + max(rest, error.retry_after_seconds or 0.0)

    def _rest_seconds(self) -> float:
        until = max(self._rests_until, self._tries_at) if self._is_out else self._rests_until
        return max(0.0, until - self._clock())

    def _nap_seconds(self) -> float:
        """Short, because an event that says stop wakes nobody here; shorter when a rest ends before."""
        return min(_LONGEST_NAP_SECONDS, self._rest_seconds() or _LONGEST_NAP_SECONDS)
