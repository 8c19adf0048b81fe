"""The accounts that are signed in in each paired browser."""

import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from webapp.background.companion.relay import Relay
from webapp.errors import FlowUnavailable, SourceClosed, WaitingForBrowser

MAX_ACCOUNTS = 10
MAX_EMAIL = 200
MAX_BYTES = 64 * 1024
ASK_SECONDS = 15.0
FRESH_SECONDS = 120.0

Accounts = tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Known:
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
        self._known: dict[str, Known] = {}

    def note(self, pairing_id: str, accounts: Accounts) -> bool:
        """Note the accounts of a browser. Returns whether they are others than before."""
        with self._lock:
            known = self._known.get(pairing_id)
            self._known[pairing_id] = Known(accounts, self._clock())
        return known is None or known.accounts != accounts

    def forget(self, pairing_id: str) -> None:
        with self._lock:
            self._known.pop(pairing_id, None)

    def find_email(self, pairing_id: str, index: int) -> str | None:
        """The e-mail of an account that a browser has named; None if it has not."""
        with self._lock:
            known = self._known.get(pairing_id)
        return dict(known.accounts).get(index) if known else None

    def of(self, pairing_id: str) -> list[tuple[int, str]]:
        """The accounts of a browser, asked there unless it has named them just now.

        Raises WaitingForBrowser, and FlowUnavailable when it does not answer in time.
        """
        with self._lock:
            known = self._known.get(pairing_id)
        if known and known.accounts and self._clock() - known.at < FRESH_SECONDS:
            return list(known.accounts)
        accounts = self._ask(pairing_id)
        self.note(pairing_id, accounts)
        return list(accounts)

    def _ask(self, pairing_id: str) -> Accounts:
        until = self._clock() + ASK_SECONDS

        def check() -> None:
            if self._stopping.is_set():
                raise SourceClosed("Flowshelf is shutting down.")
            if self._clock() > until:
                raise WaitingForBrowser("The browser has not named its accounts yet. Reload this page.")

        response = self._relay.ask(pairing_id, {"operation": "accounts"}, MAX_BYTES, check)
        if response.error == "signed_out":
            return ()
        if response.error:
            raise FlowUnavailable("The browser could not reach Flow. Reload this page to try again.")
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
            case {"index": int(index), "email": str(email)} if (
                not isinstance(index, bool) and 0 <= index < MAX_ACCOUNTS and "@" in email
            ):
                accounts[index] = email.strip()[:MAX_EMAIL]
    return tuple(sorted(accounts.items()))
