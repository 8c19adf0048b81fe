"""The shapes in which the simulated Flow answers; nothing here knows who asks."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

from webapp.demo.entries import Entry, Kind

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
HISTORY_PROCEDURE = "media.fetchUserHistoryDirectly"


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes
    content_type: str = "application/json; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = field(default=())


def json_response(body: object, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    return Response(status, json.dumps(body, ensure_ascii=False).encode(), headers=headers)


def text_response(status: int, text: str, content_type: str = "text/html; charset=utf-8") -> Response:
    return Response(status, text.encode(), content_type)


def history_page(rows: list, next_cursor: str | None) -> Response:
    """An account without entries gets an empty result, the last page no token."""
    result = {"userWorkflows": rows} if rows else {}
    if next_cursor is not None:
        result["nextPageToken"] = next_cursor
    return json_response(
        {"result": {"data": {"json": {"result": result, "status": 200, "statusText": "OK"}}}}
    )


def row(entry: Entry, fife_url: str | None) -> object:
    """An entry as a history page shows it."""
    name = entry.name if entry.name_in_history is None else entry.name_in_history
    shown = _shown(entry) | ({} if fife_url is None else {"fifeUrl": fife_url})
    media = {"name": name, _MEDIA_FIELDS[entry.kind]: shown, "mediaGenerationId": _generation_id(entry)}
    whole = {"name": name, "createTime": entry.created_at, "media": media}
    if entry.created_at is None:
        del whole["createTime"]
    return BREAKAGES[entry.breakage](whole) if entry.breakage else whole


def media(entry: Entry, fife_url: str, content: bytes | None) -> dict:
    """An entry as the media service shows it; `content` None leaves the bytes out."""
    shown = _shown(entry) | {"fifeUrl": fife_url}
    if entry.kind is Kind.UPLOADED:
        shown["mediaGenerationId"] = entry.name
    if content is not None and entry.kind is not Kind.VIDEO:
        prefix = f"data:image/{entry.picture_format.lower()};base64," if entry.data_uri else ""
        field_name = "image" if entry.kind is Kind.UPLOADED else "encodedImage"
        shown[field_name] = prefix + base64.b64encode(content).decode()
    return {
        "name": entry.name,
        _MEDIA_FIELDS[entry.kind]: shown,
        "mediaGenerationId": _generation_id(entry),
    }


_MEDIA_FIELDS = {
    Kind.UPLOADED: "userUploadedImage",
    Kind.BROKEN: "userUploadedImage",
    Kind.GENERATED: "image",
    Kind.VIDEO: "video",
}


def _shown(entry: Entry) -> dict:
    ratio = {"aspectRatio": f"IMAGE_ASPECT_RATIO_{entry.aspect}"}
    if entry.kind in (Kind.UPLOADED, Kind.BROKEN):
        return ratio
    made = {"seed": entry.seed, "prompt": entry.shown_prompt} | ratio
    if entry.kind is Kind.VIDEO:
        return made | {"model": "veo_3_1_t2v_fast", "aspectRatio": f"VIDEO_ASPECT_RATIO_{entry.aspect}"}
    source = {"workflowId": entry.workflow_id, "previousMediaGenerationId": ""}
    return made | {"modelNameType": entry.model_name} | source


def _generation_id(entry: Entry) -> dict:
    project = {} if entry.kind in (Kind.UPLOADED, Kind.BROKEN) else {"projectId": entry.project_id}
    return {
        "mediaType": "VIDEO" if entry.kind is Kind.VIDEO else "IMAGE",
        **project,
        "workflowId": entry.workflow_id,
        "workflowStepId": "CAE",
        "mediaKey": entry.media_key,
    }


def _without(*path: str) -> Callable[[dict], dict]:
    def bend(whole: dict) -> dict:
        inner = whole
        for step in path[:-1]:
            inner = inner[step]
        del inner[path[-1]]
        return whole

    return bend


BREAKAGES: dict[str, Callable[[dict], object]] = {
    "without media": _without("media"),
    "without mediaGenerationId": _without("media", "mediaGenerationId"),
    "without mediaKey": _without("media", "mediaGenerationId", "mediaKey"),
    "without workflowId": _without("media", "mediaGenerationId", "workflowId"),
    "without name": lambda whole: _without("media", "name")(_without("name")(whole)),
    "without any kind": _without("media", "userUploadedImage"),
    "wrong types": lambda whole: {"name": 17, "createTime": 1.5, "media": "no object"},
    "null": lambda whole: None,
}


def google_error(status: int, message: str, reason: str | None = None) -> Response:
    detail = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}
    error = {"code": status, "message": message, "status": GOOGLE_STATUS.get(status, "UNKNOWN")}
    return json_response({"error": error | ({"details": [detail]} if reason else {})}, status)


def trpc_error(status: int, message: str) -> Response:
    word, number = TRPC_CODES.get(status, ("INTERNAL_SERVER_ERROR", -32603))
    about = {"code": word, "httpStatus": status, "path": HISTORY_PROCEDURE}
    return json_response({"error": {"json": {"message": message, "code": number, "data": about}}}, status)


def xml_error(status: int, code: str, message: str) -> Response:
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    text = f"<?xml version='1.0' encoding='UTF-8'?>{error}"
    return text_response(status, text, "application/xml; charset=UTF-8")


def error_of(kind: str, status: int, reason: str | None = None) -> Response:
    """A failure in the shape that this kind of request gets."""
    words = HTTPStatus(status).phrase
    match kind:
        case "history":
            return trpc_error(status, words)
        case "media":
            return google_error(status, words, reason)
        case "picture":
            return xml_error(status, words.replace(" ", ""), words)
    return text_response(status, f"<!DOCTYPE html><title>{status}</title><h1>{status} {words}</h1>")


def flow_page(script_src: str) -> Response:
    return text_response(
        200,
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Flow</title>'
        '<script src="/fx/_next/static/chunks/webpack-0c1d2e3f4a5b6c7d.js" defer=""></script>'
        '<script src="/fx/_next/static/chunks/main-1a2b3c4d5e6f7a8b.js" defer=""></script>'
        f'<script src="{script_src}" defer=""></script></head><body><div id="__next"></div>'
        '<script id="__NEXT_DATA__" type="application/json">{"page":"/"}</script></body></html>',
    )


def flow_script(key: str, decoy_key: str) -> Response:
    """The key stands in it three times, another service's key once and first."""
    text = (
        f'(self.webpackChunk_N_E=self.webpackChunk_N_E||[]).push([[2888],{{1:function(e,t){{t.maps="{decoy_key}";'
        f't.sandbox={{apiKey:"{key}"}};t.media=n=>n+"?key={key}";t.upload={{key:"{key}"}}}}}}]);'
    )
    return text_response(200, text, "application/javascript; charset=UTF-8")
