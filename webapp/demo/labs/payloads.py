"""The JSON of the simulated labs.google: rows of a history page, and single media."""

import base64
from collections.abc import Sequence
from typing import Literal, NotRequired, TypedDict

from webapp.demo.broken_rows import BREAKAGES
from webapp.demo.entries import Entry, Kind
from webapp.demo.responses import Response, json_response


class GenerationId(TypedDict):
    mediaType: Literal["IMAGE", "VIDEO"]
    projectId: NotRequired[str]
    workflowId: str
    workflowStepId: str
    mediaKey: str


class Asset(TypedDict, total=False):
    """An image or a video; which fields it has depends on its kind and on the call."""

    aspectRatio: str
    seed: int
    prompt: str
    model: str
    modelNameType: str
    workflowId: str
    previousMediaGenerationId: str
    mediaGenerationId: str
    fifeUrl: str
    image: str
    encodedImage: str


class Media(TypedDict):
    """A named asset; exactly one of the three fields for assets is there."""

    name: str
    userUploadedImage: NotRequired[Asset]
    image: NotRequired[Asset]
    video: NotRequired[Asset]
    mediaGenerationId: GenerationId


class Row(TypedDict):
    name: str
    createTime: NotRequired[str]
    media: Media


class _HistoryResult(TypedDict, total=False):
    userWorkflows: Sequence[object]
    nextPageToken: str


def history_page(rows: Sequence[object], next_cursor: str | None) -> Response:
    """A page of a history. An account without entries gets an empty result; the last page has no token."""
    result: _HistoryResult = {"userWorkflows": rows} if rows else {}
    if next_cursor is not None:
        result["nextPageToken"] = next_cursor
    return json_response(
        {"result": {"data": {"json": {"result": result, "status": 200, "statusText": "OK"}}}}
    )


def row(entry: Entry, fife_url: str | None) -> object:
    """An entry as a history page shows it: a `Row`, or what its breakage makes of one."""
    asset = _asset(entry)
    if fife_url is not None:
        asset["fifeUrl"] = fife_url
    name = entry.name if entry.name_in_history is None else entry.name_in_history
    media = _named(entry, name, asset)
    whole: Row = {"name": name, "media": media}
    if entry.created_at is not None:
        whole = {"name": name, "createTime": entry.created_at, "media": media}
    return BREAKAGES[entry.breakage](whole) if entry.breakage else whole


def media(entry: Entry, fife_url: str, content: bytes | None) -> Media:
    """An entry as the media service shows it; without `content` the response holds only the URL."""
    asset = _asset(entry)
    asset["fifeUrl"] = fife_url
    if entry.kind is Kind.UPLOADED:
        asset["mediaGenerationId"] = entry.name
    if content is not None and entry.kind is not Kind.VIDEO:
        prefix = f"data:image/{entry.picture_format.lower()};base64," if entry.data_uri else ""
        text = prefix + base64.b64encode(content).decode()
        asset["image" if entry.kind is Kind.UPLOADED else "encodedImage"] = text
    return _named(entry, entry.name, asset)


def _named(entry: Entry, name: str, asset: Asset) -> Media:
    generation_id = _generation_id(entry)
    match entry.kind:
        case Kind.GENERATED:
            return {"name": name, "image": asset, "mediaGenerationId": generation_id}
        case Kind.VIDEO:
            return {"name": name, "video": asset, "mediaGenerationId": generation_id}
    return {"name": name, "userUploadedImage": asset, "mediaGenerationId": generation_id}


def _asset(entry: Entry) -> Asset:
    if entry.kind in (Kind.UPLOADED, Kind.BROKEN):
        return {"aspectRatio": f"IMAGE_ASPECT_RATIO_{entry.aspect}"}
    if entry.kind is Kind.VIDEO:
        return {
            "seed": entry.seed,
            "prompt": entry.shown_prompt,
            "aspectRatio": f"VIDEO_ASPECT_RATIO_{entry.aspect}",
            "model": "veo_3_1_t2v_fast",
        }
    return {
        "seed": entry.seed,
        "prompt": entry.shown_prompt,
        "aspectRatio": f"IMAGE_ASPECT_RATIO_{entry.aspect}",
        "modelNameType": entry.model_name,
        "workflowId": entry.workflow_id,
        "previousMediaGenerationId": "",
    }


def _generation_id(entry: Entry) -> GenerationId:
    whole: GenerationId = {
        "mediaType": "VIDEO" if entry.kind is Kind.VIDEO else "IMAGE",
        "workflowId": entry.workflow_id,
        "workflowStepId": "CAE",
        "mediaKey": entry.media_key,
    }
    if entry.kind not in (Kind.UPLOADED, Kind.BROKEN):
        whole["projectId"] = entry.project_id
    return whole
