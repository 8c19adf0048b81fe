"""Download runs: a crew of threads per profile that claims wishes until none is left."""

import logging
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from webapp import storage, store
from webapp.background.connections import Connection, Connections
from webapp.background.disk_space import require_space
from webapp.background.waiting import Waiting
from webapp.background.worker_pool import WorkerPool, change, finish, log_state
from webapp.config import Config
from webapp.database.models import Image, Run
from webapp.database.states import Health, RunKind, RunState
from webapp.download.fetch import download_image
from webapp.download.rules import Outcome, outcome_of, too_many_failures
from webapp.errors import AccountMoved, BadPath, FlowshelfError, FolderGone
from webapp.sources.retry import Stopped
from webapp.store import profiles, runs
from webapp.store.gallery import counts, images
from webapp.store.runs import downloads
from webapp.store.runs.downloads import Claim

log = logging.getLogger(__name__)


class Downloads:
    def __init__(
        self, config: Config, connections: Connections, waiting: Waiting, stopping: threading.Event
    ) -> None:
        self._config = config
        self._connections = connections
        self._waiting = waiting
        self._stopping = stopping
        self._lock = threading.Lock()
        self._pools: dict[str, WorkerPool] = {}
        self._in_flight: set[int] = set()
        self._thread_counts: Counter[str] = Counter()

    @property
    def roots(self) -> tuple[Path, ...]:
        """Folders below which downloads may be written."""
        return (self._config.images_dir, *self._config.storage_roots)

    # Commands

    def request(self, profile_id: str, image_ids: Sequence[str], folder: Path | None = None) -> Run | None:
        """Wish for images; None when all of them are on the shelf already.

        Raises FolderGone when `folder`'s root, or that of a file asked for, is not there, and DiskFull
        when they will not fit.
        """
        profiles.get_profile(profile_id)
        if folder:
            self._make_asked_folder(folder)
        missing = [image for image in images.list_by_ids(image_ids) if not self._is_on_shelf(image)]
        images.mark_missing([image.id for image in missing if image.local_path])
        if not missing:
            return None
        require_space(folder or self._own_folder(profile_id), profile_id, len(missing))
        asked = {image.id for image in missing}
        ids = [image_id for image_id in image_ids if image_id in asked]
        run = downloads.request_downloads(profile_id, ids, folder and str(folder))
        self.ensure_running(run.id)
        return run

    def request_pending(
        self, profile_id: str, limit: int | None = None, folder: Path | None = None
    ) -> Run | None:
        """Wish for all pending images, or the newest `limit`; None if there is none. Raises as `request`."""
        profiles.get_profile(profile_id)
        if folder:
            self._make_asked_folder(folder)
        count = counts.count_downloadable(profile_id)
        require_space(folder or self._own_folder(profile_id), profile_id, min(limit or count, count))
        run = downloads.request_pending(profile_id, limit, folder and str(folder))
        if run:
            self.ensure_running(run.id)
        return run

    def pause(self, profile_id: str) -> None:
        """Claim no further wish; what is being fetched is finished, or put back if it only waits."""
        if run := runs.find_open_run(profile_id, RunKind.DOWNLOAD):
            with self._lock:
                self._detach(run.id)
                change(run.id, (RunState.RUNNING, RunState.WAITING), RunState.PAUSED)
            self._waiting.notify()

    def resume(self, profile_id: str) -> None:
        if run := runs.find_open_run(profile_id, RunKind.DOWNLOAD):
            fresh = {"error": None, "error_code": None, "finished_at": None}
            change(run.id, (RunState.PAUSED, RunState.WAITING), RunState.RUNNING, **fresh)
            self.ensure_running(run.id)

    def cancel(self, profile_id: str) -> None:
        """Drop the wishes that were not begun."""
        if run := runs.find_open_run(profile_id, RunKind.DOWNLOAD):
            with self._lock:
                self._detach(run.id)
                downloads.cancel_run(run.id)
                log_state(run.id)
            self._waiting.notify()

    def wait(self, run_id: str, image_ids: Sequence[str]) -> Run:
        """Stay until nothing is undecided about these images, or their run stopped short of it. Raises
        FlowUnavailable as soon as it waits for Flow to answer."""
        self._waiting.until(lambda: not downloads.is_any_active(image_ids) or self._is_over(run_id))
        return runs.get_run(run_id)

    def wait_for_run(self, run_id: str) -> Run:
        """Stay until a run does not go on. Raises FlowUnavailable as `wait` does."""
        self._waiting.until(lambda: self._is_over(run_id))
        return runs.get_run(run_id)

    def _is_over(self, run_id: str) -> bool:
        run = runs.get_run(run_id)
        if run.state == RunState.RUNNING:
            self._connections.require_available(run.profile_id)
        return run.state != RunState.RUNNING

    def rate(self, run_id: str) -> tuple[float, float]:
        """Images and bytes a second of a run, over the last seconds."""
        pool = self._pools.get(run_id)
        return pool.rate.per_second() if pool else (0.0, 0.0)

    def is_working(self, profile_id: str) -> bool:
        """Whether a thread may still write files of a profile, also one that was sent home."""
        return self._thread_counts[profile_id] > 0

    # The crew

    def ensure_running(self, run_id: str) -> None:
        """Wake as many threads for a run that is running as its wishes can use.

        The lock is held wherever a run's state and its crew change together.
        """
        with self._lock:
            run = runs.find_run(run_id)
            if run is None or run.state != RunState.RUNNING or self._stopping.is_set():
                return
            downloads.requeue_interrupted(run.id, in_flight=self._in_flight)
            pool = self._pools.setdefault(run.id, WorkerPool(run))
            # Threads of a crew that was sent home still fetch: together they are no more than allowed.
            free_count = self._config.download_workers - self._thread_counts[run.profile_id]
            for _ in range(min(downloads.count_queued(run.id), free_count)):
                thread = threading.Thread(target=self._drain, args=(pool,), daemon=True)
                pool.threads.add(thread)
                self._thread_counts[run.profile_id] += 1
                thread.start()
            if not pool.threads and not self._thread_counts[run.profile_id]:
                self._detach(run.id)
                finish(run.id)
        self._waiting.notify()

    def stop(self, timeout_seconds: float) -> None:
        with self._lock:
            pools = list(self._pools.values())
        threads = [thread for pool in pools for thread in pool.threads]
        for pool in pools:
            pool.stop.set()
        for thread in threads:
            thread.join(timeout_seconds / len(threads))

    def _drain(self, pool: WorkerPool) -> None:
        """A thread's life. When not even an outcome can be written down, as on a full disk, it waits: later
        it may be. Also when its crew was sent home: if that was not written down, the run goes on."""
        while True:
            try:
                with store.connection():
                    self._work_off(pool)
                    return self._leave(pool)
            except Exception:
                log.exception("Download run %s cannot go on now", pool.run.id)
                if self._stopping.wait(self._config.retry_pauses_seconds[-1]):
                    return self._count_out(pool)

    def _work_off(self, pool: WorkerPool) -> None:
        while claim := self._next_claim(pool):
            self._run(pool, claim)
            self._waiting.notify()

    def _next_claim(self, pool: WorkerPool) -> Claim | None:
        """Under the lock, so that a wish is never seen as claimed by nobody."""
        with self._lock:
            claim = None if pool.stop.is_set() else pool.claim()
            if claim:
                self._in_flight.add(claim.download_id)
            return claim

    def _leave(self, pool: WorkerPool) -> None:
        """The end of a thread. What came after its last look, or was put back by a thread of another crew,
        is taken up by those that are woken here."""
        self._count_out(pool)
        if not finish(pool.run.id) and not self._stopping.is_set():
            self.ensure_running(pool.run.id)
        self._waiting.notify()

    def _count_out(self, pool: WorkerPool) -> None:
        with self._lock:
            if threading.current_thread() in pool.threads:
                pool.threads.discard(threading.current_thread())
                self._thread_counts[pool.run.profile_id] -= 1
            if not pool.threads and self._pools.get(pool.run.id) is pool:
                del self._pools[pool.run.id]

    def _run(self, pool: WorkerPool, claim: Claim) -> None:
        """One wish from claim to outcome: whatever happens, it is decided or put back."""
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
            log.exception("Download of image %s failed", claim.image_id)
            self._handle_failure(pool, claim, store.problem_of(error) or _unexpected(), connection)
        finally:
            self._in_flight.discard(claim.download_id)

    def _download(self, pool: WorkerPool, claim: Claim, connection: Connection) -> None:
        folder = Path(claim.folder) if claim.folder else self._own_folder(claim.profile_id)
        storage.make_folder(folder, self.roots)
        kept = download_image(
            connection.source,
            connection.retry,
            claim.name,
            claim.media_key,
            folder=folder,
            stems=storage.file_stems(claim.media_key, claim.name, has_plain_name=claim.has_plain_name),
            stopping=pool.stop,
        )
        downloads.finish_download(claim, **asdict(kept) | {"path": str(kept.path)})
        with self._lock:
            pool.failures.note_success()
        pool.rate.add(kept.size_bytes)

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
        if outcome in (Outcome.FAIL, Outcome.FAIL_PERMANENTLY):
            return self._fail(pool, claim, error, is_permanent=outcome is Outcome.FAIL_PERMANENTLY)
        # Before the state of the run changes: whoever waits for that must find the image queued.
        downloads.release_download(claim)
        if outcome is Outcome.PAUSE_RUN:
            if isinstance(error, AccountMoved):
                profiles.note_health(claim.profile_id, Health.MOVED, str(error))
            self._halt(pool, RunState.PAUSED, error)
        elif outcome is Outcome.WAIT_FOR_COOKIES:
            # New cookies are held off meanwhile: once they are stored, the old ones do not matter any more.
            with self._connections.if_current(connection) as is_current:
                if is_current:
                    profiles.note_health(claim.profile_id, Health.WAITING_FOR_COOKIES, str(error))
                    self._halt(pool, RunState.WAITING, error)

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
        downloads.fail_download(claim, code=error.code, sentence=str(error), is_permanent=is_permanent)
        with self._lock:
            is_too_many = pool.failures.note_failure()
            if is_too_many:
                pool.stop.set()  # at once, so that no thread claims another download
        if is_too_many:
            self._halt(pool, RunState.PAUSED, too_many_failures(error))

    def _halt(self, pool: WorkerPool, state: RunState, error: FlowshelfError) -> None:
        """Stop a run for a reason that one of its threads met; a crew that was sent home has no say."""
        with self._lock:
            if self._pools.get(pool.run.id) is not pool:
                return
            self._detach(pool.run.id)
            change(pool.run.id, (RunState.RUNNING,), state, error=str(error), error_code=error.code)
        self._waiting.notify()

    def _detach(self, run_id: str) -> None:
        if pool := self._pools.pop(run_id, None):
            pool.stop.set()

    def _own_folder(self, profile_id: str) -> Path:
        return self._config.images_dir / profile_id

    def _make_asked_folder(self, folder: Path) -> None:
        storage.require_root(folder, self.roots)
        try:
            storage.make_folder(folder, self.roots)
        except FolderGone as error:
            raise BadPath(str(error)) from error  # the root is there: it is the caller's path that is not

    def _is_on_shelf(self, image: Image) -> bool:
        is_whole = image.local_path is not None and image.damaged_at is None
        return is_whole and storage.is_there(image.local_path, self.roots)


def _unexpected() -> FlowshelfError:
    return FlowshelfError(
        "Something went wrong inside Flowshelf while this image was downloaded; the log says more."
    )
