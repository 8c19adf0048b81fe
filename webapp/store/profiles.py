"""Who is on the shelf: profiles, their secrets and what was last known of their health."""

import json
import secrets
from datetime import UTC, datetime, timedelta

from peewee import IntegrityError, fn

from webapp.database.models import Gap, History, Image, Profile, Project, Run, Secret, db
from webapp.database.states import Health, RunKind, RunState
from webapp.errors import AccountExists, BadRequest, OtherAccount, UnknownProfile
from webapp.sources import Account
from webapp.store import transaction
from webapp.times import now, parsed, timestamp

COOKIES, USER_AGENT, KEY = "cookies", "user_agent", "flow_next_key"
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


def set_cookies(
    profile_id: str, cookies: dict[str, str], expire_at: str | None, user_agent: str | None = None
) -> None:
    """Keep pasted cookies, and the user agent of their browser, in place of what was kept."""
    with transaction():
        get_profile(profile_id)
        _keep_secret(profile_id, COOKIES, json.dumps(cookies))
        Secret.delete().where(Secret.profile == profile_id, Secret.name == USER_AGENT).execute()
        if user_agent:
            _keep_secret(profile_id, USER_AGENT, user_agent)
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


def get_user_agent(profile_id: str) -> str | None:
    return _secret(profile_id, USER_AGENT)


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


def check_account(profile_id: str | None, account: Account, *, is_confirmed: bool = False) -> None:
    """One profile per account: raises OtherAccount or AccountExists when `account` does not fit.

    `profile_id` None asks for a profile that is still to be made. E-mail and number are compared as far as
    both sides have them; where neither can be, projects that the account lists tell. `is_confirmed`: a
    person says that it is this profile's account, which counts where nothing else tells.
    """
    profile = profile_id and get_profile(profile_id)
    if profile and _is_same(profile, account) is False:
        owner = profile.account_email or "another account"
        raise OtherAccount(
            f"These cookies sign in {_named(account)}, but the profile “{profile.name}” belongs to {owner}. "
            f"Add a profile of its own for {_named(account)}, or copy the cookies again while signed in as "
            f"{profile.account_email or 'the account of this profile'}."
        )
    others = (other for other in list_profiles() if other.id != profile_id and _is_same(other, account))
    if other := next(others, None):
        raise AccountExists(
            f"The account {_named(account)} is on the shelf already, as the profile “{other.name}”. "
            "Replace the cookies there instead."
        )
    if profile and not is_confirmed and _is_same(profile, account) is None and not _is_blank(profile):
        raise OtherAccount(
            f"Flow does not say whose cookies these are, and none of their projects is on the shelf of "
            f"“{profile.name}”. If they are of the same account, paste them again "
            "and tick “These are the same account”."
        )


def _is_same(profile: Profile, account: Account) -> bool | None:
    """Whether an account is that of a profile; None when that cannot be told."""
    pairs = [(profile.account_email, account.email), (profile.account_key, account.key)]
    known = [one.lower() == other.lower() for one, other in pairs if one and other]
    if known:
        return any(known)
    shared = Project.select().where(
        Project.profile == profile.id, Project.remote_id.in_(list(account.project_ids))
    )
    return True if account.project_ids and shared.exists() else None


def _is_blank(profile: Profile) -> bool:
    """Whether nothing is known of a profile's account, nor kept for it: then any account fits."""
    has_account = profile.account_email or profile.account_key
    return not has_account and not Image.select().where(Image.profile_id == profile.id).exists()


def _named(account: Account) -> str:
    return account.email or "an account that does not tell its e-mail"


def note_account(profile_id: str, account: Account, *, is_confirmed: bool = False) -> None:
    """A check succeeded: the cookies sign in `account`. E-mail and number are kept once they were told."""
    told = {"account_email": account.email, "account_key": account.key, "account_name": account.name}
    with transaction():
        check_account(profile_id, account, is_confirmed=is_confirmed)
        try:
            Profile.update(
                checked_at=now(),
                health=Health.WELL,
                health_reason=None,
                is_unchecked=False,
                **{name: value for name, value in told.items() if value},
            ).where(Profile.id == profile_id).execute()
        except IntegrityError as error:
            raise AccountExists(f"The account {_named(account)} is on the shelf already.") from error


def note_health(profile_id: str, health: Health, reason: str | None = None) -> None:
    Profile.update(health=health, health_reason=reason).where(Profile.id == profile_id).execute()


def note_unchecked(profile_id: str, reason: str) -> None:
    """Nobody could say whose the cookies are: they are checked before anything is stored with them."""
    changes = {"health": Health.UNCHECKED, "health_reason": reason, "is_unchecked": True}
    Profile.update(**changes).where(Profile.id == profile_id).execute()


def note_cooldown(profile_id: str, seconds: float | None, reason: str | None) -> None:
    """The service wants a rest of so long; None: it answered again."""
    if seconds:
        until = timestamp(datetime.now(UTC) + timedelta(seconds=seconds))
        changes = {"health": Health.UNUSUAL_ACTIVITY, "health_reason": reason, "cooldown_until": until}
        Profile.update(**changes).where(Profile.id == profile_id).execute()
    else:
        of_profile = Profile.id == profile_id
        is_noted = of_profile & (Profile.health == Health.UNUSUAL_ACTIVITY)
        Profile.update(health=Health.WELL, health_reason=None).where(is_noted).execute()
        Profile.update(cooldown_until=None).where(of_profile).execute()


def health_of(profile: Profile) -> str:
    """The health of a profile at this moment. A rest that is over is none, even if nobody asked since."""
    is_over = profile.health == Health.UNUSUAL_ACTIVITY and not cooldown_seconds(profile)
    return Health.WELL if is_over else profile.health


def cooldown_seconds(profile: Profile) -> float:
    """How long a profile still rests."""
    if profile.cooldown_until is None:
        return 0.0
    return max(0.0, (parsed(profile.cooldown_until) - datetime.now(UTC)).total_seconds())
