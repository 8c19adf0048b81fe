"""HTTP/1.1 with keep-alive over real sockets, able to break off an answer where it is told to."""

import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from urllib.parse import parse_qsl, urlsplit

from webapp.demo.journal import Request
from webapp.demo.labs.payloads import Response
from webapp.demo.service import kind_of

MAX_BODY_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Delivery:
    """An answer (None: the connection just ends) and where its body is cut, if anywhere."""

    response: Response | None
    cut_at: int | None = None


class SocketServer(ThreadingHTTPServer):
    """One thread per connection; `close` ends all of them."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], respond: Callable[[Request], Delivery]) -> None:
        self.respond = respond
        self._open: set[socket.socket] = set()
        self._changed = threading.Condition()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Without HTTPServer's look-up of the host's name, which can take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    def process_request(self, request: socket.socket, client_address: object) -> None:
        with self._changed:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:
        super().shutdown_request(request)
        with self._changed:
            self._open.discard(request)
            self._changed.notify_all()

    def close(self, timeout_seconds: float = 5.0) -> None:
        self.shutdown()
        self.server_close()
        with self._changed:
            for connection in self._open:
                _end(connection)
            self._changed.wait_for(lambda: not self._open, timeout_seconds)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients may hang up at any time; anything else is a fault of ours and is shown."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def _end(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        """The client was faster."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave together

    def do_GET(self) -> None:
        delivery = self.server.respond(self._request())
        if delivery.response is None:
            self.close_connection = True
        else:
            self._send(delivery.response, delivery.cut_at)

    do_POST = do_GET

    def do_PUT(self) -> None:
        self.do_GET()
        self.close_connection = True  # as it may have a body of any form

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
        return Request(kind, self.command, parts.path, query, headers, time.monotonic(), body)

    def _send(self, response: Response, cut_at: int | None) -> None:
        self.send_response(response.status)
        for name, value in (("Content-Type", response.content_type), *response.headers):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(
            response.body if cut_at is None else response.body[: min(cut_at, len(response.body) - 1)]
        )
        self.close_connection = self.close_connection or cut_at is not None

    def log_message(self, *words: object) -> None:
        """The journal knows."""
