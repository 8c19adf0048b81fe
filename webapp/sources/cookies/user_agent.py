"""Finds the user agent of the browser that a paste was copied from."""

import re

from webapp.sources.cookies.quoting import without_carets

# As a header, or as a field of a fetch or PowerShell command; a quote or the end of the line ends it.
# Developer tools may put it on the line after its name.
_NAMED = re.compile(r"""\buser-?agent["']?(?:\s{0,9}[:=]\s{0,9}|\n)["']?([^"'\r\n]++)""", re.IGNORECASE)
# No "=": what names a value may be a cookie that was pasted on the same line.
_PLAIN = re.compile(r"Mozilla/[\x20-\x3c\x3e-\x7e]{1,400}")


def find_user_agent(pasted_text: str) -> str | None:
    """The user agent that a pasted request names, None when it names none or one that cannot be sent."""
    text = without_carets(pasted_text) if '^"' in pasted_text else pasted_text
    found = _NAMED.search(text)
    return sendable(found[1]) if found else None


def sendable(user_agent: str) -> str | None:
    """The user agent if it is a browser's and can be sent as it is."""
    user_agent = user_agent.strip()
    return user_agent if _PLAIN.fullmatch(user_agent) else None
