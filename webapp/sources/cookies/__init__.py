"""What a profile signs in with: pasted cookies, the session they open, the key of the media service."""

from webapp.sources.cookies.google import FLOW_HOST
from webapp.sources.cookies.pasted import LABS_HOST, PastedCookies, parse_cookies, service_of
from webapp.sources.cookies.shapes import SESSION_COOKIE

__all__ = ["FLOW_HOST", "LABS_HOST", "SESSION_COOKIE", "PastedCookies", "parse_cookies", "service_of"]
