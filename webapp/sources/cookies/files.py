"""Reads the text of a file with cookies, as a browser, an extension or a shell has written it."""

import codecs

from webapp.errors import BadCookies
from webapp.sources.cookies.google import ADVICE
from webapp.sources.cookies.pasted import MAX_HAR

MAX_FILE_BYTES = MAX_HAR

_KINDS = (
    (b"SQLite format 3\x00", "a browser’s own cookie database, which is not read here"),
    (b"\x1f\x8b", "compressed"),
    (b"PK\x03\x04", "a ZIP"),
    (b"%PDF", "a PDF"),
)
# Windows PowerShell writes UTF-16.
_ENCODINGS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def text_of_file(content: bytes) -> str:
    """The text of a file. Raises BadCookies for one that is too long or no text."""
    if len(content) > MAX_FILE_BYTES:
        raise BadCookies(f"The file is longer than {MAX_FILE_BYTES // 1_000_000} MB. {ADVICE}")
    kind = next((words for start, words in _KINDS if content.startswith(start)), None)
    if kind:
        raise BadCookies(f"The file is {kind}. {ADVICE}")
    encoding = next((name for mark, name in _ENCODINGS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    if "\x00" in text:
        raise BadCookies(f"The file is no text. {ADVICE}")
    return text
