"""A complete HTTP response, whose `repr` shows no secrets, and the `Retry-After` header."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_RETRY_AFTER_SECONDS = 3600.0
# How much of a body is examined to find out whether it is HTML.
_EXAMINED_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Response:
    """URL, status, headers and whole body of one response. Its `repr` shows only the status."""

    url: str = field(repr=False)
    status: int
    header_lines: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)

    def header(self, name: str) -> str | None:
        """The first header of this name, ignoring case."""
        return next(iter(self._headers(name)), None)

    def set_cookies(self) -> tuple[str, ...]:
        """Every `Set-Cookie` header, in order."""
        return tuple(self._headers("set-cookie"))

    def _headers(self, name: str) -> Iterable[str]:
        return (value for other, value in self.header_lines if other.lower() == name.lower())

    @property
    def location(self) -> str | None:
        """The `Location` header of a redirect as it was sent; None for any other response."""
        return self.header("location") if 300 <= self.status < 400 else None

    @property
    def is_html(self) -> bool:
        """Whether the body is an HTML page. The first character is more reliable than the content type: error
        pages are sent with any type, and some proxies label JSON as `text/html`."""
        start = self.body[:_EXAMINED_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip()
        if start.startswith(b"<"):
            return not start.startswith(b"<?xml")
        return self._is_labelled_html and not start.startswith((b"{", b"["))

    @property
    def _is_labelled_html(self) -> bool:
        content_type = (self.header("content-type") or "").lower()
        return content_type.startswith(("text/html", "application/xhtml"))

    @property
    def text(self) -> str:
        """The body as text; bytes that are not UTF-8 are replaced."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> object:
        """The body as JSON. Raises ValueError when it is not JSON or nested too deep; the error does not
        quote the body."""
        try:
            return json.loads(self.body)
        except RecursionError:
            reason = "nested too deep"
        except ValueError:
            reason = "not JSON"
        # Raised outside the handlers, because a JSONDecodeError as its cause contains the whole document.
        raise ValueError(reason)


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """The seconds that a `Retry-After` header asks to wait, limited to 0 to 3600; None when it is missing or
    cannot be read."""
    text = (header or "").strip()
    if re.fullmatch(r"\d+(?:\.\d+)?", text, re.ASCII):
        return min(float(text), MAX_RETRY_AFTER_SECONDS)
    moment = _http_date(text)
    if moment is None:
        return None
    return min(max((moment - now).total_seconds(), 0.0), MAX_RETRY_AFTER_SECONDS)


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
