"""Reads “Copy as fetch” and “Copy as PowerShell”, of one request or of all."""

import re
from collections.abc import Iterator

from webapp.sources.cookies import quoting
from webapp.sources.cookies.found import FoundCookie, header_cookies
from webapp.sources.cookies.pasted_requests import PastedRequest, host_of, request_of
from webapp.sources.cookies.reading import Reading

_FETCH = re.compile(r"\bfetch\s{0,9}\(\s{0,9}[\"'`](https?://[^\"'`\s]++)")
_FETCH_START = re.compile(r"^[^\n'\"{\[]{0,120}?\bfetch\s{0,9}\(", re.MULTILINE)
_POWERSHELL = re.compile(
    r"(?:PS [^\n>]{0,120}>\s{0,9})?"
    r"(?:\$\w{1,40}\s{0,9}=|\$\w{1,40}\.|Invoke-(?:WebRequest|RestMethod)\b|New-Object\s)",
    re.IGNORECASE,
)
_URI = re.compile(r"-Uri\s{1,9}[\"'](https?://[^\"'\s]++)", re.IGNORECASE)
_STRING = quoting.POWERSHELL_TEXT
_CONSTRUCTOR = re.compile(
    rf"Net\.Cookie\(?\s{{0,9}}{_STRING}\s{{0,9}},\s{{0,9}}{_STRING}"
    rf"(?:\s{{0,9}},\s{{0,9}}{_STRING}\s{{0,9}},\s{{0,9}}{_STRING})?",
    re.IGNORECASE | re.DOTALL,
)
_HEADER = re.compile(rf"[\"']?\bcookie[\"']?\s{{0,9}}=\s{{0,9}}{_STRING}", re.IGNORECASE | re.DOTALL)

FETCH_LACKS_COOKIES = "“Copy as fetch” leaves out the cookies; “Copy as fetch (Node.js)” contains them"


def is_fetch(text: str) -> bool:
    return _FETCH_START.search(text) is not None


def read_fetch(text: str) -> Reading:
    """Each call of `fetch` is a request."""
    calls = list(_FETCH.finditer(text))
    ends = [call.start() for call in calls[1:]] + [len(text)]
    requests = [
        _fetch_request(call[1], text[call.end() : end]) for call, end in zip(calls, ends, strict=False)
    ]
    requests = requests or [_fetch_request("", text)]
    shape = "a fetch command" if len(requests) < 2 else f"{len(requests)} fetch commands"
    has_cookies = any(request.cookies for request in requests)
    return Reading.of_requests(shape, requests, note=None if has_cookies else FETCH_LACKS_COOKIES)


def _fetch_request(url: str, options: str) -> PastedRequest:
    return request_of(url, quoting.named_texts(options))


def is_powershell(text: str) -> bool:
    return _POWERSHELL.match(text) is not None


def read_powershell(text: str) -> Reading:
    return Reading("a PowerShell command", list(_powershell_cookies(text)))


def _powershell_cookies(text: str) -> Iterator[FoundCookie]:
    for match in _CONSTRUCTOR.finditer(text):
        name, value, _, domain = (quoting.powershell_text(*match.group(i, i + 1)) for i in (1, 3, 5, 7))
        yield FoundCookie(name, value, domain or None)
    uri = _URI.search(text)
    for match in _HEADER.finditer(text):
        header = quoting.powershell_text(match[1], match[2])
        yield from header_cookies(header, host_of(uri[1]) if uri else None)
