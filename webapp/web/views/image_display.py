"""How an image is shown: its title, shape, state, thumbnails, preview and URLs."""

import string
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from math import log
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from flask import Flask, g, url_for

from webapp import storage, times
from webapp.database.models import Image
from webapp.database.states import DownloadState
from webapp.sources import ASPECT_RATIOS, aspect_ratio_of
from webapp.sources.signed_urls import is_good
from webapp.store.gallery.query import as_words
from webapp.web.access import is_owner
from webapp.web.services import background
from webapp.web.views.formats import clock

# The CSS class of each aspect ratio, and its name.
SHAPES = {
    "IMAGE_ASPECT_RATIO_LANDSCAPE": ("landscape", "Landscape, 16:9"),
    "IMAGE_ASPECT_RATIO_PORTRAIT": ("portrait", "Portrait, 9:16"),
    "IMAGE_ASPECT_RATIO_SQUARE": ("square", "Square"),
    "IMAGE_ASPECT_RATIO_LANDSCAPE_FOUR_THREE": ("four-three", "Landscape, 4:3"),
    "IMAGE_ASPECT_RATIO_PORTRAIT_THREE_FOUR": ("three-four", "Portrait, 3:4"),
}
# The proportions, width by height, for which `app.css` has a class of the wall, `r0` and following.
WALL_RATIOS = (0.42, 0.5, 9 / 16, 2 / 3, 3 / 4, 0.85, 1, 1.15, 4 / 3, 1.5, 16 / 9, 2, 2.4)
# In characters. Text that is only a little longer is not cut.
MAX_TITLE, TITLE_LEEWAY = 90, 5
# Longer sides of the thumbnails, in pixels.
THUMBNAIL_EDGES = (320, 640)
# How much of a prompt a search for similar ones looks for.
MAX_SIMILAR_WORDS, MAX_SIMILAR_CHARACTERS = 5, 30
_PUNCTUATION = string.punctuation + "“”„‘’«»…–—。、，！？：；（）"
_PLACEHOLDER_ID = "IMAGE"


def image_title(image: Image) -> str:
    """The title of an image in one line: the beginning of its prompt, otherwise of its title in Flow.

    That title is the owner's own, so guests are not shown it, as in the API (`NOT_FOR_GUESTS`).
    """
    text = (image.prompt or (image.title if is_owner() else "") or "").strip()
    if not text:
        return _untitled(image)
    if len(text) <= MAX_TITLE + TITLE_LEEWAY:
        return text
    return f"{text[: MAX_TITLE - 3].rsplit(' ', 1)[0]}..."


def card_words(image: Image) -> str:
    """The words below a card: its title, or the time if it has none, so that not all of them say the same."""
    title = image_title(image)
    if title != _untitled(image):
        return title
    made = "Generated" if image.kind == "generated" else "Uploaded"
    return f"{made} at {clock(times.parsed(image.created_at))}"


def image_heading(image: Image) -> str:
    """The heading of the page of an image, next to which the prompt stands: its title in Flow, for the owner,
    unless that is the beginning of the prompt; otherwise its kind."""
    title = (image.title or "").strip() if is_owner() else ""
    if title and not (image.prompt or "").startswith(title.removesuffix("...").removesuffix("…")):
        return title
    return _untitled(image)


def _untitled(image: Image) -> str:
    return "Generated image" if image.kind == "generated" else "Uploaded image"


def similar_words(prompt: str) -> str:
    """What to search for to find images with a similar prompt: its first words, without punctuation.

    A long word is cut: the search finds parts of words, and languages without spaces write whole sentences as
    one.
    """
    words = (word.strip(_PUNCTUATION)[:MAX_SIMILAR_CHARACTERS] for word in prompt.split())
    return as_words(" ".join([word for word in words if word][:MAX_SIMILAR_WORDS]))


def shape(image: Image) -> str:
    """The CSS classes that reserve space for an image before it has loaded.

    Its aspect ratio in Flow, otherwise the one closest to its size, otherwise `unknown`, a square. With
    `whole` all of an image is shown even if its shape differs from the reserved space.
    """
    if image.aspect_ratio in SHAPES:
        return SHAPES[image.aspect_ratio][0]
    if not (image.width and image.height):
        return "unknown whole"
    ratio = image.width / image.height
    nearest = min(SHAPES, key=lambda name: abs(log(ratio / ASPECT_RATIOS[name])))
    fits = aspect_ratio_of(image.width, image.height) is not None
    return SHAPES[nearest][0] if fits else f"{SHAPES[nearest][0]} whole"


def wall_shape(image: Image) -> str:
    """The CSS class of an image's proportions on the wall: those of its size, or else of its aspect ratio."""
    if image.width and image.height:
        return _wall_class(image.width / image.height)
    return _wall_class(ASPECT_RATIOS.get(image.aspect_ratio or "", 1.0))


@lru_cache(maxsize=4096)
def _wall_class(ratio: float) -> str:
    return f"r{min(range(len(WALL_RATIOS)), key=lambda index: abs(log(ratio / WALL_RATIOS[index])))}"


def shape_label(aspect_ratio: str) -> str:
    """`Landscape, 16:9`; a readable form of an aspect ratio that is not in SHAPES."""
    if aspect_ratio in SHAPES:
        return SHAPES[aspect_ratio][1]
    return aspect_ratio.removeprefix("IMAGE_ASPECT_RATIO_").capitalize()


def pixels(image: Image) -> str:
    """`1376 × 768`; empty if the size is unknown."""
    return f"{image.width} × {image.height}" if image.width and image.height else ""


def file_state(image: Image) -> str:
    """The state of an image's file, one of the keys of `labels.FILE_LABELS`. A file that exists takes
    precedence over the state of its latest download, unless it is being replaced."""
    download = image.latest_download and image.latest_download.state
    is_active = download in (DownloadState.QUEUED, DownloadState.RUNNING)
    is_replaced = is_active and (image.damaged_at or image.changed_sha256 or image.adopted_at)
    if image.local_path and not is_replaced:
        return "damaged" if image.damaged_at else "changed" if image.changed_sha256 else "done"
    if is_active:
        return str(download)
    if image.gone_upstream_at:
        return "gone"
    return "failed" if download == DownloadState.FAILED else "pending"


def has_picture(image: Image) -> bool:
    """Whether there is a file to show, be it one that was changed outside Flowshelf, or an adopted one that
    is being replaced."""
    is_adopted = bool(image.local_path and image.adopted_at) and not image.damaged_at
    return is_adopted or file_state(image) in ("done", "changed")


def thumbnails(image: Image) -> dict[int, str]:
    """The URLs of an image's thumbnails by their width in pixels, narrow first; empty without a usable
    file."""
    if not has_picture(image) or _is_too_large(image):
        return {}
    if image.width and image.height:
        ratio = image.width / image.height
    else:
        ratio = ASPECT_RATIOS.get(image.aspect_ratio or "", 1.0)
    width_factor = min(1.0, ratio)  # of a portrait the longer side is the height
    version = content_version(image)
    urls = {edge: image_url("images.send_thumbnail", image.id, edge=edge) for edge in THUMBNAIL_EDGES}
    return {max(1, round(edge * width_factor)): f"{url}?v={version}" for edge, url in urls.items()}


def _is_too_large(image: Image) -> bool:
    """Whether an image has too many pixels for a thumbnail: it is shown by its preview, or not at all."""
    if not (image.local_path and image.width and image.height):
        return False
    return storage.is_too_large_for_thumbnail(PurePath(image.local_path).suffix, image.width, image.height)


def srcset(urls: Mapping[int, str]) -> str:
    """The `srcset` of an `<img>`, from URLs by their width in pixels."""
    return ", ".join(f"{url} {width}w" for width, url in urls.items())


def image_url(endpoint: str, image_id: str, **values: Any) -> str:
    """`url_for` with an image id. Builds the URL once per request and fills in the id, because building it
    for each image took a tenth of the time of a gallery page."""
    built: dict[tuple[object, ...], tuple[str, str, str]] = g.setdefault("image_urls", {})
    key = (endpoint, *values.items())
    if key not in built:
        url = url_for(endpoint, image_id=_PLACEHOLDER_ID, **values)
        built[key] = url.partition(_PLACEHOLDER_ID)
    start, _, end = built[key]
    return f"{start}{quote(image_id, safe='')}{end}"


def content_version(image: Image) -> str:
    """Identifies the content of the file in a URL, so that a browser may cache the response for good."""
    return (image.changed_sha256 or image.sha256 or "")[:12]


def picture_version(image: Image) -> str:
    """Changes when a card has another picture to show. A preview that was signed again is still the same
    one."""
    if has_picture(image):
        return f"file {content_version(image)}"
    return "preview" if preview_url(image) else "none"


def preview_url(image: Image) -> str | None:
    """The URL of Flow's own preview; None for guests, and if the URL has expired or its host is not allowed.

    Whoever knows this URL can see the image.
    """
    if not is_owner():
        return None
    hosts = background().picture_hosts
    return image.fife_url if is_good(image.fife_url, hosts, datetime.now(UTC)) else None


def register(app: Flask) -> None:
    """Make all of it available to templates."""
    app.jinja_env.filters |= {
        "shape": shape,
        "wall_shape": wall_shape,
        "shape_label": shape_label,
        "pixels": pixels,
        "file_state": file_state,
        "has_picture": has_picture,
        "picture_version": picture_version,
        "srcset": srcset,
    }
    app.jinja_env.globals |= {
        "image_title": image_title,
        "card_words": card_words,
        "image_heading": image_heading,
        "similar_words": similar_words,
        "image_url": image_url,
        "thumbnails": thumbnails,
        "preview_url": preview_url,
        "content_version": content_version,
    }
