"""Numbers, sizes, durations and times as people read them, dates in the time zone of the viewer."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from flask import Flask
from markupsafe import Markup

from webapp import times
from webapp.web.views.zones import viewed, viewed_now, viewer_zone

EXPIRY_WARNING = timedelta(days=3)


def number(value: int) -> str:
    """`1,400`."""
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
    """`just now`, `5 minutes ago`; after a week `on 3 November 2026`; `never` for None."""
    if not text:
        return "never"
    seconds = (datetime.now(UTC) - times.parsed(text)).total_seconds()
    if seconds < 60:
        return "just now"
    for limit, unit, unit_seconds in (
        (3600, "minute", 60),
        (86_400, "hour", 3600),
        (7 * 86_400, "day", 86_400),
    ):
        if seconds < limit:
            count = int(seconds // unit_seconds)
            return f"{count} {unit}{'s' if count != 1 else ''} ago"
    return f"on {day(text)}"


def day(text: str) -> str:
    """`3 November 2026`."""
    moment = viewed(text)
    return f"{moment.day} {moment:%B %Y}"


def day_key(text: str) -> str:
    """`2026-11-03`: the same for all times of a day."""
    return f"{viewed(text):%Y-%m-%d}"


def day_heading(text: str) -> str:
    """`Tue 3 Nov 2026`; `Today` and `Yesterday`. Short: a heading is as wide as a small card."""
    moment = viewed(text)
    days_ago = (viewed_now().date() - moment.date()).days
    recent = {0: "Today", 1: "Yesterday"}
    return recent.get(days_ago, f"{moment:%a} {moment.day} {moment:%b %Y}")


def exact(text: str) -> str:
    """`2026-11-03 14:05 UTC+1`, sortable and without doubt."""
    moment = viewed(text)
    return f"{moment:%Y-%m-%d %H:%M} {_offset(moment)}"


def _offset(moment: datetime) -> str:
    """`UTC`, `UTC+1`, `UTC-3:30`."""
    minutes = int((moment.utcoffset() or timedelta()).total_seconds()) // 60
    hours, rest = divmod(abs(minutes), 60)
    sign = "+" if minutes > 0 else "-"
    return f"UTC{sign}{hours}{f':{rest:02}' if rest else ''}" if minutes else "UTC"


def time_tag(text: str | None) -> Markup:
    """`3 Nov 2026` as a `<time>`, with the exact time for machines and on hover; empty for None."""
    if not text:
        return Markup("")
    moment = viewed(text)
    return _tag(text, f"{moment.day} {moment:%b %Y}")


def ago_tag(text: str | None) -> Markup:
    """`5 minutes ago` as a `<time>`, with the exact time for machines and on hover; empty for None."""
    return _tag(text, ago(text)) if text else Markup("")


def _tag(text: str, shown: str) -> Markup:
    return Markup('<time datetime="{0}" title="{1}">{2}</time>').format(text, exact(text), shown)


def is_past(text: str) -> bool:
    return times.parsed(text) < datetime.now(UTC)


def ends_soon(text: str | None) -> bool:
    """Whether cookies that expire at this time need a warning by now. None means that it is unknown."""
    return text is not None and times.parsed(text) - datetime.now(UTC) < EXPIRY_WARNING


def time_left(text: str) -> str:
    """`5 h`, `11 days`."""
    left = times.parsed(text) - datetime.now(UTC)
    return duration(left.total_seconds()) if left < timedelta(days=2) else f"{left.days} days"


def moment_ahead(seconds: float) -> str:
    """`in 40 s, at 14:05`; `now`."""
    if seconds < 1:
        return "now"
    return f"in {duration(seconds)}, at {clock(datetime.now(UTC) + timedelta(seconds=seconds))}"


def clock(moment: datetime) -> str:
    """`14:05`."""
    return f"{times.local(moment, viewer_zone()):%H:%M}"


def shortened(text: str, max_length: int = 60) -> str:
    """The text, cut to `max_length` characters with an ellipsis at the end."""
    return text if len(text) <= max_length else f"{text[: max_length - 1].rstrip()}…"


@lru_cache
def icon(name: str) -> Markup:
    """An icon of `partials/icons.html`."""
    return Markup(
        '<svg class="icon icon-{0}" aria-hidden="true" focusable="false"><use href="#icon-{0}"/></svg>'
    ).format(name)


def register(app: Flask) -> None:
    """Make the formats available to templates."""
    app.jinja_env.filters |= {
        "number": number,
        "size": size,
        "duration": duration,
        "ago": ago,
        "ago_tag": ago_tag,
        "day": day,
        "day_key": day_key,
        "day_heading": day_heading,
        "exact": exact,
        "time_tag": time_tag,
        "is_past": is_past,
        "ends_soon": ends_soon,
        "time_left": time_left,
        "moment_ahead": moment_ahead,
        "shortened": shortened,
    }
    app.jinja_env.globals["icon"] = icon
