"""Numbers, sizes, times and images as people read them and see them."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import log
from pathlib import PurePath
from urllib.parse import quote

from flask import Flask, g, request, url_for
from markupsafe import Markup, escape
from werkzeug.exceptions import RequestEntityTooLarge

from webapp import storage, times
from webapp.database.models import Image, Project
from webapp.database.states import DownloadState, Health
from webapp.sources import ASPECT_RATIOS, aspect_ratio_of
from webapp.sources.signed_urls import is_good
from webapp.web.access import is_guest, is_owner
from webapp.web.services import background

# What people call the histories of Flow, and the pieces in which they come.
HISTORY_WORDS = {"ASSET_MANAGER": "uploads", "PINHOLE": "generated", "PROJECTS": "projects"}
PAGE_WORDS = {"PROJECTS": "project"}
HEALTH_WORDS = {
    Health.UNCHECKED: "Not checked yet",
    Health.WELL: "Signed in",
    Health.WAITING_FOR_COOKIES: "Waiting for new cookies",
    Health.MOVED: "Moved to the new Flow",
    Health.UNUSUAL_ACTIVITY: "Resting for an hour",
}
WARNED_BEFORE_END = timedelta(days=3)
# The shape of a picture as a class of the style sheet, and in words.
SHAPES = {
    "IMAGE_ASPECT_RATIO_LANDSCAPE": ("landscape", "landscape, 16:9"),
    "IMAGE_ASPECT_RATIO_PORTRAIT": ("portrait", "portrait, 9:16"),
    "IMAGE_ASPECT_RATIO_SQUARE": ("square", "square"),
    "IMAGE_ASPECT_RATIO_LANDSCAPE_FOUR_THREE": ("four-three", "landscape, 4:3"),
    "IMAGE_ASPECT_RATIO_PORTRAIT_THREE_FOUR": ("three-four", "portrait, 3:4"),
}
# Characters; a text that is hardly longer is not cut.
MAX_TITLE, TITLE_LEEWAY = 90, 5
# Pixels of the longer side of a thumbnail.
THUMBNAIL_EDGES = (320, 640)
_SOME_ID = "IMAGE"
# How a browser may want to see the shelf; the first of each is the usual way.
CHOICES = {"density": ("comfortable", "dense"), "theme": ("system", "light", "dark")}
WHOLE_PAGES = (
    "pages.gallery",
    "pages.show_image",
    "pages.show_profile",
    "pages.show_profiles",
    "overview.show_overview",
    "activity.show_activity",
    "activity.show_messages",
    "activity.show_run",
    "exports.show_exports",
    "exports.show_export",
    "share.show_share",
    "help.list_topics",
    "help.show_topic",
)


def number(value: int) -> str:
    return f"{value:,}"


def size(bytes_count: float | None) -> str:
    """`1.4 GB`; powers of 1000, as file managers count."""
    amount = float(bytes_count or 0)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 999.5:
            return f"{amount:.0f} {unit}" if unit in ("B", "kB") or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def duration(seconds: float) -> str:
    """`40 s`, `3 min`, `2 h 5 min`."""
    seconds = max(0, round(seconds))
    if seconds < 90:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes and hours < 10 else f"{hours} h"


def ago(text: str | None) -> str:
    """`just now`, `5 minutes ago`, then the day."""
    if not text:
        return "never"
    seconds = (datetime.now(UTC) - times.parsed(text)).total_seconds()
    if seconds < 60:
        return "just now"
    for length, unit in ((3600, "minute"), (86400, "hour"), (7 * 86400, "day")):
        if seconds < length:
            count = int(seconds // {"minute": 60, "hour": 3600, "day": 86400}[unit])
            return f"{count} {unit}{'s' if count != 1 else ''} ago"
    return f"on {day(text)}"


def day(text: str) -> str:
    """`3 November 2026`."""
    moment = times.parsed(text)
    return f"{moment.day} {moment:%B %Y}"


def time_tag(text: str | None) -> Markup:
    """A `<time>` that says the day, with the exact moment for machines and on hover."""
    if not text:
        return Markup("")
    moment = times.parsed(text)
    exactly, shown = f"{moment:%Y-%m-%d %H:%M} UTC", f"{moment.day} {moment:%b %Y}"
    return Markup(f'<time datetime="{escape(text)}" title="{exactly}">{shown}</time>')


def history_word(history: str) -> str:
    return HISTORY_WORDS.get(history, history.replace("_", " ").lower())


def page_word(history: str | None, count: int = 1) -> str:
    """`page`, `pages`; `project`, `projects` where a page of the history is one."""
    word = PAGE_WORDS.get(history, "page")
    return word if count == 1 else f"{word}s"


def project_words(project: Project) -> str:
    """Title and day, because many projects are called alike; the id of one without a title."""
    title = shortened(project.title) or project.remote_id
    return f"{title} ({day(project.made_at)})" if project.made_at else title


def shortened(text: str, longest: int = 60) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"


def health_word(health: str) -> str:
    return HEALTH_WORDS.get(health, health)


def is_past(text: str) -> bool:
    return times.parsed(text) < datetime.now(UTC)


def ends_soon(text: str | None) -> bool:
    """Whether cookies that end at this moment are worth a word by now."""
    return text is not None and times.parsed(text) - datetime.now(UTC) < WARNED_BEFORE_END


def time_left(text: str) -> str:
    """`5 h`, `11 days`."""
    left = times.parsed(text) - datetime.now(UTC)
    return duration(left.total_seconds()) if left < timedelta(days=2) else f"{left.days} days"


def moment_ahead(seconds: float) -> str:
    """`in 40 s, at 14:05 UTC`; `now`."""
    if seconds < 1:
        return "now"
    return f"in {duration(seconds)}, at {datetime.now(UTC) + timedelta(seconds=seconds):%H:%M} UTC"


def shape(image: Image) -> str:
    """The classes that reserve a picture's place: its shape, else the one nearest to its size, else
    `unknown`, which is square. `whole` shows all of a picture that does not fill its place."""
    if image.aspect_ratio in SHAPES:
        return SHAPES[image.aspect_ratio][0]
    if not _has_size(image):
        return "unknown whole"
    ratio = image.width / image.height
    nearest = min(SHAPES, key=lambda name: abs(log(ratio / ASPECT_RATIOS[name])))
    fills = aspect_ratio_of(image.width, image.height) is not None
    return SHAPES[nearest][0] if fills else f"{SHAPES[nearest][0]} whole"


def pixels(image: Image) -> str:
    """`1376 × 768`, empty when the size is not known."""
    return f"{image.width} × {image.height}" if _has_size(image) else ""


def _has_size(image: Image) -> bool:
    return bool(image.width and image.height)


def shape_words(aspect_ratio: str) -> str:
    return SHAPES.get(aspect_ratio, ("", aspect_ratio.removeprefix("IMAGE_ASPECT_RATIO_").lower()))[1]


def file_state(image: Image) -> str:
    """One word for what is known of an image's file: a file that is there counts before all wishes."""
    if image.local_path:
        return "damaged" if image.damaged_at else "done"
    download = image.latest_download and image.latest_download.state
    if download in (DownloadState.QUEUED, DownloadState.RUNNING):
        return str(download)
    if image.gone_upstream_at:
        return "gone"
    return "failed" if download == DownloadState.FAILED else "pending"


def thumbnails(image: Image) -> dict[int, str]:
    """The thumbnails of the file by their width in pixels, narrow first; none without a good file."""
    if file_state(image) != "done" or _is_too_large(image):
        return {}
    ratio = image.width / image.height if _has_size(image) else ASPECT_RATIOS.get(image.aspect_ratio, 1.0)
    slimness = min(1.0, ratio)
    version = content_version(image)
    addresses = {edge: image_url("pages.send_thumbnail", image.id, edge=edge) for edge in THUMBNAIL_EDGES}
    return {max(1, round(edge * slimness)): f"{url}?v={version}" for edge, url in addresses.items()}


def _is_too_large(image: Image) -> bool:
    """Whether the picture is too large to be drawn small: it is shown as Flow shows it, or not at all."""
    if not _has_size(image):
        return False
    suffix = PurePath(image.local_path).suffix
    return storage.is_too_large_for_thumbnail(suffix, image.width, image.height)


def image_url(endpoint: str, image_id: str, **values: object) -> str:
    """`url_for` of something of an image. Flask is asked once for all images of a page, which differ in
    their ids alone; to ask for each took a tenth of the page's time."""
    asked = g.setdefault("image_urls", {})
    key = (endpoint, *values.items())
    if key not in asked:
        asked[key] = url_for(endpoint, image_id=_SOME_ID, **values).partition(_SOME_ID)
    before, _, after = asked[key]
    return f"{before}{quote(image_id, safe='')}{after}"


def srcset(addresses: dict[int, str]) -> str:
    """Pictures by their width in pixels, for a browser to choose from."""
    return ", ".join(f"{address} {width}w" for width, address in addresses.items())


@lru_cache
def drawn_icon(name: str) -> Markup:
    """A drawing of `partials/icons.html`."""
    return Markup(
        '<svg class="icon icon-{0}" aria-hidden="true" focusable="false"><use href="#icon-{0}"/></svg>'
    ).format(name)


def image_title(image: Image) -> str:
    """What an image is called in a line: the beginning of its prompt, else of its title."""
    words = (image.prompt or image.title or "").strip()
    if not words:
        return "Generated picture" if image.kind == "generated" else "Uploaded picture"
    if len(words) <= MAX_TITLE + TITLE_LEEWAY:
        return words
    return f"{words[: MAX_TITLE - 3].rsplit(' ', 1)[0]}..."


def content_version(image: Image) -> str:
    """Names the bytes of the file in an address, so that a browser may keep what it got."""
    return (image.sha256 or "")[:12]


def look_version(image: Image) -> str:
    """Changes when a card has another picture to show; a preview signed anew is still the same picture."""
    if file_state(image) == "done":
        return f"file {content_version(image)}"
    return "preview" if preview_url(image) else "none"


def preview_url(image: Image) -> str | None:
    """The picture as Flow shows it, while its address is good and the browser may ask for it; a guest's
    browser may not."""
    if not is_owner():
        return None
    hosts = background().picture_hosts
    return image.fife_url if is_good(image.fife_url, hosts, datetime.now(UTC)) else None


def choice_of(name: str) -> str:
    """What this browser remembers of how it wants to see the shelf; the first choice when nothing."""
    chosen = request.cookies.get(name)
    return chosen if chosen in CHOICES[name] else CHOICES[name][0]


def density() -> str:
    return choice_of("density")


def theme() -> str:
    return choice_of("theme")


def here() -> str:
    """The page that a form stands on, to come back to without JavaScript; fragments stand in the gallery."""
    if request.endpoint in WHOLE_PAGES:
        return request.full_path.rstrip("?")
    try:
        profile_id = request.values.get("profile")
    except RequestEntityTooLarge:  # this is the page that says so
        profile_id = None
    return url_for("pages.gallery", profile=profile_id or None)


def register(app: Flask) -> None:
    filters = (number, size, duration, ago, day, time_tag, history_word, health_word, is_past)
    filters += (ends_soon, time_left, moment_ahead, page_word, project_words)
    for filter_ in (*filters, shape, shape_words, pixels, file_state, look_version, srcset):
        app.add_template_filter(filter_)
    for function in (here, thumbnails, preview_url, content_version, density, theme, is_owner, is_guest):
        app.add_template_global(function)
    for function in (drawn_icon, image_title, image_url):
        app.add_template_global(function)
