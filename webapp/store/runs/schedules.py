"""When profiles are synced automatically, and when the next sync is due."""

from datetime import datetime, timedelta

from peewee import fn

from webapp.database.models import Profile, Run, Schedule
from webapp.database.states import Health, RunKind, ScheduleKind
from webapp.errors import BadRequest
from webapp.store.profiles import get_profile
from webapp.store.runs import find_open_run
from webapp.times import parsed, timestamp

MAX_HOURS = 24 * 31
# In these states no sync can succeed before a person did something.
_STUCK = (Health.WAITING_FOR_COOKIES, Health.MOVED)


def get_schedule(profile_id: str) -> Schedule:
    """The schedule of a profile; OFF when none was set."""
    return Schedule.get_or_none(Schedule.profile == profile_id) or Schedule(profile=profile_id)


def list_schedules(kind: ScheduleKind) -> list[Schedule]:
    """The schedules of a kind, each with its profile."""
    return list(Schedule.select(Schedule, Profile).join(Profile).where(Schedule.kind == kind))


def set_schedule(profile_id: str, kind: ScheduleKind, *, hours: int, downloads_new: bool) -> None:
    """Raises BadRequest unless `hours` is between 1 and MAX_HOURS."""
    if not 1 <= hours <= MAX_HOURS:
        raise BadRequest(f"Choose between 1 and {MAX_HOURS} hours.")
    fields = {"kind": kind, "hours": hours, "downloads_new": downloads_new}
    Schedule.insert(profile=get_profile(profile_id).id, **fields).on_conflict(
        conflict_target=[Schedule.profile], update=fields
    ).execute()


def next_due(schedule: Schedule, moment: datetime) -> datetime | None:
    """When the next sync is due; None when the schedule is not hourly or a sync is open.

    It is due `schedule.hours` after the last sync of the profile ended, whoever started that and however it
    ended; `moment` (the present) when there was none.
    """
    if schedule.kind != ScheduleKind.HOURLY or find_open_run(schedule.profile_id, RunKind.SYNC):
        return None
    # An end in the future was recorded before the clock was set back; it says nothing about the present.
    ended = Run.select(fn.MAX(Run.finished_at)).where(
        Run.profile == schedule.profile_id, Run.kind == RunKind.SYNC, Run.finished_at <= timestamp(moment)
    )
    last = ended.scalar()
    hours = min(max(schedule.hours, 1), MAX_HOURS)
    return parsed(last) + timedelta(hours=hours) if last else moment


def is_held(schedule: Schedule) -> bool:
    """Whether automatic syncs wait until a person pasted new cookies or moved the account."""
    return schedule.profile.health in _STUCK
