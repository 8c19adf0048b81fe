"""Reads words out of command lines and programs that a browser wrote for copying."""

import re
from collections.abc import Iterator

# The inside of a quoted text: anything but the quote, or a backslash with what it protects.
IN_DOUBLE = r"[^\"\\]*(?:\\.[^\"\\]*)*"
IN_SINGLE = r"[^'\\]*(?:\\.[^'\\]*)*"

_SHELL_PIECE = re.compile(
    rf"""\$'(?P<ansi>{IN_SINGLE})'
       |'(?P<single>[^']*)'
       |"(?P<double>{IN_DOUBLE})"
       |(?P<joined>\\\r?\n)
       |\\(?P<escaped>.)
       |(?P<bare>[^\s'"\\$]+|\$)
       |(?P<space>\s+)""",
    re.VERBOSE | re.DOTALL,
)

_ESCAPE = re.compile(
    r"\\(?:u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|x([0-9a-fA-F]{1,2})|([0-7]{1,3})|(.))",
    re.DOTALL,
)
_LETTERS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v", "a": "\a", "e": "\x1b"}


def shell_words(text: str) -> list[str] | None:
    """The words of a bash command line; None when a quote is not closed: the text was cut."""
    words, word, position = [], None, 0
    while position < len(text):
        chunk = _SHELL_PIECE.match(text, position)
        if chunk is None:
            return None
        position = chunk.end()
        if chunk["space"] is None:
            word = (word or "") + _meaning(chunk)
        elif word is not None:
            words.append(word)
            word = None
    return words if word is None else [*words, word]


def _meaning(chunk: re.Match) -> str:
    kind = chunk.lastgroup
    if kind == "ansi":
        return unescaped(chunk["ansi"])
    if kind == "double":
        return re.sub(r"\\([\"\\$`])", r"\1", chunk["double"].replace("\\\n", ""))
    return "" if kind == "joined" else chunk[kind]


def without_carets(text: str) -> str:
    """What cmd.exe makes of `^`: it protects the next character; at the end of a line it joins lines."""
    return re.sub(r"\^(\r?\n|.)", lambda match: match[1].strip("\r\n"), text, flags=re.DOTALL)


def unescaped(text: str) -> str:
    """The text that backslash escapes of JavaScript, JSON or bash's $'...' stand for."""
    return _ESCAPE.sub(_character, text)


def _character(escape: re.Match) -> str:
    *hexadecimal, octal, letter = escape.groups()
    code = next((int(digits, 16) for digits in hexadecimal if digits), None)
    if code is None and octal:
        code = int(octal, 8)
    if code is None:
        return _LETTERS.get(letter, letter)
    return chr(code) if code <= 0x10FFFF else "\ufffd"


POWERSHELL_TEXT = r"(?:\"([^\"`]*(?:(?:`.|\"\")[^\"`]*)*)\"|'([^']*(?:''[^']*)*)')"


def powershell_text(double: str | None, single: str | None) -> str:
    """The meaning of a PowerShell text whose inside was matched as double or single quoted."""
    if double is None:
        return (single or "").replace("''", "'")
    spelled = re.sub(r"\$\(\[char\](\d{1,6})\)", lambda match: chr(int(match[1])), double)
    return re.sub(r"`(.)|\"(\")", lambda match: match[1] or match[2], spelled, flags=re.DOTALL)


def assigned_texts(text: str, name: str, assignment: str) -> Iterator[str]:
    """Every JavaScript text that `name` is given by `assignment`, as in `"cookie": "a=b"`."""
    pattern = rf"[\"']?\b{name}[\"']?\s*{assignment}\s*(?:\"({IN_DOUBLE})\"|'({IN_SINGLE})')"
    for match in re.finditer(pattern, text, re.IGNORECASE | re.DOTALL):
        yield unescaped(match[1] if match[1] is not None else match[2])
