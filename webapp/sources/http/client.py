"""Sends one request and reads its whole answer within bounds of time and size."""

import http.client
import logging
import socket
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit
from weakref import WeakSet

import urllib3
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema

from webapp.errors import FlowChanged, FlowUnavailable, SourceClosed
from webapp.sources.http.connections import Limits, WatchedAdapter, shut_down
from webapp.sources.http.response import Response

MAX_RESPONSE_BYTES = 64 * 1024 * 1024
MAX_RESPONSE_SECONDS = 300.0
CHUNK_BYTES = 256 * 1024

# Names the program. Used where nothing is known of the browser that the cookies came from.
USER_AGENT = "Mozilla/5.0 (compatible; Flowshelf)"
# Sent where the caller says nothing else. Of encodings only what `_gunzipped` can bound.
HEADERS = {"Accept": "*/*", "Accept-Encoding": "gzip"}

# urllib3 logs whole addresses: of every request at DEBUG, of odd headers as a warning. Ours hold the key.
logging.getLogger("urllib3").setLevel(logging.ERROR)

_FAILURES = (urllib3.exceptions.HTTPError, http.client.HTTPException, zlib.error, ValueError, OSError)


class TooLarge(FlowChanged):
    """An answer beyond the size that was allowed for it."""


class HttpClient:
    """Requests for any number of threads, each with connections of its own.

    Nothing is sent that the caller did not name: no kept cookies, no .netrc, no proxy credentials.
    Redirects are answers like any other.
    """

    def __init__(
        self,
        stopping: threading.Event,
        timeout_seconds: tuple[float, float],
        total_seconds: float = MAX_RESPONSE_SECONDS,
        user_agent: str = USER_AGENT,
    ) -> None:
        self._stopping = stopping
        self._headers = {"User-Agent": user_agent, **HEADERS}
        self._timeout = urllib3.Timeout(*timeout_seconds)
        self._limits = Limits(total_seconds, self._check_stopping)
        self._local = threading.local()
        self._lock = threading.Lock()
        self._adapters: WeakSet[WatchedAdapter] = WeakSet()
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._is_closed = False

    def get(
        self, url: str, headers: Mapping[str, str] | None = None, limit_bytes: int = MAX_RESPONSE_BYTES
    ) -> Response:
        """The whole answer, whatever its status.

        `limit_bytes` bounds the body after decompression. Raises TooLarge beyond it, and
        FlowUnavailable when there is no whole answer, or none is wanted any more.
        """
        return self._asked("GET", url, headers, None, limit_bytes)

    def post(self, url: str, headers: Mapping[str, str], body: bytes, limit_bytes: int) -> Response:
        """Like `get`, with a body: for services that are read by POST."""
        return self._asked("POST", url, headers, body, limit_bytes)

    def _asked(
        self, method: str, url: str, headers: Mapping[str, str] | None, body: bytes | None, limit_bytes: int
    ) -> Response:
        try:
            self._check_stopping()
            return self._exchange(method, url, headers or {}, body, limit_bytes)
        except _FAILURES as error:
            sentence = _translate_errors(error, host_of(url))
        # Outside the handler and so without its cause: that may quote the whole URL, with its key.
        self._check_stopping()
        raise FlowUnavailable(sentence)

    @contextmanager
    def until(self, stop: threading.Event) -> Iterator[None]:
        """What this thread asks inside of the block ends with SourceClosed as soon as `stop` is set."""
        self._local.stop = stop
        try:
            yield
        finally:
            self._local.stop = None

    @contextmanager
    def noting(self) -> Iterator[list[Response]]:
        """The responses that this thread gets inside of the block, in order, as far as they came whole."""
        self._local.noted = noted = []
        try:
            yield noted
        finally:
            self._local.noted = None

    def close(self) -> None:
        """Let go of every thread's connections; requests under way end with FlowUnavailable. Idempotent."""
        with self._lock:
            self._is_closed = True
            adapters, sockets = list(self._adapters), list(self._sockets)
        for open_socket in sockets:
            shut_down(open_socket)
        for adapter in adapters:
            adapter.close()

    def _exchange(self, method: str, url: str, headers: Mapping, body: bytes | None, limit: int) -> Response:
        pool, target = self._adapter().place(url)
        options = {"timeout": self._timeout, "retries": False, "redirect": False, "preload_content": False}
        raw = pool.urlopen(method, target, body, {**self._headers, **headers}, **options)
        try:
            chunks = _chunks(raw, limit)
            if raw.headers.get("content-encoding", "identity").strip().lower() in ("gzip", "x-gzip"):
                chunks = _gunzipped(chunks, limit)
            whole = _joined(chunks, limit, host_of(url))
            response = Response(url, raw.status, tuple(raw.headers.items()), whole)
        finally:
            raw.close()
            raw.release_conn()
        if (noted := getattr(self._local, "noted", None)) is not None:
            noted.append(response)
        return response

    def _check_stopping(self) -> None:
        stop = getattr(self._local, "stop", None)
        if self._is_closed or self._stopping.is_set() or (stop is not None and stop.is_set()):
            raise SourceClosed("Flowshelf is shutting down; this request goes on when it is started again.")

    def _adapter(self) -> WatchedAdapter:
        adapter = getattr(self._local, "adapter", None)
        if adapter is None:
            adapter = self._local.adapter = WatchedAdapter(self._remember, self._limits)
            with self._lock:
                self._adapters.add(adapter)
        return adapter

    def _remember(self, new_socket: socket.socket) -> None:
        with self._lock:
            self._sockets.add(new_socket)
            is_closed = self._is_closed
        if is_closed:
            shut_down(new_socket)


def _chunks(raw: urllib3.BaseHTTPResponse, limit_bytes: int) -> Iterator[bytes]:
    """A body whose length was said comes as one piece, which is never copied; any other as it arrives."""
    length = raw.length_remaining
    is_bounded = length is not None and length <= limit_bytes
    read, size = (raw.read, length) if is_bounded else (raw.read1, CHUNK_BYTES)
    while chunk := read(size, decode_content=False):
        yield chunk


def _gunzipped(chunks: Iterator[bytes], limit_bytes: int) -> Iterator[bytes]:
    """Decompressed, never more at once than the limit: a small answer can unpack to gigabytes."""
    gunzip = zlib.decompressobj(wbits=31)
    packed = None
    for chunk in chunks:
        packed = chunk
        while packed:
            yield gunzip.decompress(packed, limit_bytes + 1)
            packed = gunzip.unconsumed_tail
        if gunzip.unused_data:
            raise zlib.error("bytes after the end")
    if packed is not None and not gunzip.eof:  # an answer without a body, as a redirect, was not packed
        raise zlib.error("cut")


def _joined(chunks: Iterator[bytes], limit_bytes: int, host: str) -> bytes:
    kept, size = [], 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit_bytes:
            raise TooLarge(
                f"The answer of {host} is larger than {_size(limit_bytes)}, which is not expected."
            )
        kept.append(chunk)
    return kept[0] if len(kept) == 1 else b"".join(kept)


def _size(count_bytes: int) -> str:
    return f"{count_bytes // 1024**2} MB" if count_bytes >= 1024**2 else f"{count_bytes} bytes"


def host_of(url: str) -> str:
    """The host of an address, for sentences; nothing else of it may be shown."""
    try:
        return urlsplit(url).hostname or "the service"
    except ValueError:
        return "the service"


def _translate_errors(error: Exception, host: str) -> str:
    """What a failure means, in words that hold nothing of the request but its host."""
    reasons = (error, *error.args, *(getattr(part, "reason", None) for part in error.args))
    for kinds, sentence in _SENTENCES:
        if any(isinstance(reason, kinds) for reason in reasons):
            return sentence.format(host=host)
    return f"The connection to {host} broke off before its answer was whole. Trying again is safe."


# From the particular to the general.
_SENTENCES = (
    (
        urllib3.exceptions.NameResolutionError,
        "{host} was not found. Check the internet connection; trying again is safe.",
    ),
    (
        urllib3.exceptions.NewConnectionError,
        "{host} takes no connection. It may be down, or this computer offline; trying again is safe.",
    ),
    (
        urllib3.exceptions.SSLError,
        "There is no secure connection to {host}: its certificate was not accepted. "
        "Check this computer's clock, and whether a virus scanner or proxy stands in between.",
    ),
    (
        urllib3.exceptions.ConnectTimeoutError,
        "{host} could not be reached in time. Check the internet connection; trying again is safe.",
    ),
    (
        (urllib3.exceptions.TimeoutError, TimeoutError),
        "{host} took too long to answer. Trying again is safe.",
    ),
    (
        (InvalidURL, InvalidSchema, MissingSchema, urllib3.exceptions.LocationValueError),
        "The address of {host} cannot be used. Check the addresses in the settings.",
    ),
    (
        ValueError,
        "The request to {host} could not be written: a kept cookie or token holds impossible characters. "
        "Paste the cookies again.",
    ),
    (
        zlib.error,
        "The answer of {host} was cut or damaged on its way. Trying again is safe.",
    ),
)
