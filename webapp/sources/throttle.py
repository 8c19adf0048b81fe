"""Limits the requests of one profile: adaptive concurrency limit, pauses on request, circuit breaker."""

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from webapp.errors import FlowUnavailable, Scope, SlowDown, UnusualActivity, scope_of

# Failures of the service in a row, without a response between them, that open the circuit.
FAILURES_UNTIL_OPEN = 5
# The longest pause between two probes, in multiples of `recovery_seconds`.
MAX_BACKOFF = 4
_MAX_POLL_SECONDS = 0.2


class Stopped(Exception):
    """The work was told to stop while it waited. Not a failure."""


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to make one request.

    `is_probe`: the circuit is open, and this request finds out whether the service is back.
    `failures_before` is the number of failures counted when the request began.
    """

    is_probe: bool
    failures_before: int


@dataclass(frozen=True, slots=True)
class Cooldown:
    """A period in which the profile makes no requests.

    `seconds` are left until the next one. `reason` is the failure that led to it, None for a short pause that
    the service asked for. `is_requested`: Google demanded the cooldown; otherwise a reason means that
    the circuit is open.
    """

    seconds: float
    reason: str | None = None
    is_requested: bool = False


class Throttle:
    """Limits one profile's concurrent requests. All threads that work for the profile share one throttle.

    After SlowDown: pause, cap concurrency at what was in flight, then raise the cap by one after every
    `recovery_seconds` without SlowDown.

    After `FAILURES_UNTIL_OPEN` failures of the service in a row the circuit opens: no requests for about
    `recovery_seconds`, then a single probe. While probes fail, the wait doubles up to `MAX_BACKOFF` times
    `recovery_seconds`. Any response closes the circuit.

    Permits are granted in the order of the calls to `begin`. `clock` counts seconds.
    """

    def __init__(self, recovery_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._recovery_seconds = recovery_seconds
        self._clock = clock
        # Guards every field below; notified whenever a waiting thread may have become able to start.
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
        self._open_reason = ""
        self._is_closed = False

    def begin(self, stopping: threading.Event) -> Permit:
        """Wait for a permit, to be given back with `end`. Raises Stopped as soon as `stopping` is set."""
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
                # Whether it started or stopped, this thread leaves the queue: the next one may start now.
                self._queue.remove(ticket)
                self._changed.notify_all()

    def end(self, permit: Permit, error: BaseException | None = None, pause_seconds: float = 0.0) -> None:
        """Give a permit back, with the `error` in which the request ended.

        `pause_seconds` is how long the whole profile pauses if the error is SlowDown.
        """
        with self._changed:
            self._active_count -= 1
            if isinstance(error, UnusualActivity):
                self.cool_down(error.retry_after_seconds or 0.0, str(error))
                return
            if isinstance(error, SlowDown):
                self._slow_down(pause_seconds)
            if isinstance(error, FlowUnavailable) and error.scope is Scope.SERVICE:
                # Requests that were in flight together, or shared one failure, count as one failure of the
                # service: only the first to end finds the count as it was when it began.
                if permit.failures_before == self._failures_count:
                    self._note_failure(permit, error)
            elif error is None or scope_of(error) is not Scope.CONNECTION:
                # The service responded, even if with an error. A connection that we closed proves nothing.
                self._failures_in_a_row = self._failed_probes = 0
            self._changed.notify_all()

    def cool_down(self, seconds: float, reason: str) -> None:
        """Make no request for `seconds`. Does not count as a failure of the service."""
        with self._changed:
            self._cooldown_until = max(self._cooldown_until, self._clock() + seconds)
            self._cooldown_reason = reason
            self._changed.notify_all()

    def wait(self, seconds: float, stopping: threading.Event) -> None:
        """Pause the calling thread only. Returns early on `close`; raises Stopped once `stopping` is set."""
        until = time.monotonic() + seconds
        with self._changed:
            while not self._is_closed and (left := until - time.monotonic()) > 0:
                if stopping.is_set():
                    raise Stopped
                self._changed.wait(min(left, _MAX_POLL_SECONDS))

    def close(self) -> None:
        """Let every waiting thread go on at once: its request fails with SourceClosed."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def cooldown(self) -> Cooldown | None:
        """The present cooldown; None when requests may be made."""
        with self._changed:
            seconds = self._cooldown_seconds()
            if self._cooldown_reason and seconds:
                return Cooldown(seconds, self._cooldown_reason, is_requested=True)
            if self._is_open:
                return Cooldown(seconds, self._open_reason)
            return Cooldown(seconds) if seconds else None

    @property
    def is_cooldown_requested(self) -> bool:
        """Whether a cooldown that Google demanded is still running."""
        cooldown = self.cooldown()
        return cooldown is not None and cooldown.is_requested

    # All that follows is called with the lock held.

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
        """Pause, and cap concurrency at the requests still in flight, which the service accepted."""
        in_flight_count = max(1, self._active_count)
        self._limit = in_flight_count if self._limit is None else min(self._limit, in_flight_count)
        self._quiet_since = self._clock()
        self._cooldown_until = max(self._cooldown_until, self._clock() + pause_seconds)

    def _note_failure(self, permit: Permit, error: FlowUnavailable) -> None:
        """Count a failure of the service. Opens the circuit, or plans the next probe if one has failed.

        A request that began before the circuit opened and fails afterwards plans nothing.
        """
        was_open = self._is_open
        self._failures_count += 1
        self._failures_in_a_row += 1
        if self._is_open and (permit.is_probe or not was_open):
            backoff = min(2**self._failed_probes, MAX_BACKOFF)
            seconds = self._recovery_seconds * backoff * random.uniform(0.75, 1.25)
            self._failed_probes += 1
            self._open_reason = str(error)
            self._next_probe_at = self._clock() + max(seconds, error.retry_after_seconds or 0.0)

    def _cooldown_seconds(self) -> float:
        until = max(self._cooldown_until, self._next_probe_at) if self._is_open else self._cooldown_until
        return max(0.0, until - self._clock())

    def _poll_seconds(self) -> float:
        """How long to wait for a notification: short, because setting a `stopping` event sends none, and no
        longer than the cooldown lasts."""
        return min(_MAX_POLL_SECONDS, self._cooldown_seconds() or _MAX_POLL_SECONDS)
