"""Takes the parts that the script of a hand-over saved, in any order and number."""

from collections.abc import Callable
from dataclasses import dataclass

from webapp.database.models import Profile, Run
from webapp.errors import OtherAccount
from webapp.sources.flow_google import PROJECTS
from webapp.sources.flow_google.handover import read_part
from webapp.store import handover
from webapp.store.profile_names import owner_name
from webapp.store.profiles import find_profile_of, get_profile


@dataclass(frozen=True, slots=True)
class Taken:
    """What a part brought. `unread_count` counts projects of it that could not be read."""

    profile: Profile
    run: Run
    project_count: int
    unread_count: int


class Handover:
    """`add_profile` adds one for an account by its e-mail."""

    def __init__(self, picture_hosts: frozenset[str], add_profile: Callable[[str], Profile]) -> None:
        self._hosts = picture_hosts
        self._add_profile = add_profile

    def take(self, content: bytes, profile_id: str | None = None, *, takes_other: bool = False) -> Taken:
        """Store a part for a profile, or for that of its account, which is added if there is none.

        Raises BadRequest; Busy during a sync; OtherAccount, unless `takes_other`, when the part is of another
        account than the profile, or does not say of which.
        """
        part = read_part(content, self._hosts)
        profile = get_profile(profile_id) if profile_id else find_profile_of(part.email)
        if profile is None and not part.email:
            raise OtherAccount("This part does not say whose it is. Choose a profile for it.")
        profile = profile or self._add_profile(part.email)
        if part.email.lower() != (profile.account_email or part.email).lower() and not takes_other:
            whose = part.email or "an account that it does not name"
            raise OtherAccount(
                f"This part is of {whose}, and “{owner_name(profile)}” of {profile.account_email}. It was "
                "not imported. Confirm that it is to go there all the same."
            )
        run = handover.save_pages(profile.id, PROJECTS, part.pages)
        return Taken(profile, run, len(part.pages), part.unread_count)
