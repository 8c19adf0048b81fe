"""When a profile may ask its service, and how many of its threads at once: one mood for all of them."""

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from webapp.errors import FlowUnavailable, SlowDown, SourceClosed, UnusualActivity

# In a row, without any answer in between.
FAILURES_UNTIL_OPEN = 5
# In calm whiles: the service is back for that long at most before it is noticed.
MAX_BACKOFF = 4
_MAX_POLL_SECONDS = 0.2


class Stopped(Exception):
    """The work was told to stop while it waited; nothing is known to be wrong."""


@dataclass(frozen=True, slots=True)
class Permit:
    """`is_probe`: it finds out whether the service is back. `failures_before` were counted when it began."""

    is_probe: bool
    failures_before: int


@dataclass(frozen=True, slots=True)
class Cooldown:
    """Why nobody asks at the moment: `reason` is what failed again and again, None when the service only
    asked for a pause. `seconds` are those until the next try. `is_wanted`: the service wants the rest."""

    seconds: float
    reason: str | None = None
    is_requested: bool = False


class Throttle:
    """Threads stand in line, so that each comes to its turn and a rest is ended by one after the other.

    Asked to slow down, the profile rests, and from then on as many ask at once as the service bore at
    that moment, and after each `calm_seconds` without another word of it one more.

    When it does not answer again and again, the profile rests for about `calm_seconds`, then twice and
    four times as long; after each rest one request finds out whether it is back.
    """

    def __init__(self, recovery_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._recovery_seconds = recovery_seconds
        self._clock = clock
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()
        self._active_count = 0
        self._limit: int | None = None
        self._quiet_since = 0.0
        self._cooldown_until = 0.0
        self._cooldown_reason = ""
        self._failures_count = 0
        self._failures_in_a_row = 0
        self._failed_probes = 0
        self._next_probe_at = 0.0
        self._reason = ""
        self._is_closed = False

    def begin(self, stopping: threading.Event) -> Permit:
        """Wait for a turn, which `end` gives back. Raises Stopped as soon as `stopping` is set."""
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            try:
                while not stopping.is_set() and not self._may_start(ticket):
                    self._changed.wait(self._poll_seconds())
                if stopping.is_set():
                    raise Stopped
                self._active_count += 1
                return Permit(self._is_open, self._failures_count)
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()

    def end(self, permit: Permit, error: BaseException | None = None, pause_seconds: float = 0.0) -> None:
        """What became of a turn. `pause_seconds` is how long the profile rests if it is to slow down."""
        with self._changed:
            self._active_count -= 1
            if isinstance(error, UnusualActivity):
                return self.cool_down(error.retry_after_seconds or 0.0, str(error))
            if isinstance(error, SlowDown):
                self._slow_down(pause_seconds)
            if not isinstance(error, FlowUnavailable):
                self._failures_in_a_row = self._failed_probes = 0
            # Threads that failed side by side, or shared one failure, met one failure of the service.
            elif not isinstance(error, SourceClosed) and permit.failures_before == self._failures_count:
                self._note_failure(permit, error)
            self._changed.notify_all()

    def cool_down(self, seconds: float, reason: str) -> None:
        """Ask nothing for so long, whatever else happens; that is no failure of the service."""
        with self._changed:
            self._cooldown_until = max(self._cooldown_until, self._clock() + seconds)
            self._cooldown_reason = reason
            self._changed.notify_all()

    def wait(self, seconds: float, stopping: threading.Event) -> None:
        """One thread's own pause. Raises Stopped as soon as `stopping` is set."""
        until = time.monotonic() + seconds
        with self._changed:
            while not self._is_closed and (left := until - time.monotonic()) > 0:
                if stopping.is_set():
                    raise Stopped
                self._changed.wait(min(left, _MAX_POLL_SECONDS))

    def close(self) -> None:
        """Nobody waits any more, because what is asked is closed as well."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def cooldown(self) -> Cooldown | None:
        """Whether the profile rests, for how long, and why."""
        with self._changed:
            seconds = self._cooldown_seconds()
            if self._cooldown_reason and seconds:
                return Cooldown(seconds, self._cooldown_reason, is_requested=True)
            if self._is_open:
                return Cooldown(seconds, self._reason)
            return Cooldown(seconds) if seconds else None

    @property
    def is_cooldown_requested(self) -> bool:
        """Whether the service wants to be left alone at the moment."""
        cooldown = self.cooldown()
        return cooldown is not None and cooldown.is_requested

    @property
    def _is_open(self) -> bool:
        return self._failures_in_a_row >= FAILURES_UNTIL_OPEN

    def _may_start(self, ticket: object) -> bool:
        return self._is_closed or (self._queue[0] is ticket and self._has_free_permit())

    def _has_free_permit(self) -> bool:
        if self._cooldown_seconds() > 0:
            return False
        self._cooldown_reason = ""
        if self._is_open:
            return self._active_count == 0
        self._raise_limit()
        return self._limit is None or self._active_count < self._limit

    def _raise_limit(self) -> None:
        quiet_seconds = self._clock() - self._quiet_since
        if self._limit is not None and quiet_seconds >= self._recovery_seconds:
            self._limit += int(quiet_seconds / self._recovery_seconds) if self._recovery_seconds else 1
            self._quiet_since = self._clock()

    def _slow_down(self, pause_seconds: float) -> None:
        """The one that was refused was one too many; those beside it are what the service bears."""
        in_flight_count = max(1, self._active_count)
        self._limit = in_flight_count if self._limit is None else min(self._limit, in_flight_count)
        self._quiet_since = self._clock()
        self._cooldown_until = max(self._cooldown_until, self._clock() + pause_seconds)

    def _note_failure(self, permit: Permit, error: FlowUnavailable) -> None:
        was_out = self._is_open
        self._failures_count += 1
        self._failures_in_a_row += 1
        if self._is_open and (permit.is_probe or not was_out):
            cooldown = (
                self._recovery_seconds * min(2**self._failed_probes, MAX_BACKOFF) * random.uniform(0.75, 1.25)
            )
            self._failed_probes += 1
            self._reason = str(error)
            self._next_probe_at = self._clock() + max(cooldown, error.retry_after_seconds or 0.0)

    def _cooldown_seconds(self) -> float:
        until = max(self._cooldown_until, self._next_probe_at) if self._is_open else self._cooldown_until
        return max(0.0, until - self._clock())

    def _poll_seconds(self) -> float:
        """Short, because an event that says stop wakes nobody here; shorter when a rest ends before."""
        return min(_MAX_POLL_SECONDS, self._cooldown_seconds() or _MAX_POLL_SECONDS)
