"""Reads new cookies out of the `Set-Cookie` headers of an answer."""

import re
from collections.abc import Iterable

from webapp.sources.credentials.google import LONGEST_VALUE, is_kept
from webapp.sources.credentials.pasted import WHOLE, part_number
from webapp.sources.credentials.shapes import SESSION_COOKIE


def renewed_cookies(lines: Iterable[str]) -> dict[str, str]:
    """The session cookie that an answer sets, joined if it came in parts; empty when it sets none.

    next-auth deletes cookies by empty values with `Max-Age=0`: the parts of another division, or
    everything when it signs out. A deletion renews nothing, and parts of which one is missing
    would not sign in.
    """
    parts = {}
    for line in lines:
        name, _, value = line.partition(";")[0].strip().partition("=")
        number = part_number(name.strip())
        if number is not None and value.strip() and not is_deletion(line):
            parts[number] = value.strip()
    if WHOLE in parts:
        return {SESSION_COOKIE: parts[WHOLE]}
    is_whole = parts and sorted(parts) == list(range(len(parts)))
    return {SESSION_COOKIE: "".join(parts[number] for number in sorted(parts))} if is_whole else {}


def renewed_google_cookies(lines: Iterable[str], kept: dict[str, str]) -> dict[str, str]:
    """The cookies kept, with what the `Set-Cookie` lines of an answer say anew of the family.

    A deletion renews nothing: whether the session has ended, the next page says for certain.
    """
    fresh = {}
    for line in lines:
        name, _, value = (part.strip() for part in line.partition(";")[0].partition("="))
        is_sound = re.fullmatch(r"[\x21-\x3a\x3c-\x7e]+", value) and len(value) <= LONGEST_VALUE
        if is_kept(name) and is_sound and not is_deletion(line):
            fresh[name] = value
    return kept | fresh


def is_deletion(line: str) -> bool:
    """Whether a `Set-Cookie` line takes a cookie away."""
    return (
        re.search(
            r";\s*(?:max-age=(?:0|-\d+)\s*(?:;|$)|expires=[^;]*[ -](?:1970|1990) )", line, re.IGNORECASE
        )
        is not None
    )
