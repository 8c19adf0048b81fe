"""The threads of one download run, and how the state of a run changes and is logged."""

import logging
import threading
from collections import Counter
from dataclasses import dataclass, field

from webapp import store
from webapp.background.rate import Rate
from webapp.database.models import Run
from webapp.database.states import RunState
from webapp.errors import FlowError, FlowshelfError
from webapp.store import runs
from webapp.store.runs import downloads
from webapp.store.runs.downloads import Claim

log = logging.getLogger(__name__)

# One that fails even then is failed: it may be the image after all.
MAX_DEFERRALS = 2
MAX_FAILURES_IN_A_ROW = 10


@dataclass(slots=True)
class WorkerPool:
    """The threads of one run, since it was last begun or resumed.

    `later` are wishes that were put off behind all others, because the service answered nobody.
    """

    run: Run
    stop: threading.Event = field(default_factory=threading.Event)
    threads: set[threading.Thread] = field(default_factory=set)
    failures_in_a_row: int = 0
    rate: Rate = field(default_factory=Rate)
    deferred: set[int] = field(default_factory=set)
    deferral_counts: Counter[int] = field(default_factory=Counter)

    def claim(self) -> Claim | None:
        """The oldest wish; those that were put off come when there is no other."""
        claim = downloads.claim_download(self.run.id, besides=self.deferred)
        if claim is None and self.deferred:
            self.deferred.clear()
            claim = downloads.claim_download(self.run.id)
        return claim

    def count_failure(self) -> bool:
        """Count a failure; whether there were too many in a row: then nobody claims another wish."""
        self.failures_in_a_row += 1
        if self.failures_in_a_row < MAX_FAILURES_IN_A_ROW:
            return False
        self.stop.set()
        return True

    def defer(self, download_id: int) -> bool:
        """Put a wish behind all others; False when it was so often enough."""
        if self.deferral_counts[download_id] == MAX_DEFERRALS:
            return False
        self.deferral_counts[download_id] += 1
        if len(self.deferred) == store.ROWS_PER_STATEMENT:
            self.deferred.clear()
        self.deferred.add(download_id)
        return True


def too_many_failures(last: FlowshelfError) -> FlowError:
    """Why a run is paused whose crew failed so often."""
    return FlowError(
        f"{MAX_FAILURES_IN_A_ROW} images in a row failed, the last one so: {last} "
        "The downloads are paused. Press Resume to try the rest, or look into Flow first."
    )


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
