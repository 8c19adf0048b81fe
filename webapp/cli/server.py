"""Waitress, set up for Flowshelf; `connections` has the limits of its connections."""

from flask import Flask
from waitress.server import BaseWSGIServer

from webapp.cli.connections import LimitedAdjustments, LimitedChannel, QuickDispatcher
from webapp.cli.descriptors import LimitedServer, limit_threads, max_connections, max_threads
from webapp.config import Config
from webapp.errors import FlowshelfError
from webapp.maintenance.adoption import MAX_FILE_BYTES
from webapp.web.services import background_of

# Shared by polling pages and waiting API calls, of which at most half may wait. Fewer with few descriptors.
SERVER_THREADS = 12
# Never reached where the system allows so many: waitress would accept nobody, and `connections` refuses some
# before.
MAX_CONNECTIONS = 2_000
MAX_IDLE_SECONDS = 60
MAX_HEADER_BYTES = 64 * 1024
# More than Flask accepts, so that Flask refuses a large request itself, with a JSON body.
MAX_REQUEST_BYTES = MAX_FILE_BYTES + 1024 * 1024
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


def listen(app: Flask, config: Config) -> BaseWSGIServer:
    """A server that listens on its port; its method `run` serves.

    Raises FlowshelfError when the port is in use.
    """
    descriptors = limit_threads(background_of(app), SERVER_THREADS)
    dispatcher = QuickDispatcher(max_threads(descriptors, SERVER_THREADS))
    try:
        adjustments = LimitedAdjustments(
            # For "localhost" waitress would open two sockets, one of them for IPv6.
            host="127.0.0.1" if config.host == "localhost" else config.host,
            port=config.port,
            ident=None,
            connection_limit=max_connections(descriptors, MAX_CONNECTIONS),
            max_request_body_size=MAX_REQUEST_BYTES,
            **LIMITS,
            **_proxy_settings(config.trusted_proxy),
        )
        adjustments.is_ticket = background_of(app).adoption.is_ticket
        sockets: dict[int, object] = {}
        # A host name may stand for several addresses. Each server runs the loop of all their sockets.
        for address in adjustments.listen:
            server = LimitedServer(app, sockets, dispatcher=dispatcher, adj=adjustments, sockinfo=address)
            server.channel_class = LimitedChannel
    except OSError as error:
        dispatcher.set_thread_count(0)  # the demo goes on, with another port
        raise FlowshelfError(
            f"Port {config.port} of {config.host} cannot be used ({error.strerror}). Another program may be "
            "using it: choose another port with --port, or any free one with --port 0."
        ) from error
    return server


def _proxy_settings(address: str | None) -> dict[str, object]:
    """Waitress accepts X-Forwarded headers from this address, and removes those from any other."""
    if address is None:
        return {}
    return {"trusted_proxy": address, "trusted_proxy_count": 1, "trusted_proxy_headers": PROXY_HEADERS}
