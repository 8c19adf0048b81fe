"""Connections that can be ended from elsewhere, and whose answers have a time limit each."""

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

# How long a read waits before it looks whether it is still wanted.
LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Limits:
    """How long one answer may take, and what raises when none is wanted any more."""

    seconds: float
    check_stopping: Callable[[], None]


class WatchedAdapter(HTTPAdapter):
    """Tells of each socket it opens, so that closing can end a wait; bounds the time of each answer.

    It opens connections as requests does, with its certificates; what is asked over them is urllib3's to
    say. A session of requests would add cookies, redirects, proxies and credentials of the environment,
    none of which is wanted, and takes longer to add nothing than the asking itself.
    """

    def __init__(self, remember, limits: Limits) -> None:
        self._remember, self._limits = remember, limits
        self._pools: dict[str, urllib3.HTTPConnectionPool] = {}
        super().__init__(pool_connections=4, pool_maxsize=2)

    def place(self, url: str) -> tuple[urllib3.HTTPConnectionPool, str]:
        """The connections to the host of an address, and what is asked for there."""
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
        # Not by urlunsplit, which from Python 3.12.4 on puts two more strokes before a path that has two.
        return self._pools[root], (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def close(self) -> None:
        for pool in list(self._pools.values()):
            pool.close()
        super().close()

    def get_connection_with_tls_context(self, *args, **kwargs):
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        if not getattr(pool.ConnectionCls, "is_watched", False):
            pool.ConnectionCls = _watched(pool.ConnectionCls, self._remember, self._limits)
        return pool


def _watched(connection_class: type, remember, limits: Limits) -> type:
    class Watched(connection_class):
        is_watched = True

        def connect(self) -> None:
            super().connect()
            remember(self.sock)

        def response_class(self, sock: socket.socket, **given) -> http.client.HTTPResponse:
            return http.client.HTTPResponse(_Within(sock, limits), **given)

    return Watched


class _Within(io.RawIOBase):
    """What a socket receives of one answer, until its time is over or nobody wants it any more.

    A socket's own time-out begins anew with each byte, also between the letters of a header. And it wakes
    up now and then while nothing comes, to see whether somebody pressed Pause.
    """

    def __init__(self, sock: socket.socket, limits: Limits) -> None:
        # Keeps the socket open as long as the answer is read, also when the connection is let go.
        self._file = sock.makefile("rb", buffering=0)
        self._sock = sock
        self._silence_seconds = sock.gettimeout()
        self._until = time.monotonic() + limits.seconds
        self._check_stopping = limits.check_stopping
        sock.settimeout(LOOK_SECONDS)

    def makefile(self, mode: str) -> io.BufferedReader:
        """All that an HTTPResponse asks of a socket."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int | None:
        silent_since = time.monotonic()
        while True:
            self._check_stopping()
            if time.monotonic() > self._until:
                raise TimeoutError
            try:
                return self._sock.recv_into(buffer)
            except TimeoutError:
                silent_seconds = time.monotonic() - silent_since
                if self._silence_seconds is not None and silent_seconds >= self._silence_seconds:
                    raise

    def close(self) -> None:
        self._file.close()
        super().close()


def shut_down(open_socket: socket.socket) -> None:
    try:
        # The plain one: that of a TLS socket also takes its state away under the reading thread.
        socket.socket.shutdown(open_socket, socket.SHUT_RDWR)
    except OSError:
        return  # the other side was faster
