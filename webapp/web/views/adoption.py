"""Adopting files that a person downloaded elsewhere: the drop zone, and the request that takes one file."""

from collections import Counter

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from webapp.errors import BadRequest, FlowshelfError
from webapp.maintenance.adoption import MAX_FILE_BYTES, Outcome, Result
from webapp.web.services import background
from webapp.web.views.sent_files import CHUNK_BYTES, MAX_FILES, plain_name, sent_files

adoption = Blueprint("adoption", __name__)


@adoption.get("/adopt")
def show_adoption() -> str:
    return _page()


@adoption.post("/adopt")
def adopt_files() -> ResponseReturnValue:
    """The form without JavaScript. The page that responds lists what was not taken."""
    results: list[Result] = []
    try:
        for name, file in sent_files():
            results.append(background().adoption.adopt(name, file))
    except FlowshelfError as error:
        return _page(results, str(error)), error.http_status
    return _page(results, None if results else "Choose files first."), 200 if results else 422


def _page(results: list[Result] | None = None, problem: str | None = None) -> str:
    return render_template(
        "adopt.html",
        action=url_for("adoption.adopt_files", ticket=background().adoption.issue_ticket()),
        counts=Counter(result.outcome.value for result in results or ()),
        left=[result for result in results or () if result.outcome is Outcome.LEFT],
        is_done=bool(results),
        problem=problem,
        max_files=MAX_FILES,
        max_bytes=MAX_FILE_BYTES,
    )


@adoption.post("/api/adopt")
def adopt_file() -> ResponseReturnValue:
    """One file: its bytes are the body, its name is `name`. Raises BadRequest, RequestEntityTooLarge.

    Another site cannot send this media type without asking first, unlike that of a form.
    """
    if request.mimetype != "application/octet-stream":
        raise UnsupportedMediaType
    name = request.args.get("name", "")
    if not name.strip():
        raise BadRequest("“name” is missing: the name of the file.")
    if (request.content_length or 0) > MAX_FILE_BYTES:
        raise RequestEntityTooLarge
    request.max_content_length = MAX_FILE_BYTES
    with background().adoption.stage() as staged:
        while chunk := request.stream.read(CHUNK_BYTES):
            staged.write(chunk)
        staged.seek(0)
        result = background().adoption.adopt(plain_name(name), staged)
    return {"success": True, "data": result_value(result)}


def result_value(result: Result) -> dict[str, str]:
    value = {
        "file": result.file,
        "outcome": result.outcome.value,
        "reason": result.reason,
        "imageId": result.image_id,
    }
    return {name: each for name, each in value.items() if each is not None}
