"""Checks on every request: Host, Origin and the role of whoever sends it; security headers on every response.

Checking Origin stops a page of another site from making a browser on this machine submit our forms (CSRF).
Checking Host stops such a page from reaching us under a domain name of its own (DNS rebinding). Each view
declares which roles may use it (`webapp.web.access`); everything else is denied.
"""

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, request
from werkzeug.wrappers import Response as AnyResponse

from webapp.background.companion.signatures import REFUSED
from webapp.config import LOOPBACK_HOSTS, Config
from webapp.database.states import Role
from webapp.errors import CodeNeeded, Forbidden, GuestLinkOff, PairingRefused, SignInNeeded
from webapp.store.choices import guests
from webapp.web import access, companion_access
from webapp.web.prefix import check_prefix
from webapp.web.sharing import Sharing

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
# Guests and anonymous visitors send nothing larger than a code or a short query.
MAX_FOREIGN_REQUEST_BYTES = 16 * 1024
# Enough for a selection of ten thousand images, or for any pasted cookies.
MAX_FORM_BYTES = 2 * 1024 * 1024
# Not no-referrer: with it, browsers send `Origin: null` with plain forms, and we would refuse them.
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# Of responses in plain text, which are not made by Flask.
PLAIN_HEADERS = HEADERS | {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
SIGN_IN = (
    "Sign in first: open the link that you got from the owner of this Flowshelf, or type the code in it."
)
GUESTS_OFF = "The owner of this Flowshelf has turned the guest link off. Ask them to turn it on again."
NOT_FOR_GUESTS = (
    "Only the owner of this Flowshelf can do this. As a guest you can view, search and save images."
)
NOT_FOR_COMPANION = "A paired browser can only fetch its calls and return what Flow sent."
CODE_NEEDED = (
    "This needs the owner’s code, which was not typed in this browser in the last ten minutes. Nothing was "
    "changed. Type it on the page Share, then do this again. Scripts send it as Authorization: Bearer."
)
OTHER_SITE = "This request came from a page of another site, so Flowshelf ignored it. Nothing was changed."


def protect(app: Flask, config: Config) -> None:
    """Check Host, Origin and prefix of every request before anything else, and add security headers to every
    response."""
    own_names = _own_names() | config.allowed_hosts
    policy = content_security_policy(config.all_picture_hosts)
    # Only the owner sees previews from Google's servers.
    foreign_policy = content_security_policy(())

    @app.before_request
    def check_request() -> AnyResponse | None:
        check_host(request.host, own_names)
        if companion_access.is_from_extension():
            # Another origin than ours: its code or its signature shows what it may do.
            return check_prefix()
        site = request.headers.get("Sec-Fetch-Site")
        check_origin(request.headers.get("Origin"), site)
        if request.method not in SAFE_METHODS:
            check_fetch_site(site)
        return check_prefix()

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = policy if access.is_owner() else foreign_policy
        response.headers.update(HEADERS)
        response.headers.setdefault("Cache-Control", "no-store")
        return response


def require_sign_in(app: Flask, sharing: Sharing | None) -> None:
    """Determine the role of every request, and refuse views that are not open to it.

    `sharing` is None when Flowshelf is not shared. Register it after the database connection is opened:
    sessions are looked up there.
    """
    # The sign-in page needs the style sheet and scripts, and there is nothing private in them.
    access.open_to_anonymous(app.view_functions["static"])

    @app.before_request
    def check_role() -> None:
        role = role_of_request(sharing)
        # While the guest link is off, guests are nobody. Their sessions stay, for when it is on again.
        is_off = role is Role.GUEST and not guests.is_link_on()
        access.set_role(Role.ANONYMOUS if is_off else role)
        if access.role() is Role.COMPANION:
            request.max_content_length = companion_access.MAX_BODY_BYTES
        elif not access.is_owner():
            request.max_content_length = MAX_FOREIGN_REQUEST_BYTES
            # No partial downloads: a worker thread copies out a byte range itself, so slow readers could
            # occupy all threads. Whole files are sent by waitress's main loop.
            request.environ.pop("HTTP_RANGE", None)
        elif request.mimetype == "application/x-www-form-urlencoded":
            request.max_content_length = MAX_FORM_BYTES
        view = current_app.view_functions.get(request.endpoint or "")
        if is_off and not access.is_allowed(Role.ANONYMOUS, view):
            raise GuestLinkOff(GUESTS_OFF)
        require_role(access.role(), view)
        if access.is_asking_for_code(view):
            require_code(sharing)


def role_of_request(sharing: Sharing | None) -> Role:
    """The role of the code in the Authorization header, otherwise that of the session cookie.

    Without sharing everybody who can reach the port is the owner, except an extension, which is what its
    signature shows. Raises WrongCode, Locked or PairingRefused.
    """
    if companion_access.is_signed():
        # Before anything of it is read: everywhere else not even a valid signature would help.
        if not access.is_for_companion(current_app.view_functions.get(request.endpoint or "")):
            raise Forbidden(NOT_FOR_COMPANION)
        companion_access.verify()
        return Role.COMPANION
    if companion_access.is_from_extension():
        return Role.ANONYMOUS
    if sharing is None:
        return Role.OWNER
    if request.endpoint == "static":
        return Role.ANONYMOUS
    if request.authorization and request.authorization.type == "bearer":
        return sharing.role_of_code(request.authorization.token or "", request.remote_addr or "")
    client = access.client()
    roles = {sharing.role_of_session(session_id, client) for session_id in access.session_ids()}
    return next((role for role in (Role.OWNER, Role.GUEST) if role in roles), Role.ANONYMOUS)


def require_role(role: Role, view: access.View | None) -> None:
    """Raises SignInNeeded, Forbidden or PairingRefused unless this role may use the view."""
    if access.is_allowed(role, view):
        return
    if role is Role.OWNER and access.is_for_companion(view):
        raise PairingRefused(REFUSED)
    raise SignInNeeded(SIGN_IN) if role is Role.ANONYMOUS else Forbidden(NOT_FOR_GUESTS)


def require_code(sharing: Sharing | None) -> None:
    """Raises CodeNeeded if an owner's code is needed for the current request and was not typed of late."""
    if needs_code(sharing):
        raise CodeNeeded(CODE_NEEDED)


def needs_code(sharing: Sharing | None) -> bool:
    """Whether the owner has to type the code before a view that asks for it. A script sends it each time."""
    if sharing is None or (request.authorization and request.authorization.type == "bearer"):
        return False
    return not sharing.has_fresh_code(access.session_ids(), access.client())


def check_host(host: str, own_names: frozenset[str]) -> None:
    """Raises Forbidden unless `host` is an IP address or a name of this machine."""
    name = _host_name(host)
    if name in own_names or _is_ip_address(name):
        return
    raise Forbidden(
        f"Flowshelf cannot be opened under the name “{name[:80]}”. Use an address with its port instead, for "
        "example http://127.0.0.1:8765, or the name of this machine."
    )


def check_origin(origin: str | None, fetch_site: str | None) -> None:
    """Raises Forbidden if the browser names another origin than that of the request. Scripts send no Origin.

    A page of https://HOST is another site than http://HOST. But behind a proxy that speaks https and is not
    named to us, our own pages look like that. Then the browser says in Sec-Fetch-Site that they are ours.
    """
    if origin is None:
        return
    scheme, netloc = _origin_of(origin)
    is_same_scheme = scheme == request.scheme or fetch_site == "same-origin"
    if netloc != request.host.lower() or not is_same_scheme:
        raise Forbidden(OTHER_SITE)


def is_own_navigation() -> bool:
    """Whether a person opened the current URL: typed it, followed a link of ours, or opened it from another
    program. False for what a page of another site can cause, like an image or a link there.

    Browsers send Sec-Fetch headers over https and to loopback only. Elsewhere a navigation is recognised by
    its Accept header, and another site by Referer. Scripts that send neither are no browsers.
    """
    headers = request.headers
    referer = headers.get("Referer")
    if referer is not None and _origin_of(referer) != _own_origin():
        return False
    if (site := headers.get("Sec-Fetch-Site")) is not None:
        is_page = headers.get("Sec-Fetch-Mode") == "navigate" and headers.get("Sec-Fetch-Dest") == "document"
        return is_page and site in ("same-origin", "none")
    return "Accept" not in headers or "text/html" in headers["Accept"]


def check_fetch_site(site: str | None) -> None:
    """The same by Sec-Fetch-Site; "none" means that a person typed the URL."""
    if site not in (None, "same-origin", "none"):
        raise Forbidden(OTHER_SITE)


def content_security_policy(picture_hosts: Iterable[str]) -> str:
    """Allows scripts and styles from this server only, and images also from the hosts of preview URLs."""
    image_sources = " ".join(("'self'", "data:", *sorted(map(_image_source, picture_hosts))))
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; font-src 'self'; "
        f"img-src {image_sources}; manifest-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def _image_source(host: str) -> str:
    is_loopback = _host_name(host) in LOOPBACK_HOSTS
    return f"http://{host}" if is_loopback else f"https://{host}"


def _own_names() -> frozenset[str]:
    name = socket.gethostname().lower()
    short = name.split(".")[0]
    return frozenset({"localhost", name, short, f"{short}.local"})


def _own_origin() -> tuple[str, str]:
    return request.scheme, request.host.lower()


def _origin_of(url: str) -> tuple[str, str]:
    """Scheme and host with port of a URL; empty if it is invalid."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return parts.scheme, parts.netloc.lower()


def _host_name(host: str) -> str:
    """The name in `name:port`, without the brackets of an IPv6 address; '' if the port is invalid."""
    try:
        parts = urlsplit(f"//{host}")
        return (parts.hostname or "").lower() if parts.port != 0 else ""
    except ValueError:
        return ""


def _is_ip_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
