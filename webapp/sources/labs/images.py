"""The call for one image: its path, and what the response holds (PROTOCOL.md, part 4)."""

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

# The fields that may hold the picture, in the order in which they are tried.
_PICTURE_FIELDS = (
    ("image", "encodedImage"),
    ("userUploadedImage", "image"),
    ("userUploadedImage", "encodedImage"),
)
# Shorter base64 is left in the JSON. Longer base64 is replaced by a placeholder.
_LONG_BASE64_BYTES = 4096
_PLACEHOLDER = "cut out"
_BASE64_FIELD = re.compile(rb'"(?:encodedImage|image)"\s*:\s*"')
_DATA_URI = re.compile(rb"data:[\w.+-]+/[\w.+-]+;base64,")
_ONLY_DOTS = re.compile(r"\.*")


def path(name: str) -> str:
    """The path of one image. Raises ImageRefused for a name that no URL can hold."""
    cleaned = clean_name(name)
    try:
        encoded = quote(cleaned, safe="")
    except UnicodeEncodeError:
        encoded = ""
    if not encoded or len(cleaned) > MAX_NAME or _ONLY_DOTS.fullmatch(encoded):
        raise ImageRefused("Flow cannot know an image of this name, so Flowshelf did not ask for it.")
    return f"/v1/media/{encoded}"


def check_name(document: object, name: str) -> None:
    """Raises BadPicture if the response is about another image than `name`."""
    found = document.get("name") if isinstance(document, dict) else None
    if isinstance(found, str) and clean_name(found) != clean_name(name):
        raise BadPicture("Flow sent another image than the one that was asked for. Trying again is safe.")


def split_base64(response: Response) -> tuple[Response, memoryview | None]:
    """The response with a placeholder for the base64 of its picture, and that base64; None if it is short.

    To parse half a megabyte of base64 as JSON takes longer than everything else done with a response.
    Quotes inside a JSON string are always escaped, so the pattern matches a real field and its whole value.
    """
    body = response.body
    for field in _BASE64_FIELD.finditer(body):
        start, end = field.end(), body.find(b'"', field.end())
        if end - start > _LONG_BASE64_BYTES and body.find(b"\\", start, end) < 0:
            short = b"".join((body[:start], _PLACEHOLDER.encode(), body[end:]))
            return replace(response, body=short), memoryview(body)[start:end]
    return response, None


def picture_bytes(document: dict[str, object], base64: memoryview | None = None) -> bytes | None:
    """The picture inside a response, None if there is none. Raises BadPicture if it is damaged.

    `base64` is what `split_base64` took out. White space in it counts as damage: the service has never been
    seen to break lines, so something on the way must have changed the text.
    """
    for holder, field_name in _PICTURE_FIELDS:
        image = document.get(holder)
        text = image.get(field_name) if isinstance(image, dict) else None
        if isinstance(text, str) and text:
            return _decoded(base64 if base64 and text == _PLACEHOLDER else text.encode(errors="replace"))
    return None


def _decoded(base64: bytes | memoryview) -> bytes:
    prefix = _DATA_URI.match(base64)
    try:
        return pybase64.b64decode(base64[prefix.end() :] if prefix else base64, validate=True)
    except ValueError:
        sentence = "The image came damaged (its base64 is broken). Trying again is safe."
    # Raised outside the handler, so that nothing of the text goes into the error.
    raise BadPicture(sentence)


def is_image(document: object) -> bool:
    """Whether the response describes an image, with or without its bytes."""
    return any(_has_object(document, holder) for holder, _ in _PICTURE_FIELDS)


def is_video(document: object) -> bool:
    return _has_object(document, "video")


def _has_object(document: object, field_name: str) -> bool:
    return isinstance(document, dict) and isinstance(document.get(field_name), dict)


def fife_url(document: object) -> str | None:
    """The first `fifeUrl` at any depth: error responses have been seen to carry one."""
    stack = [document]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            url = value.get("fifeUrl")
            if isinstance(url, str) and url:
                return url
            stack += reversed(value.values())
        elif isinstance(value, list):
            stack += reversed(value)
    return None


def allowed_fife_url(document: object, picture_hosts: Set[str]) -> str | None:
    """Like `fife_url`, but None for a URL on a host that is not allowed."""
    url = fife_url(document)
    return url if is_picture_url(url, picture_hosts) else None


def is_key_refusal(response: Response) -> bool:
    """Whether the response says that the API key is wrong or blocked."""
    return response.status in (400, 403) and any(
        reason.startswith("API_KEY_") for reason in _reasons(response)
    )


def error_word(response: Response) -> str:
    """The reason of an error, or else its status; empty if it has neither."""
    status = _error(response).get("status")
    return next(iter(_reasons(response)), status if isinstance(status, str) else "")


def _reasons(response: Response) -> Iterable[str]:
    details = _error(response).get("details")
    for detail in details if isinstance(details, list) else []:
        reason = detail.get("reason") if isinstance(detail, dict) else None
        if isinstance(reason, str):
            yield reason


def _error(response: Response) -> dict[str, object]:
    """Google's error object; empty if the response has none."""
    try:
        document = response.json()
    except ValueError:
        return {}
    error = document.get("error") if isinstance(document, dict) else None
    return error if isinstance(error, dict) else {}


def refusal(response: Response, secrets: Iterable[str]) -> FlowError:
    """The error for a response other than 200, once token and key have been renewed."""
    error = _error(response)
    message = quoted(error.get("message"), secrets)
    if response.status == 401:
        return SignedOut(SIGNED_OUT)
    if is_key_refusal(response):
        return KeyRefused(f"The media service refuses the API key.{message}")
    if error and response.status == 404:
        return GoneUpstream("Flow no longer has this image: it was deleted there.")
    if error and response.status in (400, 403):
        return ImageRefused(f"Flow refuses this image ({response.status}).{message}")
    return changed(response, f"an image was answered with {response.status}", secrets)
