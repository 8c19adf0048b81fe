"""Compressed text responses, and static files that browsers may cache for a year.

Pages themselves are never cached (see `security`), because they show private content.
"""

import hashlib
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, request

# Smaller responses fit into one network packet anyway.
MIN_BYTES = 1_000
# Text only: images and ZIPs are compressed already.
MEDIA_TYPES = (
    "text/html",
    "text/css",
    "text/javascript",
    "text/plain",
    "application/json",
    "image/svg+xml",
)
# Measured on a gallery page: level 6 takes two thirds longer and saves only 5 % more.
LEVEL = 4
# A static file is compressed once.
STATIC_LEVEL = 9
ONE_YEAR_SECONDS = 365 * 24 * 3600
# The page of this blueprint shows the access codes next to text from its URL. If it were compressed, the
# length of the response would leak the codes (the BREACH attack).
UNCOMPRESSED_BLUEPRINT = "share"


def compress_responses(app: Flask) -> None:
    """Compress the responses of `app`, and add a version to the URLs of its static files."""

    @app.url_defaults
    def add_version(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static":
            values.setdefault("v", _version_of(app, values["filename"]))

    @app.after_request
    def compress(response: Response) -> Response:
        # Not an error of a static file, such as the refusal of its host.
        is_found = request.endpoint == "static" and response.status_code < 400
        if is_found and _is_current_version(app):
            response.headers["Cache-Control"] = f"max-age={ONE_YEAR_SECONDS}, immutable"
        if _is_compressible(response):
            _compress(response)
        return response


def _is_compressible(response: Response) -> bool:
    if response.mimetype not in MEDIA_TYPES or "Content-Encoding" in response.headers:
        return False
    is_whole = response.status_code != 206 and (response.is_sequence or request.endpoint == "static")
    return is_whole and request.blueprint != UNCOMPRESSED_BLUEPRINT


def _compress(response: Response) -> None:
    response.vary.add("Accept-Encoding")
    if request.method == "HEAD" or "gzip" not in request.accept_encodings:
        return
    response.direct_passthrough = False
    content = response.get_data()
    if len(content) < MIN_BYTES:
        return
    compressed = _compressed(content, is_kept=bool(response.get_etag()[0]))
    response.set_data(compressed)
    response.headers["Content-Encoding"] = "gzip"
    if etag := response.get_etag()[0]:
        response.set_etag(etag, weak=True)


def _compressed(content: bytes, *, is_kept: bool) -> bytes:
    """`is_kept`: the same bytes are sent again, as a static file or a page of `page_cache`."""
    if request.endpoint == "static":
        return _gzip_cached(content)
    return _gzip_page(content) if is_kept else _gzip(content)


def _gzip(content: bytes, level: int = LEVEL) -> bytes:
    compressor = zlib.compressobj(level, wbits=31)
    return compressor.compress(content) + compressor.flush()


@lru_cache(maxsize=16)
def _gzip_cached(content: bytes) -> bytes:
    return _gzip(content, STATIC_LEVEL)


@lru_cache(maxsize=32)
def _gzip_page(content: bytes) -> bytes:
    return _gzip(content)


def _is_current_version(app: Flask) -> bool:
    """Whether the version in the URL is that of the file, so that the response may be cached for a year."""
    version = request.args.get("v")
    return version is not None and version == _version_of(app, (request.view_args or {})["filename"])


def _version_of(app: Flask, filename: str) -> str | None:
    """A short hash of a static file's content; None if there is no such file."""
    path = Path(app.static_folder or "", filename)
    return _version(path, path.stat().st_mtime_ns) if path.is_file() else None


@lru_cache(maxsize=64)
def _version(path: Path, _modified_ns: int) -> str:
    """Cached by path and modification time, so that a file is read again only after it has changed."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
