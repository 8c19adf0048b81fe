"""The cookies that a profile signs in with: read from pasted text, checked, and renewed.

pasted           chooses the cookies that one of the services needs
files            the text of a file that was chosen instead of pasting
plain            undoes what chats and word processors do to a text
shapes           the table of formats, each with its reader
commands         cURL, wget, HTTPie
programs         fetch, PowerShell
documents        JSON of extensions, HAR, and Python or JavaScript that resembles it (literals)
tables           cookies.txt, developer tools, CSV, YAML
quoting          quoted text in command lines and programs
reading          what a paste contains: cookies (found), requests (pasted_requests), a user agent
google           the cookies of flow.google.com
renewal          new cookies from the `Set-Cookie` headers of a response
rotation         the request that keeps a session of Google alive
"""

from collections.abc import Iterable

from webapp.sources.cookies.files import MAX_FILE_BYTES, text_of_file
from webapp.sources.cookies.google import FLOW_HOST
from webapp.sources.cookies.google import warnings as missing_cookie_warnings
from webapp.sources.cookies.pasted import LABS_HOST, PastedCookies, parse_cookies, service_of
from webapp.sources.cookies.shapes import SESSION_COOKIE

__all__ = [
    "FLOW_HOST",
    "LABS_HOST",
    "MAX_FILE_BYTES",
    "SESSION_COOKIE",
    "PastedCookies",
    "cookie_warnings",
    "parse_cookies",
    "service_of",
    "text_of_file",
]


def cookie_warnings(cookie_names: Iterable[str]) -> tuple[str, ...]:
    """Sentences about cookies that are missing among stored ones although these may work without them."""
    names = list(cookie_names)
    return missing_cookie_warnings(names) if service_of(names) == FLOW_HOST else ()
