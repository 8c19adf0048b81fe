"""One request of a paste: a copied cURL command holds one, “Copy all” and a HAR file hold many."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from webapp.sources.cookies.found import FoundCookie, header_cookies

_ACCOUNT_PATH = re.compile(r"/u/(\d{1,2})(?:[/?#]|$)")
_ACCOUNT_HEADER = "x-goog-authuser"
# In text that is not read as requests: a URL, a request line, or a header with whatever follows its name.
_ACCOUNT_IN_TEXT = re.compile(
    r"(?:https://flow\.google\.com|\bGET\s{1,9}|:path:?\s{1,9})/u/(\d{1,2})(?=[/?#\s\"']|$)"
    r"|\bx-goog-authuser[\"']?\s{0,9}[:=]?\s{0,9}[\"']?(\d{1,2})\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class PastedRequest:
    """A request with its cookies. `headers` are those with a value, by name in lower case."""

    url: str = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    cookies: tuple[FoundCookie, ...] = field(repr=False)

    @property
    def host(self) -> str | None:
        return host_of(self.url)

    @property
    def account_index(self) -> int | None:
        """The N of `/u/N/`, or of the header that says the same; None when the request has neither."""
        if match := _ACCOUNT_PATH.match(path_of(self.url)):
            return int(match[1])
        index = self.headers.get(_ACCOUNT_HEADER, "")
        return int(index) if re.fullmatch(r"[0-9]{1,2}", index) else None


def request_of(url: str, headers: Iterable[tuple[str, str]]) -> PastedRequest:
    """A request with the cookies of its `Cookie` headers."""
    named = [(name.strip().lower(), value.strip()) for name, value in headers]
    host = host_of(url)
    sent = [cookie for name, value in named if name == "cookie" for cookie in header_cookies(value, host)]
    return PastedRequest(url, dict(named), tuple(sent))


def account_index_of(requests: Iterable[PastedRequest], hosts: Iterable[str]) -> int | None:
    """The account of the last request to one of the hosts that names one."""
    known = frozenset(hosts)
    indexes = [request.account_index for request in requests if request.host in known]
    return next((index for index in reversed(indexes) if index is not None), None)


def account_index_in(text: str) -> int | None:
    """The account that a paste without readable requests names, such as a block of headers."""
    match = _ACCOUNT_IN_TEXT.search(text)
    return int(match[1] or match[2]) if match else None


def host_of(url: str) -> str | None:
    try:
        return urlsplit(url if "://" in url else f"https://{url}").hostname
    except ValueError:
        return None


def path_of(url: str) -> str:
    try:
        return urlsplit(url if "://" in url else f"https://{url}").path
    except ValueError:
        return ""
