"""Reads the session cookies of Firefox, which it stores with its open windows and not with the others."""

import json
from collections.abc import Iterator
from pathlib import Path

from webapp.sources.firefox import lz4
from webapp.sources.firefox.bounded import NotReadable, read_bounded
from webapp.sources.firefox.cookie_file import StoredCookie

# While Firefox runs it writes the first one, about every 15 seconds; when it ends, the second.
FILES = ("sessionstore-backups/recovery.jsonlz4", "sessionstore.jsonlz4")
# Some seconds of decoding at the most.
MAX_FILE_BYTES = 8 * 1024 * 1024
MAX_TEXT_BYTES = 24 * 1024 * 1024
MAX_COOKIES = 20_000


def read_session_cookies(folder: Path, hosts: tuple[str, ...], container: int | None) -> list[StoredCookie]:
    """The session cookies of these hosts, of one container or of none; empty if there are none to be read.

    They only add to the stored cookies, so a file that cannot be read is no error.
    """
    for name in FILES:
        try:
            text = lz4.decode_file(read_bounded(folder / name, MAX_FILE_BYTES), MAX_TEXT_BYTES)
            document = json.loads(text)
        except (NotReadable, lz4.Damaged, ValueError, RecursionError):
            continue
        return list(_cookies(document, hosts, container))
    return []


def _cookies(document: object, hosts: tuple[str, ...], container: int | None) -> Iterator[StoredCookie]:
    cookies = document.get("cookies") if isinstance(document, dict) else None
    for cookie in cookies[:MAX_COOKIES] if isinstance(cookies, list) else ():
        if isinstance(cookie, dict) and _is_of(cookie.get("originAttributes"), container):
            host, name, value = (cookie.get(key) for key in ("host", "name", "value"))
            if isinstance(name, str) and isinstance(value, str) and isinstance(host, str) and host in hosts:
                yield StoredCookie(name, value, host)


def _is_of(attributes: object, container: int | None) -> bool:
    """Whether a cookie is of this container, and neither partitioned nor of a private window."""
    given = attributes if isinstance(attributes, dict) else {}
    return {name: value for name, value in given.items() if value} == (
        {} if container is None else {"userContextId": container}
    )
