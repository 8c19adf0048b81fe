"""Finds the cookies in every format that people paste (labs/PROTOCOL.md, part 6)."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import urlsplit

from webapp.errors import BadCookies
from webapp.sources.cookies import quoting
from webapp.sources.cookies.found import FoundCookie, expiry

SESSION_COOKIE = "__Secure-next-auth.session-token"

_ATTRIBUTES = frozenset(
    ("path", "domain", "expires", "max-age", "secure", "httponly", "samesite", "priority", "partitioned")
)
_NETSCAPE = re.compile(
    r"(?P<httponly>#HttpOnly_)?(?P<domain>[^\s#]\S*)\s+(?:TRUE|FALSE)\s+\S+\s+(?:TRUE|FALSE)\s+"
    r"(?P<expires>-?\d+(?:\.\d+)?)\s+(?P<name>\S+)(?:[ \t]+(?P<value>\S.*)?)?"
)
_FIREFOX_ROW = re.compile(r'([^\s:"]+):"([^"]*)"')
_COOKIE_LINE = re.compile(r"[ \t]*cookie[ \t]*:[ \t]*(.*)", re.IGNORECASE)
# The session's name followed by its value, as in "name: value" or a table whose tabs became spaces.
_SESSION_LINE = re.compile(
    rf"^[ \t]*[\"']?({re.escape(SESSION_COOKIE)}(?:\.\d+)?)[\"']?[:\s]\s*"
    r"[\"']?([^\s\"',;=]+)(?=[\s\"',;]|\Z)",
    re.MULTILINE,
)
_TOKEN = re.compile(r"eyJ[\w-]+(?:\.[\w-]*)*", re.ASCII)
_CUT = "The pasted text was cut: {} it begins has no end. Copy all of it once more."

_NO_JSON = (
    "The pasted text looks like JSON but cannot be read as such. Copy it once more without changing it."
)


def found_cookies(text: str) -> list[FoundCookie]:
    """Every cookie of a paste, in order; empty when none is found.

    Raises BadCookies for a known format that is truncated, and for one that never contains cookies.
    """
    for matches, read in _SHAPES:
        if matches(text):
            return [cookie for cookie in read(text) if cookie.name]
    return []


# Formats are recognized by how a text begins wherever possible: a cookie's value may contain nearly anything.
def _is_json(text: str) -> bool:
    return text.startswith(("{", "["))


def _is_curl(text: str) -> bool:
    return re.match(r"(?:[$>%]\s*)?curl(?:\.exe)?\s", text) is not None


def _is_fetch(text: str) -> bool:
    return re.match(r"(?:await\s+)?fetch\s*\(", text) is not None


def _is_powershell(text: str) -> bool:
    return (
        re.match(r"\$\w+\s*=|\$\w+\.|Invoke-(?:WebRequest|RestMethod)\b|New-Object\s", text, re.I) is not None
    )


def _is_netscape(text: str) -> bool:
    return any(_NETSCAPE.fullmatch(line.strip()) for line in text.splitlines())


def _is_table(text: str) -> bool:
    return any(re.match(r"[^\t=]*[^\t=:]\t", line.strip()) for line in text.splitlines())


def _is_firefox_row(text: str) -> bool:
    return ':"' in text and all(
        re.fullmatch(r'[^":]+:("[^"]*"|\w*)', line.strip()) for line in text.splitlines()
    )


def _is_session_line(text: str) -> bool:
    return _SESSION_LINE.search(text) is not None


def _is_token(text: str) -> bool:
    return _TOKEN.fullmatch("".join(text.split())) is not None


def _json_cookies(text: str) -> Iterator[FoundCookie]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if document is None:
        # Outside the handler: a JSON error contains the whole text, and would be the cause of ours.
        raise BadCookies(_NO_JSON if text.endswith(("}", "]")) else _CUT.format("the JSON"))
    return _of_document(document)


def _of_document(document: object) -> Iterator[FoundCookie]:
    if isinstance(document, dict):
        cookies = document.get("cookies")
        if isinstance(cookies, list):
            return _of_document(cookies)
        if isinstance(cookies, dict):
            return _of_names(cookies)
        # The network panel of Firefox copies cookies under one heading, "Request Cookies".
        headings = [value for value in document.values() if isinstance(value, dict)]
        return _of_names(headings[0] if len(document) == len(headings) == 1 else document)
    entries = document if isinstance(document, list) else []
    return (cookie for entry in entries if isinstance(entry, dict) for cookie in _of_entry(entry))


def _of_names(values: dict) -> Iterator[FoundCookie]:
    return (FoundCookie(name.strip(), value) for name, value in values.items() if isinstance(value, str))


def _of_entry(entry: dict) -> Iterator[FoundCookie]:
    folded = {str(key).lower(): value for key, value in entry.items()}
    name, value, domain = folded.get("name"), folded.get("value"), folded.get("domain") or folded.get("host")
    if isinstance(name, str) and isinstance(value, str):
        expires = next(
            (folded[key] for key in ("expirationdate", "expires", "expiry") if folded.get(key)), None
        )
        yield FoundCookie(name.strip(), value, domain if isinstance(domain, str) else None, expiry(expires))


def _curl_cookies(text: str) -> Iterator[FoundCookie]:
    if re.search(r"\s\^\"", text):
        text = quoting.without_carets(text)
    words = quoting.shell_words(re.sub(r"\^\r?\n", " ", text))
    if words is None:
        raise BadCookies(_CUT.format("a quoted text that"))
    site = _site(word for word in words if word.startswith(("http://", "https://")))
    return (cookie for header in _curl_headers(words) for cookie in _of_header(header, site))


def _curl_headers(words: list[str]) -> Iterator[str]:
    for word, after in zip(words, [*words[1:], ""], strict=True):
        if word in ("-b", "--cookie"):
            yield after
        elif word in ("-H", "--header") and (line := _COOKIE_LINE.fullmatch(after)):
            yield line[1]
        elif word.startswith("--cookie="):
            yield word.removeprefix("--cookie=")


def _fetch_cookies(text: str) -> Iterator[FoundCookie]:
    headers = list(quoting.assigned_texts(text, "cookie", ":"))
    if not headers:
        raise BadCookies(
            "“Copy as fetch” leaves out the cookies. For the request named flow.google.com, choose “Copy as "
            "cURL” or “Copy as fetch (Node.js)” instead."
        )
    site = _site(re.findall(r"fetch\s*\(\s*[\"'](https?://[^\"'\s]+)", text))
    return (cookie for header in headers for cookie in _of_header(header, site))


def _powershell_cookies(text: str) -> Iterator[FoundCookie]:
    string = quoting.POWERSHELL_TEXT
    constructor = rf"Net\.Cookie\(?\s*{string}\s*,\s*{string}(?:\s*,\s*{string}\s*,\s*{string})?"
    for match in re.finditer(constructor, text, re.IGNORECASE | re.DOTALL):
        name, value, _, domain = (quoting.powershell_text(*match.group(i, i + 1)) for i in (1, 3, 5, 7))
        yield FoundCookie(name, value, domain or None)
    site = _site(re.findall(r"-Uri\s+[\"'](https?://[^\"'\s]+)", text, re.IGNORECASE))
    header = rf"[\"']?\bcookie[\"']?\s*=\s*{string}"
    for match in re.finditer(header, text, re.IGNORECASE | re.DOTALL):
        yield from _of_header(quoting.powershell_text(match[1], match[2]), site)


def _netscape_cookies(text: str) -> Iterator[FoundCookie]:
    for line in text.splitlines():
        if match := _NETSCAPE.fullmatch(line.strip()):
            value = match["value"] or ""
            yield FoundCookie(match["name"], value.strip(), match["domain"], expiry(match["expires"]))


def _table_cookies(text: str) -> Iterator[FoundCookie]:
    """Rows copied from the developer tools: name, value, domain, path, expires, ..."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().split("\t")]
        if len(cells) > 1 and cells[:2] != ["Name", "Value"]:
            name, value, domain, _, expires = (cells + [""] * 5)[:5]
            yield FoundCookie(name, value.strip('"'), domain or None, expiry(expires))


def _firefox_cookies(text: str) -> Iterator[FoundCookie]:
    """One row of Firefox's storage panel: `name:"value"`, then its attributes in the same form."""
    rows = [match.groups() for line in text.splitlines() if (match := _FIREFOX_ROW.fullmatch(line.strip()))]
    fields = dict(re.findall(r'^\s*([A-Za-z /-]+):"([^"]*)"', text, re.MULTILINE))
    for name, value in rows[:1]:
        yield FoundCookie(name, value, fields.get("Domain"), expiry(fields.get("Expires / Max-Age")))


def _session_line_cookies(text: str) -> Iterator[FoundCookie]:
    return (FoundCookie(match[1], match[2]) for match in _SESSION_LINE.finditer(text))


def _token_cookie(text: str) -> Iterator[FoundCookie]:
    # A terminal or chat may have wrapped it; white space is never part of a token.
    yield FoundCookie(SESSION_COOKIE, "".join(text.split()))


def _header_cookies(text: str) -> Iterator[FoundCookie]:
    """A cookie header with or without its name, a whole block of headers, or one `name=value` per line."""
    lines = text.splitlines()
    named = [match[1] or following for line, following in zip(lines, [*lines[1:], ""], strict=True)
             if (match := _COOKIE_LINE.fullmatch(line))]  # fmt: skip
    for line in named or lines:
        yield from _of_header(re.sub(r"^\s*set-cookie\s*:", "", line, flags=re.IGNORECASE), None)


def _of_header(header: str, site: str | None) -> Iterator[FoundCookie]:
    """The cookies of `a=b; c=d`. Attributes are dropped; `expires` applies to the cookie before it."""
    pending = None
    for part in header.split(";"):
        name, equals, value = (text.strip() for text in part.partition("="))
        if name.lower() in _ATTRIBUTES:
            if pending and name.lower() == "expires":
                pending = FoundCookie(pending.name, pending.value, site, expiry(value))
            continue
        if pending:
            yield pending
        pending = FoundCookie(name, _unquoted(value), site) if equals else None
    if pending:
        yield pending


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value


def _site(urls: Iterable[str]) -> str | None:
    try:
        return urlsplit(next(iter(urls), "")).hostname
    except ValueError:
        return None


_SHAPES: tuple[tuple[Callable[[str], bool], Callable[[str], Iterable[FoundCookie]]], ...] = (
    (_is_json, _json_cookies),
    (_is_curl, _curl_cookies),
    (_is_fetch, _fetch_cookies),
    (_is_powershell, _powershell_cookies),
    (_is_token, _token_cookie),
    (_is_netscape, _netscape_cookies),
    (_is_table, _table_cookies),
    (_is_firefox_row, _firefox_cookies),
    (_is_session_line, _session_line_cookies),
    (lambda text: True, _header_cookies),
)
