"""One thread that looks whether a Firefox has a sign-in again, for the profiles that wait for it."""

import logging
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from webapp import store
from webapp.background.connections import Connections
from webapp.background.firefox_credentials import files_of
from webapp.background.troubles import log_failure
from webapp.config import Config
from webapp.database.models import Profile
from webapp.errors import FirefoxSignedOut, FlowshelfError
from webapp.sources.firefox import file_state, read_sign_in
from webapp.store import firefox_profiles

log = logging.getLogger(__name__)

# How often the files are looked at: only their size and time, and only while a profile waits.
LOOK_SECONDS = 2.0
# How often Flow is asked although Firefox has changed nothing: a person may have confirmed at Google that it
# is them.
ASK_SECONDS = 300.0
# How often it is asked at most: Firefox may change its cookies all the time.
MIN_ASK_SECONDS = 5.0


@dataclass(slots=True)
class Seen:
    """What a waiting profile's Firefox had when Flow was last asked about it."""

    state: object
    fingerprint: str
    asked_at: float


class FirefoxWatch:
    """Asks Flow again when the cookies of a Firefox have changed, and from time to time.

    `check` asks Flow about a profile; if the sign-in works, it resumes what waits. Raises FlowshelfError.
    """

    def __init__(
        self,
        config: Config,
        connections: Connections,
        check: Callable[[str], None],
        stopping: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._connections = connections
        self._check = check
        self._stopping = stopping
        self._clock = clock
        self._woken = threading.Event()
        self._seen: dict[str, Seen] = {}
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Remove the copies that a killed process left, and start the thread."""
        shutil.rmtree(self._config.firefox_copies_dir, ignore_errors=True)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def wake(self, profile_id: str | None = None) -> None:
        """A profile reads a Firefox from now on, or the program stops."""
        self._woken.set()

    def stop(self, timeout_seconds: float) -> None:
        """Wait for the thread; `stopping` must be set."""
        self.wake()
        if self._thread:
            self._thread.join(timeout_seconds)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            self._woken.wait(LOOK_SECONDS if self._look_now() else None)

    def _look_now(self) -> bool:
        """Look at all waiting profiles. Returns whether there is anything to look at later."""
        try:
            with store.connection():
                if not firefox_profiles.has_firefox():
                    return False
                waiting = firefox_profiles.list_waiting()
                self._seen = {one.id: self._seen[one.id] for one in waiting if one.id in self._seen}
                for profile in waiting:
                    self.look(profile)
        except Exception as error:
            log_failure("Firefox could not be looked at; trying again", error)
        return True

    def look(self, profile: Profile) -> None:
        """Ask Flow about a waiting profile if there is a reason to."""
        state = file_state(Path(profile.firefox_folder or ""))
        seen = self._seen.get(profile.id)
        since = self._clock() - seen.asked_at if seen else ASK_SECONDS
        if since < MIN_ASK_SECONDS or (seen and seen.state == state and since < ASK_SECONDS):
            return
        try:
            fingerprint = read_sign_in(files_of(profile, self._config)).fingerprint
        except FirefoxSignedOut:
            fingerprint = ""
        if seen and seen.fingerprint == fingerprint and since < ASK_SECONDS:
            seen.state = state
            return
        self._seen[profile.id] = Seen(state, fingerprint, self._clock())
        self._ask(profile)

    def _ask(self, profile: Profile) -> None:
        try:
            # Its cookies do not work, so nothing useful is under way; the next connection reads the new ones.
            self._connections.drop(profile.id)
            self._check(profile.id)
            log.info("Firefox has a sign-in for %s again", profile.id)
        except FlowshelfError as error:
            log.debug("Firefox has no sign-in for %s yet: %s", profile.id, error)
