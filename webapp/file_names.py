"""Names of files that leave the shelf, by a template such as `{date:%Y-%m-%d}_{prompt:40}_{key:8}`.

A `/` in the template begins a folder. The names can be used on every system, and none occurs twice.
"""

import re
import string
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import count
from pathlib import PurePosixPath

DEFAULT_TEMPLATE = "{date:%Y-%m-%d}_{prompt:40}_{key:8}"
FIELDS = (
    "date",
    "prompt",
    "key",
    "profile",
    "project",
    "collection",
    "model",
    "seed",
    "title",
    "kind",
    "version",
    "sequence",
)
# Where the metadata of a picture that leaves the shelf goes, and what the settings page calls that.
INSIDE, SIDECAR, NOWHERE = "inside", "sidecar", "none"
METADATA_PLACES = {
    INSIDE: "Inside the file",
    SIDECAR: "In an .xmp file next to it",
    NOWHERE: "Nowhere",
}
MAX_TEMPLATE = 200
MAX_FOLDERS = 8
# File systems allow 255 bytes or UTF-16 units. The rest is for a suffix, a number, and `.xmp`.
MAX_STEM_BYTES = 200
MAX_SUFFIX = 8
# What Windows does not allow as the name of a file, with any suffix.
DEVICE_NAMES = {
    *("con", "prn", "aux", "nul", "conin$", "conout$"),
    *(f"{port}{n}" for port in ("com", "lpt") for n in (*range(10), "¹", "²", "³")),
}
_LENGTH = re.compile(r"[1-9]\d{0,2}")
_DATE_CODES = re.compile(r"%[YmdHMSyj]")
# “16:9” becomes “16-9”, but “A kite: red” no “A kite- red”.
_HYPHENATED = re.compile(r"[/\\|]+|:+(?=\S)")
_FORBIDDEN = re.compile(r'[<>:"?*\x00-\x1f\x7f]+')
_SPACE = re.compile(r"\s+")
_REPEATED = re.compile(r"([ _-])\1+")
_EDGES = " ._-"
_DOTTED_SUFFIX = re.compile(r"\.(?=(jpe?g|png|webp|gif|avif|xmp|jsonl?)$)", re.IGNORECASE)
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINERS = "\u200c\u200d"  # they change the letters or the emoji around them
_VARIATIONS = range(0xFE00, 0xFE10)


class InvalidTemplate(ValueError):
    """A template that cannot be used. The text says why, for the end of a sentence."""


@dataclass(frozen=True, slots=True)
class Part:
    """Literal text, then the value of a field (None: no field), written by `spec`."""

    text: str
    field: str | None
    spec: str


@lru_cache(maxsize=64)
def parse_template(template: str) -> tuple[Part, ...]:
    """The parts of a template. Raises InvalidTemplate."""
    if len(template) > MAX_TEMPLATE:
        raise InvalidTemplate(f"it must have at most {MAX_TEMPLATE} characters")
    try:
        found = list(string.Formatter().parse(template))
    except ValueError as error:
        raise InvalidTemplate("a brace is not closed; write {{ and }} for braces in a name") from error
    parts = []
    for text, field, spec, conversion in found:
        if conversion:
            raise InvalidTemplate(f"“!{conversion}” is not known here")
        if field is not None:
            _check_field(field, spec or "")
        parts.append(Part(text, field, spec or ""))
    _check_path(parts)
    return tuple(parts)


def checked_template(text: str) -> str:
    """The template itself. Raises InvalidTemplate."""
    parse_template(text)
    return text


def checked_place(text: str) -> str:
    """One of METADATA_PLACES. Raises ValueError."""
    if text.lower() not in METADATA_PLACES:
        raise ValueError(f"it must be {', '.join(METADATA_PLACES)}")
    return text.lower()


def _check_field(field: str, spec: str) -> None:
    if field not in FIELDS:
        raise InvalidTemplate(f"there is no field {{{field}}}; the fields are {', '.join(FIELDS)}")
    if field == "date":
        if "%" in _DATE_CODES.sub("", spec):
            raise InvalidTemplate("a date takes %Y, %y, %m, %d, %j, %H, %M and %S, as in {date:%Y-%m-%d}")
    elif spec and not _LENGTH.fullmatch(spec):
        raise InvalidTemplate(f"{{{field}:{spec}}} must have a length from 1 to 999, as in {{{field}:40}}")


def _check_path(parts: list[Part]) -> None:
    literal = "".join(part.text + (part.spec if part.field == "date" else "") for part in parts)
    if "\\" in literal:
        raise InvalidTemplate("folders are separated by /")
    if not literal.isprintable():
        raise InvalidTemplate("it contains a character that is no text")
    shape = "".join(part.text + _shape_of(part) for part in parts)
    folders = shape.split("/")
    if any(folder.strip(". ") == "" for folder in folders):
        raise InvalidTemplate("a folder or a file has no name in it")
    if len(folders) > MAX_FOLDERS + 1:
        raise InvalidTemplate(f"it can have at most {MAX_FOLDERS} folders")


def _shape_of(part: Part) -> str:
    """What a part contributes, for finding folders: a value never contains a slash, a date format may."""
    if part.field is None:
        return ""
    return part.spec if part.field == "date" and part.spec else "x"


def file_name(template: str, values: Mapping[str, object], suffix: str) -> str:
    """The relative path, with `/`, of a file by a valid template. Values that are None or missing are empty.

    A folder whose name would be empty is left out, so is what stands around an empty value.
    """
    texts = "".join(_escape(part.text) + _value(part, values) for part in parse_template(template))
    *folders, stem = texts.split("/")
    named = [_DOTTED_SUFFIX.sub("_", safe) for folder in folders if (safe := safe_name(folder))]
    # No folder ends like a file, so that no folder is in the way of one.
    return "/".join([*named, (safe_name(stem) or "image") + _safe_suffix(suffix)])


def safe_name(text: str) -> str:
    """A name of a file or folder, without suffix, for every system; empty if nothing is left of `text`."""
    text = _plain(text)
    text = "".join(letter for letter in text if _is_visible(letter))
    text = _cut_bytes(_REPEATED.sub(r"\1", text).strip(_EDGES), MAX_STEM_BYTES).strip(_EDGES)
    if text.split(".")[0].strip().lower() in DEVICE_NAMES:
        text = f"_{text}"
    return text


def cut_at_word(text: str, max_length: int) -> str:
    """`text` with at most `max_length` characters, cut between two words if they are not too long."""
    if len(text) <= max_length:
        return text
    at = max(text.rfind(" ", 0, max_length + 1), text.rfind("-", 0, max_length + 1))
    return text[:at] if at * 2 >= max_length else text[: _letter_start(text, max_length)]


def _value(part: Part, values: Mapping[str, object]) -> str:
    value = values.get(part.field) if part.field else None
    if value is None or value == "":
        return ""
    if isinstance(value, datetime):
        return value.strftime(part.spec or "%Y-%m-%d")
    if part.field == "sequence":
        return str(value).rjust(int(part.spec or 0), "0")
    text = _plain(_escape(str(value))).strip()
    if not part.spec:
        return text
    # A key has no words, though it may contain hyphens.
    return text[: int(part.spec)] if part.field == "key" else cut_at_word(text, int(part.spec))


def _plain(text: str) -> str:
    """`text` in one line, without what some system forbids in names."""
    text = _HYPHENATED.sub("-", unicodedata.normalize("NFC", text))
    return _SPACE.sub(" ", _FORBIDDEN.sub(" ", text))


def _escape(text: str) -> str:
    """A lone surrogate is no text and cannot be encoded."""
    return text.encode("utf-8", "replace").decode()


def _is_visible(letter: str) -> bool:
    """No control characters, no marks of direction that let a name look like another, nothing unnamed."""
    return letter in _JOINERS or unicodedata.category(letter) not in _INVISIBLE


def _letter_start(text: str, at: int) -> int:
    """The nearest position up to `at` that is not inside a letter with its marks, or an emoji."""
    while 0 < at < len(text) and (_continues(text[at]) or text[at - 1] in _JOINERS):
        at -= 1
    return at


def _continues(letter: str) -> bool:
    return (
        unicodedata.combining(letter) != 0
        or letter in _JOINERS
        or ord(letter) in _VARIATIONS
        or unicodedata.category(letter) in ("Mn", "Me", "Mc")
    )


def _cut_bytes(text: str, max_bytes: int) -> str:
    if len(text.encode()) <= max_bytes:
        return text
    whole = len(text.encode()[:max_bytes].decode("utf-8", "ignore"))
    return text[: _letter_start(text, whole) or whole]


def _safe_suffix(suffix: str) -> str:
    plain = "".join(letter for letter in suffix.lower() if letter.isascii() and letter.isalnum())
    return f".{plain[:MAX_SUFFIX]}" if plain else ""


class Names:
    """Gives each file a path of its own, also on disks that do not tell upper from lower case."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set[str]()
        self._next: dict[str, int] = {}
        for path in taken:
            self.add(path)

    def add(self, path: str) -> None:
        """Mark a path as taken."""
        self._taken.add(_key(path))

    def unique(self, path: str) -> str:
        """`path`, or one like it with a number, that was not taken before. It is taken from now on."""
        found = path
        start = self._next.get(_key(path), 2)
        for number in count(start):
            if _key(found) not in self._taken:
                break
            found = numbered(path, number)
            self._next[_key(path)] = number + 1
        self.add(found)
        return found


def numbered(path: str, number: int) -> str:
    """`a/b.jpg` as `a/b-2.jpg`."""
    pure = PurePosixPath(path)
    return str(pure.with_name(f"{pure.stem}-{number}{pure.suffix}"))


def _key(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", path).casefold())
