"""Waitress, set up for Flowshelf; `connections` has the limits of its connections."""

import errno
import logging
import socket
import time
from typing import Any

from flask import Flask
from waitress.adjustments import Adjustments
from waitress.server import BaseWSGIServer, TcpWSGIServer

from webapp.cli.connections import LimitedChannel, QuickDispatcher
from webapp.config import Config
from webapp.errors import FlowshelfError

try:
    import resource
except ImportError:  # Windows has no such limit
    resource = None  # type: ignore[assignment]  # a module or None

log = logging.getLogger(__name__)

# Shared by polling pages and waiting API calls; `Background` lets at most half of them wait.
SERVER_THREADS = 12
# Reached only where few files may be open: `connections` refuses some before. Waitress then accepts nobody.
MAX_CONNECTIONS = 2_000
MIN_CONNECTIONS = 8
# macOS starts programs with 256.
WANTED_DESCRIPTORS = 4096
# For the database (three per thread), connections to Flow, and files that are sent.
RESERVED_DESCRIPTORS = 128
OUT_OF_DESCRIPTORS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
ACCEPT_PAUSE_SECONDS = 1.0
ACCEPT_LOG_SECONDS = 60.0
MAX_IDLE_SECONDS = 60
MAX_HEADER_BYTES = 64 * 1024
# Beyond this much unread data of a connection, the thread that writes more of it waits for the client. Only
# the owner's lists are longer; a file is sent without a copy.
MAX_UNREAD_RESPONSE_BYTES = 4 * 1024 * 1024
# Waitress writes what is beyond this to a temporary file, for which the disk may be full. So it has to be
# more than the other limit, by more than a view writes at once.
MAX_RESPONSE_IN_MEMORY_BYTES = 32 * 1024 * 1024
LIMITS = {
    "channel_timeout": MAX_IDLE_SECONDS,
    "cleanup_interval": 10,
    "max_request_header_size": MAX_HEADER_BYTES,
    "outbuf_high_watermark": MAX_UNREAD_RESPONSE_BYTES,
    "outbuf_overflow": MAX_RESPONSE_IN_MEMORY_BYTES,
    "asyncore_use_poll": True,  # select() cannot handle file descriptors above 1023
}
# X-Forwarded-Port is not among them: the port is part of the host. Many proxies pass on what a visitor sends
# there.
PROXY_HEADERS = {"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"}


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


def listen(app: Flask, config: Config) -> BaseWSGIServer:
    """A server that listens on its port; its method `run` serves.

    Raises FlowshelfError when the port is in use.
    """
    dispatcher = QuickDispatcher(SERVER_THREADS)
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
    return max(MIN_CONNECTIONS, min(descriptors - RESERVED_DESCRIPTORS, MAX_CONNECTIONS))


def _proxy_settings(address: str | None) -> dict[str, object]:
    """Waitress accepts X-Forwarded headers from this address, and removes those from any other."""
    if address is None:
        return {}
    return {"trusted_proxy": address, "trusted_proxy_count": 1, "trusted_proxy_headers": PROXY_HEADERS}
