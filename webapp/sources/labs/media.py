"""The media call of the labs service: how it is asked and what it answers (PROTOCOL.md, part 4)."""

import re
from collections.abc import Iterable, Set
from dataclasses import replace
from urllib.parse import quote

import pybase64

from webapp.errors import BadPicture, FlowError, GoneUpstream, ImageRefused, KeyRefused, SignedOut
from webapp.sources import clean_name
from webapp.sources.fields import MAX_NAME
from webapp.sources.http import Response
from webapp.sources.refusals import SIGNED_OUT, changed, quoted
from webapp.sources.signed_urls import is_picture_url

# Where the bytes may stand, in the order in which they are looked for.
_BYTE_PLACES = (
    ("image", "encodedImage"),
    ("userUploadedImage", "image"),
    ("userUploadedImage", "encodedImage"),
)
# Shorter texts are not worth the trouble. What stands in the place of a longer one:
_LONG_TEXT_BYTES = 4096
_LIFTED = "lifted out"
_TEXT_MARK = re.compile(rb'"(?:encodedImage|image)"\s*:\s*"')
_DATA_PREFIX = re.compile(rb"data:[\w.+-]+/[\w.+-]+;base64,")
_NO_PATH = re.compile(r"\.*")


def path(name: str) -> str:
    """The path of one image. Raises ImageRefused for a name that no address can hold."""
    asked = clean_name(name)
    try:
        encoded = quote(asked, safe="")
    except UnicodeEncodeError:
        encoded = ""
    if not encoded or len(asked) > MAX_NAME or _NO_PATH.fullmatch(encoded):
        raise ImageRefused("The name of this image is none that Flow could know, so it was not asked for.")
    return f"/v1/media/{encoded}"


def check_name(document: object, asked: str) -> None:
    """Raises BadPicture when the answer is about another image than the one that was asked for."""
    name = document.get("name") if isinstance(document, dict) else None
    if isinstance(name, str) and clean_name(name) != clean_name(asked):
        raise BadPicture("Flow sent another image than the one that was asked for. Trying again is safe.")


def lifted(response: Response) -> tuple[Response, memoryview | None]:
    """An answer without the text of its picture, and that text; None where it was not found at once.

    Parsing half a megabyte of base64 as JSON takes longer than all else that is done with an answer. A
    quotation mark inside of a JSON text is always escaped, so what is found is a field and its whole value.
    """
    body = response.body
    for mark in _TEXT_MARK.finditer(body):
        start, end = mark.end(), body.find(b'"', mark.end())
        if end - start > _LONG_TEXT_BYTES and body.find(b"\\", start, end) < 0:
            light = b"".join((body[:start], _LIFTED.encode(), body[end:]))
            return replace(response, body=light), memoryview(body)[start:end]
    return response, None


def image_bytes(document: dict, text_lifted: memoryview | None = None) -> bytes | None:
    """The bytes inside a media answer, None when it carries none. Raises BadPicture when they are damaged.

    Nothing but base64 is taken, white space neither: the service has never been seen to break
    lines, so a break means that something on the way touched the text.
    """
    for holder, field_name in _BYTE_PLACES:
        shown = document.get(holder)
        text = shown.get(field_name) if isinstance(shown, dict) else None
        if isinstance(text, str) and text:
            return _decoded(text_lifted if text_lifted and text == _LIFTED else text.encode(errors="replace"))
    return None


def _decoded(text: bytes | memoryview) -> bytes:
    prefix = _DATA_PREFIX.match(text)
    try:
        return pybase64.b64decode(text[prefix.end() :] if prefix else text, validate=True)
    except ValueError:
        reason = "The image came damaged (its base64 is broken). Trying again is safe."
    # Outside the handler: nothing of the text belongs into the error.
    raise BadPicture(reason)


def is_image(document: object) -> bool:
    """Whether the answer describes an image at all, whatever it carries of it."""
    return any(_holds(document, holder) for holder, _ in _BYTE_PLACES)


def is_video(document: object) -> bool:
    return _holds(document, "video")


def _holds(document: object, field_name: str) -> bool:
    return isinstance(document, dict) and isinstance(document.get(field_name), dict)


def fife_url(document: object) -> str | None:
    """The first `fifeUrl` in an answer, wherever it stands: error answers have been seen to carry one."""
    waiting = [document]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, dict):
            url = inner.get("fifeUrl")
            if isinstance(url, str) and url:
                return url
            waiting += reversed(inner.values())
        elif isinstance(inner, list):
            waiting += reversed(inner)
    return None


def allowed_fife_url(document: object, picture_hosts: Set[str]) -> str | None:
    """Like `fife_url`, None also when it lies on a host that is not allowed."""
    url = fife_url(document)
    return url if is_picture_url(url, picture_hosts) else None


def is_key_refusal(response: Response) -> bool:
    """Whether the answer says that the API key is wrong or blocked."""
    return response.status in (400, 403) and any(
        reason.startswith("API_KEY_") for reason in _reasons(response)
    )


def error_word(response: Response) -> str:
    """The word that tells an error best: its reason, else its status; empty when it has neither."""
    status = _error(response).get("status")
    return next(iter(_reasons(response)), status if isinstance(status, str) else "")


def _reasons(response: Response) -> Iterable[str]:
    details = _error(response).get("details")
    for detail in details if isinstance(details, list) else []:
        reason = detail.get("reason") if isinstance(detail, dict) else None
        if isinstance(reason, str):
            yield reason


def _error(response: Response) -> dict:
    """Google's error object; empty when the answer has none."""
    try:
        document = response.json()
    except ValueError:
        return {}
    error = document.get("error") if isinstance(document, dict) else None
    return error if isinstance(error, dict) else {}


def refusal(response: Response, secrets: Iterable[str]) -> FlowError:
    """What an error answer means, after token and key were renewed as far as that goes."""
    error = _error(response)
    said = quoted(error.get("message"), secrets)
    if response.status == 401:
        return SignedOut(SIGNED_OUT)
    if is_key_refusal(response):
        return KeyRefused(f"The media service refuses the API key.{said}")
    if error and response.status == 404:
        return GoneUpstream("Flow has this image no more: it was deleted there.")
    if error and response.status in (400, 403):
        return ImageRefused(f"Flow does not hand out this image ({response.status}).{said}")
    return changed(response, f"an image was answered with {response.status}", secrets)
