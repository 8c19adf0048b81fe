"""Reads JSON and what resembles it: exports of extensions, HAR files, storage states, Python dicts."""

import json
import re
from collections.abc import Iterator, Mapping

from webapp.errors import BadCookies
from webapp.sources.cookies.found import FoundCookie, expiry, header_cookies
from webapp.sources.cookies.literals import CutLiteral, find_literals
from webapp.sources.cookies.pasted_requests import PastedRequest, request_of
from webapp.sources.cookies.reading import Reading

# Keys of one cookie, in lower case. Cookie Quick Manager calls them “Name raw” and “Content raw”.
_NAME, _VALUE = ("name raw", "name"), ("content raw", "value", "content")
_DOMAIN = ("host raw", "domain", "host", "host_key")
_EXPIRES = ("expires raw", "expirationdate", "expires", "expiry", "expires_utc")
_LISTS = ("cookies", "cookie_data")

_HAR_START = re.compile(r"\ufeff?\s{0,99}\{\s{0,99}\"log\"")

ENCRYPTED = (
    "The pasted text is an encrypted export of CookieCloud, which Flowshelf cannot read. Paste the decrypted "
    "JSON, or copy the cookies from the browser."
)
HAR_LACKS_COOKIES = (
    "Chrome leaves the cookies out of a HAR file unless “Allow to generate HAR with sensitive data” is on in "
    "the settings of its developer tools"
)


def is_document(text: str) -> bool:
    return text.startswith(("{", "["))


def read_document(text: str) -> Reading:
    """JSON of any tool. Several values in a row, one in each line for example, are read as well."""
    try:
        values = [json.loads(text)]
    except (ValueError, RecursionError):
        return read_literals(text)
    return _reading("JSON", values)


def read_literals(text: str) -> Reading:
    """Objects as programs write them: Python dicts, JavaScript, JSON with mistakes."""
    values: list[object] = []
    try:
        for value in find_literals(text):
            values.append(value)
    except CutLiteral:
        return Reading("JSON", (), cut="the JSON")
    return _reading("JSON or a dict", values)


def read_har(text: str) -> Reading | None:
    """A HAR file, which may be long; None for other text."""
    if not _HAR_START.match(text):
        return None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    entries = _har_entries(document)
    return _har_reading(entries) if entries is not None else None


def _reading(shape: str, values: list[object]) -> Reading:
    for value in values:
        if (entries := _har_entries(value)) is not None:
            return _har_reading(entries)
    if any(isinstance(value, dict) and set(value) & {"encrypted"} and len(value) <= 3 for value in values):
        raise BadCookies(ENCRYPTED)
    cookies = [cookie for value in values for cookie in _listed_cookies(value)]
    if not cookies:
        cookies = [cookie for value in values for cookie in _mapped_cookies(value)]
    return Reading(shape, [cookie for cookie in cookies if cookie.name])


# HAR 1.2: log.entries[].request with url, headers and cookies


def _har_entries(document: object) -> list[object] | None:
    log = document.get("log") if isinstance(document, dict) else None
    entries = log.get("entries") if isinstance(log, dict) else None
    return entries if isinstance(entries, list) else None


def _har_reading(entries: list[object]) -> Reading:
    requests = [request for entry in entries if (request := _har_request(entry))]
    has_cookies = any(request.cookies for request in requests)
    shape = "a HAR file" if requests else "an empty HAR file"
    return Reading.of_requests(shape, requests, note=None if has_cookies else HAR_LACKS_COOKIES)


def _har_request(entry: object) -> PastedRequest | None:
    request = entry.get("request") if isinstance(entry, dict) else None
    if not isinstance(request, dict) or not isinstance(request.get("url"), str):
        return None
    headers = [pair for header in _objects(request.get("headers")) if (pair := _name_and_value(header))]
    if any(name.lower() == "cookie" for name, _ in headers):
        return request_of(request["url"], headers)
    # Without the domain that a browser may add: the request was sent with these, whatever their domain is.
    pairs = [pair for cookie in _objects(request.get("cookies")) if (pair := _name_and_value(cookie))]
    header = "; ".join(f"{name}={value}" for name, value in pairs)
    return request_of(request["url"], [*headers, ("cookie", header)])


def _objects(value: object) -> list[dict]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


# Objects that have a name and a value, wherever they stand


def _listed_cookies(document: object) -> Iterator[FoundCookie]:
    """In order, with a stack instead of recursion. A key that looks like a host is the domain of its part."""
    stack: list[tuple[object, str | None]] = [(document, None)]
    while stack:
        value, domain = stack.pop()
        if isinstance(value, list):
            stack.extend((entry, domain) for entry in reversed(value))
        elif isinstance(value, dict):
            if pair := _name_and_value(value):
                yield from _cookies_of(*pair, value, domain)
            else:
                inner = [value[key] for key in _LISTS if isinstance(value.get(key), list | dict)][:1]
                parts = [(part, domain) for part in inner] or [
                    (part, key if "." in str(key) else domain) for key, part in value.items()
                ]
                stack.extend(reversed(parts))


def _name_and_value(entry: Mapping[str, object]) -> tuple[str, str] | None:
    folded = _folded(entry)
    name, value = _first(folded, _NAME), _first(folded, _VALUE)
    return (name.strip(), value) if isinstance(name, str) and isinstance(value, str) else None


def _cookies_of(
    name: str, value: str, entry: Mapping[str, object], domain: str | None
) -> Iterator[FoundCookie]:
    # The entry may be a header of a request.
    if name.lower() == "cookie":
        yield from header_cookies(value, None)
        return
    folded = _folded(entry)
    own = _first(folded, _DOMAIN)
    yield FoundCookie(
        name, value, own if isinstance(own, str) and own else domain, expiry(_first(folded, _EXPIRES))
    )


def _folded(entry: Mapping[str, object]) -> dict[str, object]:
    return {str(key).lower(): value for key, value in entry.items()}


def _first(folded: Mapping[str, object], keys: tuple[str, ...]) -> object:
    return next((folded[key] for key in keys if folded.get(key)), None)


# Names to values, directly or below headings: “Request Cookies” of Firefox, the domains of an export


def _mapped_cookies(document: object) -> Iterator[FoundCookie]:
    if isinstance(document, list):
        for entry in document:
            yield from _mapped_cookies_of(entry, None)
    elif isinstance(document, dict):
        inner = next((document[key] for key in _LISTS if isinstance(document.get(key), dict)), document)
        yield from _mapped_cookies_of(inner, None)
        for key, part in inner.items():
            yield from _mapped_cookies_of(part, key if "." in str(key) else None)


def _mapped_cookies_of(mapping: object, domain: str | None) -> Iterator[FoundCookie]:
    for name, value in mapping.items() if isinstance(mapping, dict) else ():
        if isinstance(value, str):
            yield from _cookies_of(str(name).strip(), value, {}, domain)
        elif isinstance(value, dict) and isinstance(value.get("value"), str):
            yield from _cookies_of(str(name).strip(), value["value"], value, domain)
