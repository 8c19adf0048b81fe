"""Hands calls to paired browsers, which ask for them, and collects the responses.

A thread of a source waits in `ask`; requests of the browser come by `poll`, `take` and `add_part`. Everything
is in memory: after a restart the threads of the runs ask again.

A worker of an extension may die at any moment. So a call that was handed out and not taken, or taken and then
silent, is handed out again under the same id. Calls only read, so doing one twice is harmless.
"""

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from webapp.errors import BadRequest, FlowUnavailable, WaitingForBrowser
from webapp.sources.flow_google.companion_transport import BrowserResponse

# A browser that runs asks every half minute at least.
PRESENCE_SECONDS = 75.0
HOLD_SECONDS = 2.0
MAX_HELD_POLLS = 2
IDLE_SECONDS = 30.0
# For so long after the last call a browser asks again at once, because the next call is near.
BUSY_SECONDS = 20.0
UNTAKEN_SECONDS = 10.0
SILENT_SECONDS = 60.0
CALL_SECONDS = 300.0
MAX_HANDED_OUT = 5
MAX_CALLS = 64
MAX_CALLS_PER_POLL = 8
MAX_PART_CHARACTERS = 2_000_000
MAX_PARTS = 1_000
_MAX_POLL_SECONDS = 0.1

ERRORS = ("signed_out", "no_tab", "offline", "too_large", "odd")
NOT_SERVED = (
    "This profile reads Flow through a browser, which asks the dashboard for work. Start the dashboard with "
    "“flowshelf”, and run this command again while it runs."
)
_NO_RESPONSE = "The browser took a call and returned nothing. Trying again is safe."


@dataclass(slots=True)
class Call:
    """One call on its way. `handed_at` and `heard_at` are None until it was handed out, and taken."""

    request: Mapping[str, object]
    max_bytes: int
    asked_at: float
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    handed_at: float | None = None
    heard_at: float | None = None
    handed_count: int = 0
    is_taken: bool = False
    parts: list[str] = field(default_factory=list)
    size: int = 0
    response: BrowserResponse | None = None

    def is_due(self, now: float) -> bool:
        """Whether it is to be handed out, for the first time or again."""
        if self.response or self.handed_count >= MAX_HANDED_OUT:
            return False
        if self.handed_at is None:
            return True
        if self.heard_at is None:
            return now - self.handed_at >= UNTAKEN_SECONDS
        return now - self.heard_at >= SILENT_SECONDS

    def hand_out(self, now: float) -> dict[str, object]:
        self.handed_at, self.heard_at = now, None
        self.handed_count += 1
        return {"id": self.id, **self.request}

    def is_lost(self, now: float) -> bool:
        """Whether no response is to be expected any more."""
        if now - self.asked_at >= CALL_SECONDS:
            return True
        heard_at = self.heard_at or self.handed_at or now
        return self.handed_count >= MAX_HANDED_OUT and now - heard_at >= SILENT_SECONDS


@dataclass(slots=True)
class Line:
    """The calls of one pairing, in the order of asking, and what its browser last said."""

    browser: str = ""
    calls: dict[str, Call] = field(default_factory=dict)
    seen_at: float = float("-inf")
    busy_at: float = float("-inf")
    is_paused: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a response as a browser sent it."""

    number: int
    is_last: bool
    status: int
    location: str | None
    body: str


class Relay:
    """The lines of all pairings. Any thread may call it. `clock` counts seconds.

    `is_served`: a dashboard runs in this process, so that browsers can ask for calls.
    """

    def __init__(self, stopping: threading.Event, clock: Callable[[], float] = time.monotonic) -> None:
        self.is_served = True
        self._stopping = stopping
        self._clock = clock
        # Guards all lines and calls; notified whenever a call was added, or a response completed.
        self._changed = threading.Condition()
        self._lines: dict[str, Line] = {}
        self._holding = threading.BoundedSemaphore(MAX_HELD_POLLS)

    # For the threads of sources

    def ask(
        self, pairing_id: str, request: Mapping[str, object], max_bytes: int, check: Callable[[], None]
    ) -> BrowserResponse:
        """Let a browser make a call, and wait for its response. `check` ends the wait by raising.

        Raises WaitingForBrowser as soon as the browser is not there, FlowUnavailable when it returns nothing.
        """
        call = Call(request, max_bytes, self._clock())
        with self._changed:
            self._require_present(pairing_id)
            line = self._lines[pairing_id]
            if len(line.calls) >= MAX_CALLS:
                raise FlowUnavailable("Too many calls wait for the browser already. Trying again is safe.")
            line.calls[call.id] = call
            self._changed.notify_all()
            try:
                while call.response is None:
                    check()
                    self._require_present(pairing_id)
                    if call.is_lost(self._clock()):
                        raise FlowUnavailable(_NO_RESPONSE)
                    self._changed.wait(_MAX_POLL_SECONDS)
                return call.response
            finally:
                line.calls.pop(call.id, None)
                line.busy_at = self._clock()

    def is_present(self, pairing_id: str) -> bool:
        """Whether the browser asks for calls at present."""
        with self._changed:
            line = self._lines.get(pairing_id)
            return line is not None and not line.is_paused and self._is_seen(line)

    def drop(self, pairing_id: str) -> None:
        """End a pairing: whoever waits for its browser gets WaitingForBrowser."""
        with self._changed:
            self._lines.pop(pairing_id, None)
            self._changed.notify_all()

    def _require_present(self, pairing_id: str) -> None:
        line = self._lines.get(pairing_id)
        name = line.browser if line else ""
        if line is None or not self._is_seen(line):
            raise WaitingForBrowser(away_sentence(name) if self.is_served else NOT_SERVED)
        if line.is_paused:
            raise WaitingForBrowser(
                f"The companion in the browser{_named(name)} is paused. Press its button and choose Resume; "
                "everything then goes on by itself."
            )

    def _is_seen(self, line: Line) -> bool:
        return self._clock() - line.seen_at < PRESENCE_SECONDS

    # For the requests of browsers

    def note_poll(self, pairing_id: str, *, browser: str, is_paused: bool) -> None:
        """Note that a browser is there."""
        with self._changed:
            line = self._lines.setdefault(pairing_id, Line())
            line.browser, line.is_paused, line.seen_at = browser, is_paused, self._clock()
            self._changed.notify_all()

    def poll(self, pairing_id: str, *, is_watched: bool) -> tuple[list[dict[str, object]], float]:
        """The calls for a browser, and in how many seconds it should ask again. Call `note_poll` before.

        Waits up to HOLD_SECONDS for a call while one is likely, but only for MAX_HELD_POLLS browsers at once:
        each occupies a thread of the server.
        """
        with self._changed:
            line = self._lines.get(pairing_id)
            if line is None or line.is_paused:
                return [], IDLE_SECONDS
            calls = self._due(line)
            is_busy = bool(calls) or self._is_busy(line)
        if calls:
            return calls, 0.0
        if not (is_watched or is_busy):
            return [], IDLE_SECONDS
        if not self._holding.acquire(blocking=False):
            return [], HOLD_SECONDS / 2
        try:
            return self._hold(line), 0.0
        finally:
            self._holding.release()

    def _hold(self, line: Line) -> list[dict[str, object]]:
        until = self._clock() + HOLD_SECONDS
        with self._changed:
            while not (calls := self._due(line)) and not self._stopping.is_set():
                left = until - self._clock()
                if left <= 0:
                    break
                self._changed.wait(min(left, _MAX_POLL_SECONDS * 5))
            line.seen_at = self._clock()
            return calls

    def _is_busy(self, line: Line) -> bool:
        return bool(line.calls) or self._clock() - line.busy_at < BUSY_SECONDS

    def _due(self, line: Line) -> list[dict[str, object]]:
        now = self._clock()
        due = [call for call in line.calls.values() if call.is_due(now)][:MAX_CALLS_PER_POLL]
        return [call.hand_out(now) for call in due]

    def take(self, pairing_id: str, call_id: str) -> bool:
        """Note that a browser begins with a call. False: nobody waits for it any more."""
        with self._changed:
            call = self._find(pairing_id, call_id)
            if call is None or call.handed_at is None:
                return False
            call.is_taken, call.heard_at = True, self._clock()
            # Whoever takes a call reads Flow anew, and parts of two responses must not be mixed.
            call.parts, call.size = [], 0
            return True

    def add_part(self, pairing_id: str, call_id: str, part: Part) -> bool:
        """Add a part of a response, unless it is here already. False: the browser may drop the call.

        Raises BadRequest for a part that is too long.
        """
        if len(part.body) > MAX_PART_CHARACTERS:
            raise BadRequest(f"A part has at most {MAX_PART_CHARACTERS:,} characters.")
        with self._changed:
            call = self._find(pairing_id, call_id)
            if call is None or not call.is_taken or part.number > len(call.parts):
                return False
            call.heard_at = self._clock()
            if part.number < len(call.parts):
                return True
            call.parts.append(part.body)
            call.size += len(part.body)  # at least as many bytes as characters
            if call.size > call.max_bytes or len(call.parts) > MAX_PARTS:
                self._finish(call, BrowserResponse(error="too_large"))
                return False
            if part.is_last:
                self._finish(call, BrowserResponse(part.status, part.location, "".join(call.parts)))
            return True

    def fail(self, pairing_id: str, call_id: str, error: str) -> bool:
        """Note why a browser has no response. False: nobody waits for it any more."""
        with self._changed:
            call = self._find(pairing_id, call_id)
            if call is None or not call.is_taken:
                return False
            self._finish(call, BrowserResponse(error=error if error in ERRORS else "odd"))
            return True

    def _find(self, pairing_id: str, call_id: str) -> Call | None:
        """A call that is not over. Its browser is there."""
        line = self._lines.get(pairing_id)
        if line is None:
            return None
        line.seen_at = self._clock()
        call = line.calls.get(call_id)
        return call if call and call.response is None else None

    def _finish(self, call: Call, response: BrowserResponse) -> None:
        call.response, call.parts = response, []
        self._changed.notify_all()


def away_sentence(browser: str) -> str:
    """Why a run waits whose browser is not there."""
    return (
        f"Waiting for the browser{_named(browser)}. Open it, with its companion switched on; everything then "
        "goes on by itself."
    )


def _named(browser: str) -> str:
    return f" ({browser})" if browser else ""
