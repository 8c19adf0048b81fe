"""The sync and download panels: the values that their templates show, and a route for each panel alone.

The gallery has the status line instead (`status.py`); it opens both panels in a sheet.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zlib import crc32

from flask import Blueprint, render_template

from webapp import times
from webapp.database.models import Gap, History, Profile, Run, Walk
from webapp.database.states import RunKind, RunState
from webapp.errors import FlowshelfError
from webapp.sources.throttle import Cooldown
from webapp.store import profiles, runs, trash
from webapp.store.gallery import counts
from webapp.store.history import walks
from webapp.store.runs import downloads
from webapp.web.services import background
from webapp.web.views.filter_parameters import requested_profile_id
from webapp.web.views.labels import history_sentence

panels = Blueprint("panels", __name__)


@dataclass(frozen=True, slots=True)
class SyncRow:
    """One profile in the sync panel.

    `run` is the current sync run, otherwise the last one. `question` is a full sync that asks whether to mark
    the images that it did not find.
    """

    profile: Profile
    histories: list[History]
    gaps: list[Gap]
    run: Run | None
    is_active: bool
    is_waiting: bool
    can_resume: bool
    cooldown: Cooldown | None
    images_per_second: float
    question: Walk | None

    @property
    def history_sentences(self) -> list[str]:
        """How much of each history has been read. Takes queries, and the status line does without it."""
        return [
            history_sentence(each, self.gaps, runs.find_last_sync_in(self.profile.id, each.name))
            for each in self.histories
        ]


@dataclass(frozen=True, slots=True)
class DownloadRow:
    """One profile in the download panel.

    `run` is the current download run, otherwise the last one. `is_finishing`: it was paused or cancelled, and
    downloads under way still finish. `has_banner` is False when the sync panel shows the same banner.
    `reasons` are failures by sentence, with their counts.
    """

    profile: Profile
    run: Run | None
    is_active: bool
    is_finishing: bool
    is_paused: bool
    is_waiting: bool
    has_banner: bool
    left_count: int
    percent: int
    images_per_second: float
    bytes_per_second: float
    left_seconds: float | None
    cooldown: Cooldown | None
    pending_count: int
    reasons: list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Panel:
    """A region that HTMX replaces as a whole. It refreshes itself while something `is_active`, and more
    slowly while something `is_waiting` for cookies, which may be pasted in another window."""

    rows: Sequence[SyncRow | DownloadRow]
    profile_id: str | None
    is_active: bool
    is_waiting: bool

    @property
    def every(self) -> str | None:
        """The interval at which it refreshes itself, in the syntax of htmx; None if it does not."""
        return "1s" if self.is_active else "5s" if self.is_waiting else None


@panels.get("/panels/sync")
def show_sync_panel() -> str:
    return render_template("partials/sync_panel.html", panel=sync_panel(requested_profile_id()))


@panels.get("/panels/download")
def show_download_panel() -> str:
    return render_template("partials/download_panel.html", panel=download_panel(requested_profile_id()))


@panels.get("/panels/strip")
def show_download_strip() -> str:
    return render_template("partials/download_strip.html", rows=download_strip())


@panels.app_context_processor
def add_trouble() -> dict[str, Callable[..., object]]:
    """Every page shows what keeps runs from storing what they do. Functions, as below."""
    return {
        "trouble": lambda: background().find_trouble(),
        "trouble_version": trouble_version,
        "has_trash": lambda: trash.summary().count > 0,
    }


def trouble_version(error: FlowshelfError | None) -> str:
    """Changes when another trouble is to be shown, or none any more."""
    return f"{crc32(str(error).encode()):08x}" if error else "none"


@panels.app_context_processor
def add_download_strip() -> dict[str, Callable[[], list[DownloadRow]]]:
    """Give templates the function `download_strip`; its queries run only on pages that call it."""
    return {"download_strip": download_strip}


def sync_panel(profile_id: str | None = None) -> Panel:
    rows = [sync_row(profile) for profile in list_shown_profiles(profile_id)]
    is_active = any(row.is_active for row in rows)
    return Panel(rows, profile_id, is_active, any(row.is_waiting for row in rows))


def download_panel(profile_id: str | None = None) -> Panel:
    rows = [download_row(profile) for profile in list_shown_profiles(profile_id)]
    is_active = any(row.is_active or row.is_finishing for row in rows)
    return Panel(rows, profile_id, is_active, any(row.is_waiting for row in rows))


def download_strip() -> list[DownloadRow]:
    """Downloads that are running, paused or waiting, for a small line on pages without the panel."""
    return [download_row(profile) for profile in profiles.list_profiles_downloading()]


def list_shown_profiles(profile_id: str | None) -> list[Profile]:
    return [profiles.get_profile(profile_id)] if profile_id else profiles.list_profiles()


def list_histories(profile_id: str) -> list[History]:
    """The histories of the service that the profile uses now, without those of a service it has moved away
    from."""
    available = background().connections.capabilities(profile_id).available
    return [history for history in walks.list_histories(profile_id) if history.name in available]


def list_open_gaps(profile_id: str, histories: list[History]) -> list[Gap]:
    """The gaps that a sync can close: those of `histories` that Flow does not refuse to this account."""
    readable = {history.name for history in histories if not history.refused_at}
    return [gap for gap in walks.list_gaps(profile_id) if gap.history in readable]


def sync_row(profile: Profile) -> SyncRow:
    run = runs.find_last_run(profile.id, RunKind.SYNC)
    active = run if run is not None and run.state == RunState.RUNNING else None
    histories = list_histories(profile.id)
    gaps = list_open_gaps(profile.id, histories)
    has_begun = any(history.responded_at for history in histories)
    full_walks = (walks.find_open_full_walk(profile.id, history.name) for history in histories)
    return SyncRow(
        profile=profile,
        histories=histories,
        gaps=gaps,
        run=run,
        is_active=active is not None,
        is_waiting=_is_waiting(run),
        can_resume=active is None and has_begun and (bool(gaps) or any(full_walks)),
        cooldown=background().connections.cooldown(profile.id) if active else None,
        images_per_second=_images_per_second(active) if active else 0.0,
        question=next(iter(walks.list_walks_with_question(profile.id)), None),
    )


def _images_per_second(run: Run) -> float:
    seconds = (datetime.now(UTC) - times.parsed(run.started_at)).total_seconds()
    return (run.synced_count + run.skipped_count) / max(seconds, 1.0)


def download_row(profile: Profile) -> DownloadRow:
    work = background()
    run = runs.find_last_run(profile.id, RunKind.DOWNLOAD)
    left_count = downloads.count_left(run.id) if run else 0
    # Read the run again, after counting. Otherwise the last download could finish in between: the panel would
    # find nothing left, stop refreshing, and go on showing the counts from before that download.
    run = runs.find_run(run.id) if run else None
    is_active = run is not None and run.state == RunState.RUNNING
    is_waiting = _is_waiting(run)
    images_rate, bytes_rate = work.downloads.rate(run.id) if run else (0.0, 0.0)
    queued_count = downloads.count_queued(run.id) if run and left_count else 0
    return DownloadRow(
        profile=profile,
        run=run,
        is_active=is_active,
        is_finishing=not is_active and left_count > queued_count,
        is_paused=run is not None and run.state == RunState.PAUSED,
        is_waiting=is_waiting,
        has_banner=is_waiting and not _is_waiting(runs.find_open_run(profile.id, RunKind.SYNC)),
        left_count=left_count,
        percent=_percent(run, left_count),
        images_per_second=images_rate,
        bytes_per_second=bytes_rate,
        left_seconds=left_count / images_rate if is_active and images_rate else None,
        cooldown=work.connections.cooldown(profile.id) if is_active else None,
        pending_count=counts.count_downloadable(profile.id),
        reasons=downloads.count_failures_by_reason(run.id) if run and run.failed_count else [],
    )


def _is_waiting(run: Run | None) -> bool:
    return run is not None and run.state == RunState.WAITING


def _percent(run: Run | None, left_count: int) -> int:
    """How much of a run is finished, downloaded or failed."""
    finished = run.done_count + run.failed_count if run else 0
    return 100 * finished // (finished + left_count) if finished + left_count else 0
