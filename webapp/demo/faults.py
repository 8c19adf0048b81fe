"""What shall go wrong with the next requests, in the order in which it was asked for."""

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from webapp.demo.journal import Request
from webapp.demo.labs.payloads import Response


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one request; the fields may be combined.

    `answer` comes in place of the true one, `cut_at` is where its body ends, `drop` sends nothing
    at all, `seconds` passes before anything happens, `first_page` makes history forget the cursor.
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
    """Holds requests until it is opened. `reached` is set as soon as one waits."""

    def __init__(self, at: int) -> None:
        self.reached = threading.Event()
        self._released = threading.Event()
        self._lock = threading.Lock()
        self._at, self._arrived = at, 0

    def release(self) -> None:
        """All that wait go on, and later ones pass. Idempotent."""
        self._released.set()

    def pass_through(self) -> None:
        with self._lock:
            self._arrived += 1
            held = self._arrived >= self._at
        if held and not self._released.is_set():
            self.reached.set()
            self._released.wait()


class Faults:
    """The faults to come and the gates that stand, by kind of request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._coming: dict[str, deque[Fault]] = defaultdict(deque)
        self._gates: dict[str, list[Gate]] = defaultdict(list)
        self._limits: dict[str, tuple[int, Response]] = {}
        self._choose: Callable[[Request], Fault] = no_fault

    def add(self, kind: str, fault: Fault, count: int) -> None:
        with self._lock:
            self._coming[kind].extend([fault] * count)

    def take(self, request: Request) -> Fault:
        """The fault of the request that has just arrived."""
        with self._lock:
            coming = self._coming[request.kind]
            return coming.popleft() if coming else self._choose(request)

    def leave_to(self, choose: Callable[[Request], Fault]) -> None:
        with self._lock:
            self._choose = choose

    def limit(self, kind: str, most: int, response: Response) -> None:
        with self._lock:
            self._limits[kind] = most, response

    def above_limit(self, kind: str, active: int) -> Response | None:
        """The refusal that a request gets when too many are under way."""
        with self._lock:
            most, response = self._limits.get(kind, (active, None))
        return response if active > most else None

    @contextmanager
    def holding(self, kind: str, at: int) -> Iterator[Gate]:
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
        with self._lock:
            gates = list(self._gates[kind])
        for gate in gates:
            gate.pass_through()

    def open_gates(self) -> None:
        with self._lock:
            gates = [gate for standing in self._gates.values() for gate in standing]
        for gate in gates:
            gate.release()

    def clear(self) -> None:
        self.open_gates()
        with self._lock:
            self._coming.clear()
            self._limits.clear()
            self._choose = no_fault
