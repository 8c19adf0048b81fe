"""The outline of a response: its fields, types and counts, with placeholders for the values.

An outline goes into reports that people publish. So no text of the response is copied, except words on the
lists of this module. Other short upper-case words of the service would be useful as well, but a person's
prompt may look the same.
"""

import json
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

MAX_DEPTH = 12
MAX_ITEMS = 40
# Codes of the service (statuses, models, aspect ratios) are small. Seeds, times and sizes are larger.
MAX_SHOWN_NUMBER = 99
NUMBER = "<number>"


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\S+", text))


_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# Field names seen in recorded responses of both services. Any other key may be an id or a person's own word.
KNOWN_FIELDS = _words(
    """
    result data json userWorkflows nextPageToken name createTime media userUploadedImage image video
    mediaGenerationId mediaType workflowId workflowStepId mediaKey projectId aspectRatio fifeUrl seed
    prompt modelNameType model previousMediaGenerationId encodedImage status statusText error message
    code httpStatus path details reason domain metadata user email expires access_token meta values
    cursor type @type cfb2h FdrFJe SNlM0e oPEP7c
    """
)
# Hosts of Google. Of their other hosts only the domain is shown, because a host name may begin with an id.
KNOWN_HOSTS = _words(
    """
    accounts.google.com flow.google.com labs.google aisandbox-pa.googleapis.com storage.googleapis.com
    flow-content.google lh3.googleusercontent.com contribution.fife.usercontent.google.com
    """
)
_KNOWN_DOMAINS = (".googleusercontent.com", ".googleapis.com", ".gstatic.com", ".google.com", ".google")
# The parts of Google's error names. Any other part of such a name is hidden.
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
    """`value` with a placeholder for each text and each larger number; lists are cut at `MAX_ITEMS`.

    Of a URL the host is shown if it is one of `known_hosts`, or its domain if that belongs to Google.
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
    """The outline of a JSON text; only its length when it is not JSON."""
    try:
        return outline_text(json.loads(text))
    except (ValueError, RecursionError):
        return f"<text of {len(text)}, no JSON>"


def shown_number(number: float) -> int | str:
    """A code unchanged; a placeholder for other numbers, which may identify an account."""
    # type() instead of isinstance: a bool is an int too.
    return number if type(number) is int and abs(number) <= MAX_SHOWN_NUMBER else NUMBER


def shown_error(word: str) -> str:
    """An error name such as PUBLIC_ERROR_NOT_FOUND, with a placeholder for each unknown part."""
    parts = word.split("_") if word else []
    return "_".join(part if part in _ERROR_PARTS else "<word>" for part in parts)


def shown_url(url: str, known_hosts: Iterable[str] = KNOWN_HOSTS) -> str:
    """The host or domain of a URL if it is known; nothing else of it."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    if host in known_hosts:
        return f"<URL at {host}>"
    domain = next((domain for domain in _KNOWN_DOMAINS if host.endswith(domain)), None)
    return f"<URL at *{domain}>" if domain else "<URL>"


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
