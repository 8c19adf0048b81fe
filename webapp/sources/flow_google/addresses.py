"""A fresh signed URL of one image: how it is asked for and where it stands in the answer."""

from collections.abc import Iterator, Set
from urllib.parse import quote, urlsplit

from webapp.errors import FlowError, GoneUpstream, ImageRefused
from webapp.sources import clean_name
from webapp.sources.fields import LONGEST_NAME, is_sound
from webapp.sources.flow_google.calls import NOT_FOUND
from webapp.sources.flow_google.frames import Reply
from webapp.sources.signed_urls import is_picture_url

ADDRESS_CALL = "as29s"

NOTHING_THERE = (
    "Flow has no address for this image at the moment, and does not say why: it may be unfinished, too old, "
    "or deleted there."
)


def asset_of(name: str, media_key: str) -> str:
    """What Flow calls an image. Raises ImageRefused for what it could not know."""
    asset_id = clean_name(media_key) or clean_name(name)
    if not 0 < len(asset_id) <= LONGEST_NAME or not is_sound(asset_id):
        raise ImageRefused("The name of this image is none that Flow could know, so it was not asked for.")
    return asset_id


def refusal(reply: Reply) -> FlowError:
    """What it means that a call brought no address."""
    if reply.code == NOT_FOUND:
        return GoneUpstream("Flow has this image no more: it was deleted there.")
    if reply.code is None:
        return ImageRefused(NOTHING_THERE)
    return ImageRefused(f"Flow does not hand out this image ({reply.reason or reply.code}).")


def address_in(record: object, asset_id: str, picture_hosts: Set[str]) -> str | None:
    """The signed URL of an image in its record, if possible on a host that is allowed."""
    found = [text for text in _texts(record) if _leads_to(text, f"/image/{quote(asset_id, safe='')}")]
    allowed = (url for url in found if is_picture_url(url, picture_hosts))
    return next(allowed, found[0] if found else None)


def is_video(record: object, asset_id: str) -> bool:
    return any(_leads_to(text, f"/video/{quote(asset_id, safe='')}") for text in _texts(record))


def _leads_to(url: str, path: str) -> bool:
    if not url.startswith(("https://", "http://")):
        return False
    try:
        return urlsplit(url).path == path
    except ValueError:
        return False


def _texts(record: object) -> Iterator[str]:
    waiting = [record]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            waiting += reversed(value)
        elif isinstance(value, dict):
            waiting += reversed(value.values())
