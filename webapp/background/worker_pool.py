"""The threads of one download run, and how the state of a run changes and is logged."""

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
    """The threads of one run, since it was last begun or resumed.

    `deferred` holds the ids of downloads that are claimed after all others, because the service was down.
    """

    run: Run
    stop: threading.Event = field(default_factory=threading.Event)
    threads: set[threading.Thread] = field(default_factory=set)
    failures: FailureCounts = field(default_factory=FailureCounts)
    rate: Rate = field(default_factory=Rate)
    deferred: set[int] = field(default_factory=set)

    def claim(self) -> Claim | None:
        """The oldest wish; those that were put off come when there is no other."""
        claim = downloads.claim_download(self.run.id, besides=self.deferred)
        if claim is None and self.deferred:
            self.deferred.clear()
            claim = downloads.claim_download(self.run.id)
        return claim

    def defer(self, download_id: int) -> None:
        """Queue a download behind all others of the run."""
        self.failures.deferrals[download_id] += 1
        if len(self.deferred) == store.ROWS_PER_STATEMENT:
            self.deferred.clear()
        self.deferred.add(download_id)


def finish(run_id: str) -> bool:
    """End a running run when nothing of it is left; whether it ended."""
    if not downloads.finish_run_if_complete(run_id):
        return False
    log_state(run_id)
    return True


def change(run_id: str, before: tuple[RunState, ...], after: RunState, **fields) -> None:
    """Move a run on, unless it is in another state by now."""
    if runs.change_state(run_id, before, after, **fields):
        log_state(run_id)


def log_state(run_id: str) -> None:
    """One line that says what became of a run."""
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
