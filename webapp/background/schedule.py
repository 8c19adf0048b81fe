"""Scheduled quick syncs: one thread that sleeps until the next one is due."""

import logging
import threading
from datetime import UTC, datetime

from webapp import store
from webapp.background.syncs import Syncs
from webapp.background.troubles import log_failure
from webapp.database.models import Schedule
from webapp.database.states import RunKind, ScheduleKind
from webapp.errors import FlowshelfError
from webapp.store import runs
from webapp.store.runs import schedules

log = logging.getLogger(__name__)

# The longest sleep: the due time must be computed again after the computer slept or its clock was set.
MAX_SLEEP_SECONDS = 60.0


class Scheduler:
    """Starts the syncs that are due.

    Whether an hourly sync is due follows from the rows (its hours and the end of the last sync), so a restart
    changes nothing. `_due_at_start` holds the profiles that are still to be synced once because of this
    start.
    """

    def __init__(self, syncs: Syncs, stopping: threading.Event) -> None:
        self._syncs = syncs
        self._stopping = stopping
        self._woken = threading.Event()
        self._due_at_start: set[str] = set()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        at_start = schedules.list_schedules(ScheduleKind.AT_START)
        self._due_at_start = {schedule.profile_id for schedule in at_start}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Compute again what is due: a schedule was changed, or the program stops."""
        self._woken.set()

    def stop(self, timeout_seconds: float) -> None:
        """Wait for the thread; `stopping` must be set."""
        self.wake()
        if self._thread:
            self._thread.join(timeout_seconds)

    def start_due(self, moment: datetime) -> float | None:
        """Start what is due at `moment`. Returns the seconds to sleep.

        Returns None when there is no schedule: sleep until woken.

        A profile with an open sync run is not synced a second time, nor one whose cookies must be
        replaced.
        """
        for schedule in schedules.list_schedules(ScheduleKind.AT_START):
            self._start_once(schedule)
        hourly = schedules.list_schedules(ScheduleKind.HOURLY)
        sleeps = [self._start_if_due(schedule, moment) for schedule in hourly]
        if self._due_at_start:
            sleeps.append(MAX_SLEEP_SECONDS)
        return min(sleeps, default=None)

    def _start_if_due(self, schedule: Schedule, moment: datetime) -> float:
        due = schedules.next_due(schedule, moment)
        if due is None or schedules.is_held(schedule):
            return MAX_SLEEP_SECONDS
        if due > moment:
            return min((due - moment).total_seconds(), MAX_SLEEP_SECONDS)
        self._start_sync(schedule)
        return MAX_SLEEP_SECONDS

    def _start_once(self, schedule: Schedule) -> None:
        if schedule.profile_id not in self._due_at_start or schedules.is_held(schedule):
            return
        self._due_at_start.discard(schedule.profile_id)
        if not runs.find_open_run(schedule.profile_id, RunKind.SYNC):
            self._start_sync(schedule)

    def _start_sync(self, schedule: Schedule) -> None:
        try:
            self._syncs.start(schedule.profile_id, is_scheduled=True, downloads_new=schedule.downloads_new)
        except (
            FlowshelfError
        ) as error:  # since the check the profile was removed, or a sync was started by hand
            log.info("scheduled sync of %s was not started: %s", schedule.profile_id, error)

    def _run(self) -> None:
        while not self._stopping.is_set():
            # Cleared before the check: a schedule that is changed during the check wakes the thread again.
            self._woken.clear()
            self._woken.wait(self._start_due_now())

    def _start_due_now(self) -> float | None:
        try:
            with store.connection():
                return self.start_due(datetime.now(UTC))
        except Exception as error:
            log_failure("the schedules could not be read; trying again in a minute", error)
            return MAX_SLEEP_SECONDS
