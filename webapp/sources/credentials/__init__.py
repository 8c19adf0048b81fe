"""What a profile signs in with: pasted cookies, the session they open, the key of the media service."""

from webapp.sources.credentials.pasted import PastedCookies, parse_cookies
from webapp.sources.credentials.shapes import SESSION_COOKIE

__all__ = ["SESSION_COOKIE", "PastedCookies", "parse_cookies"]
