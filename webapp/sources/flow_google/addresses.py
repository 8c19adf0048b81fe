"""A fresh signed URL of one image: how it is asked for and where it stands in the answer."""

import re
from collections.abc import Iterator, Set
from urllib.parse import quote, urlsplit

from webapp.errors import FlowError, GoneUpstream, ImageRefused
from webapp.sources import clean_name
from webapp.sources.fields import MAX_NAME, is_sound
from webapp.sources.flow_google.calls import NOT_FOUND
from webapp.sources.flow_google.frames import Reply
from webapp.sources.flow_google.records import asset_name, inside
from webapp.sources.signed_urls import is_picture_url

ADDRESS_CALL = "as29s"
# Where a record that is asked for alone has the original: of a generated image, and of an upload.
ORIGINAL_PLACES = ((6, 0, 13), (6, 1, 3))
_RE_ENCODED = re.compile(r"/asb/|=[swh]\d+(?:-|$)")

NOTHING_THERE = (
    "Flow has no address for this image at the moment, and does not say why: it may be unfinished, too old, "
    "or deleted there."
)


def asset_of(name: str, media_key: str) -> str:
    """What Flow calls an image. Raises ImageRefused for what it could not know."""
    asset_id = clean_name(media_key) or clean_name(name)
    if not 0 < len(asset_id) <= MAX_NAME or not is_sound(asset_id):
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
    """The signed URL of an original, if possible on a host that is allowed.

    It is the one whose path ends in the asked id, else the one in the place of the original, in a record
    that bears the asked id. One client names the id in the URL apart from the asset id. A re-encoded copy
    is never taken: it has half the size.
    """
    named = [url for url in _texts(record) if _is_original(url) and _ends_in(url, asset_id)]
    placed = (inside(record, *place) for place in ORIGINAL_PLACES if asset_name(record) == asset_id)
    found = named or [url for url in placed if isinstance(url, str) and _is_original(url)]
    allowed = (url for url in found if is_picture_url(url, picture_hosts))
    return next(allowed, found[0] if found else None)


def is_video(record: object) -> bool:
    """Whether the record is that of a video, by its arm or its URL."""
    has_video_arm = isinstance(inside(record, 7), list) and not isinstance(inside(record, 6), list)
    return has_video_arm or any(_path_of(text).startswith("/video/") for text in _texts(record))


def _is_original(url: str) -> bool:
    path = _path_of(url)
    return bool(path) and not path.startswith("/video/") and not _RE_ENCODED.search(path)


def _ends_in(url: str, asset_id: str) -> bool:
    return _path_of(url).rsplit("/", 1)[-1] in (asset_id, quote(asset_id, safe=""))


def _path_of(url: str) -> str:
    """The path of a URL, empty for any other text."""
    if not url.startswith(("https://", "http://")):
        return ""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


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
