"""Signed picture URLs: which ones are allowed, when they expire, and how they are fetched."""

import re
from collections.abc import Set
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

from webapp.config import LOOPBACK_HOSTS
from webapp.errors import BadPicture, ImageRefused
from webapp.sources.http import HttpClient, Response, TooLarge, host_of
from webapp.sources.refusals import check_passing, redirect_target

MAX_URL = 4_000
MAX_REDIRECTS = 3


def is_picture_url(url: object, hosts: Set[str]) -> bool:
    """Whether `url` may be fetched or shown: https at one of `hosts` (`host` or `host:port`), or http
    at a loopback host that is listed with its port."""
    # URL parsers disagree about the host when it is next to other characters, above all a backslash.
    if not isinstance(url, str) or len(url) > MAX_URL or not re.fullmatch(r"[!#-\[\]-~]+", url):
        return False
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc:
        return False
    if parts.scheme == "https":
        return _with_port(host, port or 443) in hosts or (host in hosts and port in (None, 443))
    return parts.scheme == "http" and host in LOOPBACK_HOSTS and _with_port(host, port or 80) in hosts


def is_good(url: str | None, hosts: Set[str], now: datetime) -> bool:
    """Whether a URL may be shown and has not expired; one without an expiry never expires."""
    return url is not None and is_picture_url(url, hosts) and expires_at(url) > now.timestamp()


def expires_at(url: str) -> float:
    """When a URL expires, in Unix seconds (labs/PROTOCOL.md, part 4): infinity without the parameter, 0 when
    that cannot be read."""
    try:
        return float(parse_qs(urlsplit(url).query).get("Expires", ["inf"])[0])
    except ValueError:
        return 0.0


def _with_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def fetch_picture(http: HttpClient, url: str, hosts: Set[str]) -> bytes:
    """Fetch a signed URL without any credentials, following at most `MAX_REDIRECTS` between allowed hosts.

    Raises ImageRefused when a host is not allowed or the file is too large, BadPicture when the response is
    not a picture (the URL may have expired), and FlowUnavailable.
    """
    for _ in range(1 + MAX_REDIRECTS):
        if not is_picture_url(url, hosts):
            raise ImageRefused(
                f"The image is at {host_of(url)}, a host that Flowshelf does not download from. If you trust "
                "it, add it to the setting FLOWSHELF_PICTURE_HOSTS."
            )
        response = _get(http, url)
        if not 300 <= response.status < 400:
            return _content(response)
        url = redirect_target(response)
    raise BadPicture("The URL of the image redirects too many times. Trying again is safe.")


def _get(http: HttpClient, url: str) -> Response:
    try:
        response = http.get(url)
    except TooLarge as error:
        raise ImageRefused(str(error)) from error
    check_passing(response)
    return response


def _content(response: Response) -> bytes:
    if response.status != 200 or response.is_html or not response.body:
        raise BadPicture(
            f"The URL of the image at {host_of(response.url)} did not return an image ({response.status}). "
            "It may have expired. Trying again is safe."
        )
    return response.body
