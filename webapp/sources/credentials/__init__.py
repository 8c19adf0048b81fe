"""What a profile signs in with: pasted cookies, the session they open, the key of the media service."""

from webapp.sources.credentials.google import FLOW_HOST
from webapp.sources.credentials.pasted import LABS_HOST, PastedCookies, parse_cookies, service_of
from webapp.sources.credentials.shapes import SESSION_COOKIE

__all__ = ["FLOW_HOST", "LABS_HOST", "SESSION_COOKIE", "PastedCookies", "parse_cookies", "service_of"]
