"""Reads single fields of a service's responses: bounded, and safe to store and to put into a URL."""

import re

MAX_NAME = 1_000
MAX_WORD = 200
MAX_PROMPT = 20_000
MAX_CURSOR = 8_000

MAX_SEED = 2**63 - 1

# The start of Unix time; an earlier year is a default value, not the time of an image.
EARLIEST_YEAR = 1970

_UNSOUND = re.compile("[\0\ud800-\udfff]")


class UnknownShape(Exception):
    """A response that differs from the known format; the text says in what way."""


def word(value: object) -> str | None:
    """A short text unchanged; None for any other value."""
    return value if isinstance(value, str) and 0 < len(value) <= MAX_WORD and is_sound(value) else None


def is_sound(text: str) -> bool:
    """Whether the text can be stored and put into a URL. JSON may contain lone surrogates and NUL."""
    return not _UNSOUND.search(text)


def prompt(value: object) -> str | None:
    """A text that a person wrote, cut at `MAX_PROMPT` characters; None when there is none."""
    if not isinstance(value, str) or not value:
        return None
    return value[:MAX_PROMPT].encode("utf-8", "replace").decode().replace("\0", "")


def seed(value: object) -> int | None:
    """A seed, given as a number or as text (Google's form of 64-bit numbers); None beyond 64 bits."""
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,19}", value, re.ASCII):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if abs(value) <= MAX_SEED else None
