"""The cookies that a profile signs in with: read from pasted text, checked, and renewed.

pasted     chooses the cookies that one of the services needs
shapes     finds cookies in every format that people paste
quoting    reads quoted text in command lines and programs
found      one cookie of a paste
google     the cookies of flow.google.com
renewal    new cookies from the `Set-Cookie` headers of a response
rotation   the request that keeps a session of Google alive
"""

from webapp.sources.cookies.google import FLOW_HOST
from webapp.sources.cookies.pasted import LABS_HOST, PastedCookies, parse_cookies, service_of
from webapp.sources.cookies.shapes import SESSION_COOKIE

__all__ = ["FLOW_HOST", "LABS_HOST", "SESSION_COOKIE", "PastedCookies", "parse_cookies", "service_of"]
