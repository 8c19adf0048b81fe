"""Numbers, sizes and times as people read them."""

from datetime import UTC, datetime

from flask import Flask
from markupsafe import Markup

from webapp import times

# What people call the histories of Flow.
HISTORY_WORDS = {"ASSET_MANAGER": "uploads", "PINHOLE": "generated"}


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
    return Markup('<time datetime="{0}" title="{1}">{2}</time>').format(
        text, f"{moment:%Y-%m-%d %H:%M} UTC", f"{moment.day} {moment:%b %Y}"
    )


def history_word(history: str) -> str:
    return HISTORY_WORDS.get(history, history.replace("_", " ").lower())


def register(app: Flask) -> None:
    for filter_ in (number, size, duration, ago, day, time_tag, history_word):
        app.add_template_filter(filter_)
