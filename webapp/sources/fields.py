"""Single fields of the far side's answers: bounded, and fit for a database and an address."""

import re

MAX_NAME = 1_000
MAX_WORD = 200
MAX_PROMPT = 20_000
MAX_CURSOR = 8_000

MAX_SEED = 2**63 - 1

# Unix time begins there; anything before is a default value, not the time of an image.
EARLIEST_YEAR = 1970

_UNSOUND = re.compile("[\0\ud800-\udfff]")


class UnknownShape(Exception):
    """An answer that is no page of a history as we know it; the text says in what."""


def word(said: object) -> str | None:
    """A short text as it is, None for anything else."""
    return said if isinstance(said, str) and 0 < len(said) <= MAX_WORD and is_sound(said) else None


def is_sound(text: str) -> bool:
    """Whether a database and an address can hold the text: JSON may carry halves of characters, and NUL."""
    return not _UNSOUND.search(text)


def prompt(said: object) -> str | None:
    """A text of a person's own, cut where it is longer than any; None when there is none."""
    if not isinstance(said, str) or not said:
        return None
    return said[:MAX_PROMPT].encode("utf-8", "replace").decode().replace("\0", "")


def seed(said: object) -> int | None:
    """A seed as a number or, as Google writes 64-bit ones, as text; None where no database could hold it."""
    if isinstance(said, str) and re.fullmatch(r"-?\d{1,19}", said, re.ASCII):
        said = int(said)
    is_number = isinstance(said, int) and not isinstance(said, bool)
    return said if is_number and abs(said) <= MAX_SEED else None
