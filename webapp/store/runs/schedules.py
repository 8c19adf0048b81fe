"""When profiles are synced without being asked, and when that is next due."""

from datetime import datetime, timedelta

from peewee import fn

from webapp.database.models import Profile, Run, Schedule
from webapp.database.states import Health, RunKind, ScheduleKind
from webapp.errors import BadRequest
from webapp.store.profiles import get_profile
from webapp.store.runs import find_open_run
from webapp.times import parsed, timestamp

MAX_HOURS = 24 * 31
# No sync of these can succeed before a person did something.
_STUCK = (Health.WAITING_FOR_COOKIES, Health.MOVED)


def get_schedule(profile_id: str) -> Schedule:
    """The schedule of a profile; one that is off when nobody set any."""
    return Schedule.get_or_none(Schedule.profile == profile_id) or Schedule(profile=profile_id)


def list_schedules(kind: ScheduleKind) -> list[Schedule]:
    """The schedules of that kind, each with its profile."""
    return list(Schedule.select(Schedule, Profile).join(Profile).where(Schedule.kind == kind))


def set_schedule(profile_id: str, kind: ScheduleKind, *, hours: int, downloads_new: bool) -> None:
    """Raises BadRequest for a number of hours that makes no sense."""
    if not 1 <= hours <= MAX_HOURS:
        raise BadRequest(f"Choose between 1 and {MAX_HOURS} hours.")
    fields = {"kind": kind, "hours": hours, "downloads_new": downloads_new}
    Schedule.insert(profile=get_profile(profile_id).id, **fields).on_conflict(
        conflict_target=[Schedule.profile], update=fields
    ).execute()


def next_due(schedule: Schedule, moment: datetime) -> datetime | None:
    """When the next run is due: so many hours after the last sync of the profile ended, however that was
    begun and however it ended; at once when there was none. None: not by the clock, or one is open."""
    if schedule.kind != ScheduleKind.HOURLY or find_open_run(schedule.profile_id, RunKind.SYNC):
        return None
    # An end that lies ahead is from before the clock was set back, and says nothing about now.
    ended = Run.select(fn.MAX(Run.finished_at)).where(
        Run.profile == schedule.profile_id, Run.kind == RunKind.SYNC, Run.finished_at <= timestamp(moment)
    )
    last = ended.scalar()
    return parsed(last) + timedelta(hours=schedule.hours) if last else moment


def is_held(schedule: Schedule) -> bool:
    """Whether the profile waits for its person: new cookies, or a move that they have to see to."""
    return schedule.profile.health in _STUCK
