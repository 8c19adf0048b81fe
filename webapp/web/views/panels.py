"""What the sync and download panels say, as values for their templates."""

from dataclasses import dataclass
from datetime import UTC, datetime

from webapp import times
from webapp.database.models import Gap, History, Profile, Run, Walk
from webapp.database.states import RunKind, RunState
from webapp.sources.throttle import Cooldown
from webapp.store import profiles, runs
from webapp.store.gallery import counts
from webapp.store.history import walks
from webapp.store.runs import downloads
from webapp.web.services import background
from webapp.web.views.labels import history_sentence


@dataclass(frozen=True, slots=True)
class SyncRow:
    """One profile in the sync panel. `run` is the run under way, else the last one."""

    profile: Profile
    histories: list[str]
    run: Run | None
    is_active: bool
    is_waiting: bool
    can_resume: bool
    cooldown: Cooldown | None
    images_per_second: float
    question: Walk | None


@dataclass(frozen=True, slots=True)
class DownloadRow:
    """One profile in the download panel. `run` is the open run, else the last one; it `is_settling` when it
    was stopped and something is still being fetched."""

    profile: Profile
    run: Run | None
    is_active: bool
    is_settling: bool
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
    """A region that HTMX replaces as a whole; it asks again only while something `is_active`, and now and
    then while something `is_waiting` for cookies, which may come from elsewhere."""

    rows: list
    profile_id: str | None
    is_active: bool
    is_waiting: bool

    @property
    def every(self) -> str | None:
        """How often it asks again."""
        return "1s" if self.is_active else "5s" if self.is_waiting else None


def sync_panel(profile_id: str | None = None) -> Panel:
    rows = [_sync_row(profile) for profile in _profiles(profile_id)]
    return _panel(rows, profile_id, any(row.is_active for row in rows))


def download_panel(profile_id: str | None = None) -> Panel:
    rows = [_download_row(profile) for profile in _profiles(profile_id)]
    return _panel(rows, profile_id, any(row.is_active or row.is_settling for row in rows))


def _panel(rows: list, profile_id: str | None, is_active: bool) -> Panel:
    return Panel(rows, profile_id, is_active, any(row.is_waiting for row in rows))


def download_strip() -> list[DownloadRow]:
    """Downloads that are under way or wait for somebody, for a small line on every page."""
    return [_download_row(profile) for profile in profiles.list_profiles_downloading()]


def _profiles(profile_id: str | None) -> list[Profile]:
    return [profiles.get_profile(profile_id)] if profile_id else profiles.list_profiles()


def list_histories(profile_id: str) -> list[History]:
    """The histories of the service that a profile's cookies sign in to; those of one that its account has
    left are nobody's business any more."""
    available = background().connections.capabilities(profile_id).available
    return [history for history in walks.list_histories(profile_id) if history.name in available]


def list_open_gaps(profile_id: str, known: list[History]) -> list[Gap]:
    """Gaps of histories that answer; one that Flow does not offer keeps its gap and needs no word."""
    answering = {history.name for history in known if not history.refused_at}
    return [gap for gap in walks.list_gaps(profile_id) if gap.history in answering]


def _sync_row(profile: Profile) -> SyncRow:
    work = background()
    run = runs.find_last_run(profile.id, RunKind.SYNC)
    is_active = run is not None and run.state == RunState.RUNNING
    known = list_histories(profile.id)
    gaps = list_open_gaps(profile.id, known)
    was_begun = any(history.responded_at for history in known)
    full_walks = (walks.find_open_full_walk(profile.id, history.name) for history in known)
    return SyncRow(
        profile=profile,
        histories=[
            history_sentence(history, gaps, runs.find_last_sync_in(profile.id, history.name))
            for history in known
        ],
        run=run,
        is_active=is_active,
        is_waiting=_is_waiting(run),
        can_resume=not is_active and was_begun and (bool(gaps) or any(full_walks)),
        cooldown=work.connections.cooldown(profile.id) if is_active else None,
        images_per_second=_images_per_second(run) if is_active else 0.0,
        question=next(iter(walks.list_walks_with_question(profile.id)), None),
    )


def _images_per_second(run: Run) -> float:
    seconds = (datetime.now(UTC) - times.parsed(run.started_at)).total_seconds()
    return (run.synced_count + run.skipped_count) / max(seconds, 1.0)


def _download_row(profile: Profile) -> DownloadRow:
    work = background()
    run = runs.find_last_run(profile.id, RunKind.DOWNLOAD)
    left_count = downloads.count_left(run.id) if run else 0
    # Read after what is left: a panel that finds nothing left asks no more and has to show the last count.
    run = run and runs.find_run(run.id)
    is_active = run is not None and run.state == RunState.RUNNING
    is_waiting = _is_waiting(run)
    images_rate, bytes_rate = work.downloads.rate(run.id) if run else (0.0, 0.0)
    return DownloadRow(
        profile=profile,
        run=run,
        is_active=is_active,
        is_settling=not is_active and left_count > (downloads.count_queued(run.id) if left_count else 0),
        is_paused=run is not None and run.state == RunState.PAUSED,
        is_waiting=is_waiting,
        # One banner for a profile: the sync panel has it when that waits as well.
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
    decided = run.done_count + run.failed_count if run else 0
    return 100 * decided // (decided + left_count) if decided + left_count else 0
