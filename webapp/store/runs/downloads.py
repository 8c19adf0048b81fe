"""The download queue: one row per image, from which the worker pool claims, and how each download ended.

Every change of a download changes the image and the counts of its run in the same transaction.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peewee import JOIN, SQL, Expression, Select, fn

from webapp.database.base import db
from webapp.database.models import Download, Image, Run
from webapp.database.roots import current_roots
from webapp.database.states import DownloadState, RunKind, RunState
from webapp.errors import GoneUpstream
from webapp.store import chunked, transaction, writing
from webapp.store.image_files import Fileless
from webapp.store.pairings import is_signed_in_by_browser
from webapp.store.runs import change_state, find_open_run, get_run, open_download_run
from webapp.times import now

ACTIVE = (DownloadState.QUEUED, DownloadState.RUNNING)

# By hand: each of these five runs once per downloaded image, and peewee takes longer to build such a
# statement than SQLite to run it (benchmark `downloads`, images per second).
_CLAIM_DOWNLOAD = f"""UPDATE download SET state = '{DownloadState.RUNNING}' WHERE id = (
    SELECT queued.id FROM download AS queued JOIN run ON run.id = queued.run_id
    WHERE queued.run_id = ? AND queued.state = '{DownloadState.QUEUED}' AND run.state = '{RunState.RUNNING}'
      AND queued.id NOT IN (SELECT value FROM json_each(?))
    ORDER BY queued.id LIMIT 1) RETURNING id"""
# The columns are the fields of a Claim, in order.
_GET_CLAIM = """SELECT image.id, image.profile_id, image.name, image.media_key, claimed.folder, NOT EXISTS (
        SELECT 1 FROM veo3_image_generations AS other
        WHERE other.media_key = image.media_key COLLATE NOCASE AND other.rowid < image.rowid),
    image.local_path, image.root_id, image.sha256, image.created_at, claimed.id, claimed.run_id
    FROM download AS claimed JOIN veo3_image_generations AS image ON image.id = claimed.image_id
    WHERE claimed.id = ?"""
_FINISH_DOWNLOAD = f"""UPDATE download SET state = '{DownloadState.DONE}', finished_at = ?,
    fetched_sha256 = COALESCE(?, fetched_sha256)
    WHERE id = ? AND run_id = ? AND state = '{DownloadState.RUNNING}'"""
_SET_FILE = """UPDATE veo3_image_generations
    SET local_path = ?, root_id = ?, size_bytes = ?, sha256 = ?, downloaded_at = ?, file_time_at = ?,
    damaged_at = NULL, changed_sha256 = NULL, adopted_at = NULL, width = ?, height = ?,
    aspect_ratio = COALESCE(aspect_ratio, ?) WHERE id = ?"""
_COUNT_DONE = "UPDATE run SET done_count = done_count + 1, done_bytes = done_bytes + ? WHERE id = ?"


@dataclass(frozen=True, slots=True)
class Claim(Fileless):
    """A download that a worker has taken. Its image has no file, or one that is to be replaced."""

    download_id: int
    run_id: str


def request_downloads(
    profile_id: str, image_ids: Sequence[str], folder: str | None = None, *, replaces_changed: bool = False
) -> Run:
    """Queue images by id, to be written into `folder` or the profile's own. Open downloads stay as they are.

    Images that have their file are left out, but not damaged ones; nor, with `replaces_changed`, changed and
    adopted ones.
    Images that a person had marked as not wanted lose that mark.
    """
    with transaction():
        run = open_download_run(profile_id)
        for chunk in chunked(list(image_ids)):
            is_requested = Image.id.in_(chunk) & (Image.profile_id == profile_id)
            Image.update(not_wanted_at=None).where(is_requested, Image.not_wanted_at.is_null(False)).execute()
            lacks_file = Image.local_path.is_null() | Image.damaged_at.is_null(False)
            if replaces_changed:
                lacks_file |= Image.changed_sha256.is_null(False) | Image.adopted_at.is_null(False)
            _add_downloads(run, Image.select().where(is_requested, lacks_file), folder)
    return get_run(run.id)


def request_pending(profile_id: str, limit: int | None = None, folder: str | None = None) -> Run | None:
    """Queue all pending images, or the newest `limit` of them, to be written into `folder` or the profile's
    own.

    When nothing is pending, returns the open run, if there is one.
    """
    pending = pending_query(profile_id).order_by(Image.created_at.desc(), Image.id.desc())
    with transaction():
        images = Image.select().where(Image.id.in_(pending.limit(limit if limit is not None else -1)))
        if not images.exists():
            return find_open_run(profile_id, RunKind.DOWNLOAD)
        run = open_download_run(profile_id)
        _add_downloads(run, images.order_by(Image.created_at.desc(), Image.id.desc()), folder)
    return get_run(run.id)


def pending_query(profile_id: str) -> Select:
    """The ids of pending images, as a query for use inside others: images without a file, unless they are
    hidden, not wanted or gone upstream, or their last download failed permanently."""
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
    """The ids of the pending images that a sync run stored, newest first."""
    run = get_run(run_id)
    pending = pending_query(run.profile_id).where(Image.stored_run_id == run_id)
    return list(pending.order_by(Image.created_at.desc(), Image.id.desc()).scalars())


def count_active(profile_id: str) -> int:
    """How many images of a profile are queued or running."""
    return Download.select().where(Download.profile_id == profile_id, Download.state.in_(ACTIVE)).count()


def count_queue() -> tuple[int, int]:
    """How many downloads of all profiles are queued, and how many are running."""
    counts = Download.select(Download.state, fn.COUNT(Download.id)).where(Download.state.in_(ACTIVE))
    by_state: dict[str, int] = dict(counts.group_by(Download.state).tuples().iterator())
    return by_state.get(DownloadState.QUEUED, 0), by_state.get(DownloadState.RUNNING, 0)


def _add_downloads(run: Run, images: Select, folder: str | None) -> None:
    """Queue images for a run. Those that are queued or running for another run stay there.

    Except for a cancelled run, whose worker may still fetch an image: that one is queued again, and the file
    that the worker leaves is used.
    """
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


def claim_download(run_id: str, *, except_ids: Iterable[int] = ()) -> Claim | None:
    """Take the oldest queued download of a run, except `except_ids`; None when nothing is left or the
    run is not running.

    Finding and taking is one UPDATE: no other worker can take the same row, and none is taken for a run that
    was paused meanwhile.
    """
    with writing():
        claimed = db.execute_sql(_CLAIM_DOWNLOAD, (run_id, json.dumps(list(except_ids)))).fetchall()
        return Claim(*db.execute_sql(_GET_CLAIM, claimed[0]).fetchone()) if claimed else None


def finish_download(
    claim: Claim,
    *,
    path: str,
    size_bytes: int,
    sha256: str,
    width: int,
    height: int,
    aspect_ratio: str | None = None,
    is_fetched: bool = True,
) -> None:
    """Record that the file is complete under its final name; nothing happens when the claim is no longer
    valid.

    Width and height are those of the file, whatever a listing said. `aspect_ratio` is stored if the image has
    none. `is_fetched`: Flow sent it now; otherwise it lay on the disk. Call it after the file was renamed: a
    row must never name a file that may be incomplete. The caller then sets the time of the file.
    """
    moment = now()
    with transaction():
        fetched_sha256 = sha256 if is_fetched else None
        finished = (moment, fetched_sha256, claim.download_id, claim.run_id)
        if db.execute_sql(_FINISH_DOWNLOAD, finished).rowcount:
            place = current_roots().place_of(Path(path))
            file = (place.local_path, place.root_id, size_bytes, sha256, moment, moment)
            db.execute_sql(_SET_FILE, (*file, width, height, aspect_ratio, claim.image_id))
            db.execute_sql(_COUNT_DONE, (size_bytes, claim.run_id))


def fail_download(claim: Claim, *, code: str, sentence: str, is_permanent: bool) -> None:
    """Record why a download failed; `code` and `sentence` are those of the error. Nothing happens when the
    claim is no longer valid. An image that is gone upstream is marked as such, unless a paired browser says
    so: whoever holds its key could."""
    with transaction():
        if _leave_queue(
            claim, DownloadState.FAILED, error_code=code, error=sentence, is_permanent=is_permanent
        ):
            Run.update(failed_count=Run.failed_count + 1).where(Run.id == claim.run_id).execute()
            if code == GoneUpstream.code and not is_signed_in_by_browser(claim.profile_id):
                Image.update(gone_upstream_at=now()).where(Image.id == claim.image_id).execute()


def finish_queued(image_id: str, size_bytes: int) -> None:
    """End the download of an image that got its file otherwise, unless a worker has it already."""
    is_queued = (Download.image == image_id) & (Download.state == DownloadState.QUEUED)
    with transaction():
        if queued := Download.get_or_none(is_queued):
            Download.update(state=DownloadState.DONE, finished_at=now()).where(is_queued).execute()
            db.execute_sql(_COUNT_DONE, (size_bytes, queued.run_id))


def is_running(image_id: str) -> bool:
    """Whether a worker is downloading an image."""
    return (
        Download.select().where(Download.image == image_id, Download.state == DownloadState.RUNNING).exists()
    )


def release_download(claim: Claim) -> None:
    """Give a claim back: the download is queued again, or dropped when its run was cancelled."""
    is_ours = _is_claimed(claim)
    with transaction():
        if Run.select().where(Run.id == claim.run_id, Run.state == RunState.CANCELLED).exists():
            Download.delete().where(is_ours).execute()
        else:
            Download.update(state=DownloadState.QUEUED).where(is_ours).execute()


def requeue_interrupted(run_id: str, *, in_flight: Iterable[int] = ()) -> None:
    """Queue again what a thread or process claimed that no longer exists. `in_flight` are the ids of
    downloads that threads of this process are working on."""
    Download.update(state=DownloadState.QUEUED).where(
        Download.run == run_id, Download.state == DownloadState.RUNNING, Download.id.not_in(list(in_flight))
    ).execute()


def requeue_interrupted_runs() -> None:
    """At start, when no thread exists yet: queue running downloads again. Those of runs that have ended, for
    example by Cancel, are dropped."""
    ended = Run.select(Run.id).where(Run.state.in_((RunState.CANCELLED, RunState.DONE, RunState.FAILED)))
    with transaction():
        Download.delete().where(Download.state.in_(ACTIVE), Download.run.in_(ended)).execute()
        Download.update(state=DownloadState.QUEUED).where(Download.state == DownloadState.RUNNING).execute()


def list_folders_in_use() -> list[Path]:
    """The folders of queued and running downloads, apart from the profiles' own."""
    rows = Download.select(Download.folder).where(Download.state.in_(ACTIVE), Download.folder.is_null(False))
    return [Path(folder) for folder in rows.distinct().scalars()]


def finish_run_if_complete(run_id: str) -> bool:
    """End a run that has nothing left to do; False when it has, or is not running.

    Looking and ending is one transaction, so that an image that is queued meanwhile is not left behind in a
    run that has ended.
    """
    with transaction():
        if _active(run_id).exists():
            return False
        return change_state(run_id, (RunState.RUNNING,), RunState.DONE)


def cancel_run(run_id: str) -> None:
    """End a run and drop its queued downloads. Those that are running are finished."""
    with transaction():
        changed = change_state(
            run_id, (RunState.RUNNING, RunState.PAUSED, RunState.WAITING), RunState.CANCELLED
        )
        if changed:
            Download.delete().where(Download.run == run_id, Download.state == DownloadState.QUEUED).execute()


def count_left(run_id: str) -> int:
    """How many downloads of a run are queued or running."""
    return _active(run_id).count()


def count_queued(run_id: str) -> int:
    """How many downloads of a run nobody has claimed."""
    return _active(run_id).where(Download.state == DownloadState.QUEUED).count()


def is_any_active(image_ids: Iterable[str]) -> bool:
    """Whether the download of one of these images is queued or running."""
    return any(
        Download.select().where(Download.image.in_(chunk), Download.state.in_(ACTIVE)).exists()
        for chunk in chunked(list(image_ids))
    )


def list_outcomes(image_ids: Iterable[str]) -> list[Image]:
    """Images in no order, each with its latest download as `latest_download`, None when there is none."""
    images: list[Image] = []
    for chunk in chunked(list(image_ids)):
        images.extend(
            Image.select(Image, Download)
            .join(Download, JOIN.LEFT_OUTER, attr="latest_download")
            .where(Image.id.in_(chunk))
        )
    return images


def list_failures(run_id: str) -> list[Download]:
    """The failed downloads of a run, with their images."""
    failed = Download.select(Download, Image).join(Image)
    return list(
        failed.where(Download.run == run_id, Download.state == DownloadState.FAILED).order_by(Download.id)
    )


def count_failures_by_reason(run_id: str) -> list[tuple[str, int]]:
    """The sentences of a run's failed downloads with their counts, the most frequent first."""
    rows = (
        Download.select(Download.error, fn.COUNT(Download.id))
        .where(Download.run == run_id, Download.state == DownloadState.FAILED)
        .group_by(Download.error)
        .order_by(fn.COUNT(Download.id).desc())
    )
    return list(rows.tuples().iterator())


def _leave_queue(claim: Claim, state: DownloadState, **fields: Any) -> bool:
    """False when the claim is no longer valid: the profile was removed, or another run has the image."""
    return bool(Download.update(state=state, finished_at=now(), **fields).where(_is_claimed(claim)).execute())


def _is_claimed(claim: Claim) -> Expression:
    is_running = Download.state == DownloadState.RUNNING
    return (Download.id == claim.download_id) & (Download.run == claim.run_id) & is_running


def _active(run_id: str) -> Select:
    return Download.select().where(Download.run == run_id, Download.state.in_(ACTIVE))
