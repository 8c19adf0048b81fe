"""Reads object literals of programs: JSON with mistakes, one JSON value per line, Python and JavaScript.

`json.loads` is tried first where it fits; this reads what it refuses: single quotes, names without quotes, a
comma before a closing bracket, `True` and `None`, comments, several values in a row. One pass, no recursion.
"""

import re
from collections.abc import Iterator

from webapp.sources.cookies.quoting import IN_DOUBLE, IN_SINGLE, unescaped

MAX_DEPTH = 50

_TOKEN = re.compile(
    rf"""(?P<skip>[\s,:;]++|//[^\n]*+|\#[^\n]*+)
       |(?P<open>[\[{{(])
       |(?P<close>[\]}})])
       |[bru]?"(?P<double>{IN_DOUBLE})"
       |[bru]?'(?P<single>{IN_SINGLE})'
       |(?P<bare>[^\s,:;\[\]{{}}()"']++)""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
# With a space before the sign, or a quote after the bracket: the value of a cookie may begin with a bracket.
_STARTS = re.compile(
    r"^[^\n'\"=\[{]{0,60}(?:[ \t]=\s{0,20}(?=[\[{])|=(?=[\[{]\s{0,20}[\[{]?\s{0,20}\"))", re.MULTILINE
)
_SEPARATORS = re.compile(r"[\s,;]*+")
_NUMBER = re.compile(r"-?\d{1,20}(?:\.\d{1,20})?(?:e[+-]?\d{1,2})?", re.IGNORECASE)
_CONSTANTS: dict[str, object] = {"true": True, "false": False, "null": None, "none": None, "undefined": None}


class CutLiteral(ValueError):
    """A bracket or quote has no end."""


def find_literals(text: str) -> Iterator[object]:
    """Every object or list of a text that begins with one, or assigns them: `cookies = {…}`.

    Raises CutLiteral when the last one has no end.
    """
    position = _start_of_next(text, 0)
    while position is not None:
        value, end = read_literal(text, position)
        yield value
        position = _start_of_next(text, end)


def _start_of_next(text: str, position: int) -> int | None:
    """Where the next literal begins: right here, or after the next `name =`; None when there is none."""
    separators = _SEPARATORS.match(text, position)
    begin = separators.end() if separators else position
    if text[begin : begin + 1] in ("[", "{"):
        return begin
    start = _STARTS.search(text, begin)
    return start.end() if start else None


def read_literal(text: str, position: int) -> tuple[object, int]:
    """The literal that begins at a bracket, and where it ends. Objects are dicts; lists, sets and tuples are
    lists. Raises CutLiteral when it has no end, or is nested more deeply than cookies are."""
    stack: list[tuple[str, list[object]]] = []
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            break
        position = token.end()
        match token.lastgroup:
            case "open":
                if len(stack) == MAX_DEPTH:
                    break
                stack.append((token["open"], []))
            case "close":
                value = _closed(*stack.pop())
                if not stack:
                    return value, position
                stack[-1][1].append(value)
            case "double" | "single":
                stack[-1][1].append(unescaped(token[token.lastgroup]))
            case "bare":
                stack[-1][1].append(_constant(token["bare"]))
    raise CutLiteral


def _closed(bracket: str, values: list[object]) -> object:
    """Names and values alternate in an object."""
    if bracket != "{":
        return values
    return {str(name): value for name, value in zip(values[::2], values[1::2], strict=False)}


def _constant(word: str) -> object:
    if word.lower() in _CONSTANTS:
        return _CONSTANTS[word.lower()]
    return float(word) if _NUMBER.fullmatch(word) else word


def has_literals(text: str) -> bool:
    """Whether a text assigns an object or list to a name."""
    return _STARTS.search(text) is not None
