"""Runs: what was requested, how far it is, and how it ended.

This module holds what sync runs and download runs have in common.

downloads   the download queue, from which the worker pool claims
failures    failed downloads by reason
exports     ZIP files and their queue
schedules   when profiles are synced automatically
messages    notifications of how runs ended
"""

import secrets
import zlib
from dataclasses import replace
from enum import StrEnum
from typing import Any

from peewee import SQL, Expression, IntegrityError, Tuple, fn

from webapp.database.indexes import OPEN_RUN
from webapp.database.models import Profile, Run, SyncRequest, Walk
from webapp.database.states import RunKind, RunState, SyncMode
from webapp.errors import Busy, RunEnded, UnknownRun
from webapp.sources import Capabilities
from webapp.store import transaction
from webapp.store.history import walks
from webapp.store.profile_names import owner_name
from webapp.store.profiles import get_profile
from webapp.store.runs.messages import add_message
from webapp.times import now

# By rowid and not by time: a clock can be set back, and an older run would then count as the newest.
_NEWEST_FIRST = SQL("rowid DESC")
# The condition of the index `one_open_run`, which SQLite only uses when the query spells it the same.
_IS_OPEN = SQL(f"({OPEN_RUN})")
# By hand: run for each history page, by the sync and by every request that waits for it, and peewee takes
# longer to build such a statement than SQLite to run it (benchmark `metadata`, history pages per second).
_FIND_RUN = "SELECT * FROM run WHERE id = ?"


class Outcome(StrEnum):
    """How runs ended, to filter by. FAILED: a run failed, an error paused it, or some downloads failed."""

    FAILED = "failed"
    WAITING = "waiting"


def get_run(run_id: str) -> Run:
    if run := find_run(run_id):
        return run
    raise UnknownRun("There is no such run.")


def find_run(run_id: str) -> Run | None:
    return next(iter(Run.raw(_FIND_RUN, run_id)), None)


def find_state(run_id: str) -> str | None:
    run = find_run(run_id)
    return run.state if run else None


def find_open_run(profile_id: str, kind: RunKind) -> Run | None:
    """The profile's run of this kind that is not over; there is at most one. A paused sync run is over."""
    return Run.select().where(Run.profile == profile_id, Run.kind == kind, _IS_OPEN).first()


def find_last_run(profile_id: str, kind: RunKind) -> Run | None:
    """The open run of this kind, otherwise the newest one."""
    of_kind = Run.select().where(Run.profile == profile_id, Run.kind == kind)
    return find_open_run(profile_id, kind) or of_kind.order_by(_NEWEST_FIRST).first()


def find_last_sync_in(profile_id: str, history: str) -> Run | None:
    """The newest sync run whose last page was one of that history."""
    of_history = Run.select().where(
        Run.profile == profile_id, Run.kind == RunKind.SYNC, Run.history == history
    )
    return of_history.order_by(_NEWEST_FIRST).first()


def list_runs(
    *,
    profile_id: str | None = None,
    kind: RunKind | None = None,
    outcome: Outcome | None = None,
    before: str | None = None,
    limit: int,
) -> list[Run]:
    """Runs with their profiles, newest first; `before` is the id of the run after which the list begins."""
    runs = Run.select(Run, Profile).join(Profile)
    if profile_id:
        runs = runs.where(Run.profile == profile_id)
    if kind:
        runs = runs.where(Run.kind == kind)
    if outcome:
        runs = runs.where(_has_outcome(outcome))
    edge = find_run(before) if before else None
    if edge:
        runs = runs.where(Tuple(Run.started_at, Run.id) < Tuple(edge.started_at, edge.id))
    return list(runs.order_by(Run.started_at.desc(), Run.id.desc()).limit(limit))


def _has_outcome(outcome: Outcome) -> Expression:
    if outcome is Outcome.WAITING:
        return Run.state == RunState.WAITING
    stopped_itself = (Run.state == RunState.PAUSED) & Run.error.is_null(False)
    return (Run.state == RunState.FAILED) | (Run.failed_count > 0) | stopped_itself


def is_any_active() -> bool:
    return Run.select().where(Run.state == RunState.RUNNING).exists()


def version() -> str:
    """A short text that changes as soon as any run starts, ends or changes its state."""
    newest = Run.select(Run.id).order_by(_NEWEST_FIRST).scalar()
    # Sorted here: to sort them by id, SQLite would read all runs along the index of ids.
    under_way = sorted(Run.select(Run.id, Run.state).where(_IS_OPEN).tuples().iterator())
    return f"{zlib.crc32(repr((newest, under_way)).encode()):08x}"


def list_runs_in(state: RunState) -> list[Run]:
    return list(Run.select().where(Run.state == state).order_by(Run.started_at))


def is_waiting_for(profile_id: str, error_code: str) -> bool:
    """Whether a run of a profile waits because of an error with this code."""
    is_waiting = (Run.profile == profile_id) & (Run.state == RunState.WAITING)
    return Run.select().where(is_waiting, Run.error_code == error_code).exists()


def is_active(profile_id: str, kind: RunKind) -> bool:
    """The API's `isSyncingMetadata` and `isDownloadingImages`."""
    return (
        Run.select()
        .where(Run.profile == profile_id, Run.kind == kind, Run.state == RunState.RUNNING)
        .exists()
    )


def count_open() -> dict[str, int]:
    """How many syncs and downloads are running, and how many runs wait for cookies, by the API's names."""
    conditions = {
        "syncs": (Run.kind == RunKind.SYNC) & (Run.state == RunState.RUNNING),
        "downloads": (Run.kind == RunKind.DOWNLOAD) & (Run.state == RunState.RUNNING),
        "waitingForCookies": Run.state == RunState.WAITING,
    }
    return {name: Run.select().where(condition).count() for name, condition in conditions.items()}


def find_last_error() -> Run | None:
    """The run that was the last to end or stop with an error."""
    moment = fn.COALESCE(Run.finished_at, Run.started_at)
    return Run.select().where(Run.error.is_null(False)).order_by(moment.desc()).first()


def start_sync(
    profile_id: str,
    *,
    histories: tuple[str, ...],
    mode: SyncMode,
    start_cursor: str | None,
    max_pages: int | None,
    is_scheduled: bool = False,
    downloads_new: bool = False,
) -> Run:
    """Add a sync run, or return the open one when it has the same request.

    Asking for a quick sync that is under way makes it read the head once more before it ends (rule 11).
    `downloads_new`: download its new images when it ends. Raises Busy, with the id of the open run, when that
    has another request.
    """
    request = SyncRequest(mode, histories, start_cursor, max_pages)
    # One transaction: of two threads that ask at once, the second finds the run of the first.
    with transaction():
        profile = get_profile(profile_id)
        run = find_open_run(profile_id, RunKind.SYNC)
        if run is None:
            marks = {
                "is_scheduled": is_scheduled,
                "downloads_new": downloads_new,
                "asked_count": int(request.is_quick),
            }
            return _add_run(profile, RunKind.SYNC, **marks, **request.columns())
        is_same = run.sync_request == request
        if is_same and request.is_quick:
            Run.update(asked_count=Run.asked_count + 1).where(Run.id == run.id).execute()
    if not is_same:
        raise Busy(
            f"Another sync of “{owner_name(profile)}” is under way. Wait for it, or pause it first.", run.id
        )
    return run


def open_download_run(profile_id: str) -> Run:
    """The profile's open download run; a new one when there is none. Call it inside a transaction."""
    run = find_open_run(profile_id, RunKind.DOWNLOAD)
    return run or _add_run(get_profile(profile_id), RunKind.DOWNLOAD)


def switch_service(run_id: str, capabilities: Capabilities) -> None:
    """Restart a sync run on the histories of another service, if its account has moved since it was added."""
    run = get_run(run_id)
    if set(run.sync_request.histories).isdisjoint(capabilities.available):
        request = replace(run.sync_request, histories=capabilities.histories, start_cursor=None)
        restarted = {"history": None, "walk": None, "history_page_count": 0}
        Run.update(**request.columns(), **restarted).where(Run.id == run_id).execute()


def change_state(run_id: str, before: tuple[RunState, ...], after: RunState, **fields: Any) -> bool:
    """Change a run's state if it is one of `before`, and add the message about it.

    Checking and changing is one UPDATE, so of several threads only one succeeds: False for the others. The
    message is added in the same transaction, so whoever sees the new state finds the message too.
    """
    if after not in (RunState.RUNNING, RunState.WAITING):
        fields["finished_at"] = now()
    change = Run.update(state=after, **fields).where(Run.id == run_id, Run.state.in_(before))
    try:
        with transaction():
            if has_changed := bool(change.execute()):
                add_message(get_run(run_id))
            return has_changed
    except IntegrityError:  # `one_open_run`: the profile has another open run of this kind by now
        return False


def finish_sync(run_id: str) -> bool:
    """End a sync run that has read everything.

    Returns False when somebody requested it again meanwhile, or it is not running any more. Both are checked
    in the transaction that ends the run, so that no request falls between the check and the end.
    """
    with transaction():
        run = find_run(run_id)
        if run is None or walks.list_unread_heads(run):
            return False
        return change_state(run_id, (RunState.RUNNING,), RunState.DONE)


def require_running(run_id: str) -> None:
    """Raises RunEnded when a run was paused or removed.

    Call it in the transaction that writes for the run: once a run was paused, another thread may continue its
    walk.
    """
    run = find_run(run_id)
    if run is None or run.state != RunState.RUNNING:
        raise RunEnded("The sync was paused, or its profile was removed, while it was under way.")


def add_note(run_id: str, note: str) -> None:
    """Append a sentence to the note that a run shows besides its result."""
    run = get_run(run_id)
    Run.update(note=f"{run.note} {note}" if run.note else note).where(Run.id == run_id).execute()


def replace_note(walk_id: int, note: str, replacement: str) -> None:
    """Replace a sentence in the notes of the runs that worked on a walk."""
    walk = Walk.get_or_none(Walk.id == walk_id)
    if walk:
        since_then = (Run.profile == walk.profile_id) & (Run.finished_at >= walk.began_at)
        Run.update(note=fn.REPLACE(Run.note, note, replacement)).where(since_then).execute()


def _add_run(profile: Profile, kind: RunKind, **fields: Any) -> Run:
    return Run.create(id=secrets.token_hex(8), profile=profile, kind=kind, started_at=now(), **fields)
