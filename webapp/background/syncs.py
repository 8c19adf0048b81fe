"""Sync runs: a thread for each. A profile has at most one open sync run."""

import logging
import threading
from collections.abc import Callable
from functools import partial

from webapp import store
from webapp.background.connections import Connection, Connections, waiting_health
from webapp.background.firefox_credentials import explain_signed_out
from webapp.background.troubles import Troubles
from webapp.background.waiters import Waiters
from webapp.config import Config
from webapp.database.models import Run
from webapp.database.states import Health, RunKind, RunState, SyncMode
from webapp.errors import (
    AccountMoved,
    BadRequest,
    Busy,
    DatabaseLocked,
    DiskFull,
    FlowChanged,
    FlowshelfError,
    RunEnded,
    SignedOut,
)
from webapp.sources.retry import Stopped
from webapp.store import profiles, runs
from webapp.sync.engine import SyncRun
from webapp.sync.missing import answer_question

log = logging.getLogger(__name__)

UNEXPECTED = "Something went wrong inside Flowshelf. What was stored is safe; the log says more."

# The state in which a run ends and the columns that say why. None means that it does not end, because it
# waits for cookies or because the next start of the program resumes it.
_Outcome = tuple[RunState | None, dict[str, str | None]]


class Syncs:
    """The commands for sync runs, and the threads that carry them out.

    `before_end` is called with a run and the state it is about to end in. If the process is killed between
    this call and the change of state, it is called again after the restart.

    `_lock` guards `_threads`: the thread of each run that has one, with the event that stops it. `_starting`
    is held from the creation of a run until its thread is in that table. Without it a second `start` could
    find the run without a thread, and take it for the run of a killed process.
    """

    def __init__(
        self,
        config: Config,
        connections: Connections,
        waiters: Waiters,
        stopping: threading.Event,
        troubles: Troubles,
        before_end: Callable[[str, RunState], None] = lambda run_id, state: None,
    ) -> None:
        self._config = config
        self._connections = connections
        self._waiters = waiters
        self._stopping = stopping
        self._troubles = troubles
        self._before_end = before_end
        self._lock = threading.Lock()
        self._starting = threading.Lock()
        self._threads: dict[str, tuple[threading.Thread, threading.Event]] = {}

    # Commands

    def start(
        self,
        profile_id: str,
        *,
        mode: SyncMode = SyncMode.NEW,
        histories: tuple[str, ...] | None = None,
        start_cursor: str | None = None,
        max_pages: int | None = None,
        is_scheduled: bool = False,
        downloads_new: bool = False,
    ) -> Run:
        """Start a sync run, or return the running one if it was started with the same arguments.

        `downloads_new`: queue the new images for download at the end. Raises Busy when another run is
        running, BadRequest for a `start_cursor` without one history and the mode `all`.
        """
        histories = histories or self._connections.capabilities(profile_id).histories
        if start_cursor and (mode != SyncMode.ALL or len(histories) != 1):
            raise BadRequest("A startCursor goes with the mode “all” and one history.")
        open_run = partial(
            runs.start_sync,
            profile_id,
            histories=histories,
            mode=mode,
            start_cursor=start_cursor,
            max_pages=max_pages,
            is_scheduled=is_scheduled,
            downloads_new=downloads_new,
        )
        with self._starting:
            run = self._open_run(open_run, replaces_idle=not is_scheduled)
            # A person who presses Sync while the run waits for cookies wants them tried again.
            runs.change_state(run.id, (RunState.WAITING,), RunState.RUNNING, error=None, error_code=None)
            self.ensure_running(run.id)
        return runs.get_run(run.id)

    def pause(self, profile_id: str) -> None:
        """End the profile's sync run now, and abort the request under way. Its gap stays, for Resume."""
        run = runs.find_open_run(profile_id, RunKind.SYNC)
        if run is None:
            return
        # The state first: a thread that is about to store a page checks it in the same transaction, so
        # nothing is stored for this run any more, and another run may continue the walk.
        self._end_as_paused(run.id)
        with self._lock:
            _, stop = self._threads.get(run.id, (None, None))
        if stop:
            stop.set()
        self._waiters.notify_all()

    def cancel(self, profile_id: str) -> None:
        """Do the same as `pause`: the run is stored as paused, and its gap stays."""
        self.pause(profile_id)

    def wait(self, run_id: str) -> Run:
        """Wait until a run ends or waits for cookies.

        Raises FlowUnavailable as soon as it cannot go on because Flow does not respond, and DiskFull or
        another error of the database as soon as it cannot store what it reads.
        """
        self._waiters.wait_until(lambda: self._is_over(runs.get_run(run_id)))
        return runs.get_run(run_id)

    def _is_over(self, run: Run) -> bool:
        if run.state != RunState.RUNNING:
            return True
        self._troubles.require_none(run.id)
        self._connections.require_available(run.profile_id)
        return False

    @staticmethod
    def answer(walk_id: int, *, mark: bool) -> None:
        """Answer a full sync's question. `mark`: mark the images that it did not find as gone upstream?"""
        answer_question(walk_id, mark=mark)

    def _open_run(self, open_run: Callable[[], Run], *, replaces_idle: bool) -> Run:
        """Open a run. With `replaces_idle`, an open run that no thread works on is replaced.

        Such a run waits for cookies, or was not resumed because this process runs a single command.
        """
        try:
            return open_run()
        except Busy as error:
            busy_id = error.run_id
            if busy_id is None or not replaces_idle or self.has_thread(busy_id):
                raise
            if not self._end_as_paused(busy_id):
                raise
            return open_run()

    @staticmethod
    def _end_as_paused(run_id: str) -> bool:
        has_changed = runs.change_state(run_id, (RunState.RUNNING, RunState.WAITING), RunState.PAUSED)
        if has_changed:
            _log_end(runs.get_run(run_id))
        return has_changed

    # Threads

    def has_thread(self, run_id: str) -> bool:
        """Whether a thread works on a run, or is about to end after it."""
        return run_id in self._threads

    def ensure_running(self, run_id: str) -> None:
        """Start the thread of a running run, unless it has one."""
        with self._lock:
            run = runs.find_run(run_id)
            if run is None or run.state != RunState.RUNNING or self._stopping.is_set():
                return
            if run_id in self._threads:
                return
            stop = threading.Event()
            thread = threading.Thread(
                target=self._run_thread, args=(run_id, run.profile_id, stop), daemon=True
            )
            self._threads[run_id] = (thread, stop)
            thread.start()

    def stop(self, timeout_seconds: float) -> None:
        """Let all threads end, and wait for them within about `timeout_seconds`."""
        with self._lock:
            running = list(self._threads.values())
        for _, stop in running:
            stop.set()
        for thread, _ in running:
            thread.join(timeout_seconds / len(running))

    def _run_thread(self, run_id: str, profile_id: str, stop: threading.Event) -> None:
        """The body of a thread.

        An exception that arrives here means that the outcome could not be stored, e.g. because the disk is
        full. The run still counts as running, so the thread waits and then starts another one.
        """
        try:
            with store.connection_for_pages():
                while not self._run_to_end(run_id, profile_id, stop):
                    log.info("sync %s of %s was requested again", run_id, profile_id)
                if run := runs.find_run(run_id):  # None: its profile was removed
                    _log_end(run)
                    store.refresh_statistics()
            self._troubles.clear(run_id)
        except Exception as error:
            self._troubles.note(run_id, "sync", error)
            self._waiters.notify_all()
            stop.wait(self._config.retry_pauses_seconds[-1])
        finally:
            with self._lock:
                self._threads.pop(run_id, None)
            self._waiters.notify_all()
        self._restart_if_running(run_id)

    def _restart_if_running(self, run_id: str) -> None:
        """Start a new thread if the run is running again, or still.

        New cookies may have resumed it while this thread was ending: `ensure_running` found this thread in
        the table then, and started none. While the database cannot be read, wait for it.
        """
        while not self._stopping.is_set():
            try:
                with store.connection():
                    return self.ensure_running(run_id)
            except Exception as error:
                self._troubles.note(run_id, "sync", error)
                self._stopping.wait(self._config.retry_pauses_seconds[-1])

    def _run_to_end(self, run_id: str, profile_id: str, stop: threading.Event) -> bool:
        """Run until the run ends, waits for cookies or is interrupted, and store which.

        Returns False when the sync was requested again after its newest page was last read, so the run goes
        on.
        """
        state, fields = self._outcome(run_id, profile_id, stop)
        if state:
            self._before_end(run_id, state)
        if state == RunState.DONE:
            return runs.finish_sync(run_id) or runs.find_state(run_id) != RunState.RUNNING
        if state:
            runs.change_state(run_id, (RunState.RUNNING,), state, **fields)
        return True

    def _outcome(self, run_id: str, profile_id: str, stop: threading.Event) -> _Outcome:
        """Run, and translate how it ended.

        While the program stops, no error ends a run: the connections were closed, and the next start resumes
        it.
        """
        try:
            return (RunState.DONE, {}) if self._run_until_done(run_id, profile_id, stop) else (None, {})
        except (Stopped, RunEnded):
            return (None if self._stopping.is_set() else RunState.PAUSED), {}
        except FlowshelfError as error:
            return (None, {}) if self._stopping.is_set() else self._failure(profile_id, error)
        except Exception as error:
            problem = store.problem_of(error)
            if isinstance(problem, DatabaseLocked | DiskFull):
                raise  # nothing is wrong with the sync: it goes on once the database can be written again
            if problem:
                return self._failure(profile_id, problem)
            log.exception("sync %s failed", run_id)
            return RunState.FAILED, {"error_code": "error", "error": UNEXPECTED}

    @staticmethod
    def _failure(profile_id: str, error: FlowshelfError) -> _Outcome:
        if isinstance(error, AccountMoved):
            profiles.note_health(profile_id, Health.MOVED, str(error))
        sample = error.sample if isinstance(error, FlowChanged) else ""
        return RunState.FAILED, {"error_code": error.code, "error": str(error), "sample": sample or None}

    def _run_until_done(self, run_id: str, profile_id: str, stop: threading.Event) -> bool:
        """Run until all is read. Returns False when the run waits for cookies.

        Cookies that are replaced meanwhile close the connection, and whatever the aborted request raises is
        ignored: the run continues with a new connection, perhaps to the other service.
        """
        while True:
            connection = None
            try:
                connection = self._connections.of(profile_id)
                runs.switch_service(run_id, connection.source.capabilities)
                self._connections.check(profile_id, connection, stop)
                self._sync_run(run_id, connection, stop).run()
                return True
            except SignedOut as error:
                # Inside the block new cookies cannot be put in use. Outside it they could arrive before the
                # run is set to waiting, and it would wait although they work.
                with self._connections.if_current(profile_id, connection) as is_current:
                    if is_current:
                        self._wait_for_sign_in(run_id, profile_id, error)
                        return False
            except FlowshelfError:
                if connection is None or not connection.is_stale:
                    raise

    def _sync_run(self, run_id: str, connection: Connection, stop: threading.Event) -> SyncRun:
        def note_page() -> None:
            self._troubles.clear(run_id)
            self._waiters.notify_all()

        return SyncRun(
            run_id,
            connection.source,
            connection.retry,
            stopping=stop,
            on_page=note_page,
        )

    @staticmethod
    def _wait_for_sign_in(run_id: str, profile_id: str, error: SignedOut) -> None:
        error = explain_signed_out(profiles.get_profile(profile_id), error)
        # The health first: a run that waits tells the person to look at the profile for the reason.
        profiles.note_health(profile_id, waiting_health(error), str(error))
        fields = {"error_code": error.code, "error": str(error)}
        runs.change_state(run_id, (RunState.RUNNING,), RunState.WAITING, **fields)


def _log_end(run: Run) -> None:
    log.info(
        "sync %s of %s: %s, %s pages, %s new, %s already listed, %s skipped%s",
        run.id,
        run.profile_id,
        run.state,
        run.page_count,
        run.synced_count,
        run.skipped_count,
        run.ignored_count,
        f" ({run.error_code})" if run.error_code else "",
    )
