"""A path prefix, for a Flowshelf that shares a host name with other sites: https://example.org/shelf/.

The reverse proxy passes paths on as they are, so Flowshelf sees the same URL as the browser, with and without
the proxy. The prefix comes from the configuration and never from a header, which a visitor could send too.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import quote

from flask import Flask, redirect, request
from werkzeug.wrappers import Response

from webapp.errors import OutsidePrefix

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_IS_OUTSIDE = "flowshelf.is_outside_prefix"


def serve_under(app: Flask, prefix: str) -> None:
    """Serve `app` under `prefix`, such as "/shelf". `url_for` then adds it to every URL."""
    if prefix:
        app.wsgi_app = _UnderPrefix(app.wsgi_app, prefix)  # type: ignore[method-assign]  # Flask documents it


class _UnderPrefix:
    """Moves the prefix from PATH_INFO to SCRIPT_NAME. Marks requests for other paths, which `check_prefix`
    refuses: there the response gets its security headers."""

    def __init__(self, wsgi_app: "WSGIApplication", prefix: str) -> None:
        self._wsgi_app = wsgi_app
        self._prefix = prefix

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        environ["SCRIPT_NAME"] = self._prefix
        if path == self._prefix or path.startswith(f"{self._prefix}/"):
            environ["PATH_INFO"] = path[len(self._prefix) :]
        else:
            environ[_IS_OUTSIDE] = True
        return self._wsgi_app(environ, start_response)


def check_prefix() -> Response | None:
    """A redirect if the path is the prefix without its slash, where the browser would send no cookie.

    Raises OutsidePrefix.
    """
    if request.environ.get(_IS_OUTSIDE):
        raise OutsidePrefix(
            f"Flowshelf is served under {root_path()} and nowhere else. If a reverse proxy removes "
            f"{request.script_root} from the path, let it pass on the path unchanged."
        )
    if request.script_root and not request.environ["PATH_INFO"]:
        query = request.query_string.decode("latin-1")
        return redirect(f"{root_path()}{'?' if query else ''}{quote(query, safe='%=&+')}", code=308)
    return None


def root_path() -> str:
    """The path of the start page, with its slash. Cookies are sent below it only."""
    return f"{request.script_root}/"


def requested_path() -> str:
    """The path and the query of the current request, with the prefix."""
    return request.script_root + request.full_path.rstrip("?")
