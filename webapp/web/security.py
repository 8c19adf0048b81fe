"""Who may ask: Host and Origin of every request, sign-in when the shelf is shared, security headers.

A page of another site must not be able to make a browser on this machine press our buttons (Origin),
nor to reach us under a name of its own (Host, against DNS rebinding). What a role may ask for is said by
each view (`webapp.web.access`), and denied unless it is said.
"""

import ipaddress
import socket
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, request

from webapp.config import LOOPBACK_HOSTS, Config
from webapp.database.states import Role
from webapp.errors import Forbidden, SignInNeeded
from webapp.web import access
from webapp.web.sharing import Sharing

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
# Nobody but the owner has reason to send more than a code or a short question.
MAX_FOREIGN_REQUEST_BYTES = 16 * 1024
# Room for ten thousand ticked images, or for any cookies. Read whole, however many fields that may be.
MAX_FORM_BYTES = 2 * 1024 * 1024
SIGN_IN = "Sign in first: open the link that the owner of this shelf gave you, or type its code."
NOT_FOR_GUESTS = "Guests may look, search and save pictures. This is for the owner of the shelf."


def protect(app: Flask, config: Config) -> None:
    """Check every request before anything else happens, and harden every answer."""
    own_names = _own_names() | config.allowed_hosts
    policy = content_security_policy(config.all_picture_hosts)
    foreign_policy = content_security_policy(())

    @app.before_request
    def check_request() -> None:
        check_host(request.host, own_names)
        if request.method not in SAFE_METHODS:
            check_origin(request.headers.get("Origin"), request.host)
            check_fetch_site(request.headers.get("Sec-Fetch-Site"))

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = policy if access.is_owner() else foreign_policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        # Not no-referrer: under it a plain form sends `Origin: null` and would be refused above.
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers.setdefault("Cache-Control", "no-store")
        return response


def ask_to_sign_in(app: Flask, sharing: Sharing) -> None:
    """Find out who asks, and refuse what is not for them; needs the request's database connection."""
    # Style sheet and scripts: the sign-in page needs them, and they are in every copy of Flowshelf.
    access.open_to_anonymous(app.view_functions["static"])

    @app.before_request
    def check_role() -> None:
        access.let_in(who_asks(sharing))
        if not access.is_owner():
            request.max_content_length = MAX_FOREIGN_REQUEST_BYTES
            # A part of a file is copied out by a thread, which a slow reader could hold; a whole one is not.
            request.environ.pop("HTTP_RANGE", None)
        elif request.mimetype == "application/x-www-form-urlencoded":
            request.max_content_length = MAX_FORM_BYTES
        require_role(access.role(), current_app.view_functions.get(request.endpoint))


def who_asks(sharing: Sharing) -> Role:
    """By the code in the Authorization header, else by the session of the cookie.

    Raises WrongCode or Locked for a code that is not right.
    """
    if not sharing.is_on:
        return Role.OWNER
    if request.endpoint == "static":
        return Role.ANONYMOUS
    if request.authorization and request.authorization.type == "bearer":
        return sharing.role_of_code(request.authorization.token or "", request.remote_addr or "")
    session_id = request.cookies.get(access.cookie_name())
    return (session_id and sharing.role_of_session(session_id)) or Role.ANONYMOUS


def require_role(role: Role, view: Callable | None) -> None:
    """Raises SignInNeeded or Forbidden when a view is not for this role."""
    if access.may_ask(role, view):
        return
    raise SignInNeeded(SIGN_IN) if role is Role.ANONYMOUS else Forbidden(NOT_FOR_GUESTS)


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


def content_security_policy(picture_hosts: Iterable[str]) -> str:
    """Scripts and styles of our own only; pictures also from where signed preview URLs may point."""
    pictures = " ".join(("'self'", "data:", *sorted(map(_picture_source, picture_hosts))))
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; font-src 'self'; "
        f"img-src {pictures}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def _picture_source(host: str) -> str:
    is_loopback = _host_name(host) in LOOPBACK_HOSTS
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
    """The name in `name:port`, without the brackets of an IPv6 literal; '' when the port is no number."""
    try:
        parts = urlsplit(f"//{host}")
        return (parts.hostname or "").lower() if parts.port != 0 else ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
