"""Wishes for images: the queue that the pool claims from, and what became of each.

Every change of a wish changes the image and the counts of its run in the same transaction.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from peewee import JOIN, SQL, Expression, Select, fn

from webapp.database.models import Download, Image, Run, db
from webapp.database.states import DownloadState, RunKind, RunState
from webapp.errors import GoneUpstream
from webapp.store import chunked, transaction, writing
from webapp.store.runs import change_state, find_open_run, get_run, open_download_run
from webapp.times import now

ACTIVE = (DownloadState.QUEUED, DownloadState.RUNNING)

# As text, because for each image peewee takes longer to write these than SQLite to answer them.
_CLAIM_DOWNLOAD = f"""UPDATE download SET state = '{DownloadState.RUNNING}' WHERE id = (
    SELECT wish.id FROM download AS wish JOIN run ON run.id = wish.run_id
    WHERE wish.run_id = ? AND wish.state = '{DownloadState.QUEUED}' AND run.state = '{RunState.RUNNING}'
      AND wish.id NOT IN (SELECT value FROM json_each(?))
    ORDER BY wish.id LIMIT 1) RETURNING id"""
# In the order of a Claim.
_WHAT_WAS_TAKEN = """SELECT wish.id, wish.run_id, image.id, image.profile_id, image.name, image.media_key,
    wish.folder, NOT EXISTS (
        SELECT 1 FROM veo3_image_generations AS other
        WHERE other.media_key = image.media_key COLLATE NOCASE AND other.rowid < image.rowid)
    FROM download AS wish JOIN veo3_image_generations AS image ON image.id = wish.image_id
    WHERE wish.id = ?"""
_FINISH_DOWNLOAD = f"""UPDATE download SET state = '{DownloadState.DONE}', finished_at = ?
    WHERE id = ? AND run_id = ? AND state = '{DownloadState.RUNNING}'"""
_FILL_ROW = """UPDATE veo3_image_generations
    SET local_path = ?, size_bytes = ?, sha256 = ?, downloaded_at = ?,
    damaged_at = NULL, width = ?, height = ?, aspect_ratio = COALESCE(aspect_ratio, ?) WHERE id = ?"""
_COUNT_DONE = "UPDATE run SET done_count = done_count + 1, done_bytes = done_bytes + ? WHERE id = ?"


@dataclass(frozen=True, slots=True)
class Claim:
    """One wish that a worker took, with what it needs to know of the image.

    `has_plain_name`: no image stored earlier has the same media key, compared without case.
    """

    download_id: int
    run_id: str
    image_id: str
    profile_id: str
    name: str
    media_key: str
    folder: str | None
    has_plain_name: bool


def request_downloads(profile_id: str, image_ids: Sequence[str], folder: str | None = None) -> Run:
    """Wish for images by id, into `folder` or the profile's own; wishes under way stay as they are.

    Asking for an image by name ends its being not wanted.
    """
    with transaction():
        run = open_download_run(profile_id)
        for chunk in chunked(list(image_ids)):
            is_asked = Image.id.in_(chunk) & (Image.profile_id == profile_id)
            Image.update(not_wanted_at=None).where(is_asked, Image.not_wanted_at.is_null(False)).execute()
            lacks_file = Image.local_path.is_null() | Image.damaged_at.is_null(False)
            _download(run, Image.select().where(is_asked, lacks_file), folder)
    return get_run(run.id)


def request_pending(profile_id: str, limit: int | None = None, folder: str | None = None) -> Run | None:
    """Wish for all pending images, or the newest `limit` of them, into `folder` or the profile's own;
    None when there is none."""
    pending = list_pending_query(profile_id).order_by(Image.created_at.desc(), Image.id.desc())
    with transaction():
        images = Image.select().where(Image.id.in_(pending.limit(limit if limit is not None else -1)))
        if not images.exists():
            return find_open_run(profile_id, RunKind.DOWNLOAD)
        run = open_download_run(profile_id)
        _download(run, images.order_by(Image.created_at.desc(), Image.id.desc()), folder)
    return get_run(run.id)


def list_pending_query(profile_id: str) -> Select:
    """Images without a file that somebody may want: not hidden, not deleted here, not gone, and not
    refused for good when they were last asked for."""
    refused = Download.select(Download.image).where(
        Download.profile_id == profile_id, Download.state == DownloadState.FAILED, Download.is_permanent
    )
    return Image.select(Image.id).where(
        Image.profile_id == profile_id,
        Image.local_path.is_null(),
        Image.hidden_at.is_null(),
        Image.not_wanted_at.is_null(),
        Image.gone_upstream_at.is_null(),
        Image.id.not_in(refused),
    )


def list_pending_of_run(run_id: str) -> list[str]:
    """The pending images that a sync run stored, newest first."""
    run = get_run(run_id)
    pending = list_pending_query(run.profile_id).where(Image.stored_run_id == run_id)
    return [image.id for image in pending.order_by(Image.created_at.desc(), Image.id.desc())]


def count_active(profile_id: str) -> int:
    """Images of a profile that are wished for and not decided."""
    return Download.select().where(Download.profile_id == profile_id, Download.state.in_(ACTIVE)).count()


def count_queue() -> tuple[int, int]:
    """How many downloads of all profiles are queued, and how many are running."""
    counts = Download.select(Download.state, fn.COUNT(Download.id)).where(Download.state.in_(ACTIVE))
    by_state = dict(counts.group_by(Download.state).tuples())
    return by_state.get(DownloadState.QUEUED, 0), by_state.get(DownloadState.RUNNING, 0)


def _download(run: Run, images: Select, folder: str | None) -> None:
    # What a thread still fetches for a cancelled run is asked for again: its file is taken over then.
    cancelled = Run.select(Run.id).where(Run.state == RunState.CANCELLED)
    fixed = [SQL("?", [value]) for value in (run.id, folder, DownloadState.QUEUED, False)]
    downloads = images.select(Image.id, Image.profile_id, *fixed)
    columns = [Download.image, Download.profile_id, Download.run, Download.folder, Download.state]
    columns.append(Download.is_permanent)
    download_count = (
        Download.insert_from(downloads, columns)
        .on_conflict(
            conflict_target=[Download.image],
            preserve=columns[2:],
            update={Download.error: None, Download.error_code: None, Download.finished_at: None},
            where=Download.state.not_in(ACTIVE) | Download.run.in_(cancelled),
        )
        .as_rowcount()
        .execute()
    )
    Run.update(download_count=Run.download_count + download_count).where(Run.id == run.id).execute()


def claim_download(run_id: str, *, besides: Iterable[int] = ()) -> Claim | None:
    """Take the oldest wish of a running run, `besides` some; None when nothing is left to take."""
    with writing():
        taken = db.execute_sql(_CLAIM_DOWNLOAD, (run_id, json.dumps(list(besides)))).fetchall()
        return Claim(*db.execute_sql(_WHAT_WAS_TAKEN, taken[0]).fetchone()) if taken else None


def finish_download(
    claim: Claim,
    *,
    path: str,
    size_bytes: int,
    sha256: str,
    width: int,
    height: int,
    aspect_ratio: str | None = None,
) -> None:
    """The file stands under its final name: the row may say so now, and its shape if it lacked one.

    The size of the picture is that of the file, whatever a listing said.
    """
    moment = now()
    with transaction():
        if db.execute_sql(_FINISH_DOWNLOAD, (moment, claim.download_id, claim.run_id)).rowcount:
            file = (path, size_bytes, sha256, moment, width, height, aspect_ratio)
            db.execute_sql(_FILL_ROW, (*file, claim.image_id))
            db.execute_sql(_COUNT_DONE, (size_bytes, claim.run_id))


def fail_download(claim: Claim, *, code: str, sentence: str, is_permanent: bool) -> None:
    with transaction():
        if _leave_queue(
            claim, DownloadState.FAILED, error_code=code, error=sentence, is_permanent=is_permanent
        ):
            Run.update(failed_count=Run.failed_count + 1).where(Run.id == claim.run_id).execute()
            if code == GoneUpstream.code:
                Image.update(gone_upstream_at=now()).where(Image.id == claim.image_id).execute()


def release_download(claim: Claim) -> None:
    """Nothing was decided about a wish: it is wanted again, or dropped when its run was cancelled."""
    is_ours = _is_claimed(claim)
    with transaction():
        if Run.select().where(Run.id == claim.run_id, Run.state == RunState.CANCELLED).exists():
            Download.delete().where(is_ours).execute()
        else:
            Download.update(state=DownloadState.QUEUED).where(is_ours).execute()


def requeue_interrupted(run_id: str, *, in_flight: Iterable[int] = ()) -> None:
    """What was claimed by a thread or process that is no more is wanted again; `in_flight` are the
    wishes that threads of this process work on."""
    Download.update(state=DownloadState.QUEUED).where(
        Download.run == run_id, Download.state == DownloadState.RUNNING, Download.id.not_in(list(in_flight))
    ).execute()


def requeue_interrupted_runs() -> None:
    """At start: no thread works on a wish. Those of runs that go on are wanted; those of runs that ended
    meanwhile, by a cancel, are dropped."""
    ended = Run.select(Run.id).where(Run.state.in_((RunState.CANCELLED, RunState.DONE, RunState.FAILED)))
    with transaction():
        Download.delete().where(Download.state.in_(ACTIVE), Download.run.in_(ended)).execute()
        Download.update(state=DownloadState.QUEUED).where(Download.state == DownloadState.RUNNING).execute()


def list_folders_in_use() -> list[Path]:
    """Folders into which wishes that are not decided yet are to be written, beside the usual ones."""
    rows = Download.select(Download.folder).where(Download.state.in_(ACTIVE), Download.folder.is_null(False))
    return [Path(folder) for (folder,) in rows.distinct().tuples()]


def finish_run_if_complete(run_id: str) -> bool:
    with transaction():
        if _active(run_id).exists():
            return False
        return change_state(run_id, (RunState.RUNNING,), RunState.DONE)


def cancel_run(run_id: str) -> None:
    """Drop the wishes that were not begun; those under way are finished."""
    with transaction():
        changed = change_state(
            run_id, (RunState.RUNNING, RunState.PAUSED, RunState.WAITING), RunState.CANCELLED
        )
        if changed:
            Download.delete().where(Download.run == run_id, Download.state == DownloadState.QUEUED).execute()


def count_left(run_id: str) -> int:
    return _active(run_id).count()


def count_queued(run_id: str) -> int:
    """Wishes of a run that nobody has claimed."""
    return _active(run_id).where(Download.state == DownloadState.QUEUED).count()


def is_any_active(image_ids: Iterable[str]) -> bool:
    """Whether a wish for one of these images is still undecided."""
    return any(
        Download.select().where(Download.image.in_(chunk), Download.state.in_(ACTIVE)).exists()
        for chunk in chunked(list(image_ids))
    )


def list_outcomes(image_ids: Iterable[str]) -> list[Image]:
    """The images with their latest wish as `wish` (None when there is none), in no order."""
    images = []
    for chunk in chunked(list(image_ids)):
        images.extend(
            Image.select(Image, Download)
            .join(Download, JOIN.LEFT_OUTER, attr="latest_download")
            .where(Image.id.in_(chunk))
        )
    return images


def list_failures(run_id: str) -> list[Download]:
    failed = Download.select(Download, Image).join(Image)
    return list(
        failed.where(Download.run == run_id, Download.state == DownloadState.FAILED).order_by(Download.id)
    )


def count_failures_by_reason(run_id: str) -> list[tuple[str, int]]:
    rows = (
        Download.select(Download.error, fn.COUNT(Download.id))
        .where(Download.run == run_id, Download.state == DownloadState.FAILED)
        .group_by(Download.error)
        .order_by(fn.COUNT(Download.id).desc())
    )
    return list(rows.tuples())


def _leave_queue(claim: Claim, state: DownloadState, **fields) -> bool:
    """False when the wish is no longer ours to decide: its profile was removed, or another run has it."""
    return bool(Download.update(state=state, finished_at=now(), **fields).where(_is_claimed(claim)).execute())


def _is_claimed(claim: Claim) -> Expression:
    is_running = Download.state == DownloadState.RUNNING
    return (Download.id == claim.download_id) & (Download.run == claim.run_id) & is_running


def _active(run_id: str) -> Select:
    return Download.select().where(Download.run == run_id, Download.state.in_(ACTIVE))
