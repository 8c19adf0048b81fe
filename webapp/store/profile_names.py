"""How a profile is called.

Its name may be empty: then the owner sees the e-mail of its account. Guests must not see that, so they see a
number.
"""

from webapp.database.models import Profile


def owner_name(profile: Profile) -> str:
    """The given name, else the e-mail of the account, else a number."""
    return profile.name or profile.account_email or _number(profile)


def guest_name(profile: Profile) -> str:
    """The given name, else a number."""
    return profile.name or _number(profile)


def public_name(profile: Profile) -> str:
    """The given name, else a number; also a number if the name may be an e-mail or a path. For what leaves
    this machine."""
    return profile.name if profile.name and not set("@/\\") & set(profile.name) else _number(profile)


def _number(profile: Profile) -> str:
    """Its place among all profiles, the oldest first."""
    older = Profile.select().where(
        (Profile.created_at < profile.created_at)
        | ((Profile.created_at == profile.created_at) & (Profile.id < profile.id))
    )
    return f"Shelf {older.count() + 1}"
