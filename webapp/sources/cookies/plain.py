"""Undoes what word processors, chat programs and terminals do to copied text."""

import re

# Typographic characters stand where plain ones were typed. No cookie contains any of them.
_PLAIN = str.maketrans(
    dict.fromkeys("“”„‟«»", '"')
    | dict.fromkeys("‘’‚‛", "'")
    | dict.fromkeys("‐‑‒–−", "-")
    | dict.fromkeys("—―", "--")
    | dict.fromkeys("\u00a0\u2007\u202f\u3000", " ")
    | dict.fromkeys("\u0085\u2028\u2029", "\n")
)
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad"))
_FENCE = re.compile(r"^[ \t]{0,9}(```++|~~~++)[^\n`]{0,40}$", re.MULTILINE)
# Comments of a shell, a program or a batch file.
_COMMENT = re.compile(r"\s{0,40}(?:#(?!HttpOnly_)|//|::|rem\s|<!--|/\*)", re.IGNORECASE)


def plain(text: str) -> str:
    """The text with plain characters, and without a fence, quotes or comments around it."""
    text = text.translate(_INVISIBLE).translate(_PLAIN).replace("\r\n", "\n").replace("\r", "\n")
    text = _without_comments(_inside_fence(text)).strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'`":
        text = text[1:-1].strip()
    return text


def _inside_fence(text: str) -> str:
    """What is between the first two fences of Markdown, or after one that is not closed."""
    opening = _FENCE.search(text)
    if opening is None:
        return text
    closing = _FENCE.search(text, opening.end())
    return text[opening.end() : closing.start() if closing else len(text)]


def _without_comments(text: str) -> str:
    """The text from the first line that is no comment."""
    lines = text.split("\n")
    first = next(
        (number for number, line in enumerate(lines) if line.strip() and not _COMMENT.match(line)), 0
    )
    return "\n".join(lines[first:])
