"""Keeps pasted cookies alive: one thread that renews them while there is work for them.

Every thread that reads from Flow takes the cookies from the database before each request, so all of them use
what this thread has stored, and none renews any itself.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime

from webapp import store
from webapp.background.troubles import log_failure
from webapp.config import Config
from webapp.database.states import Health
from webapp.errors import FlowshelfError, FlowUnavailable, SourceClosed
from webapp.sources.cookies.rotation import Outcome, Rotation, rotate
from webapp.sources.http import USER_AGENT, HttpClient, Network
from webapp.store import profiles, renewals

log = logging.getLogger(__name__)

# How often to look for a run that needs the cookies, while a person has switched it on for any profile.
POLL_SECONDS = 5.0
RETRY_SECONDS = 60.0
# A command without a server contacts nobody before this: most have ended by then.
COMMAND_DELAY_SECONDS = 60.0
# For a whole response, which is small: one that drips must not keep other profiles from their renewal.
MAX_RESPONSE_SECONDS = 30.0


class Renewals:
    """Renews the cookies of profiles for which a person has switched it on.

    `check` asks Flow whether a profile's cookies sign in, and resumes the runs that waited for that. It is
    called after cookies were renewed that did not sign in any more.
    """

    def __init__(self, config: Config, stopping: threading.Event, check: Callable[[str], None]) -> None:
        self._config = config
        self._stopping = stopping
        self._check = check
        self._woken = threading.Event()
        self._ending = threading.Event()
        self._to_check: set[str] = set()  # only this class's thread uses it
        self._thread: threading.Thread | None = None

    def start(self, delay_seconds: float = 0.0) -> None:
        self._thread = threading.Thread(target=self._run, args=(delay_seconds,), daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Look again what is due: a switch or the cookies changed, or the program stops."""
        self._woken.set()

    def stop(self, timeout_seconds: float) -> None:
        """End the thread and wait for it. A request under way ends at once if `stopping` is set."""
        self._ending.set()
        self.wake()
        if self._thread:
            self._thread.join(timeout_seconds)

    def switch(self, profile_id: str, *, is_on: bool) -> None:
        """Raises BadRequest for a profile without cookies that can be renewed."""
        renewals.switch_renewal(profile_id, is_on=is_on)
        self.wake()

    def renew_due(self, moment: datetime) -> float | None:
        """Renew what is due at `moment`. Returns the seconds to sleep; None: until woken."""
        candidates = renewals.list_renewed()
        for profile in candidates:
            if claim := renewals.claim_renewal(profile.id, moment):
                self._renew(claim)
        for profile_id in list(self._to_check):
            self._check_again(profile_id)
        if self._to_check:
            return RETRY_SECONDS  # Flow is down: it is not asked oftener
        return POLL_SECONDS if candidates else None

    def _renew(self, claim: renewals.Claim) -> None:
        client = HttpClient(
            self._stopping,
            self._config.timeout_seconds,
            MAX_RESPONSE_SECONDS,
            claim.user_agent or USER_AGENT,
            network=Network.of(self._config),
        )
        with closing(client) as http:
            rotation = rotate(http, self._config.accounts_url, claim.cookies)
        self._store(claim, rotation)
        log.info("renewal of the cookies of %s: %s", claim.profile_id, rotation.reason or "done")
        if rotation.outcome is Outcome.RENEWED:
            self._to_check.add(claim.profile_id)

    @staticmethod
    def _store(claim: renewals.Claim, rotation: Rotation) -> None:
        match rotation.outcome:
            case Outcome.RENEWED:
                renewals.finish_renewal(claim, rotation.cookies)
            case Outcome.REFUSED:
                renewals.refuse_renewal(claim, rotation.reason, rotation.cookies)
            case Outcome.FAILED:
                renewals.defer_renewal(claim, rotation.reason, rotation.retry_after_seconds)

    def _check_again(self, profile_id: str) -> None:
        """Find out whether renewed cookies sign in, if the old ones did not; later, if Flow is down."""
        try:
            if profiles.get_profile(profile_id).health == Health.WAITING_FOR_COOKIES:
                self._check(profile_id)
        except FlowUnavailable as error:
            log.info("renewed cookies of %s could not be checked: %s", profile_id, error)
            return
        except FlowshelfError as error:
            log.info("renewed cookies of %s: %s", profile_id, error)
        self._to_check.discard(profile_id)

    def _run(self, delay_seconds: float) -> None:
        self._woken.wait(delay_seconds)
        while not (self._stopping.is_set() or self._ending.is_set()):
            # Cleared before the look: what changes during it wakes the thread again.
            self._woken.clear()
            self._woken.wait(self._renew_due_now())

    def _renew_due_now(self) -> float | None:
        try:
            with store.connection():
                return self.renew_due(datetime.now(UTC))
        except SourceClosed:
            return 0.0  # the program stops
        except Exception as error:
            log_failure("cookies could not be renewed; trying again in a minute", error)
            return RETRY_SECONDS
