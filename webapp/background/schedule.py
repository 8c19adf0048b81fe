"""Quick syncs that begin by themselves: one thread that sleeps until the next one is due."""

import logging
import threading
from datetime import UTC, datetime

from webapp import store
from webapp.background.syncs import Syncs
from webapp.database.models import Schedule
from webapp.database.states import RunKind, ScheduleKind
from webapp.errors import FlowshelfError
from webapp.store import runs
from webapp.store.runs import schedules

log = logging.getLogger(__name__)

# A laptop that slept, or a clock that was set, is noticed after so long at the latest.
MAX_NAP_SECONDS = 60.0


class Scheduler:
    """What is due lies in the rows (the end of the last sync and the hours), so a restart changes nothing;
    only the syncs owed to this start are remembered here."""

    def __init__(self, syncs: Syncs, stopping: threading.Event) -> None:
        self._syncs = syncs
        self._stopping = stopping
        self._changed = threading.Event()
        self._due: set[str] = set()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._due = {schedule.profile_id for schedule in schedules.list_schedules(ScheduleKind.AT_START)}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Look again at what is due: a schedule was changed, or the program stops."""
        self._changed.set()

    def stop(self, timeout_seconds: float) -> None:
        self.wake()
        if self._thread:
            self._thread.join(timeout_seconds)

    def begin_due(self, moment: datetime) -> float | None:
        """Begin what is due at `moment`; the seconds until it is time to look again, None: no schedule.

        Never beside a sync that is open, and not while the profile waits for its person.
        """
        for schedule in schedules.list_schedules(ScheduleKind.AT_START):
            self._begin_due(schedule)
        hourly = schedules.list_schedules(ScheduleKind.HOURLY)
        naps = [self._begin_if_due(schedule, moment) for schedule in hourly]
        if self._due:
            naps.append(MAX_NAP_SECONDS)
        return min(naps, default=None)

    def _begin_if_due(self, schedule: Schedule, moment: datetime) -> float:
        due = schedules.next_due(schedule, moment)
        if due is None or schedules.is_held(schedule):
            return MAX_NAP_SECONDS
        if due > moment:
            return min((due - moment).total_seconds(), MAX_NAP_SECONDS)
        self._begin(schedule)
        return MAX_NAP_SECONDS

    def _begin_due(self, schedule: Schedule) -> None:
        if schedule.profile_id not in self._due or schedules.is_held(schedule):
            return
        self._due.discard(schedule.profile_id)
        if not runs.find_open_run(schedule.profile_id, RunKind.SYNC):
            self._begin(schedule)

    def _begin(self, schedule: Schedule) -> None:
        try:
            self._syncs.start(schedule.profile_id, is_scheduled=True, downloads_new=schedule.downloads_new)
        except FlowshelfError as error:  # removed in this moment, or a person was quicker
            log.info("The scheduled sync of %s did not begin: %s", schedule.profile_id, error)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._changed.clear()
            self._changed.wait(self._look())

    def _look(self) -> float | None:
        try:
            with store.connection():
                return self.begin_due(datetime.now(UTC))
        except Exception:
            log.exception("The schedule could not be looked at; trying again in a minute")
            return MAX_NAP_SECONDS
