"""Connections that another thread can end, with a time limit for each response."""

import base64
import http.client
import io
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidURL
from requests.utils import get_auth_from_url
from urllib3.util.ssltransport import SSLTransport

from webapp.sources.http.failures import proxy_refusal
from webapp.sources.http.network import Network

# TLS inside of the TLS to a proxy is an SSLTransport, which is no socket.
Socket = socket.socket | SSLTransport
OnConnect = Callable[[Socket], None]

# How long a read blocks before it checks again whether the response is still needed.
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Limits:
    """`seconds` is how long one response may take; `check_stopping` raises when none is needed any more."""

    seconds: float
    check_stopping: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Route:
    """Where the requests for one host go: a pool of connections to it or to a proxy.

    `prefix` stands before each path: the host, if a proxy passes the request on, else nothing.
    """

    pool: urllib3.HTTPConnectionPool
    prefix: str

    @property
    def is_forwarded(self) -> bool:
        """Whether a proxy reads the request and sends it on. For https it only passes bytes on."""
        return bool(self.prefix)


class WatchedAdapter(HTTPAdapter):
    """Opens connections as requests does, but limits the time of each response.

    `on_connect` is called with each new socket, so that other threads can shut it down. Requests are sent
    with urllib3 directly: a session of requests would add cookies, redirects and the passwords in .netrc,
    none of which is wanted, and its overhead is larger than that of the request itself.
    """

    def __init__(self, on_connect: OnConnect, limits: Limits, network: Network | None = None) -> None:
        self._on_connect, self._limits = on_connect, limits
        self._network = network or Network()
        self._tls_context = self._network.tls_context()
        self._routes: dict[str, Route] = {}
        super().__init__(pool_connections=4, pool_maxsize=2)

    def resolve(self, url: str) -> tuple[Route, str]:
        """The route to the host of a URL, and the request target.

        Raises the exceptions of requests and urllib3 for an invalid URL, and BadNetworkSettings.
        """
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise InvalidURL from error
        root = f"{parts.scheme}://{parts.netloc}/"
        route = self._routes.get(root)
        if route is None:
            route = self._routes[root] = self._new_route(root if parts.scheme else url)
        # Not with urlunsplit: from Python 3.12.4 on it puts two more slashes before a path that has two.
        return route, route.prefix + (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def _new_route(self, root: str) -> Route:
        request = requests.Request("GET", root).prepare()
        proxy = self._network.proxy_for(root)
        proxies = {"all": proxy.url} if proxy else None
        pool = self.get_connection_with_tls_context(request, verify=True, proxies=proxies)
        is_forwarded = proxy and not proxy.is_socks and pool.proxy and root.lower().startswith("http:")
        return Route(pool, root.rstrip("/") if is_forwarded else "")

    def close(self) -> None:
        """Close all pools. Called by another thread than the one that sends requests."""
        # A copy, because that thread may be adding a route at this moment.
        for route in list(self._routes.values()):
            route.pool.close()
        super().close()

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        verify: bool | str | None,
        proxies: Any = None,
        cert: object = None,
    ) -> urllib3.HTTPConnectionPool:
        """A pool whose connections are watched. Client certificates are not used."""
        pool = super().get_connection_with_tls_context(request, verify, proxies)
        assert isinstance(pool, urllib3.HTTPConnectionPool), "requests makes no other pools"
        if not getattr(pool.ConnectionCls, "is_watched", False):
            pool.ConnectionCls = _watched(pool.ConnectionCls, self._on_connect, self._limits)
        return pool

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        """Our own context in place of the bundle of requests. `cert_verify`, which adds it, is not called."""
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {"ssl_context": self._tls_context, "cert_reqs": "CERT_REQUIRED"}

    def proxy_manager_for(self, proxy: Any, **options: Any) -> Any:
        """The same certificates count for a proxy that is reached by https."""
        if not proxy.startswith("socks"):
            options["proxy_ssl_context"] = self._tls_context
        return super().proxy_manager_for(proxy, **options)

    def proxy_headers(self, proxy: Any) -> dict[str, str]:
        """The proxy's password, in UTF-8. urllib3 sends it to the proxy alone, never through its tunnel."""
        name, password = get_auth_from_url(proxy)
        if not name:
            return {}
        secret = base64.b64encode(f"{name}:{password}".encode()).decode()
        return {"Proxy-Authorization": f"Basic {secret}"}


def _watched(connection_class: type, on_connect: OnConnect, limits: Limits) -> type:
    """A subclass of a connection class of urllib3 that reports its sockets and limits its responses."""

    class Watched(connection_class):
        is_watched = True

        def connect(self) -> None:
            super().connect()
            on_connect(self.sock)

        def _tunnel(self) -> None:
            """Ask the proxy to connect. Raises ProxyRefused."""
            # In case of TLS to the proxy: another handshake follows inside of it, during which nothing polls.
            on_connect(self.sock)
            timeout_seconds = self.sock.gettimeout()
            try:
                super()._tunnel()
            except (OSError, http.client.HTTPException) as error:
                raise proxy_refusal(error) from error
            # The reader of the proxy's response has set a short one, in which no TLS handshake ends.
            self.sock.settimeout(timeout_seconds)

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


def shut_down(open_socket: Socket) -> None:
    """End a connection that another thread may be reading from: its read returns at once."""
    while not isinstance(open_socket, socket.socket):
        open_socket = open_socket.socket
    try:
        # Not the method of a TLS socket, which would also discard the TLS state under the reading thread.
        socket.socket.shutdown(open_socket, socket.SHUT_RDWR)
    except OSError:
        return  # closed already, by the other side or by its own thread
