"""Sync runs: one thread per profile that syncs."""

import logging
import threading
from collections.abc import Callable

from webapp import store
from webapp.background.connections import Connection, Connections
from webapp.background.waiters import Waiters
from webapp.config import Config
from webapp.database.models import Run
from webapp.database.states import Health, RunKind, RunState, SyncMode
from webapp.errors import AccountMoved, BadRequest, Busy, FlowshelfError, RunEnded, SignedOut
from webapp.sources.retry import Stopped
from webapp.store import profiles, runs
from webapp.sync.engine import SyncRun
from webapp.sync.missing import answer_question

log = logging.getLogger(__name__)

UNEXPECTED = "Something went wrong inside Flowshelf. What was stored is safe; the log says more."


class Syncs:
    """`before_end` is called with a run and the state it is about to end in; when the process is killed
    between the two, it is called again after the restart."""

    def __init__(
        self,
        config: Config,
        connections: Connections,
        waiters: Waiters,
        stopping: threading.Event,
        before_end: Callable[[str, RunState], None] = lambda run_id, state: None,
    ) -> None:
        self._config = config
        self._connections = connections
        self._waiters = waiters
        self._stopping = stopping
        self._before_end = before_end
        self._lock = threading.Lock()
        self._starting = threading.Lock()
        self._threads: dict[str, tuple[threading.Thread, threading.Event]] = {}

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
        """Begin a sync run, or join the one under way that was asked the same. Raises Busy otherwise."""
        histories = histories or self._connections.capabilities(profile_id).histories
        if start_cursor and (mode != SyncMode.ALL or len(histories) != 1):
            raise BadRequest("A startCursor goes with the mode “all” and one history.")
        asked = {
            "histories": histories,
            "mode": mode,
            "start_cursor": start_cursor,
            "max_pages": max_pages,
        }
        marks = {"is_scheduled": is_scheduled, "downloads_new": downloads_new}
        with self._starting:  # a run that has no thread yet must not look like one of a killed process
            run = self._open_run(profile_id, asked, marks)
            runs.change_state(run.id, (RunState.WAITING,), RunState.RUNNING, error=None, error_code=None)
            self.ensure_running(run.id)
        return runs.get_run(run.id)

    def pause(self, profile_id: str) -> None:
        """End the profile's sync run now; its gap stays for Resume. A page under way is given up."""
        run = runs.find_open_run(profile_id, RunKind.SYNC)
        if run is None:
            return
        # First the state: a thread that still stores its page finds that the run is not its own any more.
        self._set_aside(run.id)
        with self._lock:
            _, stop = self._threads.get(run.id, (None, None))
        if stop:
            stop.set()
        self._waiters.notify_all()

    def wait(self, run_id: str) -> Run:
        """Stay until a run ended, is to pause, or waits for cookies. Raises FlowUnavailable as soon as it
        waits for Flow to answer."""
        self._waiters.wait_until(lambda: self._is_over(runs.get_run(run_id)))
        return runs.get_run(run_id)

    def _is_over(self, run: Run) -> bool:
        if run.state != RunState.RUNNING:
            return True
        self._connections.require_available(run.profile_id)
        return False

    def cancel(self, profile_id: str) -> None:
        """For a walk it is Pause that ends the run: no gap is ever dropped."""
        self.pause(profile_id)

    @staticmethod
    def answer(walk_id: int, *, mark: bool) -> None:
        """Whether images that a full sync did not meet are to be marked as gone from Flow."""
        answer_question(walk_id, mark=mark)

    def ensure_running(self, run_id: str) -> None:
        """Give a running run its thread, unless it has one."""
        with self._lock:
            run = runs.find_run(run_id)
            is_requested = run is not None and run.state == RunState.RUNNING and not self._stopping.is_set()
            if run_id in self._threads or not is_requested:
                return
            stop = threading.Event()
            thread = threading.Thread(target=self._run, args=(run_id, run.profile_id, stop), daemon=True)
            self._threads[run_id] = (thread, stop)
            thread.start()

    def stop(self, timeout_seconds: float) -> None:
        with self._lock:
            under_way = list(self._threads.values())
        for _, stop in under_way:
            stop.set()
        for thread, _ in under_way:
            thread.join(timeout_seconds / len(under_way))

    def _open_run(self, profile_id: str, asked: dict, marks: dict) -> Run:
        try:
            return runs.start_sync(profile_id, **asked, **marks)
        except Busy as error:
            is_in_the_way = marks["is_scheduled"] or self._is_under_way(error.run_id)
            if is_in_the_way or not self._set_aside(error.run_id):
                raise
            return runs.start_sync(profile_id, **asked, **marks)

    def _is_under_way(self, run_id: str) -> bool:
        return run_id in self._threads

    def _set_aside(self, run_id: str) -> bool:
        """End a run where it stands: a person paused it, it waited for cookies, or its process was killed."""
        is_set = runs.change_state(run_id, (RunState.RUNNING, RunState.WAITING), RunState.PAUSED)
        if is_set:
            _log_end(runs.get_run(run_id))
        return is_set

    def _run(self, run_id: str, profile_id: str, stop: threading.Event) -> None:
        try:
            with store.connection_for_pages():
                while not self._ended(run_id, profile_id, stop):
                    log.info("sync %s of %s was asked for again", run_id, profile_id)
                if run := runs.find_run(run_id):  # its profile may have been removed
                    _log_end(run)
                    store.look_at_sizes()
        except Exception:
            # Not even its end could be written down, as when the disk is full: later it may be.
            log.exception("Sync run %s cannot go on now", run_id)
            stop.wait(self._config.retry_pauses_seconds[-1])
        finally:
            with self._lock:
                self._threads.pop(run_id, None)
            self._waiters.notify_all()
        self._retry_later(run_id)

    def _ended(self, run_id: str, profile_id: str, stop: threading.Event) -> bool:
        """Carry a run on to where it ends, waits or goes on later.

        False when somebody asked for it again in the moment in which it was done.
        """
        state, fields = self._outcome(run_id, profile_id, stop)
        if state:
            self._before_end(run_id, state)
        if state == RunState.DONE:
            return runs.finish_sync(run_id) or runs.find_state(run_id) != RunState.RUNNING
        if state:
            runs.change_state(run_id, (RunState.RUNNING,), state, **fields)
        return True

    def _retry_later(self, run_id: str) -> None:
        """New cookies may have set a run going while its thread was ending. A database that is not there
        is waited for."""
        while not self._stopping.is_set():
            try:
                with store.connection():
                    return self.ensure_running(run_id)
            except Exception as error:
                log.error("Sync run %s cannot go on now: %s", run_id, store.problem_of(error) or repr(error))
                self._stopping.wait(self._config.retry_pauses_seconds[-1])

    def _outcome(self, run_id: str, profile_id: str, stop: threading.Event) -> tuple[RunState | None, dict]:
        """The state in which the run ends, and what is said of it; None: it goes on later, or it waits."""
        try:
            return (RunState.DONE, {}) if self._run_until_done(run_id, profile_id, stop) else (None, {})
        except (Stopped, RunEnded):
            return (None if self._stopping.is_set() else RunState.PAUSED), {}
        except SignedOut as error:
            self._wait_for_cookies(run_id, profile_id, error)
            return None, {}
        except FlowshelfError as error:
            return (None, {}) if self._stopping.is_set() else self._failure(profile_id, error)
        except Exception as error:
            if problem := store.problem_of(error):
                return self._failure(profile_id, problem)
            log.exception("Sync run %s failed", run_id)
            return RunState.FAILED, {"error_code": "error", "error": UNEXPECTED}

    @staticmethod
    def _failure(profile_id: str, error: FlowshelfError) -> tuple[RunState, dict]:
        if isinstance(error, AccountMoved):
            profiles.note_health(profile_id, Health.MOVED, str(error))
        sample = getattr(error, "sample", None) or None
        return RunState.FAILED, {"error_code": error.code, "error": str(error), "sample": sample}

    def _run_until_done(self, run_id: str, profile_id: str, stop: threading.Event) -> bool:
        """Carry the run on, with new cookies when they come while it is under way; False when it has to
        wait for them."""
        while True:
            connection = self._connections.of(profile_id)
            runs.switch_service(run_id, connection.source.capabilities)
            try:
                self._connections.check(profile_id, connection, stop)
                self._sync_run(run_id, connection, stop).run()
                return True
            except SignedOut as error:
                with self._connections.if_current(connection) as is_current:
                    if is_current:
                        self._wait_for_cookies(run_id, profile_id, error)
                        return False
            except FlowshelfError:
                if not connection.is_stale:
                    raise

    def _sync_run(self, run_id: str, connection: Connection, stop: threading.Event) -> SyncRun:
        return SyncRun(
            run_id,
            connection.source,
            connection.retry,
            stopping=stop,
            on_page=self._waiters.notify_all,
        )

    @staticmethod
    def _wait_for_cookies(run_id: str, profile_id: str, error: SignedOut) -> None:
        profiles.note_health(profile_id, Health.WAITING_FOR_COOKIES, str(error))
        said = {"error_code": error.code, "error": str(error)}
        runs.change_state(run_id, (RunState.RUNNING,), RunState.WAITING, **said)


def _log_end(run: Run) -> None:
    log.info(
        "sync %s of %s: %s, %s pages, %s new, %s known, %s ignored%s",
        run.id,
        run.profile_id,
        run.state,
        run.page_count,
        run.synced_count,
        run.skipped_count,
        run.ignored_count,
        f" ({run.error_code})" if run.error_code else "",
    )
