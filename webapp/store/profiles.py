"""Profiles: their accounts, their secrets, and what the service last said about their cookies."""

import json
import secrets
from datetime import UTC, datetime, timedelta

from peewee import Case, IntegrityError, fn

from webapp.database.base import db
from webapp.database.fields import stored_json
from webapp.database.models import (
    Gap,
    History,
    Image,
    Pairing,
    Profile,
    Project,
    Removal,
    Run,
    Secret,
    TrashedFile,
)
from webapp.database.states import CookieRenewal, Health, RunKind, RunState, TrashReason, Way
from webapp.errors import AccountExists, BadRequest, OtherAccount, UnknownProfile
from webapp.sources import Account
from webapp.store import transaction
from webapp.store.profile_names import owner_name
from webapp.store.removals import add_removals
from webapp.store.trashing import add_files
from webapp.store.ways import paste_instead
from webapp.times import now, parsed, timestamp

COOKIES, USER_AGENT, KEY = "cookies", "user_agent", "flow_next_key"
HEAD_REASON = "not walked yet"

# By hand: read once per history page, and peewee takes longer to build such a statement than SQLite to run it
# (benchmark `metadata`, history pages per second).
# Those without a given name are shown by the e-mail of their account.
_BY_NAME = (fn.LOWER(fn.COALESCE(fn.NULLIF(Profile.name, ""), Profile.account_email, "")), Profile.created_at)
_FIND_SECRET = "SELECT value FROM secret WHERE profile_id = ? AND name = ?"


def list_profiles() -> list[Profile]:
    return list(Profile.select().order_by(*_BY_NAME))


def list_profiles_downloading() -> list[Profile]:
    """Profiles with an open download run, paused and waiting ones included."""
    is_open = Run.state.in_((RunState.RUNNING, RunState.WAITING, RunState.PAUSED))
    downloading = Run.select(Run.profile).where(Run.kind == RunKind.DOWNLOAD, is_open)
    return list(Profile.select().where(Profile.id.in_(downloading)).order_by(*_BY_NAME))


def get_profile(profile_id: str) -> Profile:
    if profile := Profile.get_or_none(Profile.id == profile_id):
        return profile
    raise UnknownProfile("There is no such profile.")


def add_profile(name: str, histories: tuple[str, ...]) -> Profile:
    """Add a profile without cookies. Each of its histories starts with one gap at its newest page (the head).

    The name may be empty (`store.profile_names`). Raises BadRequest for one that is too long.
    """
    name = _valid_name(name)
    with transaction():
        profile = Profile.create(id=f"profile_{secrets.token_hex(6)}", name=name, created_at=now())
        for history in histories:
            ensure_history(profile.id, history)
    return profile


def rename_profile(profile_id: str, name: str) -> None:
    """An empty name takes the given one away. Raises BadRequest for a name that is too long."""
    Profile.update(name=_valid_name(name)).where(Profile.id == get_profile(profile_id).id).execute()


def _valid_name(name: str) -> str:
    name = " ".join(name.split())
    if len(name) > 80:
        raise BadRequest("Give the profile a name of at most 80 characters.")
    return name


def note_service(profile_id: str, service: str, histories: tuple[str, ...]) -> None:
    """Record the service where the profile's cookies sign in, and the histories that it offers.

    The profile's histories of another service are marked as not offered. Their gaps stay, because the account
    may be moved back.
    """
    with transaction():
        is_other = get_profile(profile_id).service != service
        Profile.update(service=service).where(Profile.id == profile_id).execute()
        for history in histories:
            ensure_history(profile_id, history)
        of_profile, is_offered = History.profile == profile_id, History.name.in_(histories)
        if is_other:
            History.update(refused_at=None).where(of_profile, is_offered).execute()
        is_unmarked = History.refused_at.is_null()
        History.update(refused_at=now()).where(of_profile, ~is_offered, is_unmarked).execute()


def ensure_history(profile_id: str, history: str) -> None:
    """Add a history to a profile unless it has it. A new one starts with one gap, at its newest page."""
    is_new = History.insert(profile=profile_id, name=history).on_conflict_ignore().as_rowcount().execute()
    if is_new:
        Gap.insert(
            profile=profile_id, history=history, cursor="", reason=HEAD_REASON, opened_at=now()
        ).on_conflict_ignore().execute()


def remove_profile(profile_id: str, *, with_files: bool = False) -> tuple[list[TrashedFile], list[Removal]]:
    """Delete a profile with its secrets and all of its rows.

    In the same transaction records, and returns, what the caller has to do on the disk now: the files that go
    to the trash if `with_files`, then what is removed for good.
    """
    with transaction():
        get_profile(profile_id)
        of_profile = Image.profile_id == profile_id
        with_file = Image.select().where(of_profile, Image.local_path.is_null(False))
        trashed = add_files(list(with_file), TrashReason.PROFILE) if with_files else []
        Image.delete().where(of_profile).execute()
        Profile.delete().where(Profile.id == profile_id).execute()
        return trashed, add_removals([(f"{profile_id}/", None, None)])


# Secrets


def get_cookies(profile_id: str) -> dict[str, str]:
    """The profile's cookies by name; empty when it has none."""
    cookies = stored_json(_find_secret(profile_id, COOKIES), {})
    return {name: str(value) for name, value in cookies.items()}


def set_cookies(
    profile_id: str, cookies: dict[str, str], expire_at: str | None, user_agent: str | None = None
) -> None:
    """Replace the profile's cookies, and the user agent of their browser, by pasted ones.

    From then on they sign it in, and no paired browser does.
    """
    with transaction():
        get_profile(profile_id)
        _set_secret(profile_id, COOKIES, json.dumps(cookies))
        Secret.delete().where(Secret.profile == profile_id, Secret.name == USER_AGENT).execute()
        if user_agent:
            _set_secret(profile_id, USER_AGENT, user_agent)
        Profile.update(
            way=Way.PASTE,
            firefox_folder=None,
            firefox_container=None,
            cookie_names=", ".join(sorted(cookies)),
            cookies_expire_at=expire_at,
            **_never_renewed(),
        ).where(Profile.id == profile_id).execute()
        Pairing.delete().where(Pairing.profile == profile_id).execute()


def _never_renewed() -> dict[str, object]:
    """The columns of cookies that were pasted just now. Those of a person who had switched on their renewal
    are renewed too, although Google refused it for the old ones."""
    was_refused = Profile.renewal == CookieRenewal.REFUSED
    return {
        "cookies_set_at": now(),
        "renewal": Case(None, [(was_refused, CookieRenewal.ON.value)], Profile.renewal),
        "renewed_at": None,
        "renewal_due_at": None,
        "renewal_problem": None,
    }


def renew_cookies(
    profile_id: str, sent: dict[str, str], renewed: dict[str, str], expire_at: str | None
) -> None:
    """Replace `sent` by the cookies that the service returned, unless others were stored meanwhile.

    Comparing and replacing is one transaction: cookies that a person pastes while a response is under way
    must not be overwritten by those of the old sign-in.
    """
    with transaction():
        if get_cookies(profile_id) == sent:
            _set_secret(profile_id, COOKIES, json.dumps(renewed))
            expiry = {"cookies_expire_at": expire_at} if expire_at else {}
            Profile.update(cookie_names=", ".join(sorted(renewed)), **expiry).where(
                Profile.id == profile_id
            ).execute()


def merge_cookies(profile_id: str, renewed: dict[str, str]) -> None:
    """Replace some of the profile's cookies and keep the others. Call it inside a transaction."""
    cookies = get_cookies(profile_id) | renewed
    _set_secret(profile_id, COOKIES, json.dumps(cookies))
    Profile.update(cookie_names=", ".join(sorted(cookies))).where(Profile.id == profile_id).execute()


def set_account_index(profile_id: str, index: int | None) -> None:
    """Record below which `/u/N/` the account was found; None is the first account of a browser."""
    Profile.update(account_index=index).where(Profile.id == profile_id).execute()


def expected_account(profile_id: str) -> Account | None:
    """The account of a profile, as far as a check has shown it; None if none has."""
    profile = get_profile(profile_id)
    if not (profile.account_email or profile.account_key):
        return None
    return Account(profile.account_email or "", "", profile.account_key or "")


def find_user_agent(profile_id: str) -> str | None:
    """The user agent of the browser that the cookies came from, if the paste named it."""
    return _find_secret(profile_id, USER_AGENT)


def find_key(profile_id: str) -> str | None:
    """The API key of labs.google that was found for the profile, if any."""
    return _find_secret(profile_id, KEY)


def set_key(profile_id: str, key: str) -> None:
    with transaction():
        _set_secret(profile_id, KEY, key)


def _find_secret(profile_id: str, name: str) -> str | None:
    row = db.execute_sql(_FIND_SECRET, (profile_id, name)).fetchone()
    return row[0] if row else None


def _set_secret(profile_id: str, name: str, value: str) -> None:
    Secret.insert(profile=profile_id, name=name, value=value).on_conflict(
        conflict_target=[Secret.profile, Secret.name], preserve=[Secret.value]
    ).execute()


# Health


def check_account(profile_id: str | None, account: Account, *, is_confirmed: bool = False) -> None:
    """Ensure one profile per account: may `account` be that of this profile?

    `profile_id` is None for a profile that does not exist yet. E-mail and account number are compared where
    both sides have them; otherwise shared projects decide. `is_confirmed`: a person said that it is the
    account of this profile, which decides when nothing else does.

    Raises OtherAccount when it is not the account of this profile, or may not be; AccountExists when another
    profile has it.
    """
    profile = get_profile(profile_id) if profile_id else None
    if profile and _is_same(profile, account) is False:
        owner = profile.account_email or "another account"
        raise OtherAccount(
            f"These cookies sign in {_named(account)}, but the profile “{owner_name(profile)}” belongs to "
            f"{owner}. Add another profile for {_named(account)}, or copy the cookies again while signed in "
            f"as {profile.account_email or 'the account of this profile'}."
        )
    if other := find_owner(account, except_id=profile_id):
        raise AccountExists(
            f"The account {_named(account)} already has a profile, “{owner_name(other)}”. "
            f"{paste_instead(other)}",
            other.id,
        )
    if profile and not is_confirmed and _is_same(profile, account) is None and not _is_blank(profile):
        raise OtherAccount(
            f"Flow does not say whose cookies these are, and none of that account’s projects is known from "
            f"“{owner_name(profile)}”. If it is the same account, paste them again and tick “These are the "
            "same account”."
        )


def find_owner(account: Account, *, except_id: str | None = None) -> Profile | None:
    """The profile that has an account, None if none has; `except_id` is not looked at."""
    return next((one for one in list_profiles() if one.id != except_id and _is_same(one, account)), None)


def _is_same(profile: Profile, account: Account) -> bool | None:
    """Whether an account is that of a profile; None when it cannot be decided."""
    pairs = [(profile.account_email, account.email), (profile.account_key, account.key)]
    known = [one.lower() == other.lower() for one, other in pairs if one and other]
    if known:
        return any(known)
    shared = Project.select().where(
        Project.profile == profile.id, Project.remote_id.in_(list(account.project_ids))
    )
    return True if account.project_ids and shared.exists() else None


def _is_blank(profile: Profile) -> bool:
    """Whether a profile has neither a known account nor images, so that it can take any account."""
    has_account = profile.account_email or profile.account_key
    return not has_account and not Image.select().where(Image.profile_id == profile.id).exists()


def _named(account: Account) -> str:
    return account.email or "an account without a known e-mail"


def note_account(profile_id: str, account: Account, *, is_confirmed: bool = False) -> None:
    """Record that a check succeeded and the cookies sign in `account`.

    Values that the service left empty this time keep what was stored. A paired browser adds none to an
    account that is known, because that was chosen by a person. Raises what `check_account` raises.
    """
    columns = {"account_email": account.email, "account_key": account.key, "account_name": account.name}
    with transaction():
        check_account(profile_id, account, is_confirmed=is_confirmed)
        if get_profile(profile_id).way == Way.COMPANION and expected_account(profile_id):
            columns = {}
        try:
            Profile.update(
                checked_at=now(),
                health=Health.WELL,
                health_reason=None,
                is_unchecked=False,
                **{name: value for name, value in columns.items() if value},
            ).where(Profile.id == profile_id).execute()
        except IntegrityError as error:
            # The unique constraints of the table catch what the comparison above did not.
            raise AccountExists(f"The account {_named(account)} already has a profile.") from error


def find_profile_of(email: str) -> Profile | None:
    """The profile of an account, by its e-mail; None for an empty one."""
    return Profile.get_or_none(fn.LOWER(Profile.account_email) == email.lower())


def set_account(profile_id: str, account: Account, service: str) -> None:
    """Record the account that a person chose for a new profile. Raises AccountExists."""
    with transaction():
        check_account(profile_id, account)
        changes = {"account_email": account.email or None, "service": service}
        Profile.update(changes).where(Profile.id == profile_id).execute()


def note_health(profile_id: str, health: Health, reason: str | None = None) -> None:
    """Record the health of a profile, and when it signed out unless it had before."""
    with transaction():
        of_profile = Profile.id == profile_id
        if health == Health.WAITING_FOR_COOKIES:
            Profile.update(signed_out_at=now()).where(of_profile, Profile.health != health).execute()
        Profile.update(health=health, health_reason=reason).where(of_profile).execute()


def note_unchecked(profile_id: str, reason: str) -> None:
    """Record that nobody could check the cookies. A run checks them before it stores anything."""
    changes = {"health": Health.UNCHECKED, "health_reason": reason, "is_unchecked": True}
    Profile.update(**changes).where(Profile.id == profile_id).execute()


def note_cooldown(profile_id: str, seconds: float | None, reason: str | None) -> None:
    """Record that the service must not be called for `seconds`; None means that it works again."""
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
    """The health of a profile now. A cooldown that has ended counts as well, even before the next call."""
    is_over = profile.health == Health.UNUSUAL_ACTIVITY and not cooldown_seconds(profile)
    return Health.WELL if is_over else profile.health


def cooldown_seconds(profile: Profile) -> float:
    """The seconds left of a profile's cooldown."""
    if profile.cooldown_until is None:
        return 0.0
    return max(0.0, (parsed(profile.cooldown_until) - datetime.now(UTC)).total_seconds())
