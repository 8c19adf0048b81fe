"""The frame around the response to a call at flow.google.com (PROTOCOL.md, “Calls”).

A guard, then lengths and JSON lists in turn. The lengths are unreliable, so this module reads value
after value and ignores them.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from webapp.sources.flow_google.json_stream import JsonStream, Unreadable
from webapp.sources.outline import outline

GUARD = ")]}'"

_TOKEN = re.compile(rb'\["xsrf"\s*,\s*"([^"\\]{1,1000})"')
_ACCOUNT = re.compile(rb'\["xsrf"\s*,\s*"[^"\\]{1,1000}"\s*,\s*\[\s*"(\d{1,40})"')
_SEARCHED_BYTES = 16 * 1024
_NON_ASCII = re.compile(rb"[\x80-\xff]+")
_MAX_OUTLINED_ROWS = 20
_MAX_REASON_VALUES = 200
_MAX_REASON_WIDTH = 20
_REASON = re.compile(r"[A-Z][A-Z0-9_]{2,99}")


@dataclass(frozen=True, slots=True)
class Reply:
    """The result of a call. `payload` is JSON text; None without a code means that nothing is there.

    `code` is the error of the call itself (a gRPC status), `http_code` an error of the transport or the
    sign-in, `reason` the word that came with either.
    """

    payload: str | None = field(repr=False)
    code: int | None = None
    http_code: int | None = None
    reason: str = ""


def request_field(rpc: str, arguments: list[object]) -> str:
    """The value of the form field `f.req` for one call."""
    inner = json.dumps(arguments, separators=(",", ":"))
    return json.dumps([[[rpc, inner, None, "generic"]]], separators=(",", ":"))


def token_in(body: bytes) -> str | None:
    """The token that a refusal provides for the next attempt; None if the response is no such refusal.

    Quotes inside a payload are escaped, so a person's prompt cannot be mistaken for a token.
    """
    match = _TOKEN.search(body, 0, _SEARCHED_BYTES)
    return match[1].decode("utf-8", "replace") if match else None


def account_number_in(body: bytes) -> str | None:
    """The account number in such a refusal, None if there is none."""
    match = _ACCOUNT.search(body, 0, _SEARCHED_BYTES)
    return match[1].decode() if match else None


def read_reply(body: bytes, rpc: str) -> Reply | None:
    """The reply to a call, None if the response holds none. Raises Unreadable.

    A row that is followed by something unreadable is still used: it is complete.
    """
    errors = []
    for row in _rows(_to_ascii(body)):
        match row:
            case ["wrb.fr", str(name), payload, *rest] if name == rpc:
                return _result(payload, rest)
            case ["er", *rest]:
                errors.append(Reply(None, http_code=_http_code(rest), reason=_reason(rest)))
    return errors[0] if errors else None


def _http_code(rest: list[object]) -> int:
    """The HTTP code of an error row: at index 5, according to one client at 6. 0 if neither holds one."""
    codes = (value for value in rest[4:6] if isinstance(value, int) and 100 <= value < 600)
    return next(codes, 0)


def outline_in(body: bytes) -> str:
    """The outline of a response's rows, as far as they can be read."""
    rows: list[object] = []
    try:
        rows.extend(outline(row) for row in islice(_rows(_to_ascii(body)), _MAX_OUTLINED_ROWS))
    except Unreadable:
        rows.append(f"<unreadable, {len(body)} bytes in all>")
    return json.dumps(rows)


def is_cut(body: bytes) -> bool:
    """Whether an unreadable body looks like the beginning of a readable one."""
    start, end = body[: len(GUARD)], body[-64:].rstrip()
    return GUARD.encode().startswith(start) and end[-1:] != b"]"


def _rows(text: str) -> Iterator[object]:
    stream = JsonStream(text, len(GUARD) if text.startswith(GUARD) else 0)
    while not stream.is_at_end:
        if stream.starts_with("["):
            yield from stream.elements()
        else:
            stream.value()


def _to_ascii(body: bytes) -> str:
    """The body as ASCII text: with a single emoji in it, Python would need four bytes per character.

    Other characters become JSON escapes. They are escaped twice: a payload is JSON inside a JSON string.
    """
    return _NON_ASCII.sub(_escaped, body.removeprefix(b"\xef\xbb\xbf")).decode("ascii")


def _escaped(match: re.Match[bytes]) -> bytes:
    text = match[0].decode("utf-8", "replace")
    return json.dumps(text)[1:-1].replace("\\", "\\\\").encode("ascii")


def _result(payload: object, rest: list[object]) -> Reply:
    if isinstance(payload, str):
        return Reply(payload)
    if payload is not None:
        raise Unreadable("the payload of a call is not text")
    error = rest[2] if len(rest) > 2 else None
    match error:
        case None | []:
            return Reply(None)
        case [int(code), *details]:
            return Reply(None, code=code, reason=_reason(details))
    raise Unreadable("the error of a call has no code")


def _reason(error: list[object]) -> str:
    """The first word in capitals, such as PUBLIC_ERROR_NOT_FOUND. Nothing else of an error is repeated."""
    queue, seen_count = list(error[:_MAX_REASON_WIDTH]), 0
    while queue and seen_count < _MAX_REASON_VALUES:
        value, seen_count = queue.pop(0), seen_count + 1
        if isinstance(value, list):
            queue += value[:_MAX_REASON_WIDTH]
        elif isinstance(value, str) and _REASON.fullmatch(value):
            return value
    return ""
