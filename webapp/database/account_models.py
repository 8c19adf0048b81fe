"""Tables of profiles, their secrets, paired browsers and sessions. Others import them from `models`."""

from peewee import SQL, BooleanField, Field, ForeignKeyField

from webapp.database.base import BaseModel
from webapp.database.fields import AutoField, IntegerField, TextField
from webapp.database.states import CookieRenewal, Health, Way


class Profile(BaseModel):
    """One account of one person.

    `account_email` and `account_key` (a hash of the account number) are stored once a check returned them;
    either alone identifies the account. `is_unchecked`: the cookies were saved before anybody could check
    whose they are. `service` is the `Source.name` of the service where the cookies sign in.
    `cooldown_until`: until then no request is sent, because the service suspected automated traffic.

    `way` is how it signs in. `account_index` is the N of `/u/N/` where the account was last found, null when
    only the first was tried. Of pasted cookies: `cookies_set_at` is when they were pasted, `renewal` whether
    they are kept alive, `renewed_at` when they were last renewed, `renewal_due_at` when Google may be asked
    again, `renewal_problem` why it did not renew them the last time. `signed_out_at` is when the service was
    first seen to refuse the sign-in; it says nothing while `health` is another than WAITING_FOR_COOKIES.
    `firefox_folder` and `firefox_container` name the cookies of a Firefox on this machine.
    """

    id = TextField(primary_key=True)
    name = TextField()
    health = TextField(default=Health.UNCHECKED)
    health_reason = TextField(null=True)
    account_email = TextField(null=True, constraints=[SQL("UNIQUE COLLATE NOCASE")])
    account_name = TextField(null=True)
    account_key = TextField(null=True, unique=True)
    service = TextField(null=True)
    cookie_names = TextField(default="")
    cookies_expire_at = TextField(null=True)
    checked_at = TextField(null=True)
    is_unchecked = BooleanField(default=False)
    cooldown_until = TextField(null=True)
    created_at = TextField()
    way = TextField(default=Way.PASTE)
    account_index = IntegerField(null=True)
    cookies_set_at = TextField(null=True)
    renewal = TextField(default=CookieRenewal.OFF)
    renewed_at = TextField(null=True)
    renewal_due_at = TextField(null=True)
    renewal_problem = TextField(null=True)
    signed_out_at = TextField(null=True)
    firefox_folder = TextField(null=True)
    firefox_container = IntegerField(null=True)


class Pairing(BaseModel):
    """A browser that is paired with this Flowshelf (the companion).

    `key_hash` is the SHA-256 of the secret that the browser keeps; it is the key of the signatures of both
    sides. `profile` is null until a person has chosen one of the browser's accounts, at `account_index`.
    `browser` and `version` (of the extension) are shown to the person, `seen_at` is when it last asked.
    """

    id = TextField(primary_key=True)
    profile = ForeignKeyField(Profile, null=True, on_delete="CASCADE")
    profile_id: "Field[str | None]"
    key_hash = TextField()
    browser = TextField()
    version = TextField()
    account_index = IntegerField(null=True)
    created_at = TextField()
    seen_at = TextField(null=True)


class Secret(BaseModel):
    """Cookies and the API key of a profile. Only the sources read them; nothing shows them."""

    id = AutoField()
    profile = ForeignKeyField(Profile, on_delete="CASCADE")
    profile_id: TextField
    name = TextField()
    value = TextField()

    class Meta:
        indexes = ((("profile", "name"), True),)


class Session(BaseModel):
    """A browser's sign-in to a shared Flowshelf, identified by the hash of its cookie.

    It is valid while `code_hash` is the hash of the current code: a new code signs all browsers out.
    An owner's session that began over plain http is valid only for the address and user agent that it began
    with: `client_hash` is their hash. `code_at` is when the code was last typed in it.
    """

    id_hash = TextField(primary_key=True)
    role = TextField()
    code_hash = TextField()
    created_at = TextField()
    client_hash = TextField(null=True)
    code_at = TextField(null=True)
