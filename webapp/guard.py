"""Who may ask: the Host and Origin of every request, and the security headers of every answer.

A page of another site must not be able to make a browser on this machine press our buttons (Origin),
nor to reach us under a name of its own (Host, against DNS rebinding).
"""

import ipaddress
import socket
from urllib.parse import urlsplit

from flask import Flask, Response, request

from webapp.config import Config
from webapp.errors import Forbidden

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def protect(app: Flask, config: Config) -> None:
    """Check every request before anything else happens, and harden every answer."""
    own_names = _own_names()
    policy = content_security_policy(config)

    @app.before_request
    def check_request() -> None:
        check_host(request.host, own_names)
        if request.method not in SAFE_METHODS:
            check_origin(request.headers.get("Origin"), request.host)
            check_fetch_site(request.headers.get("Sec-Fetch-Site"))

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        # Not no-referrer: under it a plain form sends `Origin: null` and would be refused above.
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers.setdefault("Cache-Control", "no-store")
        return response


def check_host(host: str, own_names: frozenset[str]) -> None:
    """Raises Forbidden unless `host` is an IP literal or a name of this machine."""
    name = _host_name(host)
    if name in own_names or _is_address(name):
        return
    raise Forbidden(
        f"Flowshelf does not answer to the name “{name[:80]}”. Open it by its address, for example "
        "http://127.0.0.1 with its port, or by this machine's own name."
    )


def check_origin(origin: str | None, host: str) -> None:
    """Raises Forbidden when a browser says that a page of another place sent this."""
    if origin is not None and _place(origin) != host.lower():
        raise Forbidden("This was sent by a page of another site, and nothing was done.")


def check_fetch_site(site: str | None) -> None:
    if site not in (None, "same-origin", "none"):
        raise Forbidden("This was sent by a page of another site, and nothing was done.")


def content_security_policy(config: Config) -> str:
    """Scripts and styles of our own only; pictures also from where signed preview URLs may point."""
    pictures = " ".join(sorted(_picture_source(host) for host in config.all_picture_hosts))
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; font-src 'self'; "
        f"img-src 'self' data: {pictures}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def _picture_source(host: str) -> str:
    is_loopback = _host_name(host) in ("127.0.0.1", "localhost", "::1")
    return f"http://{host}" if is_loopback else f"https://{host}"


def _own_names() -> frozenset[str]:
    name = socket.gethostname().lower()
    short = name.split(".")[0]
    return frozenset({"localhost", name, short, f"{short}.local"})


def _place(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _host_name(host: str) -> str:
    """The name in `name:port`, without the brackets of an IPv6 literal."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
