"""Servers that fail on request, a proxy that can, and a certificate authority: all real, on loopback.

Loopback is never proxied, so tests ask for names that only the proxy knows.
"""

import re
import socket
import ssl
import subprocess
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

# What a connection that ends or breaks off raises, in the middle of a message too.
CLOSED = (OSError, ssl.SSLError, ValueError, IndexError)


class Authority:
    """A certificate authority in a folder; `certificate` is the file to trust."""

    def __init__(self, folder: Path, name: str = "Example Authority") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._count = folder, 0
        self.certificate, self._key = folder / "authority.pem", folder / "authority-key.pem"
        kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}")
        openssl("req", "-x509", *kind, "-days", "2", "-keyout", self._key, "-out", self.certificate)

    def server_context(self, name: str, *, days: int = 2) -> ssl.SSLContext:
        """For a server of this host name. With negative `days` its certificate has expired."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.server_files(name, days=days))
        return context

    def server_files(self, name: str, *, days: int = 2) -> tuple[Path, Path]:
        """A new certificate for this host name, and its key."""
        self._count += 1
        key, request, issued = (
            self._folder / f"{self._count}.{suffix}" for suffix in ("key", "request", "pem")
        )
        kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}")
        openssl("req", *kind, "-keyout", key, "-out", request, "-addext", f"subjectAltName=DNS:{name}")
        issuer = ("-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial", "-copy_extensions", "copy")
        openssl("x509", "-req", "-in", request, *issuer, "-days", str(days), "-out", issued)
        return issued, key


def openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Listener:
    """A server on a real socket that sends exactly `reply` to every request and then disconnects."""

    def __init__(
        self,
        reply: bytes,
        *,
        hold: threading.Event | None = None,
        keep_open: bool = False,
        request_end: bytes = b"\r\n\r\n",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.tls = tls
        self.reply, self.hold, self.keep_open, self.request_end = reply, hold, keep_open, request_end
        self.requests: list[bytes] = []
        self.connection_count = 0
        self.requested = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            with connection, suppress(ssl.SSLError, ConnectionError):
                self.connection_count += 1
                stream = self.tls.wrap_socket(connection, server_side=True) if self.tls else connection
                while self._response(stream):
                    pass
            if self._is_done:
                return

    _is_done = False

    def _response(self, connection: socket.socket) -> bool:
        request = b""
        while not request or self.request_end not in request:
            try:
                chunk = connection.recv(65536)
            except ConnectionError:
                return False
            if not chunk:
                return False
            request += chunk
        self.requests.append(request)
        connection.sendall(self.reply)
        self.requested.set()
        if self.hold:
            self.hold.wait(10)
        return self.keep_open

    def close(self) -> None:
        self._is_done = True
        with closing(socket.create_connection(self._listening.getsockname())):
            pass
        self._thread.join(10)
        self._listening.close()


@contextmanager
def listening(reply: bytes, **options):
    listener = Listener(reply, **options)
    try:
        yield listener
    finally:
        if listener.hold:
            listener.hold.set()
        listener.close()


def reply(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    length = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {length}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Relay:
    """Accepts connections on loopback and handles each in a thread; `close` ends them all."""

    def __init__(self, handle: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None) -> None:
        self._handle, self._tls = handle, tls
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.connection_count = 0
        self._loop = threading.Thread(target=self._accept)
        self._loop.start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            if self._is_closed:
                connection.close()
                return
            self.connection_count += 1
            self.start(self._serve, connection)

    _is_closed = False

    def start(self, target: Callable[..., None], *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=target, args=arguments)
        with self._lock:
            self._threads.append(thread)
        thread.start()
        return thread

    def adopt(self, connection: socket.socket) -> socket.socket:
        """Let `close` end this connection too, also if it has begun already."""
        with self._lock:
            self._open.add(connection)
            if self._is_closed:
                _shut_down(connection)
        return connection

    def _serve(self, connection: socket.socket) -> None:
        with suppress(*CLOSED), connection:
            # Known before the handshake, which a client may never finish.
            self.adopt(connection)
            if self._tls:
                connection = self.adopt(self._tls.wrap_socket(connection, server_side=True))
            with connection:
                self._handle(connection)

    def join(self, near: socket.socket, far: socket.socket) -> None:
        """Pass bytes on in both directions until one side ends."""
        back = self.start(_pump, far, near)
        _pump(near, far)
        back.join(10)

    def close(self) -> None:
        self._is_closed = True
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            pass
        self._loop.join(10)
        self._listening.close()
        with self._lock:
            threads = list(self._threads)
            for connection in self._open:
                _shut_down(connection)
        for thread in threads:
            thread.join(10)
        for connection in self._open:  # those that a thread has opened since as well
            connection.close()


def _shut_down(connection: socket.socket) -> None:
    with suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(*CLOSED):
        while chunk := source.recv(65536):
            target.sendall(chunk)
    _shut_down(target)


class SmallProxy(Relay):
    """An HTTP and SOCKS5 proxy that knows the names in `hosts`, and can fail.

    password: what it asks for, as `name:password`.
    reply: sent to every HTTP request in place of serving it; empty bytes just close the connection.
    socks_reply: the code of every SOCKS response, 0 for success.
    hold: an event that every request waits for.
    heads: the heads of all HTTP requests. names: the names that were asked for.
    """

    def __init__(self, hosts: dict[str, int], tls: ssl.SSLContext | None = None) -> None:
        self.hosts = hosts
        self.password: str | None = None
        self.reply: bytes | None = None
        self.socks_reply = 0
        self.hold: threading.Event | None = None
        self.heads: list[bytes] = []
        self.names: list[str] = []
        self.requested = threading.Event()
        super().__init__(self._proxy, tls)

    def _proxy(self, near: socket.socket) -> None:
        first = near.recv(1)
        if first == b"\x05":
            self._socks(near)
        elif first:
            self._http(near, first)

    def _wait(self) -> None:
        self.requested.set()
        if self.hold:
            self.hold.wait(10)

    def _http(self, near: socket.socket, first: bytes) -> None:
        while b"\r\n\r\n" not in first:
            chunk = near.recv(65536)
            if not chunk:
                return
            first += chunk
        self.heads.append(first)
        self._wait()
        refusal = self.reply
        if refusal is None and not self._is_let_in(first):
            refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
        if refusal is not None:
            near.sendall(refusal)
            return
        method, target = first.decode("latin-1").split(" ", 2)[:2]
        name = re.sub(r"^http://([^/]*).*", r"\1", target)
        self.names.append(name.rpartition(":")[0] or name)
        far = self._connect(name)
        if far is None:
            near.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return
        if method == "CONNECT":
            near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            path = target.partition(name)[2] or "/"
            far.sendall(first.replace(target.encode(), path.encode(), 1))
        self.join(near, far)

    def _is_let_in(self, head: bytes) -> bool:
        if self.password is None:
            return True
        return b"Proxy-Authorization: Basic " + b64encode(self.password.encode()) in head

    def _connect(self, name: str) -> socket.socket | None:
        host = name.rpartition(":")[0] or name
        port = self.hosts.get(host)
        return self.adopt(socket.create_connection(("127.0.0.1", port), 10)) if port else None

    def _socks(self, near: socket.socket) -> None:
        near.recv(near.recv(1)[0])  # the ways to sign in that the client offers
        self._wait()
        if self.reply is not None:
            near.sendall(self.reply)
            return
        if self.password is None:
            near.sendall(b"\x05\x00")
        else:
            near.sendall(b"\x05\x02")
            near.recv(1)
            name, password = near.recv(near.recv(1)[0]), near.recv(near.recv(1)[0])
            is_let_in = b":".join((name, password)) == self.password.encode()
            near.sendall(b"\x01" + (b"\x00" if is_let_in else b"\x01"))
            if not is_let_in:
                return
        kind = near.recv(4)[3]
        name = near.recv(near.recv(1)[0]).decode() if kind == 3 else socket.inet_ntoa(near.recv(4))
        near.recv(2)
        self.names.append(name)
        far = None if self.socks_reply else self._connect(name)
        near.sendall(
            b"\x05" + bytes([self.socks_reply if far or self.socks_reply else 4]) + b"\x00\x01" + bytes(6)
        )
        if far:
            self.join(near, far)


@contextmanager
def small_proxy(hosts: dict[str, int], tls: ssl.SSLContext | None = None) -> Iterator[SmallProxy]:
    proxy = SmallProxy(hosts, tls)
    try:
        yield proxy
    finally:
        if proxy.hold:
            proxy.hold.set()
        proxy.close()


@contextmanager
def behind_tls(port: int, tls: ssl.SSLContext) -> Iterator[int]:
    """The port of a server that takes the TLS off and passes the rest on to another port."""

    def handle(near: socket.socket) -> None:
        relay.join(near, relay.adopt(socket.create_connection(("127.0.0.1", port), 10)))

    relay = Relay(handle, tls)
    try:
        yield relay.port
    finally:
        relay.close()
