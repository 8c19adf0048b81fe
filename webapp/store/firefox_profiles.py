"""Profiles that sign in with a Firefox on this machine."""

from pathlib import Path

from webapp.database.models import Pairing, Profile, Run, Secret
from webapp.database.states import CookieRenewal, Health, RunState, Way
from webapp.store import transaction
from webapp.store.profiles import get_profile


def use_firefox(profile_id: str, folder: Path, container: int | None, account_index: int | None) -> None:
    """Let a profile read this Firefox from now on.

    Deletes the cookies that were stored for it, and the pairing of the browser that carried its calls.
    """
    with transaction():
        get_profile(profile_id)
        Secret.delete().where(Secret.profile == profile_id).execute()
        Pairing.delete().where(Pairing.profile == profile_id).execute()
        Profile.update(
            way=Way.FIREFOX,
            account_index=account_index,
            firefox_folder=str(folder),
            firefox_container=container,
            cookie_names="",
            cookies_expire_at=None,
            cookies_set_at=None,
            renewal=CookieRenewal.OFF,
            renewed_at=None,
            renewal_due_at=None,
            renewal_problem=None,
        ).where(Profile.id == profile_id).execute()


def has_firefox() -> bool:
    """Whether any profile reads a Firefox."""
    return Profile.select().where(Profile.way == Way.FIREFOX).exists()


def list_waiting() -> list[Profile]:
    """Profiles that read a Firefox and wait for its sign-in, themselves or with a run."""
    waiting = Run.select(Run.profile).where(Run.state == RunState.WAITING)
    is_waiting = (Profile.health == Health.WAITING_FOR_COOKIES) | Profile.id.in_(waiting)
    return list(Profile.select().where(Profile.way == Way.FIREFOX, is_waiting))


def is_read(profile: Profile | None, folder: Path, container: int | None) -> bool:
    """Whether a profile reads this Firefox already."""
    if profile is None or profile.way != Way.FIREFOX:
        return False
    return (profile.firefox_folder, profile.firefox_container) == (str(folder), container)
