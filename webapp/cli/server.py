"""Waitress, and how many may talk to it, how much and for how long, so that slow clients starve nobody.

One thread reads and writes all connections; the others only work on requests that have come in whole and
leave their answers with it. So a client that sends or reads slowly costs a connection and no thread. What is
limited is how many connections one address may have, and how long one may keep us waiting.
"""

import time
from collections import Counter

import waitress
from flask import Flask
from waitress.channel import HTTPChannel
from waitress.task import ThreadedTaskDispatcher

from webapp.config import Config
from webapp.errors import FlowshelfError

# Polling tabs and waiting API calls share these; at most half of them may wait.
SERVER_THREADS = 12
MAX_CONNECTIONS = 500
MAX_CONNECTIONS_OF_ONE = 100
MAX_IDLE_SECONDS = 60
# For a whole request to arrive, however busily its sender drips; 32 MB come in at 1 Mbit/s.
MAX_REQUEST_SECONDS = 300
MAX_HEADER_BYTES = 64 * 1024
# A thread waits for its reader only beyond that; up to that the answer lies in a file. The list of a hundred
# thousand images is smaller, and a whole file needs no copy and no thread.
MAX_UNREAD_RESPONSE_BYTES = 64 * 1024 * 1024
LIMITS = {
    "connection_limit": MAX_CONNECTIONS,
    "channel_timeout": MAX_IDLE_SECONDS,
    "cleanup_interval": 10,
    "max_request_header_size": MAX_HEADER_BYTES,
    "outbuf_high_watermark": MAX_UNREAD_RESPONSE_BYTES,
    "asyncore_use_poll": True,  # select() knows 1024 files of a process and no more
}
# The port is part of the host; proxies hand on what a visitor says of it beside that.
PROXY_HEADERS = {"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"}


class QuickDispatcher(ThreadedTaskDispatcher):
    """Waitress's threads, given less time at the end: everything has to be over within three seconds."""

    def shutdown(self, cancel_pending: bool = True, timeout: float = 0.7) -> bool:
        return super().shutdown(cancel_pending, timeout)


class LimitedChannel(HTTPChannel):
    """A connection that is closed when its address has too many, when a request takes too long to come, or
    when one comes before the last was answered."""

    began_at: float | None = None

    def __init__(self, server, sock, addr, adj, map=None) -> None:
        super().__init__(server, sock, addr, adj, map=map)
        open_now = Counter(channel.addr[0] for channel in server.active_channels.values())
        is_proxy = addr[0] == adj.trusted_proxy  # everybody comes from there
        if open_now[addr[0]] > MAX_CONNECTIONS_OF_ONE and not is_proxy:
            self.will_close = True

    def received(self, data: bytes) -> bool:
        is_taken = super().received(data)
        if len(self.requests) > 1:
            self.will_close = True  # nobody sends the next request unasked but to have many answers wait
        if self.request is None:
            self.began_at = None
        else:
            self.began_at = self.began_at or time.monotonic()
        return is_taken

    def readable(self) -> bool:
        """Asked about once a second, whatever happens."""
        if self.began_at and time.monotonic() - self.began_at > MAX_REQUEST_SECONDS:
            self.will_close = True
        return super().readable()


def listen(app: Flask, config: Config):
    """A server that is bound to its port; `run` serves. Raises FlowshelfError when the port is taken."""
    dispatcher = QuickDispatcher()
    dispatcher.set_thread_count(SERVER_THREADS)
    try:
        server = waitress.create_server(
            app,
            host="127.0.0.1" if config.host == "localhost" else config.host,  # one socket, not two
            port=config.port,
            _dispatcher=dispatcher,
            ident=None,
            max_request_body_size=2 * app.config["MAX_CONTENT_LENGTH"],  # so that Flask says it, as JSON
            **LIMITS,
            **_proxy(config.trusted_proxy),
        )
    except OSError as error:
        raise FlowshelfError(
            f"Port {config.port} of {config.host} cannot be used ({error.strerror}). Another program may "
            "have it; choose another with --port, or --port 0 for any free one."
        ) from error
    server.channel_class = LimitedChannel
    return server


def _proxy(address: str | None) -> dict:
    """Whose X-Forwarded headers waitress believes; those of everybody else it throws away."""
    if address is None:
        return {}
    return {"trusted_proxy": address, "trusted_proxy_count": 1, "trusted_proxy_headers": PROXY_HEADERS}
