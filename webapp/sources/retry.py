"""How patiently one profile asks: tries again what may pass, in the mood that all its threads share."""

import random
import threading
import time
from collections.abc import Callable
from itertools import chain, islice, repeat
from typing import TypeVar

from webapp.errors import BadPicture, FlowUnavailable, ProjectFailed, SlowDown, SourceClosed, UnusualActivity
from webapp.sources.page_budget import PageBudget
from webapp.sources.throttle import Mood, Rest, Stopped, Turn

__all__ = ["Pace", "Rest", "Stopped", "jittered"]

T = TypeVar("T")

# A calm while, in pauses of the longest kind: half a minute where that is eight seconds.
_CALM_PAUSES = 4


class Pace:
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
        on_rest: Callable[[UnusualActivity | None], None] = lambda error: None,
    ) -> None:
        self._pauses = pauses_seconds
        self._calm_seconds = _CALM_PAUSES * max(pauses_seconds, default=0.0)
        self._mood = Mood(self._calm_seconds, clock)
        self._pages = PageBudget(page_delay_seconds, clock)
        self._on_rest = on_rest
        self._is_resting = False

    def tried(
        self,
        call: Callable[[], T],
        stopping: threading.Event,
        *,
        gives_up: bool | Callable[[BaseException], bool] = True,
        max_tries: int | None = None,
    ) -> T:
        """What `call` returns, asked again when its failure may pass; the last failure is raised.

        A call about no single image but the service itself need not give up: when that does not answer,
        it is asked again from time to time until it does. `gives_up` may also tell by the failure. Raises
        Stopped as soon as `stopping` is set while it waits.
        """
        may_give_up = gives_up if callable(gives_up) else lambda error: gives_up
        pauses = self._pauses if max_tries is None else islice(self._pauses, max_tries - 1)
        for pause in chain(map(jittered, pauses), repeat(None)):
            turn = self._mood.begin(stopping)
            try:
                answer = call()
            except BaseException as error:
                seconds = _asked(error, jittered(self._calm_seconds) if pause is None else pause)
                self._mood.end(turn, error, seconds)
                self._note(error)
                if self._is_final(error, turn, is_last=pause is None, gives_up=may_give_up(error)):
                    raise
                if not turn.is_probe:
                    self._mood.wait(seconds, stopping)
            else:
                self._mood.end(turn)
                self._note(None)
                return answer
        raise AssertionError("the loop has no end")

    def wait_for_page(self, stopping: threading.Event) -> None:
        """Wait until the next history page may be asked for. Raises Stopped as soon as `stopping` is set."""
        self._pages.take(stopping)

    def rest_for(self, seconds: float, reason: str) -> None:
        """Ask nothing for so long, as an earlier process was told."""
        self._is_resting = True
        self._mood.rest_for(seconds, reason)

    def note_rest(self, error: UnusualActivity) -> None:
        """The service wants a rest, as it said to a call that was not made here."""
        self._note(error)
        self.rest_for(error.retry_after_seconds or 0.0, str(error))

    def _note(self, error: BaseException | None) -> None:
        if isinstance(error, SlowDown):
            self._pages.drain()
        if isinstance(error, UnusualActivity):
            self._is_resting = True
            self._on_rest(error)
        elif error is None and self._is_resting and not self._mood.is_rest_wanted:
            # A call that had begun before the rest proves nothing about it.
            self._is_resting = False
            self._on_rest(None)

    def rest(self) -> Rest | None:
        """Whether the profile rests, for how long, and why."""
        return self._mood.rest()

    def close(self) -> None:
        """Nobody waits any more, because the source was closed."""
        self._mood.close()

    def _is_final(self, error: BaseException, turn: Turn, *, is_last: bool, gives_up: bool) -> bool:
        if isinstance(error, BadPicture | ProjectFailed):
            return is_last
        if isinstance(error, UnusualActivity):
            return gives_up
        if not isinstance(error, FlowUnavailable) or isinstance(error, SourceClosed):
            return True
        # A profile without pauses has no patience at all.
        return (is_last or turn.is_probe) and (gives_up or not self._pauses)


def _asked(error: BaseException, pause: float) -> float:
    """What the service asked for, else the pause that is due."""
    asked = getattr(error, "retry_after_seconds", None)
    return asked if asked is not None else pause


def jittered(seconds: float) -> float:
    """`seconds`, up to a quarter more or less, so that many who wait do not come back together."""
    return seconds * random.uniform(0.75, 1.25)
