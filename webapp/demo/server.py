"""The simulated Flow on a real socket, with methods that make it fail."""

import json
import ssl
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace

from webapp.demo import accounts_google
from webapp.demo.faults import Fault, Faults, Gate
from webapp.demo.flow_google import frames
from webapp.demo.flow_google.service import breach_of
from webapp.demo.journal import CALL_KINDS, Journal, Request
from webapp.demo.json_types import Json
from webapp.demo.labs.payloads import Media
from webapp.demo.leaks import leak_of
from webapp.demo.responses import Response, error_of
from webapp.demo.service import Service
from webapp.demo.sockets import Delivery, SocketServer
from webapp.demo.world import World

Latency = float | Mapping[str, float]


class FlowServer:
    """All of Google that Flowshelf asks at one address: labs.google, its media service, flow.google.com,
    accounts.google.com and the picture storage.

    Methods that end in `_next` queue faults for the next `count` requests of a kind. The kinds are those
    of `journal`. A response shows the world as it is when a gate or a delay lets the request continue.

    `latency_seconds` is the delay of every request, or of each kind. A stopped server can be started
    again and keeps its port. With `tls` it is reached by https only.
    """

    def __init__(
        self,
        world: World,
        port: int = 0,
        latency_seconds: Latency = 0.0,
        *,
        host: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.world = world
        self.latency_seconds = latency_seconds
        self._address, self._tls = (host, port), tls
        self._journal, self._faults = Journal(), Faults()
        self.service = Service([world])
        self._stopping = threading.Event()
        self._http: SocketServer | None = None

    def __enter__(self) -> "FlowServer":
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> "FlowServer":
        """Listen. Idempotent."""
        if self._http is None:
            self._stopping.clear()
            self._http = SocketServer(self._address, self._respond, self._tls)
            self._address = self._http.server_name, self._http.server_port
            self.service.urls.base = self.url
            loop = {"poll_interval": 0.01}
            threading.Thread(target=self._http.serve_forever, kwargs=loop, name="flow", daemon=True).start()
        return self

    def stop(self) -> None:
        """Release all requests that wait, and close all connections. Idempotent."""
        # Before the connections close: a thread that waits at a gate would not notice.
        self._stopping.set()
        self._faults.open_gates()
        http, self._http = self._http, None
        if http is not None:
            http.close()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.picture_host}"

    @property
    def picture_host(self) -> str:
        """Host and port, as the setting for allowed picture hosts wants them."""
        return "{}:{}".format(*self._address)

    def add_world(self, world: World) -> None:
        """Add another account."""
        self.service.worlds.append(world)

    @property
    def log(self) -> list[Request]:
        """All requests since the start or the last `reset`."""
        return self._journal.requests()

    @property
    def violations(self) -> list[str]:
        """Requests that no client may send, and failures of the simulation itself."""
        return self._journal.violations()

    def asked(self, kind: str, **query: str) -> list[Request]:
        """Return the requests of a kind whose query contains these values."""
        return [one for one in self.log if one.kind == kind and query.items() <= dict(one.query).items()]

    def count(self, kind: str, **query: str) -> int:
        return len(self.asked(kind, **query))

    def max_parallel(self, kind: str) -> int:
        """Return the largest number of requests of a kind that ran at once."""
        return self._journal.max_active(kind)

    def reset(self) -> None:
        """Forget faults, limits and the log. The world stays as it is."""
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
        """Send an error in the form of its kind. `reason` is that of a Google API's error."""
        response = self._error_of(kind, status, reason)
        self._faults.add(kind, Fault(response=_with_retry_after(response, retry_after)), count)

    def cut_next(self, kind: str, at_bytes: int = 500, count: int = 1) -> None:
        """Announce the whole body, send `at_bytes` of it, and close the connection."""
        self._faults.add(kind, Fault(cut_at=at_bytes), count)

    def drop_next(self, kind: str, count: int = 1) -> None:
        """Close the connection without a response."""
        self._faults.add(kind, Fault(drop=True), count)

    def slow_next(self, kind: str, seconds: float, count: int = 1) -> None:
        """Delay the response."""
        self._faults.add(kind, Fault(seconds=seconds), count)

    def repeat_page_next(self, count: int = 1) -> None:
        """Send page 1 of a history whatever the cursor: circular pagination."""
        self._faults.add("history", Fault(first_page=True), count)

    def respond_next(
        self,
        kind: str,
        body: bytes | str | Mapping[str, object] | list[object],
        content_type: str = "application/json",
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        count: int = 1,
    ) -> None:
        """Send exactly this response. A body that is neither bytes nor text is sent as JSON."""
        text = body if isinstance(body, bytes | str) else json.dumps(body)
        whole = text.encode() if isinstance(text, str) else text
        response = Response(status, whole, content_type, tuple((headers or {}).items()))
        self._faults.add(kind, Fault(response=response), count)

    def payload_next(self, kind: str, payload: Json, count: int = 1) -> None:
        """Send this payload as the result of a call to flow.google.com; None is sent as null."""
        self._faults.add(kind, Fault(response=frames.result(kind, payload)), count)

    def call_error_next(
        self, kind: str, code: int, reason: str = "PUBLIC_ERROR_INTERNAL", count: int = 1
    ) -> None:
        """Send an error of the call itself at flow.google.com; `code` is the number of a gRPC status."""
        self._faults.add(kind, Fault(response=frames.call_error(kind, code, reason)), count)

    def limit_parallel(self, kind: str, max_active: int, retry_after: object = None) -> None:
        """Until `reset`, send 429 to each request that arrives while `max_active` others are active."""
        self._faults.limit(kind, max_active, _with_retry_after(self._error_of(kind, 429), retry_after))

    def leave_faults_to(self, choose: Callable[[Request], Fault]) -> None:
        """Until `reset`, let `choose` decide about each request for which no fault is queued.

        Only one thread at a time calls it.
        """
        self._faults.leave_to(choose)

    def holding(self, kind: str, at: int = 1) -> AbstractContextManager[Gate]:
        """Hold the requests of a kind, from the `at`-th next one on, until the gate is released."""
        return self._faults.holding(kind, at)

    def media_response(self, name: str) -> Media:
        """Return what the media service sends for a name, for a test to alter and pass to `respond_next`."""
        return self.service.labs.media(self.world, self.world.entry(name))

    def picture_url(self, name: str) -> str:
        """Return a signed URL that expires as if Flow had sent it now."""
        return self.service.urls.picture(self.world, self.world.entry(name))

    def _respond(self, request: Request) -> Delivery:
        with self._journal.handling(request) as active:
            self._check(request)
            refusal = self._faults.above_limit(request.kind, active)
            if refusal:
                return Delivery(refusal)
            # The fault is taken before the request waits, so that faults meet requests in order of arrival.
            fault = self._faults.take(request)
            self._wait(request.kind, fault)
            if fault.drop or self._stopping.is_set():
                return Delivery(None)
            return Delivery(fault.response or self._true_response(request, fault), fault.cut_at)

    def _check(self, request: Request) -> None:
        leak = leak_of(request)
        if leak:
            self._journal.add_violation(f"the {request.kind} request carried {leak}")
        breach = breach_of(request) or accounts_google.breach_of(request)
        if breach:
            self._journal.add_violation(f"the {request.kind} request {breach}")

    def _wait(self, kind: str, fault: Fault) -> None:
        self._faults.pass_gates(kind)
        latency = self.latency_seconds
        own = latency.get(kind, 0.0) if isinstance(latency, Mapping) else latency
        self._stopping.wait(own + fault.seconds)

    def _true_response(self, request: Request, fault: Fault) -> Response:
        try:
            return self.service.response(request, fault.first_page)
        except Exception:
            self._journal.add_violation(f"the simulation failed: {traceback.format_exc()}")
            return self._error_of(request.kind, 500)

    def _error_of(self, kind: str, status: int, reason: str | None = None) -> Response:
        if kind in CALL_KINDS:
            return frames.transport_error(status, self.world.google.error_slot)
        return error_of(kind, status, reason)


def _with_retry_after(response: Response, retry_after: object) -> Response:
    if retry_after is None:
        return response
    return replace(response, headers=(*response.headers, ("Retry-After", str(retry_after))))
