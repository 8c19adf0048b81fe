"""Reads command lines of curl, wget and HTTPie, one or many: “Copy as cURL”, “Copy all as cURL”."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from webapp.errors import BadCookies
from webapp.sources.cookies import quoting
from webapp.sources.cookies.pasted_requests import PastedRequest, request_of
from webapp.sources.cookies.reading import Reading


@dataclass(frozen=True, slots=True)
class Tool:
    """`headers` maps an option to the name of the header that it sets, "" for one given as `Name: value`."""

    name: str
    headers: dict[str, str]
    ignored: frozenset[str] = frozenset()
    has_header_words: bool = False


CURL = Tool(
    "cURL",
    {
        "-b": "Cookie",
        "--cookie": "Cookie",
        "-H": "",
        "--header": "",
        "-A": "User-Agent",
        "--user-agent": "User-Agent",
    },
    frozenset(("-e", "--referer", "-x", "--proxy", "-o", "--output", "-d", "--data", "--data-raw")),
)
WGET = Tool(
    "wget",
    {"--header": "", "-U": "User-Agent", "--user-agent": "User-Agent"},
    frozenset(("--referer", "-O", "-o", "--output-document", "--load-cookies")),
)
HTTPIE = Tool("HTTPie", {}, frozenset(("-o", "--output", "--proxy", "--session")), has_header_words=True)
_TOOLS = {"curl": CURL, "wget": WGET, "http": HTTPIE, "https": HTTPIE, "xh": HTTPIE, "xhs": HTTPIE}

# A command begins a line, after a prompt at most; what is before it (a comment, a sentence) is not read.
_COMMAND = re.compile(
    r"^(?:[^\n'\"]{0,120}?[$>%#;&\u276f\u279c]\s{0,9}|\s{0,40})(?:sudo\s{1,9})?"
    r"(?=(?:(?:curl|wget)(?:\.exe)?|(?:https?|xhs?)(?=\s+[\"']?(?:-|[A-Z]{3,7}\s|https?://|[\w-]+\.[\w.-]+[/\s])))\s)",
    re.MULTILINE,
)
_CMD = re.compile(r"\s\^\"")
_HEADER_WORD = re.compile(r"([A-Za-z][A-Za-z-]{0,40}+):(?!=)(.*)", re.DOTALL)
_BARE_URL = re.compile(r"(?:[\w-]{1,63}\.){1,5}[a-z]{2,12}(?::\d{1,5})?(?:[/?#].*)?", re.DOTALL)
# Word processors turn “--cookie” into “—cookie” or “–cookie”.
_LONG_WITH_ONE_DASH = re.compile(r"-(?:header|cookie|user-agent)(?:=.*)?", re.DOTALL)
# Short options of curl that take no value may stand before one that does, as in -sSb.
_SHORT = re.compile(r"-[sSLkvifgGINjnpqaJOR0-9#]{0,9}([bHAU])(.*)", re.DOTALL)

COOKIES_OF_A_FILE = (
    "The {tool} command in the pasted text takes its cookies from a file. Choose that file here, or copy the "
    "command from the browser."
)


def is_command(text: str) -> bool:
    return _COMMAND.search(text) is not None


def read_commands(text: str) -> Reading:
    start = _COMMAND.search(text)
    text = text[start.end() :] if start else text
    if _CMD.search(text):
        text = quoting.without_carets(text)
    words = quoting.shell_words(re.sub(r"\^\n", " ", text))
    commands = list(_commands(words))
    requests = [_request(tool, arguments) for tool, arguments in commands]
    name = commands[0][0].name if commands else CURL.name
    if not words.is_cut and any(_reads_a_file(request) for request in requests):
        raise BadCookies(COOKIES_OF_A_FILE.format(tool=name))
    shape = f"a {name} command" if len(requests) < 2 else f"{len(requests)} {name} commands"
    return Reading.of_requests(shape, requests, cut="a quoted text" if words.is_cut else None)


def _commands(lines: quoting.ShellWords) -> Iterator[tuple[Tool, list[str]]]:
    """Each command with its arguments."""
    tool, arguments = None, []
    for number, word in enumerate(lines.words):
        next_tool = _TOOLS.get(word.removesuffix(".exe")) if number in lines.starts else None
        if next_tool is None:
            arguments.append(word)
            continue
        if tool:
            yield tool, arguments
        tool, arguments = next_tool, []
    if tool:
        yield tool, arguments


def _request(tool: Tool, arguments: list[str]) -> PastedRequest:
    headers: list[tuple[str, str]] = []
    url = ""
    remaining = iter(arguments)
    for word in remaining:
        option, value = _option(tool, word)
        if option in tool.ignored:
            next(remaining, None)
        elif option in tool.headers:
            headers.append(_header(tool.headers[option], next(remaining, "") if value is None else value))
        elif word.startswith(("http://", "https://")):
            url = url or word
        elif tool.has_header_words and (match := _HEADER_WORD.fullmatch(word)):
            headers.append((match[1], match[2]))
        elif not url and _BARE_URL.fullmatch(word):
            url = word
    return request_of(url, headers)


def _option(tool: Tool, word: str) -> tuple[str, str | None]:
    """An option and its value if it is in the same word, as in `--cookie=a=b` and `-ba=b`."""
    if _LONG_WITH_ONE_DASH.fullmatch(word):
        word = f"-{word}"
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        return name, value if equals else None
    short = _SHORT.fullmatch(word)
    if short and f"-{short[1]}" in tool.headers:
        return f"-{short[1]}", short[2].removeprefix("=") or None
    return word, None


def _header(name: str, value: str) -> tuple[str, str]:
    if name:
        return name, value
    name, _, value = value.partition(":")
    return name, value


def _reads_a_file(request: PastedRequest) -> bool:
    """Whether the value of `-b` is a file: text without `=`."""
    value = request.headers.get("cookie", "")
    return bool(value) and "=" not in value
