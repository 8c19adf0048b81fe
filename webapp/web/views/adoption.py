"""Adopting files that a person downloaded elsewhere: the drop zone, and the request that takes one file."""

from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.sansio.multipart import Data, Epilogue, File, MultipartDecoder, NeedData

from webapp.errors import BadRequest, FlowshelfError
from webapp.maintenance.adoption import MAX_FILE_BYTES, Outcome, Result
from webapp.web.services import background

adoption = Blueprint("adoption", __name__)

MAX_FILES = 1_000
# Of a form without JavaScript, which sends all files in one request.
MAX_FORM_BYTES = 4 * 1024**3
CHUNK_BYTES = 256 * 1024
# Of the form between two files.
MAX_UNREAD_BYTES = 4 * CHUNK_BYTES
MAX_NAME = 255


@adoption.get("/adopt")
def show_adoption() -> str:
    return _page()


@adoption.post("/adopt")
def adopt_files() -> ResponseReturnValue:
    """The form without JavaScript. The page that responds lists what was not taken."""
    if request.mimetype != "multipart/form-data":
        raise UnsupportedMediaType
    is_large = background().adoption.is_ticket(request.args.get("ticket", ""))
    request.max_content_length = MAX_FORM_BYTES if is_large else MAX_FILE_BYTES
    results: list[Result] = []
    try:
        for name, file in _sent_files():
            with file:
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


def _sent_files() -> Iterator[tuple[str, BinaryIO]]:
    """The files of the form, one after the other, each on the data disk until its turn is over.

    Raises BadRequest for a form that cannot be read, or has too many files.
    """
    decoder = MultipartDecoder(request.mimetype_params.get("boundary", "").encode(), MAX_UNREAD_BYTES)
    name: str | None = None
    staged: BinaryIO | None = None
    count = 0
    try:
        while not isinstance(event := _next_event(decoder), Epilogue):
            if isinstance(event, File) and event.filename:
                count += 1
                if count > MAX_FILES:
                    raise BadRequest(f"More than {MAX_FILES:,} files were sent. The first were looked at.")
                name, staged = _plain_name(event.filename), background().adoption.stage()
            elif isinstance(event, Data) and staged and name:
                # One byte more than is allowed shows that a file is too large.
                staged.write(event.data[: max(0, MAX_FILE_BYTES + 1 - staged.tell())])
                if not event.more_data:
                    staged.seek(0)
                    yield name, staged
                    staged = None
    except ValueError as error:
        raise BadRequest("The files did not arrive whole. Send them again.") from error
    finally:
        if staged:
            staged.close()


def _next_event(decoder: MultipartDecoder) -> object:
    while isinstance(event := decoder.next_event(), NeedData):
        chunk = request.stream.read(CHUNK_BYTES)
        decoder.receive_data(chunk or None)
    return event


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
        result = background().adoption.adopt(_plain_name(name), staged)
    return {"success": True, "data": result_value(result)}


def result_value(result: Result) -> dict[str, str]:
    value = {
        "file": result.file,
        "outcome": result.outcome.value,
        "reason": result.reason,
        "imageId": result.image_id,
    }
    return {name: each for name, each in value.items() if each is not None}


def _plain_name(name: str) -> str:
    """The name of a file without folders, whatever the system of its sender writes between them. It is only
    looked at and shown, never a path."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(letter for letter in last if letter.isprintable())[-MAX_NAME:]
