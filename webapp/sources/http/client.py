"""Sends a request and reads the whole response, within limits of time and size."""

import http.client
import logging
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from weakref import WeakSet

import urllib3

from webapp.errors import FlowChanged, FlowUnavailable, SourceClosed
from webapp.sources.http.connections import Limits, Socket, WatchedAdapter, shut_down
from webapp.sources.http.failures import ProxyRefused, host_of, sentence_for
from webapp.sources.http.network import Network
from webapp.sources.http.response import Response

MAX_RESPONSE_BYTES = 64 * 1024 * 1024
MAX_RESPONSE_SECONDS = 300.0
CHUNK_BYTES = 256 * 1024

# Names the program. Used where nothing is known of the browser that the cookies came from.
USER_AGENT = "Mozilla/5.0 (compatible; Flowshelf)"
# Sent unless the caller sets others. The only encoding is gzip, whose output `_gunzipped` can limit.
HEADERS = {"Accept": "*/*", "Accept-Encoding": "gzip"}

# urllib3 logs full URLs (every request at DEBUG, malformed headers as a warning); ours contain the API key.
logging.getLogger("urllib3").setLevel(logging.ERROR)

_FAILURES = (urllib3.exceptions.HTTPError, http.client.HTTPException, zlib.error, ValueError, OSError)


class TooLarge(FlowChanged):
    """A response larger than its limit."""


class HttpClient:
    """Sends requests for any number of threads; each thread has its own connections.

    Only what the caller passes is sent: no cookies of earlier responses, no .netrc. Redirects are returned,
    not followed. `stopping` ends all requests. `timeout_seconds` are those to connect and to wait for data;
    `total_seconds` limits a whole response. `network`: the proxy and the trusted certificates.
    """

    def __init__(
        self,
        stopping: threading.Event,
        timeout_seconds: tuple[float, float],
        total_seconds: float = MAX_RESPONSE_SECONDS,
        user_agent: str = USER_AGENT,
        network: Network | None = None,
    ) -> None:
        self._stopping = stopping
        self._network = network or Network()
        self._headers = {"User-Agent": user_agent, **HEADERS}
        self._timeout = urllib3.Timeout(*timeout_seconds)
        self._limits = Limits(total_seconds, self.check_stopping)
        self._local = threading.local()
        # Guards the fields below. Sockets and adapters belong to other threads and may die with them, hence
        # the weak references.
        self._lock = threading.Lock()
        self._adapters: WeakSet[WatchedAdapter] = WeakSet()
        self._sockets: WeakSet[Socket] = WeakSet()
        self._is_closed = False

    def get(
        self, url: str, headers: Mapping[str, str] | None = None, limit_bytes: int = MAX_RESPONSE_BYTES
    ) -> Response:
        """The whole response, whatever its status.

        `limit_bytes` limits the decompressed body; beyond it TooLarge is raised. Raises FlowUnavailable when
        there is no complete response, and SourceClosed when none is needed any more.
        """
        return self._request("GET", url, headers, None, limit_bytes)

    def post(self, url: str, headers: Mapping[str, str], body: bytes, limit_bytes: int) -> Response:
        """Like `get`, with a body, for services that are read by POST."""
        return self._request("POST", url, headers, body, limit_bytes)

    def _request(
        self, method: str, url: str, headers: Mapping[str, str] | None, body: bytes | None, limit_bytes: int
    ) -> Response:
        try:
            self.check_stopping()
            return self._exchange(method, url, headers or {}, body, limit_bytes)
        except _FAILURES as error:
            sentence = sentence_for(error, url, self._network)
        # Raised outside the handler, so that it has no cause: that may quote the whole URL with the API key.
        self.check_stopping()
        raise FlowUnavailable(sentence)

    @contextmanager
    def cancelled_by(self, stop: threading.Event) -> Iterator[None]:
        """Inside the block, requests of this thread end with SourceClosed as soon as `stop` is set."""
        self._local.stop = stop
        try:
            yield
        finally:
            self._local.stop = None

    @contextmanager
    def recording(self) -> Iterator[list[Response]]:
        """A list to which each complete response of this thread is appended inside the block."""
        recorded: list[Response] = []
        self._local.recorded = recorded
        try:
            yield recorded
        finally:
            self._local.recorded = None

    def close(self) -> None:
        """Close the connections of all threads; requests under way end with SourceClosed. Idempotent."""
        with self._lock:
            # Marked closed before the sockets are listed: a socket that is opened later is shut down by
            # `_register`.
            self._is_closed = True
            adapters, sockets = list(self._adapters), list(self._sockets)
        for open_socket in sockets:
            shut_down(open_socket)
        for adapter in adapters:
            adapter.close()

    def _exchange(self, method: str, url: str, headers: Mapping, body: bytes | None, limit: int) -> Response:
        route, target = self._adapter().resolve(url)
        raw = route.pool.urlopen(
            method,
            target,
            body,
            {**self._headers, **headers},
            timeout=self._timeout,
            retries=False,
            redirect=False,
            assert_same_host=False,  # a proxy is another host
            preload_content=False,
        )
        try:
            chunks = _chunks(raw, limit)
            if raw.headers.get("content-encoding", "identity").strip().lower() in ("gzip", "x-gzip"):
                chunks = _gunzipped(chunks, limit)
            whole = _joined(chunks, limit, host_of(url))
            response = Response(url, raw.status, tuple(raw.headers.items()), whole)
        finally:
            raw.close()
            raw.release_conn()
        if route.is_forwarded and raw.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            raise ProxyRefused(raw.status)
        self.record(response)
        return response

    def record(self, response: Response) -> None:
        """Append a response to the list of `recording`, also one that did not come through this client."""
        if (recorded := getattr(self._local, "recorded", None)) is not None:
            recorded.append(response)

    def check_stopping(self) -> None:
        """Raise SourceClosed when no response is needed any more."""
        stop = getattr(self._local, "stop", None)
        if self._is_closed or self._stopping.is_set() or (stop is not None and stop.is_set()):
            raise SourceClosed("Flowshelf is shutting down; this request goes on when it is started again.")

    def _adapter(self) -> WatchedAdapter:
        adapter = getattr(self._local, "adapter", None)
        if adapter is None:
            adapter = self._local.adapter = WatchedAdapter(self._register, self._limits, self._network)
            with self._lock:
                self._adapters.add(adapter)
        return adapter

    def _register(self, new_socket: Socket) -> None:
        with self._lock:
            # Either `close` finds the socket in the set, or it has run before and the socket ends here.
            self._sockets.add(new_socket)
            is_closed = self._is_closed
        if is_closed:
            shut_down(new_socket)


def _chunks(raw: urllib3.BaseHTTPResponse, limit_bytes: int) -> Iterator[bytes]:
    """A body of known length in one chunk, which need not be copied; any other body as it arrives."""
    length = raw.length_remaining
    if length is not None and length <= limit_bytes:
        while chunk := raw.read(length, decode_content=False):
            yield chunk
    else:
        while chunk := raw.read1(CHUNK_BYTES, decode_content=False):
            yield chunk


def _gunzipped(chunks: Iterator[bytes], limit_bytes: int) -> Iterator[bytes]:
    """Decompress, at most `limit_bytes` + 1 at once: a small response can expand to gigabytes."""
    gunzip = zlib.decompressobj(wbits=31)
    packed = None
    for chunk in chunks:
        packed = chunk
        while packed:
            yield gunzip.decompress(packed, limit_bytes + 1)
            packed = gunzip.unconsumed_tail
        if gunzip.unused_data:
            raise zlib.error("bytes after the end")
    if packed is not None and not gunzip.eof:  # an empty body, as of a redirect, is not compressed
        raise zlib.error("truncated")


def _joined(chunks: Iterator[bytes], limit_bytes: int, host: str) -> bytes:
    """The whole body. Raises TooLarge beyond the limit."""
    received, size = [], 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit_bytes:
            raise TooLarge(f"The response of {host} is larger than the limit of {_size(limit_bytes)}.")
        received.append(chunk)
    return received[0] if len(received) == 1 else b"".join(received)


def _size(count_bytes: int) -> str:
    return f"{count_bytes // 1024**2} MB" if count_bytes >= 1024**2 else f"{count_bytes} bytes"
