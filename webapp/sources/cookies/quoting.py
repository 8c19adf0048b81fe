"""Reads quoted text in the command lines and programs that browsers copy to the clipboard."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

# The inside of a quoted text: anything but the quote, or a backslash with the character it escapes.
# Possessive (`*+`), so that a text without an end is read once and not once for each place to give up.
IN_DOUBLE = r"[^\"\\]*+(?:\\.[^\"\\]*+)*+"
IN_SINGLE = r"[^'\\]*+(?:\\.[^'\\]*+)*+"

_SHELL_TOKEN = re.compile(
    rf"""\$'(?P<ansi>{IN_SINGLE})'
       |'(?P<single>[^']*+)'
       |"(?P<double>{IN_DOUBLE})"
       |(?P<joined>\\\r?\n)
       |\\(?P<escaped>.)
       |(?P<bare>(?:[^\s'"\\$]|\$(?!'))++)
       |(?P<space>\s++)""",
    re.VERBOSE | re.DOTALL,
)

_ESCAPE = re.compile(
    r"\\(?:u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|x([0-9a-fA-F]{1,2})|([0-7]{1,3})|(.))",
    re.DOTALL,
)
_SEPARATORS = (";", "&", "&&", "|", "||")
_LETTERS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v", "a": "\a", "e": "\x1b"}


@dataclass(frozen=True, slots=True)
class ShellWords:
    """The words of bash command lines. `is_cut`: a quote after the last word is not closed.

    `starts` are the positions of words that begin a line, or follow `;`, `&` or `|`.
    """

    words: list[str] = field(repr=False)
    starts: frozenset[int]
    is_cut: bool


def shell_words(text: str) -> ShellWords:
    words: list[str] = []
    starts = {0}
    word: list[str] = []
    position = 0
    while position < len(text) and (token := _SHELL_TOKEN.match(text, position)):
        position = token.end()
        if token["space"] is None:
            if not token["joined"]:
                word.append(_meaning(token))
            continue
        if word:
            words.append("".join(word))
            word.clear()
        if "\n" in token["space"] or (words and words[-1] in _SEPARATORS):
            starts.add(len(words))
    is_cut = position < len(text)
    return ShellWords([*words, "".join(word)] if word and not is_cut else words, frozenset(starts), is_cut)


def _meaning(token: re.Match[str]) -> str:
    """The text that one token stands for."""
    match token.lastgroup:
        case "ansi":
            return unescaped(token["ansi"])
        case "double":
            return re.sub(r"\\([\"\\$`])", r"\1", token["double"].replace("\\\n", ""))
    return token["single"] or token["escaped"] or token["bare"] or ""


def without_carets(text: str) -> str:
    """Undo the escapes of cmd.exe: `^` escapes the next character; at the end of a line it joins lines."""
    return re.sub(r"\^(\r?\n|.)", lambda match: match[1].strip("\r\n"), text, flags=re.DOTALL)


def unescaped(text: str) -> str:
    """The text that backslash escapes of JavaScript, JSON or bash's $'...' stand for."""
    return _ESCAPE.sub(_character, text)


def _character(escape: re.Match[str]) -> str:
    *hexadecimal, octal, letter = escape.groups()
    code = next((int(digits, 16) for digits in hexadecimal if digits), None)
    if code is None and octal:
        code = int(octal, 8)
    if code is None:
        return _LETTERS.get(letter, letter)
    return chr(code) if code <= 0x10FFFF else "\ufffd"


POWERSHELL_TEXT = r"(?:\"([^\"`]*+(?:(?:`.|\"\")[^\"`]*+)*+)\"|'([^']*+(?:''[^']*+)*+)')"


def powershell_text(double: str | None, single: str | None) -> str:
    """The text that a PowerShell string stands for, given its double-quoted or single-quoted inside."""
    if double is None:
        return (single or "").replace("''", "'")
    spelled = re.sub(r"\$\(\[char\](\d{1,6})\)", lambda match: chr(int(match[1])), double)
    return re.sub(r"`(.)|\"(\")", lambda match: match[1] or match[2], spelled, flags=re.DOTALL)


# `"name": "value"` in a program; a name may be without quotes.
_PAIR = re.compile(
    rf"""["']?\b([A-Za-z][A-Za-z-]{{0,40}}+)["']?\s*+:\s*+(?:"({IN_DOUBLE})"|'({IN_SINGLE})')""", re.DOTALL
)


def named_texts(text: str) -> Iterator[tuple[str, str]]:
    """Every string of a program that has a name in front of it, as in `"cookie": "a=b"`."""
    for match in _PAIR.finditer(text):
        yield match[1], unescaped(match[2] if match[2] is not None else match[3])
