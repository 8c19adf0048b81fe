"""One paired browser, as the source of its profile uses it."""

import threading
import time
from collections.abc import Callable, Mapping

from webapp.background.companion.relay import Relay
from webapp.background.connections import NOT_PAIRED
from webapp.errors import WaitingForBrowser
from webapp.sources.flow_google.companion_transport import BrowserResponse
from webapp.store import pairings, profiles

# After this time a profile whose browser was signed out is tried again, even if nothing seems to change.
SIGNED_OUT_PAUSE_SECONDS = 300.0


class SignedOutNotes:
    """The profiles that were not signed in in their browser a while ago. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._noted_at: dict[str, float] = {}

    def note(self, profile_id: str) -> None:
        with self._lock:
            self._noted_at[profile_id] = self._clock()

    def clear(self, profile_id: str) -> None:
        with self._lock:
            self._noted_at.pop(profile_id, None)

    def is_recent(self, profile_id: str) -> bool:
        with self._lock:
            noted_at = self._noted_at.get(profile_id, float("-inf"))
        return self._clock() - noted_at < SIGNED_OUT_PAUSE_SECONDS


class PairedBrowser:
    """The browser that signs in a profile: a `Browser` of `webapp.sources.flow_google`."""

    def __init__(self, profile_id: str, relay: Relay, signed_out: SignedOutNotes) -> None:
        self._profile_id = profile_id
        self._relay = relay
        self._signed_out = signed_out

    def ask(
        self, request: Mapping[str, object], max_bytes: int, check: Callable[[], None]
    ) -> BrowserResponse:
        pairing = pairings.find_pairing_of(self._profile_id)
        if pairing is None:
            raise WaitingForBrowser(NOT_PAIRED)
        return self._relay.ask(pairing.id, request, max_bytes, check)

    def note_signed_out(self) -> str:
        self._signed_out.note(self._profile_id)
        email = profiles.get_profile(self._profile_id).account_email
        pairing = pairings.find_pairing_of(self._profile_id)
        browser = f"this browser ({pairing.browser})" if pairing else "this browser"
        return (
            f"Sign in to {email or 'the account of this profile'} at https://flow.google.com in {browser}; "
            "everything then goes on by itself."
        )
