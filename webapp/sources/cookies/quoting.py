"""Reads quoted text in the command lines and programs that browsers copy to the clipboard."""

import re
from collections.abc import Iterator

# The inside of a quoted text: anything but the quote, or a backslash with the character it escapes.
IN_DOUBLE = r"[^\"\\]*(?:\\.[^\"\\]*)*"
IN_SINGLE = r"[^'\\]*(?:\\.[^'\\]*)*"

_SHELL_TOKEN = re.compile(
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
    """The words of a bash command line; None when a quote is not closed, because the text was cut."""
    words: list[str] = []
    word: str | None = None
    position = 0
    while position < len(text):
        token = _SHELL_TOKEN.match(text, position)
        if token is None:
            return None
        position = token.end()
        if token["space"] is None:
            word = (word or "") + _meaning(token)
        elif word is not None:
            words.append(word)
            word = None
    return words if word is None else [*words, word]


def _meaning(token: re.Match[str]) -> str:
    """The text that one token stands for; a joined line stands for none."""
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


POWERSHELL_TEXT = r"(?:\"([^\"`]*(?:(?:`.|\"\")[^\"`]*)*)\"|'([^']*(?:''[^']*)*)')"


def powershell_text(double: str | None, single: str | None) -> str:
    """The text that a PowerShell string stands for, given its double-quoted or single-quoted inside."""
    if double is None:
        return (single or "").replace("''", "'")
    spelled = re.sub(r"\$\(\[char\](\d{1,6})\)", lambda match: chr(int(match[1])), double)
    return re.sub(r"`(.)|\"(\")", lambda match: match[1] or match[2], spelled, flags=re.DOTALL)


def assigned_texts(text: str, name: str, assignment: str) -> Iterator[str]:
    """Every JavaScript string assigned to `name`, as in `"cookie": "a=b"`; `assignment` is the operator."""
    pattern = rf"[\"']?\b{name}[\"']?\s*{assignment}\s*(?:\"({IN_DOUBLE})\"|'({IN_SINGLE})')"
    for match in re.finditer(pattern, text, re.IGNORECASE | re.DOTALL):
        yield unescaped(match[1] if match[1] is not None else match[2])
