"""The call for one image: its response holds a new signed URL of the original."""

import re
from collections.abc import Iterator, Set
from urllib.parse import quote, urlsplit

from webapp.errors import FlowError, GoneUpstream, ImageRefused
from webapp.sources import clean_name
from webapp.sources.fields import MAX_NAME, is_sound
from webapp.sources.flow_google.calls import NOT_FOUND
from webapp.sources.flow_google.frames import Reply
from webapp.sources.flow_google.records import asset_id_of, value_at
from webapp.sources.signed_urls import is_picture_url

IMAGE_CALL = "as29s"
# Where the record holds the URL of the original: of a generated image, and of an upload.
ORIGINAL_PATHS = ((6, 0, 13), (6, 1, 3))
_REENCODED = re.compile(r"/asb/|=[swh]\d+(?:-|$)")

NOTHING_THERE = (
    "Flow has no URL for this image at the moment, and does not say why: it may be unfinished, too old, "
    "or deleted there."
)


def asset_id_for(name: str, media_key: str) -> str:
    """The id to ask for: the media key, or else the name. Raises ImageRefused if neither can be an id."""
    asset_id = clean_name(media_key) or clean_name(name)
    if not 0 < len(asset_id) <= MAX_NAME or not is_sound(asset_id):
        raise ImageRefused("This name cannot be an image of Flow, so Flowshelf did not ask for it.")
    return asset_id


def refusal(reply: Reply) -> FlowError:
    """The error for a reply without a payload."""
    if reply.code == NOT_FOUND:
        return GoneUpstream("Flow no longer has this image: it was deleted there.")
    if reply.code is None:
        return ImageRefused(NOTHING_THERE)
    return ImageRefused(f"Flow refuses this image ({reply.reason or reply.code}).")


def original_url(record: object, asset_id: str, picture_hosts: Set[str]) -> str | None:
    """The signed URL of the original, preferably on an allowed host; None if there is none.

    It is the URL whose path ends in the asked id, or else the one at the usual path of a record with that
    id: according to one client the id in the URL may differ. Never a re-encoded copy, which is half as large.
    """
    named = [url for url in _texts(record) if _is_original(url) and _ends_in(url, asset_id)]
    usual = (value_at(record, *path) for path in ORIGINAL_PATHS if asset_id_of(record) == asset_id)
    found = named or [url for url in usual if isinstance(url, str) and _is_original(url)]
    allowed = (url for url in found if is_picture_url(url, picture_hosts))
    return next(allowed, found[0] if found else None)


def is_video(record: object, asset_id: str) -> bool:
    """Whether the record says that the asked id is a video, judged by its arm or its URL. A record with
    another id says nothing of it."""
    if asset_id_of(record) not in (asset_id, None):
        return False
    has_video_arm = isinstance(value_at(record, 7), list) and not isinstance(value_at(record, 6), list)
    return has_video_arm or any(_path(text).startswith("/video/") for text in _texts(record))


def _is_original(url: str) -> bool:
    path = _path(url)
    return bool(path) and not path.startswith("/video/") and not _REENCODED.search(path)


def _ends_in(url: str, asset_id: str) -> bool:
    return _path(url).rsplit("/", 1)[-1] in (asset_id, quote(asset_id, safe=""))


def _path(url: str) -> str:
    """The path of a URL, empty for any other text."""
    if not url.startswith(("https://", "http://")):
        return ""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def _texts(record: object) -> Iterator[str]:
    """Every text in nested lists and objects, in the order of the document."""
    stack = [record]
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            stack += reversed(value)
        elif isinstance(value, dict):
            stack += reversed(value.values())
