"""An HTTP/1.1 server with keep-alive that can close a connection in the middle of a response."""

import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from urllib.parse import parse_qsl, urlsplit

from webapp.demo.journal import Request
from webapp.demo.responses import Response
from webapp.demo.service import kind_of

MAX_BODY_BYTES = 1024 * 1024
# What socketserver passes as `request`: a TCP server only ever passes sockets.
_Accepted = socket.socket | tuple[bytes, socket.socket]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A response, cut after `cut_at` bytes of its body; without a response the connection just closes."""

    response: Response | None
    cut_at: int | None = None


class SocketServer(ThreadingHTTPServer):
    """Handles each connection in a thread of its own. `close` ends all connections."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(
        self,
        address: tuple[str, int],
        respond: Callable[[Request], Delivery],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.respond, self._tls = respond, tls
        self.scheme = "https" if tls else "http"
        self._open: set[socket.socket] = set()
        self._changed = threading.Condition()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without HTTPServer's look-up of the host's name, which can take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.socket.getsockname()[:2]

    def get_request(self) -> tuple[socket.socket, object]:
        """Accept a connection, and note it before its thread starts so that `close` misses none."""
        connection, address = super().get_request()
        if self._tls:
            # The handshake comes with the first read, in the thread of the connection.
            connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with self._changed:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: _Accepted) -> None:
        super().shutdown_request(request)
        with self._changed:
            self._open -= {request}
            self._changed.notify_all()

    def close(self, timeout_seconds: float = 5.0) -> None:
        """Stop accepting, shut down all connections, and wait until their threads have let go of them."""
        self.shutdown()
        self.server_close()
        with self._changed:
            for connection in self._open:
                _shut_down(connection)
            self._changed.wait_for(lambda: not self._open, timeout_seconds)

    def handle_error(self, request: _Accepted, client_address: object) -> None:
        """Ignore clients that hang up; print any other error, because it is a fault of the simulation."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def _shut_down(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        """The client has closed it already."""


class _Handler(BaseHTTPRequestHandler):
    server: SocketServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # buffered, so that headers and body are sent together

    def do_GET(self) -> None:
        delivery = self.server.respond(self._request())
        if delivery.response is None:
            self.close_connection = True
        else:
            self._send(delivery.response, delivery.cut_at)

    do_POST = do_GET

    def do_PUT(self) -> None:
        self.do_GET()
        self.close_connection = True  # the request may have a body, and nothing has read it

    do_DELETE = do_HEAD = do_PUT

    def _request(self) -> Request:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        size = headers.get("content-length", "")
        is_readable = size.isdecimal() and int(size) <= MAX_BODY_BYTES
        body = self.rfile.read(int(size)) if is_readable else b""
        self.close_connection = self.close_connection or (self.command == "POST" and not is_readable)
        kind = kind_of(parts.path, query)
        return Request(
            kind, self.command, parts.path, query, headers, time.monotonic(), body, self.server.scheme
        )

    def _send(self, response: Response, cut_at: int | None) -> None:
        self.send_response(response.status)
        for name, value in (("Content-Type", response.content_type), *response.headers):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        # A cut response lacks at least one byte of what Content-Length announces.
        end = None if cut_at is None else min(cut_at, len(response.body) - 1)
        self.wfile.write(response.body[:end])
        self.close_connection = self.close_connection or cut_at is not None

    def log_message(self, *words: object) -> None:
        """Log nothing: the journal has every request."""
