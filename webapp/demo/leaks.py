"""Finds secrets in requests to services that must not see them."""

from webapp.demo.account.google_sign_in import OWN
from webapp.demo.account.labs_sign_in import COOKIE
from webapp.demo.journal import FLOW_GOOGLE_KINDS, LABS_KINDS, ROTATION, Request

_SECRET_HEADERS = {"authorization", "x-goog-api-key"}


def leak_of(request: Request) -> str | None:
    """Name the secrets that a request carries to the wrong service."""
    found = [] if request.kind == "media" else sorted(_SECRET_HEADERS & request.headers.keys())
    if request.kind in LABS_KINDS and "key" in request.query:
        found.append("key")
    if request.kind in ("media", "picture", "other") and _has_leaked_cookie(request):
        found.append("cookie")
    if _other_services_cookie(request) in request.cookies:
        found.append("cookie of the other service")
    return " and ".join(found) or None


def _has_leaked_cookie(request: Request) -> bool:
    """Whether a request that needs no cookies has some.

    From a browser only Flow's cookies count. The dashboard has cookies of its own, and the browser sends
    them with previews too, because cookies do not tell the ports of a host apart.
    """
    is_browser = "sec-fetch-mode" in request.headers
    return any(not is_browser or name.startswith((COOKIE, OWN)) for name in request.cookies)


def _other_services_cookie(request: Request) -> str | None:
    if request.kind in LABS_KINDS:
        return OWN
    return COOKIE if request.kind in (*FLOW_GOOGLE_KINDS, ROTATION) else None
