"""Download runs: a pool of threads per run claims queued downloads until none is left.

The queue is in the database, so it survives the process. What this module keeps in memory says which rows
have a thread:

    _pools          the pool of each run that has threads
    _in_flight      the downloads that a thread works on, whichever pool it belongs to
    _thread_counts  threads by profile, detached ones included

A pool is detached from its run when the run is paused, cancelled or stopped by an error: it claims nothing
more, and its threads end after the download they work on. A resumed run gets a new pool, and for a while
threads of both may work.

`_lock` guards all three. It is also held wherever the state of a run and its pool change together, and while
a download is claimed. So no thread sees a running run whose pool is detached, nor a claimed download without
its thread. The database is written under it; the network is not used under it. The lock of `Connections` is
always taken before this one.
"""

import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from webapp import storage, store
from webapp.background.connections import Connection, Connections, waiting_health
from webapp.background.disk_space import require_space
from webapp.background.firefox_credentials import explain_signed_out
from webapp.background.settings import Settings
from webapp.background.trash import Trash
from webapp.background.troubles import Troubles
from webapp.background.waiters import Waiters
from webapp.background.worker_pool import WorkerPool, change, finish, log_state
from webapp.config import Config
from webapp.database.models import Image, Run
from webapp.database.states import Health, RunKind, RunState
from webapp.download.fetch import download_image, saved_file
from webapp.download.rules import Outcome, outcome_of, too_many_failures
from webapp.errors import AccountMoved, BadPath, DatabaseLocked, FlowshelfError, FolderGone, SignedOut
from webapp.maintenance.found_files import find_own_file
from webapp.sources.retry import Stopped
from webapp.store import profiles, runs
from webapp.store.gallery import counts, images
from webapp.store.runs import downloads
from webapp.store.runs.downloads import Claim

log = logging.getLogger(__name__)


class Downloads:
    """The commands for download runs, and the threads that carry them out."""

    def __init__(
        self,
        config: Config,
        settings: Settings,
        connections: Connections,
        waiters: Waiters,
        stopping: threading.Event,
        troubles: Troubles,
        trash: Trash,
    ) -> None:
        self._config = config
        self._settings = settings
        self._connections = connections
        self._waiters = waiters
        self._stopping = stopping
        self._troubles = troubles
        self._trash = trash
        self._lock = threading.Lock()
        self._pools: dict[str, WorkerPool] = {}
        self._in_flight: set[int] = set()
        self._thread_counts: Counter[str] = Counter()
        # Of all profiles together. A command lowers it where the system allows few open files.
        self.max_threads = 1024

    @property
    def roots(self) -> tuple[Path, ...]:
        """Folders under which downloads may be written."""
        return (self._config.images_dir, *self._config.storage_roots)

    # Commands

    def request(
        self,
        profile_id: str,
        image_ids: Sequence[str],
        folder: Path | None = None,
        *,
        replaces_changed: bool = False,
    ) -> Run | None:
        """Queue images for download into `folder`, or the profile's own.

        Returns None when all have their files already. A file that was changed outside Flowshelf, or adopted,
        is only replaced with `replaces_changed`.

        Raises FolderGone when the root of `folder`, or of the file of a requested image, is missing; BadPath
        when `folder` cannot be created; DiskFull when the images will not fit.
        """
        profiles.get_profile(profile_id)
        if folder:
            self._make_requested_folder(folder)
        requested = {image.id: image for image in images.list_by_ids(image_ids)}
        there = {image.id for image in requested.values() if self._is_there(image)}
        images.mark_missing(
            [image.id for image in requested.values() if image.local_path and image.id not in there]
        )
        # A file that is to be replaced stays the image's until the new one is complete.
        right = {id_ for id_ in there if not _is_replaced(requested[id_], replaces_changed)}
        ids = [image_id for image_id in image_ids if image_id in requested and image_id not in right]
        if not ids:
            return None
        require_space(folder or self._own_folder(profile_id), profile_id, len(ids))
        run = downloads.request_downloads(
            profile_id, ids, str(folder) if folder else None, replaces_changed=replaces_changed
        )
        self.ensure_running(run.id)
        return run

    def request_pending(
        self, profile_id: str, limit: int | None = None, folder: Path | None = None
    ) -> Run | None:
        """Queue all pending images, or the newest `limit`; None when there are none.

        Raises what `request` raises.
        """
        profiles.get_profile(profile_id)
        if folder:
            self._make_requested_folder(folder)
        count = counts.count_downloadable(profile_id)
        require_space(folder or self._own_folder(profile_id), profile_id, min(limit or count, count))
        run = downloads.request_pending(profile_id, limit, str(folder) if folder else None)
        if run:
            self.ensure_running(run.id)
        return run

    def pause(self, profile_id: str) -> None:
        """Claim no further download. Transfers under way are finished; threads that wait to retry give up."""
        if run := runs.find_open_run(profile_id, RunKind.DOWNLOAD):
            with self._lock:
                self._detach(run.id)
                change(run.id, (RunState.RUNNING, RunState.WAITING), RunState.PAUSED)
            self._waiters.notify_all()

    def resume(self, profile_id: str) -> None:
        """Continue the profile's run if it is paused or waits for cookies."""
        if run := runs.find_open_run(profile_id, RunKind.DOWNLOAD):
            fresh = {"error": None, "error_code": None, "finished_at": None}
            change(run.id, (RunState.PAUSED, RunState.WAITING), RunState.RUNNING, **fresh)
            self.ensure_running(run.id)

    def cancel(self, profile_id: str) -> None:
        """Drop the queued downloads. Transfers under way are finished."""
        if run := runs.find_open_run(profile_id, RunKind.DOWNLOAD):
            with self._lock:
                self._detach(run.id)
                downloads.cancel_run(run.id)
                log_state(run.id)
            self._waiters.notify_all()

    def wait(self, run_id: str, image_ids: Sequence[str]) -> Run:
        """Wait until each of these images is downloaded or failed, or their run stops.

        Raises FlowUnavailable as soon as the run cannot go on because Flow does not respond, and DiskFull or
        another error of the database as soon as it cannot store what it does.
        """
        self._waiters.wait_until(lambda: not downloads.is_any_active(image_ids) or self._is_over(run_id))
        return runs.get_run(run_id)

    def wait_for_run(self, run_id: str) -> Run:
        """Wait until a run stops. Raises what `wait` raises."""
        self._waiters.wait_until(lambda: self._is_over(run_id))
        return runs.get_run(run_id)

    def _is_over(self, run_id: str) -> bool:
        run = runs.get_run(run_id)
        if run.state == RunState.RUNNING:
            self._troubles.require_none(run_id)
            self._connections.require_available(run.profile_id)
        return run.state != RunState.RUNNING

    def rate(self, run_id: str) -> tuple[float, float]:
        """Images per second and bytes per second of a run, over the last seconds."""
        pool = self._pools.get(run_id)
        return pool.rate.per_second() if pool else (0.0, 0.0)

    def is_working(self, profile_id: str) -> bool:
        """Whether a thread, detached or not, may still write files of a profile."""
        return self._thread_counts[profile_id] > 0

    # Threads

    def ensure_running(self, run_id: str) -> None:
        """Give a running run as many threads as its queue and the limit allow.

        Called again, it adds what is missing: call it whenever a run was resumed or downloads were queued.
        """
        with self._lock:
            run = runs.find_run(run_id)
            if run is None or run.state != RunState.RUNNING or self._stopping.is_set():
                return
            # Claimed, but no thread works on it: its thread could not write the outcome down.
            downloads.requeue_interrupted(run.id, in_flight=self._in_flight)
            pool = self._pools.setdefault(run.id, WorkerPool(run))
            for _ in range(min(downloads.count_queued(run.id), self._count_free(run.profile_id))):
                thread = threading.Thread(target=self._run_worker, args=(pool,), daemon=True)
                pool.threads.add(thread)
                self._thread_counts[run.profile_id] += 1
                thread.start()
            # Nothing queued. With detached threads left, the last of them ends the run, or finds it a new
            # thread.
            if not pool.threads and not self._thread_counts[run.profile_id]:
                self._detach(run.id)
                finish(run.id)
        self._waiters.notify_all()

    def _count_free(self, profile_id: str) -> int:
        """How many threads a profile may start. Each profile may have one, whatever the others have.

        Detached threads still send requests, so they count: pausing and resuming must not add threads.
        """
        own_count = self._thread_counts[profile_id]
        free_count = self._settings.current.download_workers - own_count
        return max(0 if own_count else 1, min(free_count, self.max_threads - self._thread_counts.total()))

    def apply_settings(self) -> None:
        """Start the threads that a raised limit allows. With a lowered one, threads end after their image."""
        for run in runs.list_runs_in(RunState.RUNNING):
            if run.kind == RunKind.DOWNLOAD:
                self.ensure_running(run.id)

    def stop(self, timeout_seconds: float) -> None:
        """Let all threads end, and wait for them within about `timeout_seconds`."""
        with self._lock:
            pools = list(self._pools.values())
        threads = [thread for pool in pools for thread in pool.threads]
        for pool in pools:
            pool.stop.set()
        for thread in threads:
            thread.join(timeout_seconds / len(threads))

    def _run_worker(self, pool: WorkerPool) -> None:
        """The body of a thread.

        An exception that arrives here means that an outcome could not be stored, e.g. because the disk is
        full. The thread waits and tries again, even when its pool is detached: if it was the pause that could
        not be stored, the run counts as running, and only this thread can store it later.
        """
        while True:
            try:
                with store.connection():
                    self._drain_queue(pool)
                    return self._end_worker(pool)
            except Exception as error:
                self._troubles.note(pool.run.id, "download", error)
                self._waiters.notify_all()
                if self._pause():
                    return self._count_out(pool)

    def _drain_queue(self, pool: WorkerPool) -> None:
        while claim := self._next_claim(pool):
            self._process(pool, claim)
            self._waiters.notify_all()

    def _next_claim(self, pool: WorkerPool) -> Claim | None:
        """Claim under the lock: between the claim and `_in_flight`, `ensure_running` would queue it again."""
        with self._lock:
            # Between the signal and `stop` a claim would be released at once, and claimed again.
            if pool.stop.is_set() or self._stopping.is_set() or self._is_surplus(pool):
                return None
            claim = pool.claim()
            if claim:
                self._in_flight.add(claim.download_id)
            return claim

    def _is_surplus(self, pool: WorkerPool) -> bool:
        """Whether a thread has to end because the limit was lowered meanwhile."""
        return self._thread_counts[pool.run.profile_id] > self._settings.current.download_workers

    def _end_worker(self, pool: WorkerPool) -> None:
        """Remove this thread from the counts, and end the run if it was the last download.

        Otherwise start threads again: downloads may have been queued after this thread found the queue empty,
        or a detached thread may have released one. This thread is removed first, to leave room for a new one.
        """
        self._count_out(pool)
        is_finished = finish(pool.run.id)
        self._troubles.clear(pool.run.id)
        if not is_finished and not self._stopping.is_set():
            self.ensure_running(pool.run.id)
        # Another run may have this thread. If it is a newer one of this profile that has nothing to download,
        # nobody ended it yet, because this thread was still counted.
        if self._pools:
            self.apply_settings()
        self._waiters.notify_all()

    def _count_out(self, pool: WorkerPool) -> None:
        with self._lock:
            if threading.current_thread() in pool.threads:
                pool.threads.discard(threading.current_thread())
                self._thread_counts[pool.run.profile_id] -= 1
            # A run that was resumed meanwhile has another pool, which must stay.
            if not pool.threads and self._pools.get(pool.run.id) is pool:
                del self._pools[pool.run.id]

    def _process(self, pool: WorkerPool, claim: Claim) -> None:
        """Download one image. Whatever happens, the download is finished, failed or released at the end."""
        connection = None
        try:
            connection = self._connections.of(claim.profile_id)
            self._connections.check(claim.profile_id, connection, pool.stop)
            self._download(pool, claim, connection)
        except Stopped:
            downloads.release_download(claim)
        except FlowshelfError as error:
            is_stale = connection is not None and connection.is_stale
            self._handle_failure(
                pool, claim, error, connection, is_superseded=is_stale or self._stopping.is_set()
            )
        except Exception as error:
            problem = store.problem_of(error)
            if problem is None:
                log.exception("download of image %s failed", claim.image_id)
            self._handle_failure(
                pool,
                claim,
                problem or _unexpected(),
                connection,
                is_superseded=self._stopping.is_set(),
            )
        finally:
            # Last: from here on `ensure_running` queues the download again if it is still claimed.
            self._in_flight.discard(claim.download_id)

    def _download(self, pool: WorkerPool, claim: Claim, connection: Connection) -> None:
        folder = Path(claim.folder) if claim.folder else self._own_folder(claim.profile_id)
        storage.make_folder(folder, self.roots)
        stems = storage.file_stems(claim.media_key, claim.name, has_plain_name=claim.has_plain_name)
        # A file that the row still names is damaged or changed: it is to be replaced.
        own = claim.file_path if claim.file_path and os.path.isfile(claim.file_path) else None
        found = None if own else find_own_file(folder, stems, claim.sha256)
        trashed = None if own or found else self._trash.read_for_download(claim)
        restored = saved_file(folder, stems, trashed[1]) if trashed else None
        is_here = found or restored
        file = is_here or download_image(
            connection.source,
            connection.retry,
            claim.name,
            claim.media_key,
            folder=folder,
            stems=stems,
            replaced=own if own and self._is_ours(own) else None,
            put_replaced=lambda: self._trash.put_replaced(claim.image_id),
            stopping=pool.stop,
        )
        # The file first, then the row: killed in between, the next download finds the file and takes it over.
        columns = asdict(file) | {"path": str(file.path), "is_fetched": is_here is None}
        self._store(pool.run.id, lambda: downloads.finish_download(claim, **columns))
        if trashed:
            self._trash.discard(trashed[0])
        # Last: by its time, a file that has no row yet is known to be new (`unknown_files`).
        storage.set_made_time(file.path, claim.created_at)
        log.debug("download of image %s: done, %s bytes", claim.image_id, file.size_bytes)
        with self._lock:
            pool.failures.note_success()
        pool.rate.add(file.size_bytes)

    def _store(self, run_id: str, write: Callable[[], None]) -> None:
        """Store an outcome. While another program has locked the database, wait and try again.

        Not even a pause of the run ends that: the file is on the disk already.
        """
        while True:
            try:
                write()
                return self._troubles.clear(run_id)
            except Exception as error:
                if not isinstance(store.problem_of(error), DatabaseLocked):
                    raise
                self._troubles.note(run_id, "download", error)
                if self._pause():
                    raise

    def _pause(self) -> bool:
        """Wait before the database is tried again. Returns True when the program stops."""
        return self._stopping.wait(self._config.retry_pauses_seconds[-1])

    def _handle_failure(
        self,
        pool: WorkerPool,
        claim: Claim,
        error: FlowshelfError,
        connection: Connection | None,
        *,
        is_superseded: bool = False,
    ) -> None:
        """Do what `webapp.download.rules` decide about a failure."""
        outcome = self._outcome(pool, claim, error, is_superseded=is_superseded)
        log.debug("download of image %s: %s, %s", claim.image_id, outcome.name.lower(), error)
        if outcome in (Outcome.FAIL, Outcome.FAIL_PERMANENTLY):
            return self._fail(pool, claim, error, is_permanent=outcome is Outcome.FAIL_PERMANENTLY)
        # Before the state of the run changes: whoever waits for that must find the image queued.
        self._store(pool.run.id, lambda: downloads.release_download(claim))
        if outcome is Outcome.PAUSE_RUN:
            if isinstance(error, AccountMoved):
                profiles.note_health(claim.profile_id, Health.MOVED, str(error))
            self._stop_run(pool, RunState.PAUSED, error)
        elif outcome is Outcome.WAIT_FOR_COOKIES:
            # Inside the block new cookies cannot be put in use. Outside it they could arrive before the run
            # is set to waiting, and it would wait although they work.
            with self._connections.if_current(claim.profile_id, connection) as is_current:
                if is_current:
                    if isinstance(error, SignedOut):
                        error = explain_signed_out(profiles.get_profile(claim.profile_id), error)
                    profiles.note_health(claim.profile_id, waiting_health(error), str(error))
                    self._stop_run(pool, RunState.WAITING, error)

    def _outcome(
        self, pool: WorkerPool, claim: Claim, error: FlowshelfError, *, is_superseded: bool
    ) -> Outcome:
        cooldown = self._connections.cooldown(claim.profile_id)
        # Under the lock, because other threads of the pool defer and claim at the same time.
        with self._lock:
            outcome = outcome_of(
                error,
                is_superseded=is_superseded,
                is_service_down=cooldown is not None and cooldown.reason is not None,
                deferral_count=pool.failures.deferrals[claim.download_id],
            )
            if outcome is Outcome.DEFER:
                pool.defer(claim.download_id)
            return outcome

    def _fail(self, pool: WorkerPool, claim: Claim, error: FlowshelfError, *, is_permanent: bool) -> None:
        self._store(
            pool.run.id,
            lambda: downloads.fail_download(
                claim, code=error.code, sentence=str(error), is_permanent=is_permanent
            ),
        )
        with self._lock:
            is_too_many = pool.failures.note_failure()
            if is_too_many:
                pool.stop.set()  # at once, so that no thread claims another download
        if is_too_many:
            self._stop_run(pool, RunState.PAUSED, too_many_failures(error))

    def _stop_run(self, pool: WorkerPool, state: RunState, error: FlowshelfError) -> None:
        """Pause a run, or let it wait, because of an error in one of its threads.

        An error in a detached pool changes nothing: a person has paused, cancelled or resumed the run since.
        """
        with self._lock:
            if self._pools.get(pool.run.id) is not pool:
                return
            self._detach(pool.run.id)
            change(pool.run.id, (RunState.RUNNING,), state, error=str(error), error_code=error.code)
        self._waiters.notify_all()

    def _detach(self, run_id: str) -> None:
        """Let the threads of a run's pool end after the download they work on. Call it under the lock."""
        if pool := self._pools.pop(run_id, None):
            pool.stop.set()

    def _is_ours(self, path: Path) -> bool:
        """Whether a file lies under a root. No other is ever renamed."""
        try:
            storage.path_under(str(path), self.roots)
        except FolderGone:
            return False
        return True

    def _own_folder(self, profile_id: str) -> Path:
        return self._config.images_dir / profile_id

    def _make_requested_folder(self, folder: Path) -> None:
        storage.require_root(folder, self.roots)
        try:
            storage.make_folder(folder, self.roots)
        except FolderGone as error:
            raise BadPath(str(error)) from error  # its root is there: the caller's path is wrong

    def _is_there(self, image: Image) -> bool:
        return image.file_path is not None and storage.is_there(image.file_path, self.roots)


def _is_replaced(image: Image, replaces_changed: bool) -> bool:
    is_not_flows = image.changed_sha256 is not None or image.adopted_at is not None
    return image.damaged_at is not None or (replaces_changed and is_not_flows)


def _unexpected() -> FlowshelfError:
    return FlowshelfError(
        "Something went wrong inside Flowshelf while this image was downloaded; the log says more."
    )
