"""The profiles that somebody may know of: those with an image that they may see."""

from webapp.database.models import Profile
from webapp.errors import UnknownProfile
from webapp.store.gallery.filters import Filter, matching
from webapp.store.gallery.scope import Scope, WholeShelf
from webapp.store.profiles import get_profile, list_profiles


def list_profiles_within(scope: Scope) -> list[Profile]:
    return [profile for profile in list_profiles() if _is_visible(profile, scope)]


def get_profile_within(profile_id: str, scope: Scope) -> Profile:
    """Raises UnknownProfile, also if none of its images may be seen."""
    profile = get_profile(profile_id)
    if not _is_visible(profile, scope):
        raise UnknownProfile("There is no such profile.")
    return profile


def _is_visible(profile: Profile, scope: Scope) -> bool:
    if isinstance(scope, WholeShelf):
        return True
    return bool(matching(Filter(profile_id=profile.id, scope=scope)).limit(1).exists())
