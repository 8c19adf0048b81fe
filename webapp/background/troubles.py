"""What keeps runs from going on although their own work is well: the database cannot be written.

It is kept in memory, because the database is where it could not be stored. Whoever waits for a run, or looks
at a page, learns of it from here.
"""

import logging
import threading
import time
from dataclasses import dataclass

from webapp import store
from webapp.errors import FlowshelfError

log = logging.getLogger(__name__)

LOG_INTERVAL_SECONDS = 60.0
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _Trouble:
    """`since` is when it began, on the monotonic clock."""

    error: FlowshelfError
    since: float


class Troubles:
    """The trouble of each run that cannot store what it did. A thread notes it, and clears it once it could
    store something again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of_runs: dict[str, _Trouble] = {}
        self._logged_at: dict[str, float] = {}

    def note(self, run_id: str, kind: str, error: Exception) -> None:
        """Keep what stops a run for now. Logs each sentence at most once a minute.

        A traceback is logged only for an error that has no sentence, which is a fault of ours.
        """
        problem = store.problem_of(error)
        with self._lock:
            moment = time.monotonic()
            known = self._of_runs.get(run_id)
            self._of_runs[run_id] = _Trouble(problem or _unexpected(), known.since if known else moment)
            text = str(problem or repr(error))
            is_due = moment - self._logged_at.get(text, -LOG_INTERVAL_SECONDS) >= LOG_INTERVAL_SECONDS
            if is_due:
                self._logged_at[text] = moment
        if is_due:
            traceback = None if problem else error
            log.error("%s %s: cannot go on now; trying again: %s", kind, run_id, text, exc_info=traceback)

    def clear(self, run_id: str) -> None:
        if run_id in self._of_runs:
            with self._lock:
                self._of_runs.pop(run_id, None)

    def require_none(self, run_id: str) -> None:
        """Raises what stops a run for now, so that nobody waits for it in vain.

        A lock of the database usually passes: it is raised when it has lasted for `PATIENCE_SECONDS`.
        """
        trouble = self._of_runs.get(run_id)
        if trouble is None:
            return
        error = trouble.error
        if not error.is_transient or time.monotonic() - trouble.since >= PATIENCE_SECONDS:
            raise type(error)(str(error))

    def find(self) -> FlowshelfError | None:
        """The trouble of any run, to show on the pages."""
        with self._lock:
            return next((trouble.error for trouble in self._of_runs.values()), None)


def _unexpected() -> FlowshelfError:
    return FlowshelfError("Something went wrong inside Flowshelf. It tries again; the log says more.")


def log_failure(failure: str, error: Exception) -> None:
    """Log that something failed: with its sentence if there is one, else with the traceback of a fault of
    ours."""
    problem = store.problem_of(error)
    log.error("%s: %s", failure, problem or repr(error), exc_info=None if problem else error)
