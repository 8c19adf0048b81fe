"""Profiles that sign in with a Firefox on this machine."""

from pathlib import Path

from webapp.database.models import Profile, Run, Secret
from webapp.database.states import Health, RunState, Way
from webapp.store import transaction
from webapp.store.profiles import get_profile


def use_firefox(profile_id: str, folder: Path, container: int | None) -> None:
    """Let a profile read this Firefox from now on, and delete the cookies that were stored for it."""
    with transaction():
        get_profile(profile_id)
        Secret.delete().where(Secret.profile == profile_id).execute()
        Profile.update(
            way=Way.FIREFOX,
            firefox_folder=str(folder),
            firefox_container=container,
            cookie_names="",
            cookies_expire_at=None,
        ).where(Profile.id == profile_id).execute()


def has_firefox() -> bool:
    """Whether any profile reads a Firefox."""
    return Profile.select().where(Profile.way == Way.FIREFOX).exists()


def list_waiting() -> list[Profile]:
    """Profiles that read a Firefox and wait for its sign-in, themselves or with a run."""
    waiting = Run.select(Run.profile).where(Run.state == RunState.WAITING)
    is_waiting = (Profile.health == Health.WAITING_FOR_COOKIES) | Profile.id.in_(waiting)
    return list(Profile.select().where(Profile.way == Way.FIREFOX, is_waiting))


def find_reader(folder: Path, container: int | None) -> Profile | None:
    """The profile that reads this Firefox already."""
    return Profile.get_or_none(
        Profile.way == Way.FIREFOX,
        Profile.firefox_folder == str(folder),
        Profile.firefox_container.is_null() if container is None else Profile.firefox_container == container,
    )
