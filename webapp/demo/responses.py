"""HTTP responses of the simulated Flow, and errors in the form that each of its services uses."""

import json
from dataclasses import dataclass
from http import HTTPStatus

HISTORY_PROCEDURE = "media.fetchUserHistoryDirectly"
GOOGLE_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
TRPC_CODES = {
    400: ("BAD_REQUEST", -32600),
    401: ("UNAUTHORIZED", -32001),
    403: ("FORBIDDEN", -32003),
    404: ("NOT_FOUND", -32004),
    415: ("UNSUPPORTED_MEDIA_TYPE", -32015),
    429: ("TOO_MANY_REQUESTS", -32029),
}
Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes
    content_type: str = "application/json; charset=utf-8"
    headers: Headers = ()


def json_response(body: object, status: int = 200, headers: Headers = ()) -> Response:
    return Response(status, json.dumps(body, ensure_ascii=False).encode(), headers=headers)


def text_response(status: int, text: str, content_type: str = "text/html; charset=utf-8") -> Response:
    return Response(status, text.encode(), content_type)


def google_error(status: int, message: str, reason: str | None = None) -> Response:
    """An error of a Google API, such as the media service."""
    detail = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}
    error = {"code": status, "message": message, "status": GOOGLE_STATUS.get(status, "UNKNOWN")}
    return json_response({"error": error | ({"details": [detail]} if reason else {})}, status)


def trpc_error(status: int, message: str) -> Response:
    """An error of the history call."""
    name, number = TRPC_CODES.get(status, ("INTERNAL_SERVER_ERROR", -32603))
    data = {"code": name, "httpStatus": status, "path": HISTORY_PROCEDURE}
    return json_response({"error": {"json": {"message": message, "code": number, "data": data}}}, status)


def xml_error(status: int, code: str, message: str) -> Response:
    """An error of the picture storage."""
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    text = f"<?xml version='1.0' encoding='UTF-8'?>{error}"
    return text_response(status, text, "application/xml; charset=UTF-8")


def error_of(kind: str, status: int, reason: str | None = None) -> Response:
    """An error in the form of the service that handles this kind of request."""
    phrase = HTTPStatus(status).phrase
    match kind:
        case "history":
            return trpc_error(status, phrase)
        case "media":
            return google_error(status, phrase, reason)
        case "picture":
            return xml_error(status, phrase.replace(" ", ""), phrase)
    return text_response(status, f"<!DOCTYPE html><title>{status}</title><h1>{status} {phrase}</h1>")
