"""The overview: charts of all images. Each bar links to its images in the gallery."""

import calendar
from collections.abc import Callable
from dataclasses import dataclass, replace

from flask import Blueprint, render_template

from webapp import storage
from webapp.store import profiles
from webapp.store.gallery import counts, overview
from webapp.store.gallery.filters import FileState
from webapp.store.gallery.overview import Share
from webapp.store.profile_names import owner_name
from webapp.web.services import background
from webapp.web.views.filter_parameters import gallery_url, requested_profile_id
from webapp.web.views.formats import number, size
from webapp.web.views.image_display import shape_label
from webapp.web.views.labels import file_label
from webapp.web.views.model_names import names_of_models

charts = Blueprint("overview", __name__)

MAX_AXIS_LABELS = 12
UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a chart.

    `percent` is its length relative to the longest bar, `done_percent` that of its darker, downloaded part.
    `tooltip` and `figure` are its numbers, `cells` its row in the table. `url` shows its images in the
    gallery. `axis_label` and `axis_year` are written below a column. `code` is Flow's code for what `label`
    names.
    """

    label: str
    tooltip: str
    percent: float
    done_percent: float
    url: str | None
    figure: str
    cells: tuple[str, ...]
    axis_label: str = ""
    axis_year: str = ""
    code: str = ""


@charts.get("/overview")
def show_overview() -> str:
    profile_id = requested_profile_id()
    periods = overview.count_by_time(profile_id)
    database_bytes, index_bytes = overview.database_bytes()
    return render_template(
        "overview.html",
        profiles=profiles.list_profiles(),
        profile_id=profile_id,
        totals=counts.count_profile(profile_id),
        privacy_problem=background().privacy_problem,
        free_bytes=storage.free_bytes(background().downloads.roots[0]),
        database_bytes=database_bytes,
        index_bytes=index_bytes,
        columns=_columns(periods, profile_id),
        highest=max((share.total for share in periods), default=0),
        states=_state_bars(profile_id),
        shapes=_bars(overview.count_by("aspect_ratio", profile_id), "aspect", profile_id, shape_label),
        models=_model_bars(profile_id),
        disk=[] if profile_id else _disk_bars(),
    )


def _columns(shares: list[Share], profile_id: str | None) -> list[Bar]:
    """Months or years from left to right. Only some have a label on the axis, so that labels do not
    overlap."""
    highest = max((share.total for share in shares), default=0)
    step = -(-len(shares) // MAX_AXIS_LABELS) or 1
    bars, year = [], ""
    for index, share in enumerate(shares):
        period = share.value or ""
        is_labelled = (len(shares) - 1 - index) % step == 0
        has_new_year = is_labelled and period[:4] != year
        year = period[:4] if is_labelled else year
        since, until = _days(period)
        bar = _bar(
            share, _period(period), highest, gallery_url(profile=profile_id, **{"from": since, "to": until})
        )
        bars.append(
            replace(
                bar,
                axis_label=_short(period) if is_labelled else "",
                axis_year=year if has_new_year and len(period) > 4 else "",
            )
        )
    return bars


def _bars(
    shares: list[Share], parameter: str, profile_id: str | None, label: Callable[[str], str]
) -> list[Bar]:
    """One bar per value. `parameter` is the URL parameter that filters by this value."""
    highest = max((share.total for share in shares), default=0)
    return [
        _bar(share, label(share.value), highest, gallery_url(profile=profile_id, **{parameter: share.value}))
        if share.value
        else _bar(share, UNKNOWN, highest, None)
        for share in shares
    ]


def _model_bars(profile_id: str | None) -> list[Bar]:
    shares = overview.count_by("model_name", profile_id)
    names = names_of_models(share.value for share in shares if share.value)
    bars = _bars(shares, "model", profile_id, names.__getitem__)
    return [
        replace(bar, code=share.value) if share.value and share.value not in bar.label else bar
        for bar, share in zip(bars, shares, strict=True)
    ]


def _bar(share: Share, label: str, highest: int, url: str | None) -> Bar:
    return Bar(
        label=label,
        tooltip=f"{_images(share.total)}, {number(share.downloaded)} downloaded",
        percent=_percent(share.total, highest),
        done_percent=_percent(share.downloaded, highest),
        url=url,
        figure=number(share.total),
        cells=(number(share.total), number(share.downloaded)),
    )


def _state_bars(profile_id: str | None) -> list[Bar]:
    states = overview.count_by_state(profile_id)
    total = counts.count_profile(profile_id).total
    return [
        Bar(
            label=file_label(state),
            tooltip=f"{_images(count)}, {_percent(count, total):.0f} %",
            percent=_percent(count, total),
            done_percent=_percent(count, total) if state is FileState.DONE else 0,
            url=gallery_url(profile=profile_id, state=state),
            figure=number(count),
            cells=(number(count), f"{_percent(count, total):.0f} %"),
        )
        for state, count in states
    ]


def _disk_bars() -> list[Bar]:
    rows = overview.count_by_profile()
    largest = max((share.size_bytes for _, share in rows), default=0)
    return [
        Bar(
            label=owner_name(profile),
            tooltip=f"{size(share.size_bytes)} in {number(share.downloaded)} files",
            percent=_percent(share.size_bytes, largest),
            done_percent=_percent(share.size_bytes, largest),
            url=gallery_url(profile=profile.id, state=FileState.DONE),
            figure=size(share.size_bytes),
            cells=(number(share.downloaded), size(share.size_bytes)),
        )
        for profile, share in rows
    ]


def _percent(count: int, whole: int) -> float:
    return round(100 * count / whole, 2) if whole else 0.0


def _images(count: int) -> str:
    return f"{number(count)} image{'' if count == 1 else 's'}"


def _days(period: str) -> tuple[str, str]:
    """The first and the last day of a month `2026-02` or a year `2026`."""
    if len(period) == 4:
        return f"{period}-01-01", f"{period}-12-31"
    last = calendar.monthrange(int(period[:4]), int(period[5:]))[1]
    return f"{period}-01", f"{period}-{last:02}"


def _period(period: str) -> str:
    return period if len(period) == 4 else f"{calendar.month_name[int(period[5:])]} {period[:4]}"


def _short(period: str) -> str:
    return period if len(period) == 4 else calendar.month_abbr[int(period[5:])]
