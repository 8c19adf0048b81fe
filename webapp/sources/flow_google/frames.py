"""The frame around the answer of a call at flow.google.com (PROTOCOL.md, “Calls”).

Guard characters, then lengths and lists in turn. The lengths are unreliable, so they are read as
the numbers they are and value follows value.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from webapp.sources.flow_google.values import Unreadable, Values
from webapp.sources.outline import outline

GUARD = ")]}'"

_TOKEN = re.compile(rb'\["xsrf"\s*,\s*"([^"\\]{1,1000})"')
_ACCOUNT = re.compile(rb'\["xsrf"\s*,\s*"[^"\\]{1,1000}"\s*,\s*\[\s*"(\d{1,40})"')
_LOOK_AT_BYTES = 16 * 1024
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]+")
_MAX_OUTLINED_ROWS = 20
_REASON = re.compile(r"[A-Z][A-Z0-9_]{2,99}")


@dataclass(frozen=True, slots=True)
class Reply:
    """What a call brought. `payload` is JSON text; None without a code means that nothing is there.

    `code` is the error of the call itself (a number of gRPC's), `http_code` one of the transport
    or the sign-in, `reason` the word that came with either.
    """

    payload: str | None = field(repr=False)
    code: int | None = None
    http_code: int | None = None
    reason: str = ""


def request(rpc: str, arguments: list) -> str:
    """The form field `f.req` of one call."""
    inner = json.dumps(arguments, separators=(",", ":"))
    return json.dumps([[[rpc, inner, None, "generic"]]], separators=(",", ":"))


def token_in(body: bytes) -> str | None:
    """The token that a refusal hands out to be sent instead; None for any other answer.

    Inside a payload quotes are escaped, so that nobody's prompt can pass for it.
    """
    match = _TOKEN.search(body, 0, _LOOK_AT_BYTES)
    return match[1].decode("utf-8", "replace") if match else None


def account_number_in(body: bytes) -> str | None:
    """The number of the account that such a refusal names, None when it names none."""
    match = _ACCOUNT.search(body, 0, _LOOK_AT_BYTES)
    return match[1].decode() if match else None


def reply_in(body: bytes, rpc: str) -> Reply | None:
    """The reply to a call, None when its answer has none. Raises Unreadable.

    A row that stands before something unreadable counts: it is whole.
    """
    errors = []
    for row in _rows(_narrowed(body)):
        match row:
            case ["wrb.fr", str(name), payload, *rest] if name == rpc:
                return _result(payload, rest)
            case ["er", *rest]:
                errors.append(Reply(None, http_code=_http_code(rest), reason=_reason(row)))
    return errors[0] if errors else None


def _http_code(rest: list) -> int:
    """The code of an error row: at slot 5, by one client at 6. 0 where neither holds one."""
    codes = (slot for slot in rest[4:6] if type(slot) is int and 100 <= slot < 600)
    return next(codes, 0)


def outline_in(body: bytes) -> str:
    """The outline of the rows of a response, as far as they can be read."""
    rows: list[object] = []
    try:
        rows.extend(outline(row) for row in islice(_rows(_narrowed(body)), _MAX_OUTLINED_ROWS))
    except Unreadable:
        rows.append(f"<unreadable, {len(body)} bytes in all>")
    return json.dumps(rows)


def is_cut(body: bytes) -> bool:
    """Whether an unreadable body looks like the beginning of a readable one."""
    start, end = body[: len(GUARD)], body[-64:].rstrip()
    return GUARD.encode().startswith(start) and end[-1:] != b"]"


def _rows(text: str) -> Iterator[object]:
    values = Values(text, len(GUARD) if text.startswith(GUARD) else 0)
    while not values.is_at_end:
        if values.is_next("["):
            yield from values.each()
        else:
            values.value()


def _narrowed(body: bytes) -> str:
    """The body as text of one byte for each character: a single emoji would make a text of 64 MB one of 256.

    Other characters are escaped as JSON escapes them, for the payload, which is JSON within a text
    of JSON.
    """
    return _BEYOND_ASCII.sub(_escaped, body.removeprefix(b"\xef\xbb\xbf")).decode("ascii")


def _escaped(match: re.Match[bytes]) -> bytes:
    text = match[0].decode("utf-8", "replace")
    return json.dumps(text)[1:-1].replace("\\", "\\\\").encode("ascii")


def _result(payload: object, rest: list) -> Reply:
    if isinstance(payload, str):
        return Reply(payload)
    if payload is not None:
        raise Unreadable("the payload of a call is no text")
    error = rest[2] if len(rest) > 2 else None
    match error:
        case None | []:
            return Reply(None)
        case [int(code), *_]:
            return Reply(None, code=code, reason=_reason(error))
    raise Unreadable("the error of a call has no code")


def _reason(error: list) -> str:
    """The first word in capitals, as in PUBLIC_ERROR_NOT_FOUND; nothing else of an error is repeated."""
    waiting, looked_at = [error], 0
    while waiting and looked_at < 200:
        said, looked_at = waiting.pop(0), looked_at + 1
        if isinstance(said, list):
            waiting += said[:20]
        elif isinstance(said, str) and _REASON.fullmatch(said):
            return said
    return ""
