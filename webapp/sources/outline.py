"""The outline of a response: its fields, types and counts, with made-up stand-ins for what it says.

It goes into reports that people send to strangers, so no text of the response is ever copied: what is shown
comes from the lists of this module. Short upper-case words of the service's own vocabulary would be useful,
but a person's prompt may look the same.
"""

import json
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

MAX_DEPTH = 12
MAX_ITEMS = 40
# Codes of the service are small: statuses, model numbers, shapes. Seeds, times and sizes are not.
MAX_SHOWN_NUMBER = 99
NUMBER = "<number>"


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\S+", text))


_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# Keys of both services as recorded. Any other key may be an id, or a person's own word.
KNOWN_FIELDS = _words(
    """
    result data json userWorkflows nextPageToken name createTime media userUploadedImage image video
    mediaGenerationId mediaType workflowId workflowStepId mediaKey projectId aspectRatio fifeUrl seed
    prompt modelNameType model previousMediaGenerationId encodedImage status statusText error message
    code httpStatus path details reason domain metadata user email expires access_token meta values
    cursor type @type cfb2h FdrFJe SNlM0e oPEP7c
    """
)
# Hosts of Google's. Of others under their names only the end is shown: a name may begin with an id.
KNOWN_HOSTS = _words(
    """
    accounts.google.com flow.google.com labs.google aisandbox-pa.googleapis.com storage.googleapis.com
    flow-content.google lh3.googleusercontent.com contribution.fife.usercontent.google.com
    """
)
_KNOWN_ENDS = (".googleusercontent.com", ".googleapis.com", ".gstatic.com", ".google.com", ".google")
# What errors of Google's are made of. Any other part of such a word is not shown.
_ERROR_PARTS = _words(
    """
    PUBLIC ERROR API KEY UNUSUAL ACTIVITY PERMISSION DENIED NOT FOUND INVALID ARGUMENT INTERNAL RESOURCE
    EXHAUSTED UNAUTHENTICATED UNAUTHORIZED UNAVAILABLE DEADLINE EXCEEDED FAILED PRECONDITION ABORTED
    CANCELLED UNKNOWN UNIMPLEMENTED ALREADY EXISTS OUT OF RANGE DATA LOSS QUOTA RATE LIMIT TOO MANY
    REQUESTS BAD REQUEST FORBIDDEN HTTP REFERRER BLOCKED SERVICE DISABLED EXPIRED ACCOUNT USER PROJECT
    MEDIA IMAGE ACCESS TOKEN REFRESH NEEDED REGION COUNTRY AGE CONSENT REQUIRED UNSUPPORTED
    """
)


def outline(value: object, known_hosts: Iterable[str] = KNOWN_HOSTS, depth: int = 0) -> object:
    """`value` with a stand-in for each text and each larger number; lists are cut at `MAX_ITEMS`.

    Of a URL its host is shown when it is one of `known_hosts`, and its end when that is Google's.
    """
    match value:
        case None | bool():
            return value
        case int() | float():
            return shown_number(value)
        case str():
            return _text(value, frozenset(known_hosts))
        case list() | dict() if depth < MAX_DEPTH:
            return _inner(value, known_hosts, depth + 1)
    return "<nested deeper>"


def _inner(value: list | dict, known_hosts: Iterable[str], depth: int) -> object:
    more = [f"<{len(value) - MAX_ITEMS} more>"] if len(value) > MAX_ITEMS else []
    if isinstance(value, list):
        return [*(outline(inner, known_hosts, depth) for inner in value[:MAX_ITEMS]), *more]
    fields = enumerate(list(value.items())[:MAX_ITEMS])
    shown = {_field(name, number): outline(inner, known_hosts, depth) for number, (name, inner) in fields}
    return shown | dict.fromkeys(more)


def outline_text(value: object, known_hosts: Iterable[str] = KNOWN_HOSTS, max_characters: int = 1_000) -> str:
    """The outline as JSON on one line, cut at `max_characters`."""
    return json.dumps(outline(value, known_hosts), ensure_ascii=False)[:max_characters]


def outline_of(text: str) -> str:
    """The outline of a text that should be JSON; its length alone when it is none."""
    try:
        return outline_text(json.loads(text))
    except (ValueError, RecursionError):
        return f"<text of {len(text)}, no JSON>"


def shown_number(number: float) -> int | str:
    """A code as it is, anything that is none as a stand-in: it may be an account's number."""
    is_code = type(number) is int and abs(number) <= MAX_SHOWN_NUMBER
    return number if is_code else NUMBER


def shown_error(word: str) -> str:
    """An error word such as PUBLIC_ERROR_NOT_FOUND, with a stand-in for each part that errors do not have."""
    parts = word.split("_") if word else []
    return "_".join(part if part in _ERROR_PARTS else "<word>" for part in parts)


def shown_url(url: str, known_hosts: Iterable[str] = KNOWN_HOSTS) -> str:
    """Where a URL leads as far as that may be told."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    if host in known_hosts:
        return f"<URL at {host}>"
    end = next((end for end in _KNOWN_ENDS if host.endswith(end)), None)
    return f"<URL at *{end}>" if end else "<URL>"


def _field(name: object, number: int) -> str:
    return name if isinstance(name, str) and name in KNOWN_FIELDS else f"<field {number}>"


def _text(text: str, known_hosts: frozenset[str]) -> str:
    if not text:
        return ""
    if _UUID.fullmatch(text):
        return "<id>"
    if text.startswith(("https://", "http://")):
        return shown_url(text, known_hosts)
    return f"<text of {len(text)}>"
