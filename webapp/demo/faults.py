"""Faults for the next requests, and gates that hold requests back."""

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from webapp.demo.journal import Request
from webapp.demo.responses import Response


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one request. The fields can be combined.

    response: sent in place of the true one.
    cut_at: the connection closes after this many bytes of the body.
    drop: the connection closes without a response.
    seconds: the delay before the request is handled.
    first_page: a history call ignores its cursor.
    """

    response: Response | None = None
    cut_at: int | None = None
    drop: bool = False
    seconds: float = 0.0
    first_page: bool = False


NO_FAULT = Fault()


def no_fault(request: Request) -> Fault:
    return NO_FAULT


class Gate:
    """Holds requests, from the `at`-th on, until it is released. `reached` is set when one waits."""

    def __init__(self, at: int) -> None:
        self.reached = threading.Event()
        self._released = threading.Event()
        self._lock = threading.Lock()
        self._at, self._arrived = at, 0

    def release(self) -> None:
        """Let all waiting and all later requests pass. Idempotent."""
        self._released.set()

    def pass_through(self) -> None:
        """Count a request, and wait if it is to be held."""
        with self._lock:
            self._arrived += 1
            held = self._arrived >= self._at
        # Outside the lock: others must be able to arrive while this one waits.
        if held and not self._released.is_set():
            self.reached.set()
            self._released.wait()


class Faults:
    """The queued faults, gates and limits of each kind of request. Any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queued: dict[str, deque[Fault]] = defaultdict(deque)
        self._gates: dict[str, list[Gate]] = defaultdict(list)
        self._limits: dict[str, tuple[int, Response]] = {}
        self._choose: Callable[[Request], Fault] = no_fault

    def add(self, kind: str, fault: Fault, count: int) -> None:
        """Queue a fault for each of the next `count` requests of a kind that have none yet."""
        with self._lock:
            self._queued[kind].extend([fault] * count)

    def take(self, request: Request) -> Fault:
        """Take the fault of a request that has just arrived."""
        with self._lock:
            queued = self._queued[request.kind]
            # Under the lock, because `choose` need not be thread-safe.
            return queued.popleft() if queued else self._choose(request)

    def leave_to(self, choose: Callable[[Request], Fault]) -> None:
        """Ask `choose` for the fault of each request for which none is queued."""
        with self._lock:
            self._choose = choose

    def limit(self, kind: str, max_active: int, response: Response) -> None:
        """Refuse requests of a kind with `response` while more than `max_active` are active."""
        with self._lock:
            self._limits[kind] = max_active, response

    def above_limit(self, kind: str, active: int) -> Response | None:
        """Return the refusal of a request that is one of `active`, if that is above the limit."""
        with self._lock:
            max_active, response = self._limits.get(kind, (active, None))
        return response if active > max_active else None

    @contextmanager
    def holding(self, kind: str, at: int) -> Iterator[Gate]:
        """Hold requests of a kind, from the `at`-th on, until the gate is released or the block ends."""
        gate = Gate(at)
        with self._lock:
            self._gates[kind].append(gate)
        try:
            yield gate
        finally:
            gate.release()
            with self._lock:
                self._gates[kind].remove(gate)

    def pass_gates(self, kind: str) -> None:
        """Wait at every gate of a kind."""
        with self._lock:
            gates = list(self._gates[kind])
        for gate in gates:  # without the lock, or `open_gates` could not reach a gate that holds
            gate.pass_through()

    def open_gates(self) -> None:
        """Release every gate."""
        with self._lock:
            gates = [gate for of_kind in self._gates.values() for gate in of_kind]
        for gate in gates:
            gate.release()

    def clear(self) -> None:
        """Remove all faults and limits, and release every gate."""
        self.open_gates()
        with self._lock:
            self._queued.clear()
            self._limits.clear()
            self._choose = no_fault
