"""The shelf for people who would rather look than read: charts whose bars lead into the gallery."""

import calendar
from collections.abc import Callable
from dataclasses import dataclass, replace

from flask import Blueprint, render_template, url_for

from webapp import storage
from webapp.store import profiles
from webapp.store.gallery import counts, overview
from webapp.store.gallery.filters import FileState
from webapp.store.gallery.overview import Share
from webapp.web.services import background
from webapp.web.views.formats import number, shape_words, size
from webapp.web.views.model_names import names_of_models
from webapp.web.views.pages import chosen_profile_id

charts = Blueprint("overview", __name__)

FILE_WORDS = {
    FileState.DONE: "Downloaded",
    FileState.ACTIVE: "On the way",
    FileState.FAILED: "Failed",
    FileState.PENDING: "Metadata only",
    FileState.GONE: "Gone from Flow",
}
MAX_LABELS = 12
UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a chart in shares of the longest one: `percent`, and of that the darker `done_percent`.

    `url` is the gallery with the same images, `figure` the number at the end of a row, `cells` the numbers
    of the table; `mark` is what stands below a column, if anything does. `code` is Flow's own word for what
    `label` names.
    """

    label: str
    words: str
    percent: float
    done_percent: float
    url: str | None
    figure: str
    cells: tuple[str, ...]
    mark: str = ""
    year: str = ""
    code: str = ""


@charts.get("/overview")
def show_overview() -> str:
    profile_id = chosen_profile_id()
    times = overview.count_by_time(profile_id)
    database_bytes, index_bytes = overview.database_bytes()
    return render_template(
        "overview.html",
        profiles=profiles.list_profiles(),
        profile_id=profile_id,
        totals=counts.count_profile(profile_id),
        free_bytes=storage.free_bytes(background().downloads.roots[0]),
        database_bytes=database_bytes,
        index_bytes=index_bytes,
        columns=_columns(times, profile_id),
        highest=max((share.total for share in times), default=0),
        states=_state_bars(profile_id),
        shapes=_bars(overview.count_by("aspect_ratio", profile_id), "aspect", profile_id, _shape),
        models=_model_bars(profile_id),
        disk=[] if profile_id else _disk_bars(),
    )


def _columns(shares: list[Share], profile_id: str | None) -> list[Bar]:
    """Months or years from left to right; some of them are marked, so that the marks do not touch."""
    most = max((share.total for share in shares), default=0)
    step = -(-len(shares) // MAX_LABELS) or 1
    bars, year = [], ""
    for index, share in enumerate(shares):
        is_marked = (len(shares) - 1 - index) % step == 0
        has_new_year = is_marked and share.value[:4] != year
        year = share.value[:4] if is_marked else year
        since, until = _days(share.value)
        bars.append(
            _bar(
                share,
                _period(share.value),
                most,
                url=_gallery(profile_id, **{"from": since, "to": until}),
                mark=_short(share.value) if is_marked else "",
                year=year if has_new_year and len(share.value) > 4 else "",
            )
        )
    return bars


def _bars(shares: list[Share], word: str, profile_id: str | None, name: Callable) -> list[Bar]:
    most = max((share.total for share in shares), default=0)
    return [
        _bar(
            share,
            name(share.value) if share.value else UNKNOWN,
            most,
            url=_gallery(profile_id, **{word: share.value}) if share.value else None,
        )
        for share in shares
    ]


def _model_bars(profile_id: str | None) -> list[Bar]:
    shares = overview.count_by("model_name", profile_id)
    names = names_of_models(share.value for share in shares if share.value)
    bars = _bars(shares, "model", profile_id, names.get)
    return [
        replace(bar, code=share.value) if share.value and share.value not in bar.label else bar
        for bar, share in zip(bars, shares, strict=True)
    ]


def _bar(share: Share, label: str, most: int, **fields) -> Bar:
    return Bar(
        label=label,
        words=f"{_images(share.total)}, {number(share.downloaded)} downloaded",
        percent=_percent(share.total, most),
        done_percent=_percent(share.downloaded, most),
        figure=number(share.total),
        cells=(number(share.total), number(share.downloaded)),
        **fields,
    )


def _state_bars(profile_id: str | None) -> list[Bar]:
    states = overview.count_by_state(profile_id)
    total = counts.count_profile(profile_id).total
    return [
        Bar(
            label=FILE_WORDS[state],
            words=f"{_images(count)}, {_percent(count, total):.0f} %",
            percent=_percent(count, total),
            done_percent=_percent(count, total) if state is FileState.DONE else 0,
            url=_gallery(profile_id, state=state),
            figure=number(count),
            cells=(number(count), f"{_percent(count, total):.0f} %"),
        )
        for state, count in states
    ]


def _disk_bars() -> list[Bar]:
    rows = overview.count_by_profile()
    most = max((share.size_bytes for _, share in rows), default=0)
    return [
        Bar(
            label=profile.name,
            words=f"{size(share.size_bytes)} in {number(share.downloaded)} files",
            percent=_percent(share.size_bytes, most),
            done_percent=_percent(share.size_bytes, most),
            url=_gallery(profile.id, state=FileState.DONE),
            figure=size(share.size_bytes),
            cells=(number(share.downloaded), size(share.size_bytes)),
        )
        for profile, share in rows
    ]


def _shape(aspect_ratio: str) -> str:
    words = shape_words(aspect_ratio)
    return words[:1].upper() + words[1:]


def _gallery(profile_id: str | None, **args: str) -> str:
    return url_for("pages.gallery", profile=profile_id, **args)


def _percent(count: int, most: int) -> float:
    return round(100 * count / most, 2) if most else 0.0


def _images(count: int) -> str:
    return f"{number(count)} image{'' if count == 1 else 's'}"


def _days(period: str) -> tuple[str, str]:
    """The first and the last day of `2026-02` or `2026`."""
    if len(period) == 4:
        return f"{period}-01-01", f"{period}-12-31"
    last = calendar.monthrange(int(period[:4]), int(period[5:]))[1]
    return f"{period}-01", f"{period}-{last:02}"


def _period(period: str) -> str:
    return period if len(period) == 4 else f"{calendar.month_name[int(period[5:])]} {period[:4]}"


def _short(period: str) -> str:
    return period if len(period) == 4 else calendar.month_abbr[int(period[5:])]
