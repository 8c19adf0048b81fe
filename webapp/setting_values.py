"""Values of settings, read from their texts. Each function raises ValueError, which says what is wrong."""

import ipaddress
import os
import re
from collections.abc import Callable
from pathlib import Path


def folder(text: str) -> Path:
    try:
        folder = Path(text).expanduser().resolve()
    except RuntimeError as error:  # the home folder of an unknown user, or a link to itself
        raise ValueError("such a folder cannot exist") from error
    try:
        str(folder).encode()
    except UnicodeEncodeError as error:  # SQLite stores the paths of pictures, as UTF-8
        raise ValueError("the path of the folder is not UTF-8, so rename it") from error
    return folder


def folders(text: str) -> tuple[Path, ...]:
    return tuple(folder(part) for part in text.split(os.pathsep) if part.strip())


def words(text: str) -> tuple[str, ...]:
    if words := tuple(part.strip() for part in text.split(",") if part.strip()):
        return words
    raise ValueError("it contains no value")


def yes_or_no(text: str) -> bool:
    word = text.lower()
    if word in ("1", "yes", "true", "on"):
        return True
    if word in ("0", "no", "false", "off"):
        return False
    raise ValueError("it must be 1 or 0")


def address(text: str) -> str:
    """A single address, not a network: whoever is trusted as the proxy can claim any client address."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise ValueError("it must be an IP address, such as 127.0.0.1") from error


def host_names(text: str) -> frozenset[str]:
    return frozenset(name.lower() for name in words(text))


def prefix(text: str) -> str:
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", text):
        raise ValueError("it must be a path such as /shelf, with a slash in front and none at the end")
    if {".", ".."}.intersection(text.split("/")):
        raise ValueError("browsers resolve . and .. in a path, so they cannot be a part of it")
    return text


def url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError("it must start with http:// or https://")
    return text.rstrip("/")


def project_url(text: str) -> str:
    if not text.startswith(("http://", "https://", "{flow}/")) or "{id}" not in text:
        raise ValueError("it must be a URL with {id} in it, and may start with {flow}")
    return text


def whole_number(minimum: int, maximum: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or not minimum <= int(text) <= maximum:
            raise ValueError(f"it must be a whole number from {minimum} to {maximum}")
        return int(text)

    return parse


def seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 3600:
        raise ValueError("it must be a number of seconds from 0 to 3600")
    return seconds


def log_level(text: str) -> str:
    if text.lower() not in ("debug", "info", "warning"):
        raise ValueError("it must be debug, info or warning")
    return text.lower()
