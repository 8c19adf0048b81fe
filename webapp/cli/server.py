"""Waitress, with limits on connections, so that slow or greedy clients do not keep others from being served.

One thread reads from and writes to all connections. The others work only on requests that have arrived whole,
and hand their responses back to it. So a client that sends or reads slowly costs a connection but no thread.
What needs a limit is the number of connections per address, and how long a connection may take to send a
request.
"""

import socket
import time
from collections import Counter
from typing import Any

import waitress
from flask import Flask
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer
from waitress.task import ThreadedTaskDispatcher

from webapp.config import Config
from webapp.errors import FlowshelfError

# Shared by polling pages and waiting API calls; `Background` lets at most half of them wait.
SERVER_THREADS = 12
MAX_CONNECTIONS = 500
MAX_CONNECTIONS_PER_ADDRESS = 100
MAX_IDLE_SECONDS = 60
# For a whole request, however steadily its bytes arrive: 32 MB take less at 1 Mbit/s.
MAX_REQUEST_SECONDS = 300
MAX_HEADER_BYTES = 64 * 1024
# Beyond this much unread data of a connection, the thread that writes more of it waits for the client; up to
# it, the response goes to a temporary file. A list of a hundred thousand images is smaller. A file is sent
# without a copy.
MAX_UNREAD_RESPONSE_BYTES = 64 * 1024 * 1024
LIMITS = {
    "connection_limit": MAX_CONNECTIONS,
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
        server = waitress.create_server(
            app,
            # For "localhost" waitress would open two sockets, one of them for IPv6.
            host="127.0.0.1" if config.host == "localhost" else config.host,
            port=config.port,
            _dispatcher=dispatcher,
            ident=None,
            # More than Flask accepts, so that Flask refuses a large request itself, with a JSON body.
            max_request_body_size=2 * app.config["MAX_CONTENT_LENGTH"],
            **LIMITS,
            **_proxy_settings(config.trusted_proxy),
        )
    except OSError as error:
        raise FlowshelfError(
            f"Port {config.port} of {config.host} cannot be used ({error.strerror}). Another program may be "
            "using it: choose another port with --port, or any free one with --port 0."
        ) from error
    server.channel_class = LimitedChannel
    return server


def _proxy_settings(address: str | None) -> dict[str, object]:
    """Waitress accepts X-Forwarded headers from this address, and removes those from any other."""
    if address is None:
        return {}
    return {"trusted_proxy": address, "trusted_proxy_count": 1, "trusted_proxy_headers": PROXY_HEADERS}
