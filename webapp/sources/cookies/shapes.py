"""Finds the cookies in every format that people paste (labs/PROTOCOL.md, part 6)."""

import re
from collections.abc import Callable

from webapp.sources.cookies import commands, documents, programs, tables
from webapp.sources.cookies.found import FoundCookie, header_cookies
from webapp.sources.cookies.google import is_google_name
from webapp.sources.cookies.literals import has_literals
from webapp.sources.cookies.reading import Reading

SESSION_COOKIE = "__Secure-next-auth.session-token"
SESSION_NAME = re.compile(re.escape(SESSION_COOKIE) + r"(?:\.(\d{1,2}))?")

_COOKIE_LINE = re.compile(r"[ \t]*+cookie[ \t]*+(?::[ \t]*+(.*)|)", re.IGNORECASE)
_HOST_LINE = re.compile(
    r"^[ \t]{0,9}(?:host|:authority):?[ \t\n]{1,9}([\w.-]{1,100})(?::\d{1,5})?[ \t]*+$", re.I | re.M
)
_SET_COOKIE = re.compile(r"[ \t]*+set-cookie[ \t]*+:", re.IGNORECASE)
# The session's name followed by its value, as in "name: value" or a table whose tabs became spaces.
_SESSION_LINE = re.compile(
    rf"^[ \t]*+[\"']?({re.escape(SESSION_COOKIE)}(?:\.\d{{1,2}})?)[\"']?[:\s]\s*+"
    r"(?:\"([^\s\"]++)\"|'([^\s']++)'|[\"']?([^\s\"',;=]++)(?=[\s\"',;]|\Z))",
    re.MULTILINE,
)
_TOKEN = re.compile(r"eyJ[\w-]++(?:\.[\w-]*+)*+", re.ASCII)


def read_paste(text: str) -> Reading:
    """All that a paste contains. Raises BadCookies for a format that never contains cookies."""
    program = None
    for matches, read in _SHAPES:
        if matches(text):
            reading = read(text)
            if reading.cookies or (read is not documents.read_literals and program is None):
                return reading
            # It looks like a program without cookies. A value in another format may look like that too.
            program = program or reading
    assert program is not None, "the last shape matches every text"
    return program


def _is_known(name: str) -> bool:
    return is_google_name(name) or SESSION_NAME.fullmatch(name) is not None


def _is_session_line(text: str) -> bool:
    return _SESSION_LINE.search(text) is not None


def _read_session_lines(text: str) -> Reading:
    lines = _SESSION_LINE.finditer(text)
    return Reading("a cookie", [FoundCookie(line[1], line[2] or line[3] or line[4]) for line in lines])


def _is_token(text: str) -> bool:
    return _TOKEN.fullmatch("".join(text.split())) is not None


def _read_token(text: str) -> Reading:
    # A terminal or chat may have wrapped it; white space is never part of a token.
    return Reading("a session token", [FoundCookie(SESSION_COOKIE, "".join(text.split()))])


def _is_header_block(text: str) -> bool:
    return any(_COOKIE_LINE.fullmatch(line) or _SET_COOKIE.match(line) for line in text.split("\n"))


def _read_headers(text: str) -> Reading:
    """A cookie header with or without its name, a whole block of headers, or one `name=value` per line.

    Developer tools put the value of a header on the line after its name.
    """
    lines = text.split("\n")
    named = [
        match[1] or following
        for line, following in zip(lines, [*lines[1:], ""], strict=True)
        if (match := _COOKIE_LINE.fullmatch(line))
    ]
    host = _HOST_LINE.search(text) if named else None
    cookies = [
        cookie
        for line in named or lines
        for cookie in header_cookies(_SET_COOKIE.sub("", line, count=1), host[1] if host else None)
    ]
    return Reading("a cookie header" if cookies else "text", [cookie for cookie in cookies if cookie.name])


_is_csv, _read_csv = tables.csv_reader(_is_known)
_is_yaml, _read_yaml = tables.yaml_reader(_is_known)

# Formats are recognized by how a text begins wherever possible: a cookie's value may contain nearly anything.
_SHAPES: tuple[tuple[Callable[[str], bool], Callable[[str], Reading]], ...] = (
    (_is_token, _read_token),
    (commands.is_command, commands.read_commands),
    (documents.is_document, documents.read_document),
    (programs.is_fetch, programs.read_fetch),
    (programs.is_powershell, programs.read_powershell),
    (has_literals, documents.read_literals),
    (_is_header_block, _read_headers),
    (tables.is_netscape, tables.read_netscape),
    (tables.is_table, tables.read_table),
    (tables.is_firefox_row, tables.read_firefox_rows),
    (_is_csv, _read_csv),
    (_is_session_line, _read_session_lines),
    (_is_yaml, _read_yaml),
    (lambda text: True, _read_headers),
)
