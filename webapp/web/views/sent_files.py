"""The files of a form, read one after the other from the stream of the request."""

from collections.abc import Iterator
from typing import BinaryIO

from flask import request
from werkzeug.exceptions import UnsupportedMediaType
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from webapp.errors import BadRequest
from webapp.maintenance.adoption import MAX_FILE_BYTES
from webapp.web.services import background

MAX_FILES = 1_000
# Of a form without JavaScript, which sends all files in one request.
MAX_FORM_BYTES = 4 * 1024**3
CHUNK_BYTES = 256 * 1024
# Of the form between two files.
MAX_UNREAD_BYTES = 4 * CHUNK_BYTES
MAX_NAME = 255
MAX_FIELD_BYTES = 1_000


def sent_files(fields: dict[str, str] | None = None) -> Iterator[tuple[str, BinaryIO]]:
    """The files of the form with their names, each on the data disk until its turn is over.

    A file that is too large is cut off one byte after the limit. Other fields of the form that come before
    are put into `fields`. With the ticket of a form that was sent to the owner, the request may be a large
    one. Raises BadRequest for a form that cannot be read, or has too many files.
    """
    if request.mimetype != "multipart/form-data":
        raise UnsupportedMediaType
    is_large = background().adoption.is_ticket(request.args.get("ticket", ""))
    request.max_content_length = MAX_FORM_BYTES if is_large else MAX_FILE_BYTES
    decoder = MultipartDecoder(request.mimetype_params.get("boundary", "").encode(), MAX_UNREAD_BYTES)
    try:
        yield from _read(decoder, {} if fields is None else fields)
    except ValueError as error:
        raise BadRequest("The files did not arrive whole. Send them again.") from error


def _read(decoder: MultipartDecoder, fields: dict[str, str]) -> Iterator[tuple[str, BinaryIO]]:
    name, field, count = "", "", 0
    staged: BinaryIO | None = None
    try:
        while not isinstance(event := _next_event(decoder), Epilogue):
            if isinstance(event, Field):
                field, fields[event.name] = event.name, ""
            elif isinstance(event, File) and event.filename:
                count += 1
                if count > MAX_FILES:
                    raise BadRequest(f"More than {MAX_FILES:,} files were sent. The first were looked at.")
                field, name, staged = "", plain_name(event.filename), background().adoption.stage()
            elif isinstance(event, Data) and staged:
                staged.write(event.data[: max(0, MAX_FILE_BYTES + 1 - staged.tell())])
                if not event.more_data:
                    staged.seek(0)
                    with staged:
                        yield name, staged
                    staged = None
            elif isinstance(event, Data) and field:
                fields[field] = (fields[field] + event.data.decode("utf-8", "replace"))[:MAX_FIELD_BYTES]
    finally:
        if staged:
            staged.close()


def _next_event(decoder: MultipartDecoder) -> object:
    while isinstance(event := decoder.next_event(), NeedData):
        chunk = request.stream.read(CHUNK_BYTES)
        decoder.receive_data(chunk or None)
    return event


def plain_name(name: str) -> str:
    """The name of a file without folders, whatever the system of its sender writes between them. It is only
    looked at and shown, never a path."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(letter for letter in last if letter.isprintable())[-MAX_NAME:]
