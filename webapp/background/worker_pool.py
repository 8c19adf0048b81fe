"""The threads of one download run, and changes of its state, each with a line in the log."""

import logging
import threading
from dataclasses import dataclass, field

from webapp import store
from webapp.background.rate import Rate
from webapp.database.models import Run
from webapp.database.states import RunState
from webapp.download.rules import FailureCounts
from webapp.store import runs
from webapp.store.runs import downloads
from webapp.store.runs.downloads import Claim

log = logging.getLogger(__name__)


@dataclass(slots=True)
class WorkerPool:
    """The threads of a run between a start or resume and the next stop.

    `stop` is set when the pool is detached from its run. `deferred` holds the ids of downloads that are
    claimed after all others, because the service was down. Not synchronized: `Downloads` holds its lock.
    """

    run: Run
    stop: threading.Event = field(default_factory=threading.Event)
    threads: set[threading.Thread] = field(default_factory=set)
    failures: FailureCounts = field(default_factory=FailureCounts)
    rate: Rate = field(default_factory=Rate)
    deferred: set[int] = field(default_factory=set)

    def claim(self) -> Claim | None:
        """Claim the oldest queued download; deferred ones only when there is no other."""
        claim = downloads.claim_download(self.run.id, except_ids=self.deferred)
        if claim is None and self.deferred:
            self.deferred.clear()
            claim = downloads.claim_download(self.run.id)
        return claim

    def defer(self, download_id: int) -> None:
        """Queue a download behind all others of the run."""
        self.failures.deferrals[download_id] += 1
        # The ids are parameters of the statement that claims. When they are too many, start over: those
        # deferred until now are claimed again in the order of the queue.
        if len(self.deferred) == store.ROWS_PER_STATEMENT:
            self.deferred.clear()
        self.deferred.add(download_id)


def finish(run_id: str) -> bool:
    """End a running run if none of its downloads is queued or being fetched. Returns whether it ended."""
    if not downloads.finish_run_if_complete(run_id):
        return False
    log_state(run_id)
    return True


def change(run_id: str, before: tuple[RunState, ...], after: RunState, **fields: str | None) -> None:
    """Change the state of a run, and its `fields`, if it is in one of the states `before`."""
    if runs.change_state(run_id, before, after, **fields):
        log_state(run_id)


def log_state(run_id: str) -> None:
    """Log the state and the counts of a download run in one line."""
    run = runs.get_run(run_id)
    log.info(
        "download %s of %s: %s, %s done, %s failed, %s bytes%s",
        run.id,
        run.profile_id,
        run.state,
        run.done_count,
        run.failed_count,
        run.done_bytes,
        f" ({run.error_code})" if run.error_code else "",
    )
