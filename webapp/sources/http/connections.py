"""Connections that another thread can end, with a time limit for each response."""

import http.client
import io
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidURL

# How long a read blocks before it checks again whether the response is still needed.
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Limits:
    """`seconds` is how long one response may take; `check_stopping` raises when none is needed any more."""

    seconds: float
    check_stopping: Callable[[], None]


class WatchedAdapter(HTTPAdapter):
    """Opens connections as requests does, with its certificates, but limits the time of each response.

    `on_connect` is called with each new socket, so that other threads can shut it down. Requests are sent
    with urllib3 directly: a session of requests would add cookies, redirects, proxies and credentials from
    the environment, none of which is wanted, and its overhead is larger than that of the request itself.
    """

    def __init__(self, on_connect: Callable[[socket.socket], None], limits: Limits) -> None:
        self._on_connect, self._limits = on_connect, limits
        self._pools: dict[str, urllib3.HTTPConnectionPool] = {}
        super().__init__(pool_connections=4, pool_maxsize=2)

    def resolve(self, url: str) -> tuple[urllib3.HTTPConnectionPool, str]:
        """The connection pool for the host of a URL, and the request target (path and query).

        Raises the exceptions of requests and urllib3 for an invalid URL.
        """
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise InvalidURL from error
        root = f"{parts.scheme}://{parts.netloc}/"
        if root not in self._pools:
            request = requests.Request("GET", root if parts.scheme else url).prepare()
            pool = self.get_connection_with_tls_context(request, verify=True)
            self.cert_verify(pool, root, verify=True, cert=None)
            self._pools[root] = pool
        # Not with urlunsplit: from Python 3.12.4 on it puts two more slashes before a path that has two.
        return self._pools[root], (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def close(self) -> None:
        """Close all pools. Called by another thread than the one that sends requests."""
        # A copy, because that thread may be adding a pool at this moment.
        for pool in list(self._pools.values()):
            pool.close()
        super().close()

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        verify: bool | str | None,
        proxies: object = None,
        cert: object = None,
    ) -> urllib3.HTTPConnectionPool:
        """A pool whose connections are watched. Proxies and client certificates are not used."""
        pool = super().get_connection_with_tls_context(request, verify)
        assert isinstance(pool, urllib3.HTTPConnectionPool), "requests makes no other pools"
        if not getattr(pool.ConnectionCls, "is_watched", False):
            pool.ConnectionCls = _watched(pool.ConnectionCls, self._on_connect, self._limits)
        return pool


def _watched(connection_class: type, on_connect: Callable[[socket.socket], None], limits: Limits) -> type:
    """A subclass of a connection class of urllib3 that reports its sockets and limits its responses."""

    class Watched(connection_class):
        is_watched = True

        def connect(self) -> None:
            super().connect()
            on_connect(self.sock)

        def response_class(self, sock: socket.socket, **options: object) -> http.client.HTTPResponse:
            # An HTTPResponse only calls `makefile` of its socket.
            return http.client.HTTPResponse(_BoundedReader(sock, limits), **options)  # type: ignore[arg-type]

    return Watched


class _BoundedReader(io.RawIOBase):
    """Reads one response from a socket until its time is over or the response is not needed any more.

    The timeout of a socket is not enough: it starts anew with each byte, even within a header line. And a
    blocked read must notice when somebody presses Pause, so it wakes up every `POLL_SECONDS`.
    """

    def __init__(self, sock: socket.socket, limits: Limits) -> None:
        # The open file keeps the socket open until the response is read, even if the connection is released.
        self._file = sock.makefile("rb", buffering=0)
        self._sock = sock
        self._read_timeout_seconds = sock.gettimeout()
        self._until = time.monotonic() + limits.seconds
        self._check_stopping = limits.check_stopping
        sock.settimeout(POLL_SECONDS)

    def makefile(self, mode: str) -> io.BufferedReader:
        """The one method of a socket that an HTTPResponse calls."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int | None:
        """Raises TimeoutError when the response takes too long or nothing arrives for the read timeout."""
        silent_since = time.monotonic()
        while True:
            self._check_stopping()
            if time.monotonic() > self._until:
                raise TimeoutError
            try:
                return self._sock.recv_into(buffer)
            except TimeoutError:
                silent_seconds = time.monotonic() - silent_since
                if self._read_timeout_seconds is not None and silent_seconds >= self._read_timeout_seconds:
                    raise

    def close(self) -> None:
        self._file.close()
        super().close()


def shut_down(open_socket: socket.socket) -> None:
    """End a connection that another thread may be reading from: its read returns at once."""
    try:
        # Not the method of a TLS socket, which would also discard the TLS state under the reading thread.
        socket.socket.shutdown(open_socket, socket.SHUT_RDWR)
    except OSError:
        return  # closed already, by the other side or by its own thread
