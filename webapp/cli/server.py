"""Waitress, with limits on connections, so that slow or greedy clients do not keep others from being served.

One thread reads from and writes to all connections. The others work only on requests that have arrived whole,
and hand their responses back to it. So a client that sends or reads slowly costs a connection but no thread.
What needs a limit is the number of connections per address, and how long a connection may take to send a
request.
"""

import errno
import logging
import socket
import time
from collections import Counter
from typing import Any

from flask import Flask
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer, TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from webapp.config import Config
from webapp.errors import FlowshelfError

try:
    import resource
except ImportError:  # Windows has no such limit
    resource = None  # type: ignore[assignment]  # a module or None

log = logging.getLogger(__name__)

# Shared by polling pages and waiting API calls; `Background` lets at most half of them wait.
SERVER_THREADS = 12
MAX_CONNECTIONS = 500
MIN_CONNECTIONS = 8
MAX_CONNECTIONS_PER_ADDRESS = 100
# macOS starts programs with 256.
WANTED_DESCRIPTORS = 4096
# For the database (three per thread), connections to Flow, and files. A connection takes two more: its socket
# and the file that it is sent.
RESERVED_DESCRIPTORS = 128
DESCRIPTORS_PER_CONNECTION = 2
OUT_OF_DESCRIPTORS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
ACCEPT_PAUSE_SECONDS = 1.0
ACCEPT_LOG_SECONDS = 60.0
MAX_IDLE_SECONDS = 60
# For a whole request, however steadily its bytes arrive: 32 MB take less at 1 Mbit/s.
MAX_REQUEST_SECONDS = 300
MAX_HEADER_BYTES = 64 * 1024
# Beyond this much unread data of a connection, the thread that writes more of it waits for the client; up to
# it, the response goes to a temporary file. A list of a hundred thousand images is smaller. A file is sent
# without a copy.
MAX_UNREAD_RESPONSE_BYTES = 64 * 1024 * 1024
LIMITS = {
    "channel_timeout": MAX_IDLE_SECONDS,
    "cleanup_interval": 10,
    "max_request_header_size": MAX_HEADER_BYTES,
    "outbuf_high_watermark": MAX_UNREAD_RESPONSE_BYTES,
    "asyncore_use_poll": True,  # select() cannot handle file descriptors above 1023
}
# X-Forwarded-Port is not among them: the port is part of the host. Many proxies pass on what a visitor sends
# there.
PROXY_HEADERS = {"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"}


class QuickDispatcher(ThreadedTaskDispatcher):
    """Waitress's threads, with less time to end: the whole program has to end within three seconds."""

    def shutdown(self, cancel_pending: bool = True, timeout: float = 0.7) -> bool:
        return super().shutdown(cancel_pending, timeout)


class LimitedServer(TcpWSGIServer):
    """Pauses accepting while the process has no file descriptor left.

    The refused connection stays in the queue of the system, so without a pause the loop would try it again
    at once, for ever.
    """

    _paused_until = 0.0
    _log_again_at = 0.0

    def readable(self) -> bool:
        return time.monotonic() >= self._paused_until and super().readable()

    def accept(self) -> tuple[socket.socket, Any] | None:
        try:
            return super().accept()
        except OSError as error:
            if error.errno not in OUT_OF_DESCRIPTORS:
                raise
            self._pause(error)
            return None

    def _pause(self, error: OSError) -> None:
        moment = time.monotonic()
        self._paused_until = moment + ACCEPT_PAUSE_SECONDS
        if moment >= self._log_again_at:
            self._log_again_at = moment + ACCEPT_LOG_SECONDS
            log.warning(
                "New connections have to wait (%s). Raise the limit with “ulimit -n”.", error.strerror
            )


class LimitedChannel(HTTPChannel):
    """A connection that is closed when its client is greedy or slow.

    That is when its address has too many connections, when a request takes too long to arrive, or when
    another one arrives before the response to the last.
    """

    began_at: float | None = None

    def __init__(
        self,
        server: BaseWSGIServer,
        sock: socket.socket,
        addr: tuple[Any, ...],
        adj: Adjustments,
        map: dict[int, object] | None = None,
    ) -> None:
        super().__init__(server, sock, addr, adj, map=map)
        open_counts = Counter(channel.addr[0] for channel in server.active_channels.values())
        is_proxy = addr[0] == adj.trusted_proxy  # all visitors come from its address
        if open_counts[addr[0]] > MAX_CONNECTIONS_PER_ADDRESS and not is_proxy:
            self.will_close = True

    def received(self, data: bytes) -> bool:
        is_taken = super().received(data)
        if len(self.requests) > 1:
            self.will_close = True  # no browser pipelines; an attacker does, to make many responses pile up
        if self.request is None:
            self.began_at = None
        else:
            self.began_at = self.began_at or time.monotonic()
        return is_taken

    def readable(self) -> bool:
        """Waitress calls this about once a second for every connection, idle ones too."""
        if self.began_at and time.monotonic() - self.began_at > MAX_REQUEST_SECONDS:
            self.will_close = True
        return super().readable()


def listen(app: Flask, config: Config) -> BaseWSGIServer:
    """A server that listens on its port; its method `run` serves.

    Raises FlowshelfError when the port is in use.
    """
    dispatcher = QuickDispatcher()
    dispatcher.set_thread_count(SERVER_THREADS)
    try:
        adjustments = Adjustments(
            # For "localhost" waitress would open two sockets, one of them for IPv6.
            host="127.0.0.1" if config.host == "localhost" else config.host,
            port=config.port,
            ident=None,
            connection_limit=max_connections(raise_descriptor_limit()),
            # More than Flask accepts, so that Flask refuses a large request itself, with a JSON body.
            max_request_body_size=2 * app.config["MAX_CONTENT_LENGTH"],
            **LIMITS,
            **_proxy_settings(config.trusted_proxy),
        )
        sockets: dict[int, object] = {}
        # A host name may stand for several addresses. Each server runs the loop of all their sockets.
        for address in adjustments.listen:
            server = LimitedServer(app, sockets, dispatcher=dispatcher, adj=adjustments, sockinfo=address)
            server.channel_class = LimitedChannel
    except OSError as error:
        raise FlowshelfError(
            f"Port {config.port} of {config.host} cannot be used ({error.strerror}). Another program may be "
            "using it: choose another port with --port, or any free one with --port 0."
        ) from error
    return server


def raise_descriptor_limit() -> int:
    """Raise the limit of open files of this process, as far as the system allows. Returns the limit."""
    if resource is None:
        return WANTED_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= WANTED_DESCRIPTORS:
        return WANTED_DESCRIPTORS
    wanted = WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, WANTED_DESCRIPTORS)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError):
        return soft
    return wanted


def max_connections(descriptors: int) -> int:
    """How many connections a process with that many file descriptors accepts."""
    available = (descriptors - RESERVED_DESCRIPTORS) // DESCRIPTORS_PER_CONNECTION
    return max(MIN_CONNECTIONS, min(available, MAX_CONNECTIONS))


def _proxy_settings(address: str | None) -> dict[str, object]:
    """Waitress accepts X-Forwarded headers from this address, and removes those from any other."""
    if address is None:
        return {}
    return {"trusted_proxy": address, "trusted_proxy_count": 1, "trusted_proxy_headers": PROXY_HEADERS}
