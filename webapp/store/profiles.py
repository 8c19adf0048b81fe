"""Who is on the shelf: profiles, their secrets and what was last known of their health."""

import json
import secrets

from peewee import IntegrityError, fn

from webapp.errors import AccountExists, BadRequest, OtherAccount, UnknownProfile
from webapp.models import Gap, History, Image, Profile, Run, Secret, db
from webapp.sources import Account
from webapp.states import Health, RunKind, RunState
from webapp.store import transaction
from webapp.times import now

COOKIES, KEY = "cookies", "flow_next_key"
HEAD_REASON = "not walked yet"


def list_profiles() -> list[Profile]:
    return list(Profile.select().order_by(fn.LOWER(Profile.name), Profile.created_at))


def list_profiles_downloading() -> list[Profile]:
    """Profiles with a download run that still has something to do."""
    is_open = Run.state.in_((RunState.RUNNING, RunState.WAITING, RunState.PAUSED))
    downloading = Run.select(Run.profile).where(Run.kind == RunKind.DOWNLOAD, is_open)
    return list(Profile.select().where(Profile.id.in_(downloading)).order_by(fn.LOWER(Profile.name)))


def get_profile(profile_id: str) -> Profile:
    if profile := Profile.get_or_none(Profile.id == profile_id):
        return profile
    raise UnknownProfile("There is no such profile on this shelf.")


def find_profile(id_or_name: str) -> Profile:
    """The profile of that id, or of that name when only one has it."""
    if profile := Profile.get_or_none(Profile.id == id_or_name):
        return profile
    named = list(Profile.select().where(fn.LOWER(Profile.name) == id_or_name.lower()))
    if len(named) == 1:
        return named[0]
    if named:
        ids = ", ".join(profile.id for profile in named)
        raise UnknownProfile(f"Several profiles are called “{id_or_name}”. Say which by its id: {ids}.")
    names = ", ".join(f"“{profile.name}”" for profile in list_profiles()) or "none yet"
    raise UnknownProfile(f"There is no profile “{id_or_name}”. Profiles on this shelf: {names}.")


def add_profile(name: str, histories: tuple[str, ...]) -> Profile:
    """A new profile without cookies; each of its histories is one gap, the head."""
    name = _tidy_name(name)
    with transaction():
        profile = Profile.create(id=f"profile_{secrets.token_hex(6)}", name=name, created_at=now())
        for history in histories:
            make_history(profile.id, history)
    return profile


def rename_profile(profile_id: str, name: str) -> None:
    Profile.update(name=_tidy_name(name)).where(Profile.id == get_profile(profile_id).id).execute()


def _tidy_name(name: str) -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= 80:
        raise BadRequest("Give the profile a name of 1 to 80 characters.")
    return name


def note_service(profile_id: str, service: str, histories: tuple[str, ...]) -> None:
    """Where the profile's cookies sign in, and which histories it has there. Those of another service are
    noted as not offered; their gaps stay, should the account come back."""
    with transaction():
        is_other = get_profile(profile_id).service != service
        Profile.update(service=service).where(Profile.id == profile_id).execute()
        for history in histories:
            make_history(profile_id, history)
        of_profile, is_here = History.profile == profile_id, History.name.in_(histories)
        if is_other:
            History.update(refused_at=None).where(of_profile, is_here).execute()
        is_open = History.refused_at.is_null()
        History.update(refused_at=now()).where(of_profile, ~is_here, is_open).execute()


def make_history(profile_id: str, history: str) -> None:
    """Note that a profile has such a history; a history that is new to us is one gap, the head."""
    is_new = History.insert(profile=profile_id, name=history).on_conflict_ignore().as_rowcount().execute()
    if is_new:
        Gap.insert(
            profile=profile_id, history=history, cursor="", reason=HEAD_REASON, opened_at=now()
        ).on_conflict_ignore().execute()


def remove_profile(profile_id: str) -> list[str]:
    """Forget a profile, its secrets and its rows; returns the paths of its files, which stay."""
    with transaction():
        get_profile(profile_id)
        of_profile = Image.profile_id == profile_id
        rows = Image.select(Image.local_path).where(of_profile, Image.local_path.is_null(False)).tuples()
        paths = [path for (path,) in rows]
        Image.delete().where(of_profile).execute()
        Profile.delete().where(Profile.id == profile_id).execute()
    return paths


# Secrets


def get_cookies(profile_id: str) -> dict[str, str]:
    text = _secret(profile_id, COOKIES)
    return json.loads(text) if text else {}


def set_cookies(profile_id: str, cookies: dict[str, str], expire_at: str | None) -> None:
    """Keep pasted cookies in place of what was kept."""
    with transaction():
        get_profile(profile_id)
        _keep_secret(profile_id, COOKIES, json.dumps(cookies))
        Profile.update(cookie_names=", ".join(sorted(cookies)), cookies_expire_at=expire_at).where(
            Profile.id == profile_id
        ).execute()


def renew_cookies(
    profile_id: str, sent: dict[str, str], renewed: dict[str, str], expire_at: str | None
) -> None:
    """Keep what the service sent in place of `sent`, unless a person pasted others meanwhile."""
    with transaction():
        if get_cookies(profile_id) == sent:
            _keep_secret(profile_id, COOKIES, json.dumps(renewed))
            said = {"cookies_expire_at": expire_at} if expire_at else {}
            Profile.update(cookie_names=", ".join(sorted(renewed)), **said).where(
                Profile.id == profile_id
            ).execute()


def get_key(profile_id: str) -> str | None:
    return _secret(profile_id, KEY)


def keep_key(profile_id: str, key: str) -> None:
    with transaction():
        _keep_secret(profile_id, KEY, key)


def _secret(profile_id: str, name: str) -> str | None:
    # As text: asked with each page of a history, and peewee takes longer to write it than SQLite to answer.
    asked = "SELECT value FROM secret WHERE profile_id = ? AND name = ?"
    row = db.execute_sql(asked, (profile_id, name)).fetchone()
    return row and row[0]


def _keep_secret(profile_id: str, name: str, value: str) -> None:
    Secret.insert(profile=profile_id, name=name, value=value).on_conflict(
        conflict_target=[Secret.profile, Secret.name], preserve=[Secret.value]
    ).execute()


# Health


def check_account(profile_id: str | None, account: Account) -> None:
    """One profile per account: raises OtherAccount or AccountExists when `account` does not fit.

    `profile_id` None asks for a profile that is still to be made.
    """
    profile = profile_id and get_profile(profile_id)
    if profile and profile.account_email and profile.account_email.lower() != account.email.lower():
        raise OtherAccount(
            f"These cookies sign in {account.email}, but the profile “{profile.name}” belongs to "
            f"{profile.account_email}. The old cookies were kept. Add a profile of its own for "
            f"{account.email}, or copy the cookies again while signed in as {profile.account_email}."
        )
    other = Profile.get_or_none(fn.LOWER(Profile.account_email) == account.email.lower())
    if other and other.id != profile_id:
        raise AccountExists(
            f"The account {account.email} is on the shelf already, as the profile “{other.name}”. "
            "Replace the cookies there instead."
        )


def note_account(profile_id: str, account: Account) -> None:
    """A check succeeded: the cookies sign in `account`."""
    with transaction():
        check_account(profile_id, account)
        try:
            Profile.update(
                account_email=account.email,
                account_name=account.name,
                checked_at=now(),
                health=Health.WELL,
                health_reason=None,
            ).where(Profile.id == profile_id).execute()
        except IntegrityError as error:
            raise AccountExists(f"The account {account.email} is on the shelf already.") from error


def note_health(profile_id: str, health: Health, reason: str | None = None) -> None:
    Profile.update(health=health, health_reason=reason).where(Profile.id == profile_id).execute()
