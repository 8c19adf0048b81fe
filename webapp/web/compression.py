"""Lighter answers: text is packed for browsers that take it so, and styles and scripts are asked for once.

Pages themselves are kept by no browser (`guard`): they show what is private.
"""

import hashlib
import zlib
from functools import lru_cache
from pathlib import Path

from flask import Flask, Response, request

# Below that a packet is a packet; pictures and ZIPs are packed already.
SMALLEST_BYTES = 1_000
KINDS = ("text/html", "text/css", "text/javascript", "text/plain", "application/json", "image/svg+xml")
# Measured on a page of the gallery: level 6 takes two thirds longer and saves a twentieth.
LEVEL = 4
ONE_YEAR_SECONDS = 365 * 24 * 3600
# Its page shows the codes of the shelf beside words from its address: together packed, the length of an
# answer would tell of them (BREACH).
NEVER_PACKED = "share"


def compress_responses(app: Flask) -> None:
    """Pack what `app` answers, and name its static files after what is in them."""

    @app.url_defaults
    def name_by_content(endpoint: str, values: dict) -> None:
        if endpoint == "static":
            values.setdefault("v", _version_of(app, values["filename"]))

    @app.after_request
    def pack(response: Response) -> Response:
        if request.endpoint == "static" and _is_exact(app):
            response.headers["Cache-Control"] = f"max-age={ONE_YEAR_SECONDS}, immutable"
        if _is_packable(response):
            _pack(response)
        return response


def _is_packable(response: Response) -> bool:
    if response.mimetype not in KINDS or "Content-Encoding" in response.headers:
        return False
    is_whole = response.status_code != 206 and (response.is_sequence or request.endpoint == "static")
    return is_whole and request.blueprint != NEVER_PACKED


def _pack(response: Response) -> None:
    response.vary.add("Accept-Encoding")
    if request.method == "HEAD" or "gzip" not in request.accept_encodings:
        return
    response.direct_passthrough = False
    content = response.get_data()
    if len(content) < SMALLEST_BYTES:
        return
    packed = _packed_once(content) if request.endpoint == "static" else _packed(content)
    response.set_data(packed)
    response.headers["Content-Encoding"] = "gzip"
    if etag := response.get_etag()[0]:
        response.set_etag(etag, weak=True)


def _packed(content: bytes) -> bytes:
    gzip = zlib.compressobj(LEVEL, wbits=31)
    return gzip.compress(content) + gzip.flush()


_packed_once = lru_cache(maxsize=16)(_packed)


def _is_exact(app: Flask) -> bool:
    """Whether the address names what the file holds."""
    version = request.args.get("v")
    return version is not None and version == _version_of(app, (request.view_args or {})["filename"])


def _version_of(app: Flask, filename: str) -> str | None:
    """A short word for the content of a static file, None when it is not there."""
    path = Path(app.static_folder, filename)
    return _version(path, path.stat().st_mtime_ns) if path.is_file() else None


@lru_cache(maxsize=64)
def _version(path: Path, _changed_at: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
