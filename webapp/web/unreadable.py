"""Refuses requests whose host, path, query or headers cannot be read, before Flask looks at them.

Flask reads these parts at many places, also while it renders an error page. There a part that raises would
end in a response without security headers and a traceback for each request.
"""

import json
import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from flask import Request
from werkzeug.exceptions import HTTPException

from webapp.web.security import PLAIN_HEADERS

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

SENTENCE = "Flowshelf cannot read this request: its {part} is not valid. Nothing was changed."


def _host_label(request: Request) -> bytes:
    """As Werkzeug encodes it for the URLs that it builds: raises for an empty label, or a long one."""
    return request.host.partition(":")[0].encode("idna")


_PARTS: dict[str, Callable[[Request], object]] = {
    "Host": _host_label,
    "path": lambda request: (request.path, request.full_path),
    "query": lambda request: request.args,
    "Cookie": lambda request: request.cookies,
    "Authorization": lambda request: request.authorization,
    "Accept": lambda request: (request.accept_mimetypes, request.accept_encodings),
    "Content-Type": lambda request: (request.mimetype, request.mimetype_params, request.content_length),
    "Range": lambda request: (request.range, request.if_range),
    "If-": lambda request: (request.if_modified_since, request.if_none_match, request.if_match),
}


def refuse_unreadable(application: "WSGIApplication") -> "WSGIApplication":
    """`application`, but with status 400 for requests that cannot be read."""

    def serve(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        part = unreadable_part(environ)
        if part is None:
            return application(environ, start_response)
        log.warning("Refused a request from %s: its %s cannot be read", environ.get("REMOTE_ADDR"), part)
        body, media_type = _body(environ, SENTENCE.format(part=part))
        headers = PLAIN_HEADERS | {"Content-Type": media_type, "Content-Length": str(len(body))}
        start_response("400 Bad Request", list(headers.items()))
        return [body]

    return serve


def unreadable_part(environ: "WSGIEnvironment") -> str | None:
    """The first part that cannot be read; None if all can."""
    request = Request(environ)
    for part, read in _PARTS.items():
        try:
            read(request)
        except (ValueError, HTTPException):
            return part
    return None


def _body(environ: "WSGIEnvironment", sentence: str) -> tuple[bytes, str]:
    if environ.get("PATH_INFO", "").startswith("/api/"):
        value = {"success": False, "error": sentence, "code": "bad_request"}
        return json.dumps(value).encode(), "application/json"
    return f"{sentence}\n".encode(), "text/plain; charset=utf-8"
