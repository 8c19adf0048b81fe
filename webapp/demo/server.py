"""The simulated Flow on a real socket, with verbs that make it fail."""

import json
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace

from webapp.demo.faults import Fault, Faults, Gate
from webapp.demo.flow_google import frames as flow_google_wire
from webapp.demo.flow_google.service import CALL_KINDS, breach_of
from webapp.demo.journal import Journal, Request
from webapp.demo.labs import payloads as wire
from webapp.demo.labs.payloads import Response
from webapp.demo.service import Service, leak_of
from webapp.demo.sockets import Delivery, SocketServer
from webapp.demo.world import World

Latency = float | Mapping[str, float]


class FlowServer:
    """Labs, media service, flow.google.com and picture storage of the simulated Flow under one address.

    Faults meet the next requests of their kind in the order in which they were asked for. A held
    or slow request is answered as the world is when it goes on. `latency_seconds` is one number,
    or one per kind. Stopped, it can be started again and keeps its port.
    """

    def __init__(
        self,
        world: World,
        port: int = 0,
        latency_seconds: Latency = 0.0,
        *,
        host: str = "127.0.0.1",
    ) -> None:
        self.world = world
        self.latency_seconds = latency_seconds
        self._address = host, port
        self._journal, self._faults = Journal(), Faults()
        self.service = Service([world])
        self._stopping = threading.Event()
        self._http: SocketServer | None = None

    def __enter__(self) -> "FlowServer":
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> "FlowServer":
        if self._http is None:
            self._stopping.clear()
            self._http = SocketServer(self._address, self._respond)
            self._address = self._http.server_address[:2]
            self.service.base_url = self.service.google.base_url = self.url
            loop = {"poll_interval": 0.01}
            threading.Thread(target=self._http.serve_forever, kwargs=loop, name="flow", daemon=True).start()
        return self

    def stop(self) -> None:
        """Let go of everything that waits, and of all connections."""
        self._stopping.set()
        self._faults.open_gates()
        http, self._http = self._http, None
        if http is not None:
            http.close()

    @property
    def url(self) -> str:
        return f"http://{self.picture_host}"

    @property
    def picture_host(self) -> str:
        return "{}:{}".format(*self._address)

    def add_world(self, world: World) -> None:
        """Another account at the same Flow."""
        self.service.worlds.append(world)

    @property
    def log(self) -> list[Request]:
        return self._journal.requests()

    @property
    def violations(self) -> list[str]:
        """What no client may do, and failures of the simulation itself."""
        return self._journal.violations()

    def asked(self, kind: str, **query: str) -> list[Request]:
        """Requests of a kind whose query has these values."""
        return [one for one in self.log if one.kind == kind and query.items() <= dict(one.query).items()]

    def count(self, kind: str, **query: str) -> int:
        return len(self.asked(kind, **query))

    def max_parallel(self, kind: str) -> int:
        return self._journal.most(kind)

    def reset(self) -> None:
        """Forget faults, limits and the log; the world stays as it is."""
        self._faults.clear()
        self._journal.clear()

    def fail_next(
        self,
        status: int,
        kind: str = "media",
        count: int = 1,
        *,
        retry_after: object = None,
        reason: str | None = None,
    ) -> None:
        """An error in the shape of its kind; `reason` goes into a Google error."""
        response = self._error_of(kind, status, reason)
        self._faults.add(kind, Fault(response=_with_pause(response, retry_after)), count)

    def cut_next(self, kind: str, at_bytes: int = 500, count: int = 1) -> None:
        """The whole length is promised, and the connection ends early."""
        self._faults.add(kind, Fault(cut_at=at_bytes), count)

    def drop_next(self, kind: str, count: int = 1) -> None:
        """The connection ends without an answer."""
        self._faults.add(kind, Fault(drop=True), count)

    def slow_next(self, kind: str, seconds: float, count: int = 1) -> None:
        self._faults.add(kind, Fault(seconds=seconds), count)

    def repeat_page_next(self, count: int = 1) -> None:
        """Circular pagination: page 1 again, whatever the cursor."""
        self._faults.add("history", Fault(first_page=True), count)

    def respond_next(
        self,
        kind: str,
        body: bytes | str | dict | list,
        content_type: str = "application/json",
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        count: int = 1,
    ) -> None:
        """Exactly this answer, whatever is asked; a dict or list is sent as JSON."""
        text = json.dumps(body) if isinstance(body, dict | list) else body
        whole = text.encode() if isinstance(text, str) else text
        response = Response(status, whole, content_type, tuple((headers or {}).items()))
        self._faults.add(kind, Fault(response=response), count)

    def payload_next(self, kind: str, payload: object, count: int = 1) -> None:
        """This payload of a call to the new Flow, well framed, whatever is asked; None is its null."""
        self._faults.add(kind, Fault(response=flow_google_wire.result(kind, payload)), count)

    def call_error_next(
        self, kind: str, code: int, reason: str = "PUBLIC_ERROR_INTERNAL", count: int = 1
    ) -> None:
        """An error of the call itself at the new Flow, by its number of gRPC's."""
        self._faults.add(kind, Fault(response=flow_google_wire.call_error(kind, code, reason)), count)

    def limit_parallel(self, kind: str, most: int, retry_after: object = None) -> None:
        """429 for every request above so many at once, until `reset`."""
        self._faults.limit(kind, most, _with_pause(self._error_of(kind, 429), retry_after))

    def leave_faults_to(self, choose: Callable[[Request], Fault]) -> None:
        """`choose` says what goes wrong with each request for which nothing was asked for, until `reset`.
        It is asked by one thread at a time."""
        self._faults.leave_to(choose)

    def holding(self, kind: str, at: int = 1) -> AbstractContextManager[Gate]:
        """From the `at`-th next request of the kind on, all wait until the gate is released."""
        return self._faults.holding(kind, at)

    def media_response(self, name: str) -> dict:
        """What the media service says about a name, to be bent and given to `answer_next`."""
        return self.service.media(self.world, self.world.entry(name))

    def picture_url(self, name: str) -> str:
        """A signed URL as Flow hands it out at this moment."""
        return self.service.picture_url(self.world, self.world.entry(name))

    def _respond(self, request: Request) -> Delivery:
        with self._journal.handling(request) as active:
            leak = leak_of(request)
            if leak:
                self._journal.blame(f"the {request.kind} request carried {leak}")
            breach = breach_of(request)
            if breach:
                self._journal.blame(f"the {request.kind} request {breach}")
            refusal = self._faults.above_limit(request.kind, active)
            if refusal:
                return Delivery(refusal)
            fault = self._faults.take(request)
            self._wait(request.kind, fault)
            if fault.drop or self._stopping.is_set():
                return Delivery(None)
            return Delivery(fault.response or self._true_response(request, fault), fault.cut_at)

    def _wait(self, kind: str, fault: Fault) -> None:
        self._faults.pass_gates(kind)
        latency = self.latency_seconds
        own = latency.get(kind, 0.0) if isinstance(latency, Mapping) else latency
        self._stopping.wait(own + fault.seconds)

    def _true_response(self, request: Request, fault: Fault) -> Response:
        try:
            return self.service.response(request, fault.first_page)
        except Exception:
            self._journal.blame(f"the simulation failed: {traceback.format_exc()}")
            return self._error_of(request.kind, 500)

    def _error_of(self, kind: str, status: int, reason: str | None = None) -> Response:
        if kind in CALL_KINDS:
            return flow_google_wire.transport_error(status, self.world.google.error_slot)
        return wire.error_of(kind, status, reason)


def _with_pause(response: Response, retry_after: object) -> Response:
    if retry_after is None:
        return response
    return replace(response, headers=(*response.headers, ("Retry-After", str(retry_after))))
