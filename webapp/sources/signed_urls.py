"""Signed picture URLs: whose are fetched at all, and the plain GET without any credentials."""

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
    """Whether `url` may be fetched or shown: https on one of `hosts` (`host` or `host:port`), or http
    on a loopback host that is listed with its port."""
    # Other characters, a backslash above all, are where parsers disagree about the host.
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
    """Whether a URL may be shown and has not expired; one that does not say when counts as good.

    `Expires` is in Unix seconds (labs/PROTOCOL.md, part 4).
    """
    return bool(url) and is_picture_url(url, hosts) and expires_at(url) > now.timestamp()


def expires_at(url: str) -> float:
    """When a URL expires in Unix seconds: infinity where it does not say, 0 where that cannot be read."""
    try:
        return float(parse_qs(urlsplit(url).query).get("Expires", ["inf"])[0])
    except ValueError:
        return 0.0


def _with_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def fetch_picture(http: HttpClient, url: str, hosts: Set[str]) -> bytes:
    """The bytes behind a signed URL, after at most three redirects between allowed hosts.

    Raises ImageRefused when a host is not allowed or the file too large, BadPicture when the URL
    has no picture for us (it may have expired), FlowUnavailable.
    """
    for _ in range(1 + MAX_REDIRECTS):
        if not is_picture_url(url, hosts):
            raise ImageRefused(
                f"The image lies at {host_of(url)}, from which Flowshelf does not fetch. If you trust that "
                "host, add it to the setting FLOWSHELF_PICTURE_HOSTS."
            )
        response = _get(http, url)
        if not 300 <= response.status < 400:
            return _content(response)
        url = redirect_target(response)
    raise BadPicture("The address of the image leads on and on. Trying again is safe.")


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
            f"The address of the image at {host_of(response.url)} gives no picture ({response.status}); it "
            "may have expired on the way. Trying again is safe."
        )
    return response.body
