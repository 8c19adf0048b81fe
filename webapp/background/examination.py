"""Examinations: one call of each kind to a profile's service, kept in memory for a report."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from webapp import storage
from webapp.background.accounts import ACCOUNT_ERRORS, note_account_error, require_no_cooldown
from webapp.background.connections import Connection, Connections
from webapp.errors import AccountExists, Busy, FlowError, OtherAccount
from webapp.sources import Account, Step
from webapp.store import profiles
from webapp.times import now

KEEP_SECONDS = 600.0
ACCOUNT_STEP = "account of the profile"
KINDS = {suffix: kind for kind, suffix in storage.SUFFIXES.items()}


@dataclass(frozen=True, slots=True)
class Examination:
    """The reading calls of a service and their results, in the order in which they were made."""

    service: str
    made_at: str
    steps: tuple[Step, ...]

    @property
    def is_well(self) -> bool:
        return all(step.is_well for step in self.steps)

    @property
    def error(self) -> FlowError | None:
        """The first error that concerns the whole account."""
        return next((step.error for step in self.steps if isinstance(step.error, ACCOUNT_ERRORS)), None)

    @property
    def account(self) -> Account | None:
        """The account that the cookies sign in to; None when they do not, or the service did not say."""
        found = next((step.account for step in self.steps if step.account and step.account.email), None)
        return None if self.error else found


class Examinations:
    """Makes examinations, one at a time per profile, and keeps the last one of each for `KEEP_SECONDS`."""

    def __init__(self, connections: Connections, clock: Callable[[], float] = time.monotonic) -> None:
        self._connections = connections
        self._clock = clock
        self._lock = threading.Lock()
        self._running: set[str] = set()
        self._latest: dict[str, tuple[float, Examination]] = {}

    def examine(self, profile_id: str) -> Examination:
        """Make each reading call once. Only renewed cookies and the profile's health are stored.

        Raises UnusualActivity during a cooldown, SignedOut when there are no cookies, Busy when another
        examination of the profile is running.
        """
        require_no_cooldown(profiles.get_profile(profile_id))
        with self._lock:
            if profile_id in self._running:
                raise Busy("A Flow check of this profile is running already. Wait until it has ended.")
            self._running.add(profile_id)
        try:
            examination = self._examine(profile_id)
        finally:
            with self._lock:
                self._running.discard(profile_id)
        with self._lock:
            self._latest[profile_id] = self._clock(), examination
        return examination

    def last(self, profile_id: str) -> Examination | None:
        """The profile's last examination; None when there is none or it is older than `KEEP_SECONDS`."""
        with self._lock:
            oldest = self._clock() - KEEP_SECONDS
            self._latest = {key: latest for key, latest in self._latest.items() if latest[0] > oldest}
            return self._latest[profile_id][1] if profile_id in self._latest else None

    def _examine(self, profile_id: str) -> Examination:
        connection = self._connections.of(profile_id)
        steps = tuple(connection.source.examine(describe_picture))
        examination = Examination(connection.source.name, now(), steps)
        # New cookies may have been pasted meanwhile: then the result says nothing about the profile's health.
        with self._connections.if_current(profile_id, connection) as is_current:
            return _note_result(profile_id, connection, examination) if is_current else examination


def describe_picture(content: bytes) -> str:
    """`JPEG, 1376 by 768 pixels`. Raises BadPicture."""
    header = storage.read_header(content)
    return f"{KINDS[header.suffix]}, {header.width} by {header.height} pixels"


def _note_result(profile_id: str, connection: Connection, examination: Examination) -> Examination:
    """Store the profile's health as a check does.

    Returns the examination, with one more step when the cookies belong to another account than the profile.
    """
    if error := examination.error:
        note_account_error(profile_id, connection, error)
    if account := examination.account:
        try:
            profiles.note_account(profile_id, account)
        except (OtherAccount, AccountExists):
            step = Step(ACCOUNT_STEP, "compared", "", "the cookies sign in to another account", is_well=False)
            return replace(examination, steps=(*examination.steps, step))
    return examination
