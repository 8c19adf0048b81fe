"""The companion: a browser extension that makes our calls in a person's own signed-in browser.

    codes        codes that pair a browser
    signatures   signatures of requests and answers
    relay        hands calls to browsers, and collects the responses
    browser      one paired browser, as a source uses it
    choosing     the accounts of a browser, and which profile it signs in

PROTOCOL.md describes the requests. The views in `webapp/web/views/companion_relay.py` answer them.
"""

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from webapp.background.companion import signatures
from webapp.background.companion.browser import PairedBrowser, SignedOutNotes
from webapp.background.companion.choosing import BrowserAccount, BrowserAccounts
from webapp.background.companion.codes import PairingCodes
from webapp.background.companion.relay import Part, Relay
from webapp.background.companion.signatures import RequestGuard, SignedRequest
from webapp.background.connections import Connections
from webapp.database.models import Pairing
from webapp.database.states import Health
from webapp.errors import BadRequest, PairingRefused, WaitingForBrowser
from webapp.store import pairings, profiles, runs
from webapp.store.profile_names import owner_name

NOTE_SEEN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Poll:
    """What a browser says when it asks for calls. `accounts` are (number, e-mail) of who is signed in there;
    None when it does not say."""

    version: str
    is_paused: bool
    is_watched: bool
    accounts: tuple[tuple[int, str], ...] | None


class Companion:
    """The paired browsers of one data folder.

    `resume_waiting` is called with the id of a profile whose browser is back.
    """

    def __init__(
        self, connections: Connections, resume_waiting: Callable[[str], None], stopping: threading.Event
    ) -> None:
        self._connections = connections
        self._resume_waiting = resume_waiting
        self._codes = PairingCodes()
        self.guard = RequestGuard()
        self.relay = Relay(stopping)
        self._signed_out = SignedOutNotes()
        self.accounts = BrowserAccounts(self.relay, stopping)
        self._lock = threading.Lock()
        self._noted_at: dict[str, float] = {}

    # Pairing

    def new_code(self) -> str:
        """A code for the page “Connect this browser”, valid ten minutes and once."""
        return self._codes.new()

    def pair(self, code: str, browser: str, version: str) -> tuple[str, str]:
        """Pair a browser. Returns the pairing's id and the secret, which is not stored.

        Raises PairingRefused for a code that is wrong, too old or used.
        """
        if not self._codes.use(code):
            raise PairingRefused(
                "This code is not valid any more. Open “Connect this browser” again, which makes a new one."
            )
        pairing_id, secret = secrets.token_hex(16), secrets.token_hex(32)
        pairings.add_pairing(pairing_id, signatures.key_of(secret), browser, version)
        return pairing_id, secret

    def verify(self, pairing_id: str, request: SignedRequest) -> tuple[Pairing, bytes]:
        """The pairing and the key of a signed request. Raises PairingRefused."""
        pairing = pairings.find_pairing(pairing_id) if signatures.is_id(pairing_id) else None
        if pairing is None:
            raise PairingRefused(signatures.REFUSED)
        key = bytes.fromhex(pairing.key_hash)
        self.guard.check(pairing.id, key, request)
        return pairing, key

    def unpair(self, pairing_id: str) -> None:
        """End a pairing at once: its requests are refused, and its profile waits. Idempotent."""
        pairing = pairings.find_pairing(pairing_id)
        pairings.remove_pairing(pairing_id)
        self._forget(pairing_id)
        if pairing and pairing.profile_id:
            self._connections.drop(pairing.profile_id)

    def _forget(self, pairing_id: str) -> None:
        self.relay.drop(pairing_id)
        self.guard.forget(pairing_id)
        self.accounts.forget(pairing_id)
        with self._lock:
            self._noted_at.pop(pairing_id, None)

    def pairings(self) -> list[Pairing]:
        """All paired browsers, the newest first."""
        return pairings.list_pairings()

    # Requests of browsers

    def poll(self, pairing: Pairing, said: Poll) -> tuple[list[dict[str, object]], float]:
        """The calls for a browser, and in how many seconds it should ask again.

        What waits for the browser goes on.
        """
        self._note_seen(pairing, said)
        self.relay.note_poll(pairing.id, browser=pairing.browser, is_paused=said.is_paused)
        if said.accounts is not None:
            self.accounts.note(pairing.id, said.accounts)
        if pairing.profile_id and not said.is_paused:
            self._resume(pairing.profile_id, names_accounts=said.accounts is not None)
        return self.relay.poll(pairing.id, is_watched=said.is_watched)

    def _note_seen(self, pairing: Pairing, said: Poll) -> None:
        """At most every half minute: each write would wake whoever watches the database."""
        now = time.monotonic()
        with self._lock:
            if now - self._noted_at.get(pairing.id, float("-inf")) < NOTE_SEEN_SECONDS:
                return
            self._noted_at[pairing.id] = now
        pairings.note_seen(pairing.id, said.version)

    def _resume(self, profile_id: str, *, names_accounts: bool) -> None:
        """Let runs go on that wait for a browser. One that was signed out is asked again from time to time,
        and at once when it names its accounts: it does so after somebody may have signed in."""
        profile = profiles.get_profile(profile_id)
        # The runs too: one that is about to wait sets the health first, and a poll in between would reset it.
        is_waiting = runs.is_waiting_for(profile_id, WaitingForBrowser.code)
        if profile.health != Health.WAITING_FOR_BROWSER and not is_waiting:
            return
        if names_accounts:
            self._connections.drop(profile_id)
        elif self._signed_out.is_recent(profile_id):
            return
        self._signed_out.clear(profile_id)
        profiles.note_health(profile_id, Health.UNCHECKED if profile.is_unchecked else Health.WELL)
        self._resume_waiting(profile_id)

    def take(self, pairing: Pairing, call_id: str) -> bool:
        return self.relay.take(pairing.id, call_id)

    def add_part(self, pairing: Pairing, call_id: str, part: Part) -> bool:
        """Raises BadRequest for a part that is too long."""
        return self.relay.add_part(pairing.id, call_id, part)

    def fail(self, pairing: Pairing, call_id: str, error: str) -> bool:
        return self.relay.fail(pairing.id, call_id, error)

    # Sources

    def browser_of(self, profile_id: str) -> PairedBrowser:
        """The browser of a profile. Raises WaitingForBrowser when there is none."""
        return PairedBrowser(profile_id, self.relay, self._signed_out)

    # Choosing an account

    def accounts_of(self, pairing_id: str) -> list[BrowserAccount] | None:
        """The accounts that are signed in in a browser; None while it is being asked. Never waits."""
        accounts = self.accounts.find(pairing_id)
        if accounts is None:
            return None
        return [BrowserAccount(index, email, profiles.find_profile_of(email)) for index, email in accounts]

    def ask_again(self, pairing_id: str) -> None:
        """Ask a browser anew for its accounts."""
        self.accounts.forget(pairings.get_pairing(pairing_id).id)
        self.accounts.find(pairing_id)

    def require_free(self, pairing_id: str, index: int) -> str:
        """The e-mail of an account that a browser has named, if the browser signs in no profile yet.

        Raises UnknownPairing, BadRequest.
        """
        pairing = pairings.get_pairing(pairing_id)
        if pairing.profile_id:
            name = owner_name(profiles.get_profile(pairing.profile_id))
            raise BadRequest(f"This browser signs in “{name}” already. Unpair it there, then pair it again.")
        email = self.accounts.find_email(pairing_id, index)
        if email is None:
            raise BadRequest("This account is not signed in in the browser any more. Choose another one.")
        return email

    def use_for(self, pairing_id: str, profile_id: str, index: int) -> None:
        """Let a browser sign in a profile from now on, and start what waits. Its cookies are deleted."""
        for replaced in pairings.use_for(pairing_id, profile_id, index):
            self._forget(replaced)
        self._signed_out.clear(profile_id)
        self._connections.drop(profile_id)
        profiles.note_unchecked(profile_id, "The next sync checks the sign-in of this browser.")
