"""Examinations: what a profile's service answers to each reading call, kept for ten minutes as a report."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from webapp import storage
from webapp.background.accounts import OF_ACCOUNT, note_failure, require_no_cooldown
from webapp.background.connections import Connection, Connections
from webapp.errors import AccountExists, Busy, FlowError, OtherAccount
from webapp.sources import Account, Step
from webapp.store import profiles
from webapp.times import now

KEPT_SECONDS = 600.0
ACCOUNT = "account of the profile"
KINDS = {suffix: kind for kind, suffix in storage.SUFFIXES.items()}


@dataclass(frozen=True, slots=True)
class Examination:
    """What came of each reading call of a service, in the order in which they were made."""

    service: str
    made_at: str
    steps: tuple[Step, ...]

    @property
    def is_well(self) -> bool:
        return all(step.is_well for step in self.steps)

    @property
    def error(self) -> FlowError | None:
        """The first error that is about the whole account."""
        return next((step.error for step in self.steps if isinstance(step.error, OF_ACCOUNT)), None)

    @property
    def account(self) -> Account | None:
        """Whom the cookies sign in, None when that was not told or nobody is signed in."""
        found = next((step.account for step in self.steps if step.account and step.account.email), None)
        return None if self.error else found


class Examinations:
    """Makes them, one at a time for each profile, and keeps the last one of each for a while in memory."""

    def __init__(self, connections: Connections, clock: Callable[[], float] = time.monotonic) -> None:
        self._connections = connections
        self._clock = clock
        self._lock = threading.Lock()
        self._under_way: set[str] = set()
        self._kept: dict[str, tuple[float, Examination]] = {}

    def examine(self, profile_id: str) -> Examination:
        """Ask each reading call once; nothing is stored but renewed cookies and what it says of the sign-in.

        Raises UnusualActivity while the profile rests, SignedOut when it has no cookies, Busy.
        """
        require_no_cooldown(profiles.get_profile(profile_id))
        with self._lock:
            if profile_id in self._under_way:
                raise Busy("What Flow sends to this profile is being checked already. Wait for its end.")
            self._under_way.add(profile_id)
        try:
            examination = self._examined(profile_id)
        finally:
            with self._lock:
                self._under_way.discard(profile_id)
        with self._lock:
            self._kept[profile_id] = self._clock(), examination
        return examination

    def last(self, profile_id: str) -> Examination | None:
        """The last one of a profile, None when there is none or it is too old."""
        with self._lock:
            ends = self._clock() - KEPT_SECONDS
            self._kept = {key: kept for key, kept in self._kept.items() if kept[0] > ends}
            return self._kept[profile_id][1] if profile_id in self._kept else None

    def _examined(self, profile_id: str) -> Examination:
        connection = self._connections.of(profile_id)
        steps = tuple(connection.source.examine(describe_picture))
        examination = Examination(connection.source.name, now(), steps)
        with self._connections.if_current(connection) as is_current:
            return _noted(profile_id, connection, examination) if is_current else examination


def describe_picture(content: bytes) -> str:
    """`JPEG, 1376 by 768 pixels`. Raises BadPicture."""
    header = storage.read_header(content)
    return f"{KINDS[header.suffix]}, {header.width} by {header.height} pixels"


def _noted(profile_id: str, connection: Connection, examination: Examination) -> Examination:
    """Note as health what an examination says of the sign-in, as a check does.

    Cookies of another account than the profile's are a step of their own.
    """
    if error := examination.error:
        note_failure(profile_id, connection, error)
    if account := examination.account:
        try:
            profiles.note_account(profile_id, account)
        except (OtherAccount, AccountExists):
            step = Step(ACCOUNT, "compared", "", "the cookies sign in another account", is_well=False)
            return replace(examination, steps=(*examination.steps, step))
    return examination
