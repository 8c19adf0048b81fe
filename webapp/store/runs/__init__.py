"""What was asked for and how it ended: sync runs and download runs."""

import secrets
import zlib

from peewee import SQL, IntegrityError, Tuple, fn

from webapp.database.models import Profile, Run, Walk
from webapp.database.states import RunKind, RunState, SyncMode
from webapp.errors import Busy, RunEnded, UnknownRun
from webapp.sources import Capabilities
from webapp.store import transaction
from webapp.store.history import walks
from webapp.store.profiles import get_profile
from webapp.store.runs.messages import tell_change
from webapp.times import now

# The row's own number, newest first: a clock could be set back, and the last run would be an older one.
_BY_COMING = SQL("rowid DESC")

# As text: panels ask these every second, and peewee takes longer to write them than SQLite to answer.
_OF_KIND = "SELECT rowid FROM run WHERE profile_id = ?1 AND kind = ?2"
_LAST_RUN = f"""SELECT * FROM run WHERE rowid = COALESCE(
    ({_OF_KIND} AND (state IN ('{RunState.RUNNING}', '{RunState.WAITING}')
        OR (kind = '{RunKind.DOWNLOAD}' AND state = '{RunState.PAUSED}'))),
    ({_OF_KIND} ORDER BY rowid DESC LIMIT 1))"""
_LAST_SYNC_IN = f"""SELECT * FROM run WHERE profile_id = ? AND kind = '{RunKind.SYNC}' AND history = ?
    ORDER BY rowid DESC LIMIT 1"""


def get_run(run_id: str) -> Run:
    if run := find_run(run_id):
        return run
    raise UnknownRun("There is no such run.")


def find_run(run_id: str) -> Run | None:
    # Asked four times for each page of a history, and peewee takes longer to write it than SQLite to answer.
    return next(iter(Run.raw("SELECT * FROM run WHERE id = ?", run_id)), None)


def find_state(run_id: str) -> str | None:
    run = find_run(run_id)
    return run and run.state


def find_open_run(profile_id: str, kind: RunKind) -> Run | None:
    """The one run of that kind that still has something to do (a paused sync run has not)."""
    return Run.get_or_none(Run.profile == profile_id, Run.kind == kind, _is_open())


def find_last_run(profile_id: str, kind: RunKind) -> Run | None:
    """The run that still has something to do, else the last one."""
    return next(iter(Run.raw(_LAST_RUN, profile_id, kind)), None)


def find_last_sync_in(profile_id: str, history: str) -> Run | None:
    """The last sync run whose last page was one of that history."""
    return next(iter(Run.raw(_LAST_SYNC_IN, profile_id, history)), None)


def list_runs(*, profile_id: str | None = None, before: str | None = None, limit: int) -> list[Run]:
    """Runs with their profiles, newest first, older than the run with the id `before`."""
    runs = Run.select(Run, Profile).join(Profile)
    if profile_id:
        runs = runs.where(Run.profile == profile_id)
    if edge := before and find_run(before):
        runs = runs.where(Tuple(Run.started_at, Run.id) < Tuple(edge.started_at, edge.id))
    return list(runs.order_by(Run.started_at.desc(), Run.id.desc()).limit(limit))


def is_any_active() -> bool:
    return Run.select().where(Run.state == RunState.RUNNING).exists()


def version() -> str:
    """A short word that is another one as soon as a run began, ended or changed its state."""
    newest = Run.select(Run.id).order_by(_BY_COMING).scalar()
    under_way = Run.select(Run.id, Run.state).where(_is_open()).order_by(Run.id).tuples()
    return f"{zlib.crc32(repr((newest, list(under_way))).encode()):08x}"


def list_runs_in(state: RunState) -> list[Run]:
    return list(Run.select().where(Run.state == state).order_by(Run.started_at))


def is_active(profile_id: str, kind: RunKind) -> bool:
    """The seed's `isSyncingMetadata` and `isDownloadingImages`."""
    return (
        Run.select()
        .where(Run.profile == profile_id, Run.kind == kind, Run.state == RunState.RUNNING)
        .exists()
    )


def count_open() -> dict[str, int]:
    """Runs that have something to do, by what they do or wait for."""
    is_of = {
        "syncs": (Run.kind == RunKind.SYNC) & (Run.state == RunState.RUNNING),
        "downloads": (Run.kind == RunKind.DOWNLOAD) & (Run.state == RunState.RUNNING),
        "waitingForCookies": Run.state == RunState.WAITING,
    }
    return {name: Run.select().where(condition).count() for name, condition in is_of.items()}


def find_last_error() -> Run | None:
    """The run that ended or stopped with an error last."""
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
    """A new sync run, or the one under way when it was asked the same.

    A quick sync that is asked for once more reads the head once more before it ends.

    `downloads_new`: what it stores is to be downloaded when it ends. Raises Busy with the id of the run
    that holds the place when that was asked something else.
    """
    asked = {
        "mode": mode,
        "histories": ",".join(histories),
        "start_cursor": start_cursor,
        "max_pages": max_pages,
    }
    with transaction():
        profile = get_profile(profile_id)
        run = find_open_run(profile_id, RunKind.SYNC)
        is_quick = mode == SyncMode.NEW and start_cursor is None and max_pages is None
        if run is None:
            marks = {
                "is_scheduled": is_scheduled,
                "downloads_new": downloads_new,
                "asked_count": int(is_quick),
            }
            return _make_run(profile, RunKind.SYNC, **marks, **asked)
        is_same = all(getattr(run, name) == value for name, value in asked.items())
        if is_same and is_quick:
            Run.update(asked_count=Run.asked_count + 1).where(Run.id == run.id).execute()
    if not is_same:
        raise Busy(f"Another sync of “{profile.name}” is under way. Wait for it, or pause it first.", run.id)
    return run


def open_download_run(profile_id: str) -> Run:
    """The profile's open download run, made when there is none. Call it inside a transaction."""
    run = find_open_run(profile_id, RunKind.DOWNLOAD)
    return run or _make_run(get_profile(profile_id), RunKind.DOWNLOAD)


def switch_service(run_id: str, capabilities: Capabilities) -> None:
    """A sync whose account has moved since it was asked for reads the histories of the other service."""
    run = get_run(run_id)
    if set(run.histories.split(",")).isdisjoint(capabilities.available):
        begins_anew = {"history": None, "walk": None, "start_cursor": None, "history_page_count": 0}
        Run.update(histories=",".join(capabilities.histories), **begins_anew).where(
            Run.id == run_id
        ).execute()


def change_state(run_id: str, before: tuple[RunState, ...], after: RunState, **fields) -> bool:
    """Move a run on when it is in one of the states `before`, and keep what is to be said of it; False
    when somebody else was first."""
    if after not in (RunState.RUNNING, RunState.WAITING):
        fields["finished_at"] = now()
    change = Run.update(state=after, **fields).where(Run.id == run_id, Run.state.in_(before))
    try:
        with transaction():
            if has_changed := bool(change.execute()):
                tell_change(get_run(run_id))
            return has_changed
    except IntegrityError:  # another run of that kind was opened meanwhile
        return False


def finish_sync(run_id: str) -> bool:
    """A sync has read all that was asked for and is done.

    False when somebody has asked for it once more since its last look, or it is not running any more.
    """
    with transaction():
        run = find_run(run_id)
        if run is None or walks.list_unserved(run):
            return False
        return change_state(run_id, (RunState.RUNNING,), RunState.DONE)


def require_running(run_id: str) -> None:
    """Raises RunEnded when a run was paused or removed; call it in the transaction that writes for it."""
    run = find_run(run_id)
    if run is None or run.state != RunState.RUNNING:
        raise RunEnded("The sync was paused, or its profile removed, while it was under way.")


def add_note(run_id: str, note: str) -> None:
    """Say one more thing about a run, beside how it ended."""
    run = get_run(run_id)
    Run.update(note=f"{run.note} {note}" if run.note else note).where(Run.id == run_id).execute()


def replace_note(walk_id: int, note: str, by: str) -> None:
    """Say `by` where the runs that carried a walk say `note`."""
    walk = Walk.get_or_none(Walk.id == walk_id)
    if walk:
        carried = (Run.profile == walk.profile_id) & (Run.finished_at >= walk.began_at)
        Run.update(note=fn.REPLACE(Run.note, note, by)).where(carried).execute()


def _make_run(profile: Profile, kind: RunKind, **fields) -> Run:
    return Run.create(id=secrets.token_hex(8), profile=profile, kind=kind, started_at=now(), **fields)


def _is_open():
    is_paused_download = (Run.kind == RunKind.DOWNLOAD) & (Run.state == RunState.PAUSED)
    return Run.state.in_((RunState.RUNNING, RunState.WAITING)) | is_paused_download
