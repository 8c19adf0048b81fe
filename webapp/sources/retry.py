"""How patiently one profile asks: tries again what may pass, in the mood that all its threads share."""

import random
import threading
import time
from collections.abc import Callable
from itertools import chain, islice, repeat
from typing import TypeVar

from webapp.errors import BadPicture, FlowUnavailable, ProjectFailed, SlowDown, SourceClosed, UnusualActivity
from webapp.sources.page_budget import PageBudget
from webapp.sources.throttle import Cooldown, Permit, Stopped, Throttle

__all__ = ["Cooldown", "RetryPolicy", "Stopped", "jittered"]

T = TypeVar("T")

# A calm while, in pauses of the longest kind: half a minute where that is eight seconds.
_RECOVERY_PAUSES = 4


class RetryPolicy:
    """`pauses_seconds` are the pauses between the tries of one call: one try more than pauses.

    `page_delay_seconds` is the time between two history pages. `on_rest` is told when the service wants
    an hour's rest, by the thread that was told so, and with None once it has answered again.
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
        """What `function` returns, asked again when its failure may pass; the last failure is raised.

        A call about no single image but the service itself need not give up: when that does not answer,
        it is asked again from time to time until it does. `gives_up` may also tell by the failure. Raises
        Stopped as soon as `stopping` is set while it waits.
        """
        may_give_up = bounded if callable(bounded) else lambda error: bounded
        pauses = self._pauses if max_tries is None else islice(self._pauses, max_tries - 1)
        for pause in chain(map(jittered, pauses), repeat(None)):
            permit = self._throttle.begin(stopping)
            try:
                response = function()
            except BaseException as error:
                seconds = _requested_or(error, jittered(self._recovery_seconds) if pause is None else pause)
                self._throttle.end(permit, error, seconds)
                self._note(error)
                if self._is_final(error, permit, is_last=pause is None, bounded=may_give_up(error)):
                    raise
                if not permit.is_probe:
                    self._throttle.wait(seconds, stopping)
            else:
                self._throttle.end(permit)
                self._note(None)
                return response
        raise AssertionError("the loop has no end")

    def wait_for_page(self, stopping: threading.Event) -> None:
        """Wait until the next history page may be asked for. Raises Stopped as soon as `stopping` is set."""
        self._pages.take(stopping)

    def cool_down(self, seconds: float, reason: str) -> None:
        """Ask nothing for so long, as an earlier process was told."""
        self._is_cooling_down = True
        self._throttle.cool_down(seconds, reason)

    def note_cooldown(self, error: UnusualActivity) -> None:
        """The service wants a rest, as it said to a call that was not made here."""
        self._note(error)
        self.cool_down(error.retry_after_seconds or 0.0, str(error))

    def _note(self, error: BaseException | None) -> None:
        if isinstance(error, SlowDown):
            self._pages.drain()
        if isinstance(error, UnusualActivity):
            self._is_cooling_down = True
            self._on_cooldown(error)
        elif error is None and self._is_cooling_down and not self._throttle.is_cooldown_requested:
            # A call that had begun before the rest proves nothing about it.
            self._is_cooling_down = False
            self._on_cooldown(None)

    def cooldown(self) -> Cooldown | None:
        """Whether the profile rests, for how long, and why."""
        return self._throttle.cooldown()

    def close(self) -> None:
        """Nobody waits any more, because the source was closed."""
        self._throttle.close()

    def _is_final(self, error: BaseException, permit: Permit, *, is_last: bool, bounded: bool) -> bool:
        if isinstance(error, BadPicture | ProjectFailed):
            return is_last
        if isinstance(error, UnusualActivity):
            return bounded
        if not isinstance(error, FlowUnavailable) or isinstance(error, SourceClosed):
            return True
        # A profile without pauses has no patience at all.
        return (is_last or permit.is_probe) and (bounded or not self._pauses)


def _requested_or(error: BaseException, pause: float) -> float:
    """What the service asked for, else the pause that is due."""
    asked = getattr(error, "retry_after_seconds", None)
    return asked if asked is not None else pause


def jittered(seconds: float) -> float:
    """`seconds`, up to a quarter more or less, so that many who wait do not come back together."""
    return seconds * random.uniform(0.75, 1.25)
