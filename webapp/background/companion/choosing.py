"""The accounts that are signed in in each paired browser, for a person who picks one."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from webapp.background.companion.relay import Relay
from webapp.database.models import Profile
from webapp.errors import FlowshelfError, FlowUnavailable, SourceClosed

log = logging.getLogger(__name__)

MAX_ACCOUNTS = 10
MAX_EMAIL = 200
MAX_BYTES = 64 * 1024
ASK_SECONDS = 60.0
FRESH_SECONDS = 120.0

# Number and e-mail of each. An e-mail that Flow does not show is empty.
Accounts = tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class BrowserAccount:
    """An account of a browser, and the profile that it has on this shelf already, whatever its way."""

    index: int
    email: str
    profile: Profile | None


@dataclass(frozen=True, slots=True)
class _Known:
    accounts: Accounts
    at: float


class BrowserAccounts:
    """What each browser last said. `clock` counts seconds."""

    def __init__(
        self, relay: Relay, stopping: threading.Event, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._relay = relay
        self._stopping = stopping
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
        # The pairings whose browser is being asked, each by one thread.
        self._asking: set[str] = set()

    def note(self, pairing_id: str, accounts: Accounts) -> None:
        """Note the accounts of a browser."""
        with self._lock:
            self._known[pairing_id] = _Known(accounts, self._clock())

    def forget(self, pairing_id: str) -> None:
        with self._lock:
            self._known.pop(pairing_id, None)

    def find_email(self, pairing_id: str, index: int) -> str | None:
        """The e-mail of an account that a browser has named; None if it has not."""
        with self._lock:
            known = self._known.get(pairing_id)
        return dict(known.accounts).get(index) if known else None

    def find(self, pairing_id: str) -> Accounts | None:
        """What a browser last said. None if it has not said anything yet: then it is asked, and so it is when
        that was a while ago."""
        with self._lock:
            known = self._known.get(pairing_id)
        if known is None or self._clock() - known.at >= FRESH_SECONDS:
            self._start_asking(pairing_id)
        return known.accounts if known else None

    def _start_asking(self, pairing_id: str) -> None:
        with self._lock:
            if pairing_id in self._asking:
                return
            self._asking.add(pairing_id)
        threading.Thread(target=self._ask, args=(pairing_id,), daemon=True).start()

    def _ask(self, pairing_id: str) -> None:
        try:
            self.note(pairing_id, self._asked(pairing_id))
        except FlowshelfError as error:
            # The page goes on asking for the accounts, and so this begins again.
            log.info("the accounts of a paired browser are not known yet: %s", error)
        finally:
            with self._lock:
                self._asking.discard(pairing_id)

    def _asked(self, pairing_id: str) -> Accounts:
        until = self._clock() + ASK_SECONDS

        def check() -> None:
            if self._stopping.is_set() or self._clock() > until:
                raise SourceClosed("Nobody waits for the accounts of this browser any more.")

        response = self._relay.ask(pairing_id, {"operation": "accounts"}, MAX_BYTES, check)
        if response.error == "signed_out":
            return ()
        if response.error:
            raise FlowUnavailable("The browser could not reach Flow.")
        try:
            return read_accounts(json.loads(response.body))
        except (ValueError, RecursionError):
            return ()


def read_accounts(document: object) -> Accounts:
    """Number and e-mail of each account in a list of a browser. Entries of another shape are left out."""
    entries: Iterable[object] = document if isinstance(document, list) else ()
    accounts: dict[int, str] = {}
    for entry in entries:
        match entry:
            case {"index": int(index), "email": str(email)} if 0 <= index < MAX_ACCOUNTS:
                shown = "".join(letter for letter in email if letter.isprintable()).strip()
                accounts[int(index)] = shown[:MAX_EMAIL] if "@" in shown else ""
    return tuple(sorted(accounts.items()))
