"""Decides whether a call is made again, and when."""

import random
import threading
import time
from collections.abc import Callable
from itertools import chain, islice, repeat
from typing import TypeVar

from webapp.errors import FlowshelfError, FlowUnavailable, Scope, SlowDown, UnusualActivity
from webapp.sources.page_budget import PageBudget
from webapp.sources.throttle import Cooldown, Permit, Stopped, Throttle

__all__ = ["Cooldown", "RetryPolicy", "Stopped", "jittered"]

T = TypeVar("T")

# The throttle's `recovery_seconds`, in multiples of the longest pause: half a minute for eight seconds.
_RECOVERY_PAUSES = 4


class RetryPolicy:
    """How one profile calls its service. All threads that work for the profile share one policy.

    `pauses_seconds` are the pauses between the tries of one call, so a call is tried once more than there
    are pauses. `page_delay_seconds` is the time between two history pages. `on_cooldown` is called with
    the error when Google demands a cooldown, in the thread whose call failed, and with None once a call has
    succeeded again. `clock` counts seconds.
    """

    def __init__(
        self,
        pauses_seconds: tuple[float, ...],
        clock: Callable[[], float] = time.monotonic,
        *,
        page_delay_seconds: float = 0.0,
        on_cooldown: Callable[[UnusualActivity | None], None] = lambda error: None,
    ) -> None:
        self._pauses = pauses_seconds
        self._recovery_seconds = _RECOVERY_PAUSES * max(pauses_seconds, default=0.0)
        self._throttle = Throttle(self._recovery_seconds, clock)
        self._pages = PageBudget(page_delay_seconds, clock)
        self._on_cooldown = on_cooldown
        self._is_cooling_down = False

    def call(
        self,
        function: Callable[[], T],
        stopping: threading.Event,
        *,
        bounded: bool | Callable[[BaseException], bool] = True,
        max_tries: int | None = None,
    ) -> T:
        """Return the result of `function`, calling it again after transient failures.

        A bounded call gives up after its tries and raises the last failure. An unbounded one (such as that of
        a history page) is repeated until the service responds. `bounded` may be a function that decides by
        the failure. Raises what `function` raises, and Stopped as soon as `stopping` is set
        during a wait.
        """
        is_bounded = bounded if callable(bounded) else lambda error: bounded
        pauses = self._pauses if max_tries is None else islice(self._pauses, max_tries - 1)
        # None marks the last try of a bounded call; an unbounded one receives it again and again.
        for pause in chain(map(jittered, pauses), repeat(None)):
            permit = self._throttle.begin(stopping)
            try:
                response = function()
            except BaseException as error:
                seconds = _requested_or(error, jittered(self._recovery_seconds) if pause is None else pause)
                # Whatever was raised, the permit is given back: a lost one would block other threads.
                self._throttle.end(permit, error, seconds)
                self._note(error)
                if self._is_final(error, permit, is_last=pause is None, bounded=is_bounded(error)):
                    raise
                if not permit.is_probe:  # the throttle itself makes probes wait
                    self._throttle.wait(seconds, stopping)
            else:
                self._throttle.end(permit)
                self._note(None)
                return response
        raise AssertionError("the loop has no end")

    def set_page_delay(self, seconds: float) -> None:
        """Change the time between two history pages, also for a walk that is under way."""
        self._pages.refill_seconds = seconds

    def wait_for_page(self, stopping: threading.Event) -> None:
        """Wait until the next history page may be requested. Raises Stopped as soon as `stopping` is set."""
        self._pages.take(stopping)

    def cool_down(self, seconds: float, reason: str) -> None:
        """Make no call for `seconds`: the remainder of a cooldown that began in an earlier process."""
        self._is_cooling_down = True
        self._throttle.cool_down(seconds, reason)

    def note_cooldown(self, error: UnusualActivity) -> None:
        """Start the cooldown that Google demanded in a call made outside this policy."""
        self._note(error)
        self.cool_down(error.retry_after_seconds or 0.0, str(error))

    def cooldown(self) -> Cooldown | None:
        """The profile's present cooldown; None when calls may be made."""
        return self._throttle.cooldown()

    def close(self) -> None:
        """Let every waiting thread go on at once, because the source was closed."""
        self._throttle.close()

    def _note(self, error: BaseException | None) -> None:
        if isinstance(error, SlowDown):
            self._pages.drain()
        if isinstance(error, UnusualActivity):
            self._is_cooling_down = True
            self._on_cooldown(error)
        elif error is None and self._is_cooling_down and not self._throttle.is_cooldown_requested:
            # Only after the cooldown: a success before may be that of a call that began before it.
            self._is_cooling_down = False
            self._on_cooldown(None)

    def _is_final(self, error: BaseException, permit: Permit, *, is_last: bool, bounded: bool) -> bool:
        """Whether the failure is raised to the caller instead of being retried."""
        if not isinstance(error, FlowshelfError) or not error.is_transient:
            return True
        if isinstance(error, UnusualActivity):
            return bounded
        if error.scope is not Scope.SERVICE:
            # One picture or project fails while the service works: the tries are limited even if unbounded.
            return is_last
        # A failed probe ends a bounded call, so that the next probe is made by another call. With no pauses
        # configured an unbounded call is bounded too: it would retry without end and without waiting.
        return (is_last or permit.is_probe) and (bounded or not self._pauses)


def _requested_or(error: BaseException, pause: float) -> float:
    """The pause in seconds that the service asked for, else `pause`."""
    requested = error.retry_after_seconds if isinstance(error, FlowUnavailable) else None
    return pause if requested is None else requested


def jittered(seconds: float) -> float:
    """`seconds` changed at random by up to a quarter, so that clients do not retry in step."""
    return seconds * random.uniform(0.75, 1.25)
