"""Pasted cookies that are kept alive: which are due, what became of them, and why a session has ended.

A renewal is claimed before it is requested, and stored only if no other cookies were pasted meanwhile. Google
accepts the old cookies until the new ones are used, so a process that is killed in between loses nothing.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from webapp.database.models import Profile, Run, Schedule
from webapp.database.states import CookieRenewal, Health, RunState, ScheduleKind, Way
from webapp.errors import BadRequest
from webapp.sources.cookies import FLOW_HOST
from webapp.store import transaction
from webapp.store.profiles import (
    cooldown_seconds,
    find_user_agent,
    get_cookies,
    get_profile,
    health_of,
    merge_cookies,
)
from webapp.times import parsed, timestamp

INTERVAL = timedelta(minutes=10)
RETRY_PAUSE = timedelta(minutes=1)
# A later due time was stored before the clock was set back: no pause is longer than that of a Retry-After.
_MAX_PAUSE = timedelta(hours=1)
# Copies of sessions that are bound to a device end after 20 minutes to about 8 hours.
SHORT_LIFE = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to renew a profile's cookies once. `pasted_at` identifies the paste that they come from."""

    profile_id: str
    pasted_at: str | None
    cookies: dict[str, str] = field(repr=False)
    user_agent: str | None = field(repr=False)
    claimed_at: datetime


class SessionEnd(StrEnum):
    """Why a session has probably ended a few hours after it was pasted.

    BOUND: it is bound to the device of its browser, because to renew it did not help. UNRENEWED: it was not
    renewed. EITHER: one of these two. SHARED: it was renewed and is not bound, so somebody signed out, or the
    browser or another program used it too.
    """

    BOUND = "bound"
    UNRENEWED = "unrenewed"
    EITHER = "either"
    SHARED = "shared"


def can_be_renewed(profile: Profile) -> bool:
    """Whether a profile has cookies that Google may renew: pasted ones of flow.google.com."""
    return profile.way == Way.PASTE and profile.service == FLOW_HOST and bool(profile.cookie_names)


def switch_renewal(profile_id: str, *, is_on: bool) -> None:
    """Switch the renewal of a profile's cookies on or off. Raises BadRequest where there are none to renew.

    Once Google has refused to renew the cookies of a paste, these are not tried again.
    """
    with transaction():
        profile = get_profile(profile_id)
        if is_on and not can_be_renewed(profile):
            raise BadRequest("Only pasted cookies of flow.google.com can be kept alive.")
        was_refused = profile.renewal == CookieRenewal.REFUSED or (
            profile.renewal == CookieRenewal.OFF and profile.renewal_problem is not None
        )
        renewal = CookieRenewal.OFF
        if is_on:
            renewal = CookieRenewal.REFUSED if was_refused else CookieRenewal.ON
        problem = profile.renewal_problem if was_refused else None
        Profile.update(renewal=renewal, renewal_problem=problem).where(Profile.id == profile_id).execute()


def list_renewed() -> list[Profile]:
    """The profiles whose cookies are kept alive while there is work for them."""
    return list(Profile.select().where(Profile.renewal == CookieRenewal.ON, Profile.way == Way.PASTE))


def claim_renewal(profile_id: str, moment: datetime) -> Claim | None:
    """Take the right to renew a profile's cookies now; None when that is not due or another thread has it.

    Whatever happens to the request, the next one is made a minute later at the earliest, by any process.
    """
    with transaction():
        profile = Profile.get_or_none(Profile.id == profile_id)
        cookies = get_cookies(profile_id)  # none after the restore of a backup without them
        if profile is None or not cookies or not _is_due(profile, moment):
            return None
        _set_due(profile_id, moment + RETRY_PAUSE)
        return Claim(profile_id, profile.cookies_set_at, cookies, find_user_agent(profile_id), moment)


def finish_renewal(claim: Claim, renewed: dict[str, str]) -> None:
    """Store renewed cookies, unless others were pasted since the claim.

    Cookies that Flow has renewed meanwhile are kept: only those of the same name are replaced.
    """
    with transaction():
        if _is_current(claim):
            merge_cookies(claim.profile_id, renewed)
            _set_due(claim.profile_id, claim.claimed_at + INTERVAL)
            _note(claim, renewed_at=timestamp(claim.claimed_at), renewal_problem=None)


def refuse_renewal(claim: Claim, reason: str, renewed: dict[str, str]) -> None:
    """Record that Google does not renew the cookies of this paste, and store what it sent all the same."""
    with transaction():
        if _is_current(claim):
            merge_cookies(claim.profile_id, renewed)
            _note(claim, renewal_problem=reason)
            Profile.update(renewal=CookieRenewal.REFUSED).where(
                Profile.id == claim.profile_id, Profile.renewal == CookieRenewal.ON
            ).execute()


def defer_renewal(claim: Claim, reason: str, pause_seconds: float | None) -> None:
    """Record that Google could not be asked, or asked for a pause. The cookies are tried again."""
    with transaction():
        if _is_current(claim) and get_profile(claim.profile_id).renewal == CookieRenewal.ON:
            pause = max(RETRY_PAUSE, timedelta(seconds=pause_seconds or 0))
            _set_due(claim.profile_id, claim.claimed_at + pause)
            _note(claim, renewal_problem=reason)


def find_session_end(profile: Profile) -> SessionEnd | None:
    """Why the session of a profile has probably ended; None unless it ended within hours after the paste."""
    if health_of(profile) != Health.WAITING_FOR_COOKIES or not can_be_renewed(profile):
        return None
    lifetime = session_lifetime(profile)
    if lifetime is None or lifetime > SHORT_LIFE:
        return None
    was_renewed = profile.renewed_at is not None or profile.renewal == CookieRenewal.REFUSED
    # Firefox binds no session to a device. Of other browsers the user agent does not say whether they do.
    if re.search(r"\bFirefox/", find_user_agent(profile.id) or ""):
        return SessionEnd.SHARED if was_renewed else SessionEnd.UNRENEWED
    return SessionEnd.BOUND if was_renewed else SessionEnd.EITHER


def session_lifetime(profile: Profile) -> timedelta | None:
    """How long the pasted cookies worked; None when that is not known."""
    if profile.cookies_set_at is None or profile.signed_out_at is None:
        return None
    lifetime = parsed(profile.signed_out_at) - parsed(profile.cookies_set_at)
    return lifetime if lifetime >= timedelta() else None


def _is_due(profile: Profile, moment: datetime) -> bool:
    is_on = profile.renewal == CookieRenewal.ON and can_be_renewed(profile)
    if not is_on or profile.is_unchecked or cooldown_seconds(profile) or _was_in_vain(profile):
        return False
    due = parsed(profile.renewal_due_at) if profile.renewal_due_at else moment
    return not moment < due <= moment + _MAX_PAUSE and _is_needed(profile.id)


def _was_in_vain(profile: Profile) -> bool:
    """Whether cookies that did not sign in any more were renewed since, and still do not sign in.

    A session may come back to life, for example after the computer slept. So cookies that Flow refuses are
    renewed once more, but not every ten minutes until somebody pastes others.
    """
    is_dead = profile.health == Health.WAITING_FOR_COOKIES
    renewed, signed_out = profile.renewed_at, profile.signed_out_at
    return is_dead and renewed is not None and signed_out is not None and renewed >= signed_out


def _is_needed(profile_id: str) -> bool:
    """Whether there is work for the cookies: an open run that is not paused, or a schedule."""
    is_open = Run.state.in_((RunState.RUNNING, RunState.WAITING))
    has_schedule = Schedule.select().where(Schedule.profile == profile_id, Schedule.kind != ScheduleKind.OFF)
    return Run.select().where(Run.profile == profile_id, is_open).exists() or has_schedule.exists()


def _is_current(claim: Claim) -> bool:
    """Whether the profile still has the cookies of the paste that the claim is about."""
    profile = Profile.get_or_none(Profile.id == claim.profile_id)
    if profile is None or profile.way != Way.PASTE or profile.cookies_set_at != claim.pasted_at:
        return False
    return bool(get_cookies(claim.profile_id))


def _set_due(profile_id: str, moment: datetime) -> None:
    Profile.update(renewal_due_at=timestamp(moment)).where(Profile.id == profile_id).execute()


def _note(claim: Claim, **columns: str | None) -> None:
    Profile.update(**columns).where(Profile.id == claim.profile_id).execute()
