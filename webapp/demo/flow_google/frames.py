"""The frame around the response of a call at the simulated flow.google.com: results, errors and refusals."""

import json
from collections.abc import Sequence

from webapp.demo.account.google_sign_in import GoogleSignIn
from webapp.demo.json_types import Json, Slots
from webapp.demo.responses import Response, text_response

# The ids of the calls, and the kinds of request that they stand for here.
CALLS = {"UpteDb": "projects", "Zzl0ze": "project", "as29s": "address", "o30O0e": "person"}
RPCS = {kind: rpc for rpc, kind in CALLS.items()}
# Rows that come with every response and mean nothing to a client.
_NOISE: list[Slots] = [["di", 14], ["af.httprm", 14, "1234567890", 148]]
_LAST_CHUNK: list[Slots] = [["e", 4, None, None, 131]]
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
_GRPC_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 429: 8, 500: 13, 503: 14}


def framed(rows: Sequence[Slots], status: int = 200) -> Response:
    """Frame rows, together with noise. The length before each chunk is wrong, as at the real service."""
    chunks = [compact_json([*rows, *_NOISE]), compact_json(_LAST_CHUNK)]
    text = ")]}'\n\n" + "".join(f"{len(chunk) // 2 + 7}\n{chunk}\n" for chunk in chunks)
    return text_response(status, text, "application/json; charset=utf-8")


def result(kind: str, payload: Json) -> Response:
    """Return the result of a call. The payload None becomes null, which means that nothing was found."""
    text = None if payload is None else compact_json(payload).replace("=", "\\u003d").replace("&", "\\u0026")
    return framed([["wrb.fr", RPCS[kind], text, None, None, None, "generic"]])


def call_error(kind: str, code: int, reason: str = "PUBLIC_ERROR_INTERNAL") -> Response:
    """Return an error of the call itself, by its gRPC code. Its HTTP status is 200."""
    error: Slots = [code, None, [[_ERROR_INFO, [reason]]]]
    return framed([["wrb.fr", RPCS[kind], None, None, None, error, "generic"]])


def transport_error(status: int, slot: int = 5) -> Response:
    """Return an error from before the call ran.

    The HTTP status is repeated in slot 5 of the row. One client has seen it in slot 6.
    """
    row: Slots = ["er", *[None] * 8, _GRPC_CODES.get(status, 2)]
    row[slot] = status
    return framed([row], status)


def handshake(session: GoogleSignIn, status: int = 400) -> Response:
    """Refuse a call whose XSRF token is missing or stale; the refusal carries the right one."""
    correction: Slots = [{"48448350": ["xsrf", session.token, [session.account_number]]}]
    return framed([["er", None, None, None, None, 400, None, None, None, 3, correction]], status)


def compact_json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
