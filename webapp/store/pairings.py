"""Paired browsers (the companion): their keys, and the profiles that they sign in."""

from webapp.database.models import Pairing, Profile, Secret
from webapp.database.states import CookieRenewal, Way
from webapp.errors import UnknownPairing
from webapp.store import transaction
from webapp.times import now

# Without a profile. The oldest goes: a person pairs one browser at a time, and picks an account at once.
MAX_UNUSED = 10
MAX_BROWSER, MAX_VERSION = 80, 20


def add_pairing(pairing_id: str, key: bytes, browser: str, version: str) -> Pairing:
    """Add a browser that has no profile yet. `key` is the hash of the secret that only the browser has."""
    with transaction():
        pairing = Pairing.create(
            id=pairing_id,
            key_hash=key.hex(),
            browser=_shown(browser)[:MAX_BROWSER] or "a browser",
            version=_shown(version)[:MAX_VERSION],
            created_at=now(),
        )
        unused = Pairing.select(Pairing.id).where(Pairing.profile.is_null())
        newest = unused.order_by(Pairing.created_at.desc(), Pairing.id).limit(MAX_UNUSED)
        Pairing.delete().where(
            Pairing.profile.is_null(), Pairing.id.not_in([one.id for one in newest])
        ).execute()
    return pairing


def find_pairing(pairing_id: str) -> Pairing | None:
    return Pairing.get_or_none(Pairing.id == pairing_id)


def get_pairing(pairing_id: str) -> Pairing:
    if pairing := find_pairing(pairing_id):
        return pairing
    raise UnknownPairing("This browser is not paired any more.")


def find_pairing_of(profile_id: str) -> Pairing | None:
    """The browser that signs in a profile."""
    return Pairing.get_or_none(Pairing.profile == profile_id)


def is_signed_in_by_browser(profile_id: str) -> bool:
    """Whether a paired browser makes the calls of a profile."""
    return Profile.select().where(Profile.id == profile_id, Profile.way == Way.COMPANION).exists()


def list_pairings() -> list[Pairing]:
    """All paired browsers, the newest first."""
    return list(Pairing.select().order_by(Pairing.created_at.desc(), Pairing.id))


def note_seen(pairing_id: str, version: str) -> None:
    """Record that a browser has asked now, with this version of the extension."""
    changes = {"seen_at": now(), "version": _shown(version)[:MAX_VERSION]}
    Pairing.update(changes).where(Pairing.id == pairing_id).execute()


def use_for(pairing_id: str, profile_id: str, index: int) -> list[str]:
    """Let a browser sign in a profile from now on. Its stored cookies are deleted; all else of it stays.

    Returns the ids of other browsers that did so before, whose pairings have ended. Raises UnknownPairing.
    """
    with transaction():
        get_pairing(pairing_id)
        others = [one.id for one in Pairing.select().where(Pairing.profile == profile_id)]
        replaced = [other for other in others if other != pairing_id]
        Pairing.delete().where(Pairing.id.in_(replaced)).execute()
        Pairing.update(profile=profile_id, account_index=index).where(Pairing.id == pairing_id).execute()
        Secret.delete().where(Secret.profile == profile_id).execute()
        Profile.update(
            way=Way.COMPANION,
            account_index=index,
            cookie_names="",
            cookies_expire_at=None,
            cookies_set_at=None,
            renewal=CookieRenewal.OFF,
            renewed_at=None,
            firefox_folder=None,
            firefox_container=None,
        ).where(Profile.id == profile_id).execute()
    return replaced


def remove_pairing(pairing_id: str) -> None:
    Pairing.delete().where(Pairing.id == pairing_id).execute()


def _shown(text: str) -> str:
    """Text that a browser sent, without line breaks and control characters."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
