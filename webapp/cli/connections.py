"""Connections with limits, so that slow, greedy or many clients do not keep the owner from being served.

One thread of waitress reads from and writes to all connections. The others work only on requests that have
arrived whole, and hand their responses back to it. So a client that sends or reads slowly costs a connection
but no thread. Limited are

* the connections of other machines together, and those of one network of them. This machine has places of its
  own, so that nobody in the network can take those of an owner who sits at it.
* the time in which a request has to arrive.
* the threads that work for guests and anonymous visitors at the same time.
"""

import ipaddress
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import copy
from typing import Any
from urllib.parse import parse_qs

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import BaseWSGIServer
from waitress.task import ErrorTask, ThreadedTaskDispatcher, WSGITask
from waitress.utilities import Error

from webapp.database.states import Role
from webapp.web.access import NOTE_ROLE
from webapp.web.security import PLAIN_HEADERS
from webapp.web.sharing.attempts import network_of
from webapp.web.views.sent_files import MAX_FORM_BYTES

# A process may usually open 1024 files.
MAX_FOREIGN_CONNECTIONS = 350
MAX_LOCAL_CONNECTIONS = 150
MAX_CONNECTIONS_PER_NETWORK = 100
# Refused connections that still wait for their client to read why.
MAX_REFUSED_CONNECTIONS = 100
REFUSED_SECONDS = 2
# For the whole header of a request, and for the first byte of the first one.
MAX_HEADER_SECONDS = 15
# For a whole request, however steadily its bytes arrive: 32 MB take less at 1 Mbit/s.
MAX_REQUEST_SECONDS = 300
# Requests of guests and anonymous visitors that wait for a thread.
MAX_WAITING_REQUESTS = 120
RETRY_AFTER_SECONDS = 5
TOO_MANY_CONNECTIONS = "Too many connections are open. Try again in a few seconds."
TOO_MANY_REQUESTS = "Too many requests of guests are waiting. Try again in a few seconds."


class ServiceUnavailable(Error):
    code, reason = 503, "Service Unavailable"


class PlainErrorTask(ErrorTask):
    """The response to a request that never reaches Flask, with the security headers."""

    def execute(self) -> None:
        self.response_headers.extend(PLAIN_HEADERS.items())
        if isinstance(self.request.error, ServiceUnavailable):
            self.response_headers.append(("Retry-After", str(RETRY_AFTER_SECONDS)))
        super().execute()


class LimitedAdjustments(Adjustments):
    """Waitress's settings, and which value of the parameter `ticket` of a URL allows a large request."""

    is_ticket: Callable[[str], bool] = staticmethod(lambda text: False)


class StrictParser(HTTPRequestParser):
    """Responds to every header that cannot be read; waitress just closes the connection after some."""

    adj: LimitedAdjustments

    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # for example of urlsplit, for `GET http://[x HTTP/1.1`
            raise ParsingError("Bad request line or header") from error
        if self.content_length >= self.adj.max_request_body_size and self._has_ticket():
            # A copy: the settings are those of all requests.
            self.adj = copy(self.adj)
            self.adj.max_request_body_size = MAX_FORM_BYTES

    def _has_ticket(self) -> bool:
        return any(map(self.adj.is_ticket, parse_qs(self.query).get("ticket", [])))


class RoleTask(WSGITask):
    """A request during which the app tells the connection whose it is."""

    def get_environment(self) -> dict[str, Any]:
        environ = super().get_environment()
        environ[NOTE_ROLE] = self.channel.note_role
        return environ


class RequestQueue:
    """Requests that wait for a thread: the owner's and all others in turn, and of those `max_foreign` at the
    same time.

    Whose a request is shows only while it runs. Until then the first one of a connection counts as foreign:
    if the owner's always came first, a new connection of the owner would wait while others are busy.
    All methods but `release` are called with the lock of the dispatcher, which `lock` is.
    """

    def __init__(self, max_foreign: int, lock: threading.Condition) -> None:
        self._lock = lock
        self._free_count = max_foreign
        self._own: deque[LimitedChannel] = deque()
        self._foreign: deque[LimitedChannel] = deque()
        self._is_foreigns_turn = False

    def __len__(self) -> int:
        """How many requests may run now: the threads of waitress sleep while it is 0."""
        return len(self._own) + min(len(self._foreign), self._free_count)

    def append(self, channel: "LimitedChannel") -> None:
        if channel.is_owners:
            self._own.append(channel)
        elif len(self._foreign) >= MAX_WAITING_REQUESTS:
            channel.requests[0].error = ServiceUnavailable(TOO_MANY_REQUESTS)
            self._own.append(channel)  # the response costs nothing
        else:
            self._foreign.append(channel)

    def popleft(self) -> "LimitedChannel":
        may_be_foreign = bool(self._foreign) and self._free_count > 0
        if self._own and not (self._is_foreigns_turn and may_be_foreign):
            self._is_foreigns_turn = True
            return self._own.popleft()
        self._is_foreigns_turn = False
        channel = self._foreign.popleft()
        self._free_count -= 1
        channel.place_count += 1
        return channel

    def release(self, channel: "LimitedChannel") -> None:
        """Let another foreign request run, if this one was counted: it has ended, or is the owner's."""
        with self._lock:
            if channel.place_count:
                channel.place_count -= 1
                self._free_count += 1
                self._lock.notify()


class QuickDispatcher(ThreadedTaskDispatcher):
    """Waitress's threads, of which guests and anonymous visitors can occupy half.

    They have less time to end than waitress gives them: the whole program has to end within three seconds.
    """

    def __init__(self, thread_count: int) -> None:
        super().__init__()
        self.queue = RequestQueue(thread_count // 2, self.queue_cv)
        self.set_thread_count(thread_count)

    def shutdown(self, cancel_pending: bool = True, timeout: float = 0.7) -> bool:
        return super().shutdown(cancel_pending, timeout)


class LimitedChannel(HTTPChannel):
    """A connection that is refused or closed when there are too many, or when its client is greedy or slow.

    `role` is that with which it has signed in. Everything runs in the thread that reads and writes, except
    for `service` and `note_role`.
    """

    task_class = RoleTask
    error_task_class = PlainErrorTask
    parser_class = StrictParser

    def __init__(
        self,
        server: BaseWSGIServer,
        sock: socket.socket,
        addr: tuple[Any, ...],
        adj: Adjustments,
        map: dict[int, object] | None = None,
    ) -> None:
        super().__init__(server, sock, addr, adj, map=map)
        self.role = Role.ANONYMOUS
        # Among the threads. Two for a moment: the next request may begin before the last has given its back.
        self.place_count = 0
        self.refused_at: float | None = None
        # When the request began that is arriving, the first one with the connection; None between requests.
        self.began_at: float | None = time.monotonic()
        self._is_proxy = addr[0] == adj.trusted_proxy  # visitors of all roles come from its address
        self.is_local = is_loopback(addr[0]) and not self._is_proxy
        self.network = network_of(addr[0])
        self._take_place()

    @property
    def is_owners(self) -> bool:
        return self.role is Role.OWNER and not self._is_proxy

    @property
    def is_idle(self) -> bool:
        """Whether nothing is lost when it is closed. Of a visitor who never signed in, that is so unless a
        request runs."""
        if self.role is Role.ANONYMOUS:
            return not self.requests
        return not (self.requests or self.request or self.total_outbufs_len)

    def note_role(self, role: Role) -> None:
        """The app calls this during each request."""
        if role is not Role.ANONYMOUS:  # a style sheet is sent to anybody, and needs no role
            self.role = role
        if role is Role.OWNER:
            self.server.task_dispatcher.queue.release(self)

    def service(self) -> None:
        self.began_at = None
        try:
            super().service()
        finally:
            self.server.task_dispatcher.queue.release(self)

    def received(self, data: bytes) -> bool:
        if self.refused_at is not None:
            return False  # read only so that the client gets the response, and not a reset
        self.began_at = self.began_at or time.monotonic()
        is_taken = super().received(data)
        if len(self.requests) > 1:
            self.will_close = True  # no browser pipelines; an attacker does, to make many responses pile up
        return is_taken

    def readable(self) -> bool:
        """Waitress calls this about once a second for every connection, idle ones too."""
        now = time.monotonic()
        if self.refused_at is not None:
            self.will_close = self.will_close or now - self.refused_at > REFUSED_SECONDS
            return not self.will_close
        began_at = self.began_at  # a thread that begins to work on the request sets it to None
        if began_at is not None and not self.requests and now - began_at > self._max_seconds():
            self.will_close = True
        return super().readable()

    def writable(self) -> bool:
        """Not while a thread sends the response itself. Otherwise the loop, which cannot have its lock, would
        ask again at once and for as long, and take the interpreter from all threads. They wake the loop."""
        return bool(super().writable()) and (self.will_close or not self._is_sent_by_thread())

    def _is_sent_by_thread(self) -> bool:
        if not self.requests or self.total_outbufs_len > self.adj.outbuf_high_watermark:
            return False  # the thread has ended, or waits for the loop
        if self.outbuf_lock.acquire(blocking=False):
            self.outbuf_lock.release()
            return False
        return True

    def _max_seconds(self) -> float:
        has_header = self.request is not None and self.request.headers_finished
        return MAX_REQUEST_SECONDS if has_header else MAX_HEADER_SECONDS

    def _take_place(self) -> None:
        """Close another connection where there are too many, or refuse this one."""
        taken = [each for each in self._open_channels() if each is not self and each.refused_at is None]
        peers = [each for each in taken if each.is_local == self.is_local]
        neighbours = [each for each in peers if each.network == self.network]
        if not self._is_proxy and len(neighbours) >= MAX_CONNECTIONS_PER_NETWORK:
            self._replace_one(neighbours)
        elif len(peers) >= (MAX_LOCAL_CONNECTIONS if self.is_local else MAX_FOREIGN_CONNECTIONS):
            self._replace_one(peers)

    def _open_channels(self) -> "list[LimitedChannel]":
        return [each for each in self.server.active_channels.values() if not each.will_close]

    def _replace_one(self, channels: "Sequence[LimitedChannel]") -> None:
        """Refuse the oldest idle one: of visitors who never signed in, else of guests, else this one."""
        idle = [each for each in channels if each.is_idle and each.role is not Role.OWNER]
        oldest = min(idle, key=lambda each: (each.role is Role.GUEST, each.creation_time), default=self)
        oldest.refuse()

    def refuse(self) -> None:
        """Tell the client to try again later, and close the connection once it has read that."""
        if self.total_outbufs_len:
            self.will_close = True  # in the middle of another response
            return
        waiting = [each for each in self._open_channels() if each.refused_at is not None]
        if len(waiting) >= MAX_REFUSED_CONNECTIONS:
            min(waiting, key=lambda each: each.refused_at or 0.0).will_close = True
        self.refused_at = time.monotonic()
        with suppress(OSError):
            self.socket.send(_refusal(TOO_MANY_CONNECTIONS))
            self.socket.shutdown(socket.SHUT_WR)


def is_loopback(address: str) -> bool:
    """Whether an IP address is one of this machine that no other machine can use."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return (mapped or parsed).is_loopback


def _refusal(sentence: str) -> bytes:
    """A whole response. Without a thread: that of the loop writes it, before it has read a request."""
    body = f"{sentence}\n".encode()
    headers = PLAIN_HEADERS | {
        "Connection": "close",
        "Content-Length": str(len(body)),
        "Content-Type": "text/plain; charset=utf-8",
        "Retry-After": str(RETRY_AFTER_SECONDS),
    }
    lines = ["HTTP/1.1 503 Service Unavailable", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body
