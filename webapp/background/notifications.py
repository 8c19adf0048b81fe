"""Tells a person what they would otherwise have to look for: one thread, if a recipient is set.

It tells of a sign-in that ended, a sync that failed twice in a row, finished downloads, and a disk that is
nearly full; each kind at most once an hour. What comes up meanwhile is told after that hour, if still true.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from webapp import storage, store
from webapp.background.delivery import Notice, NotSent, Type, deliver, recipients
from webapp.background.troubles import log_failure
from webapp.config import Config
from webapp.database.models import Message, Profile
from webapp.database.states import Health, RunKind, RunState
from webapp.errors import FlowshelfError
from webapp.maintenance.doctor import LOW_SPACE_BYTES
from webapp.store import notifications, profiles, runs
from webapp.store.profile_names import public_name
from webapp.store.runs import messages
from webapp.times import parsed

log = logging.getLogger(__name__)

POLL_SECONDS = 5.0
MIN_INTERVAL_SECONDS = 3600.0
RETRY_SECONDS = 300.0
MAX_TRIES = 12
MAX_MESSAGES = 500


class Kind(StrEnum):
    SIGN_IN_ENDED = "sign_in_ended"
    SYNC_FAILED = "sync_failed"
    DOWNLOADS_FINISHED = "downloads_finished"
    DISK_NEARLY_FULL = "disk_nearly_full"


# Makes the notice when it may be sent; None if it is no longer true.
Build = Callable[[], Notice | None]


class Notifications:
    """Compares what is with what was told. `look` is one step; the thread repeats it."""

    def __init__(self, config: Config, roots: Sequence[Path], stopping: threading.Event) -> None:
        self._config = config
        self._roots = roots
        self._stopping = stopping
        self._thread: threading.Thread | None = None
        self._last_message_id = 0
        self._signed_out: set[str] = set()
        self._full_disks: set[Path] = set()
        self._pending: dict[Kind, Build] = {}
        self._tries: dict[Kind, int] = {}
        self._retry_at: dict[Kind, float] = {}

    def start(self) -> None:
        """Begin to look, if a recipient is set. What is wrong already was told when it began."""
        if self._config.is_sealed or not recipients(self._config):
            return
        self.note_present()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self, timeout_seconds: float) -> None:
        """Wait for the thread; `stopping` must be set."""
        if self._thread:
            self._thread.join(timeout_seconds)

    def note_present(self) -> None:
        """Take what is true now for told."""
        self._last_message_id = messages.newest_message_id()
        self._signed_out = {profile.id for profile in _list_signed_out()}
        self._full_disks = set(self._list_full_disks())

    def look(self) -> None:
        """Find what is to be told, and tell what may be."""
        self._look_at_sign_ins()
        self._look_at_disks()
        self._look_at_messages()
        for kind, build in list(self._pending.items()):
            if self._is_due(kind):
                self._tell(kind, build)

    def _look_at_sign_ins(self) -> None:
        now_out = {profile.id for profile in _list_signed_out()}
        if now_out - self._signed_out:
            self._pending[Kind.SIGN_IN_ENDED] = _sign_in_notice
        self._signed_out = now_out

    def _look_at_disks(self) -> None:
        now_full = set(self._list_full_disks())
        if now_full - self._full_disks:
            self._pending[Kind.DISK_NEARLY_FULL] = self._disk_notice
        self._full_disks = now_full

    def _look_at_messages(self) -> None:
        for message in messages.list_messages_since(self._last_message_id, MAX_MESSAGES):
            self._last_message_id = message.id
            self._look_at_message(message)

    def _look_at_message(self, message: Message) -> None:
        run = runs.find_run(message.run_id)
        if run is None:
            return
        if (
            run.kind == RunKind.DOWNLOAD
            and message.kind == RunState.DONE
            and run.done_count + run.failed_count
        ):
            notice = _downloads_notice(message.profile, run.done_count, run.failed_count)
            self._pending[Kind.DOWNLOADS_FINISHED] = lambda: notice
        elif run.kind == RunKind.SYNC and message.kind in (RunState.FAILED, RunState.PAUSED):
            profile_id = message.profile_id
            if notifications.has_failed_twice(profile_id):
                self._pending[Kind.SYNC_FAILED] = lambda: _sync_notice(profile_id)

    def _is_due(self, kind: Kind) -> bool:
        if time.monotonic() < self._retry_at.get(kind, 0.0):
            return False
        sent_at = notifications.find_sent_at(kind)
        age = (datetime.now(UTC) - parsed(sent_at)).total_seconds() if sent_at else MIN_INTERVAL_SECONDS
        return not 0 <= age < MIN_INTERVAL_SECONDS  # a clock that was set back must not silence it for long

    def _tell(self, kind: Kind, build: Build) -> None:
        """Send a notice. One that fails is tried again for an hour, and stops nothing."""
        notice = build()
        try:
            if notice:
                deliver(self._config, notice, self._stopping)
                notifications.note_sent(kind)
                log.info("notification sent: %s", kind)
        except NotSent as error:
            if self._stopping.is_set():
                return
            log.warning("a notification could not be sent (%s): %s", kind, error)
            notifications.note_failed(kind, str(error))
            self._tries[kind] = self._tries.get(kind, 0) + 1
            self._retry_at[kind] = time.monotonic() + RETRY_SECONDS
            if self._tries[kind] < MAX_TRIES:
                return
        self._pending.pop(kind, None)
        self._tries.pop(kind, None)

    def _list_full_disks(self) -> Iterable[Path]:
        for root in (self._config.data_dir, *self._roots):
            try:
                if storage.free_bytes(root) < LOW_SPACE_BYTES:
                    yield root
            except FlowshelfError:  # it is not there, which the runs say
                continue

    def _disk_notice(self) -> Notice | None:
        if not self._full_disks:
            return None
        free = min(storage.free_bytes(root) for root in self._full_disks)
        return Notice(
            "Disk nearly full",
            f"A disk that Flowshelf writes to has {free / 1e6:,.0f} MB free. Make room there: once it is "
            "full, downloads stop.",
            Type.WARNING,
        )

    def _run(self) -> None:
        while not self._stopping.wait(POLL_SECONDS):
            try:
                with store.connection():
                    self.look()
            except Exception as error:
                log_failure("notifications could not be looked at; trying again", error)


def _list_signed_out() -> list[Profile]:
    """Not those whose paired browser is closed: it is closed every night."""
    signed_out = (Health.WAITING_FOR_COOKIES, Health.MOVED)
    return [profile for profile in profiles.list_profiles() if profile.health in signed_out]


def _sign_in_notice() -> Notice | None:
    names = ", ".join(f"“{public_name(profile)}”" for profile in _list_signed_out())
    if not names:
        return None
    return Notice(
        "Sign-in ended",
        f"Flow no longer accepts the sign-in of {names}. Syncs and downloads wait until it is renewed.",
        Type.WARNING,
    )


def _sync_notice(profile_id: str) -> Notice | None:
    profile = next((each for each in profiles.list_profiles() if each.id == profile_id), None)
    if profile is None or not notifications.has_failed_twice(profile_id):
        return None
    return Notice(
        "Sync failed twice",
        f"The last two syncs of “{public_name(profile)}” failed. Flowshelf’s page Activity says why.",
        Type.FAILURE,
    )


def _downloads_notice(profile: Profile, done_count: int, failed_count: int) -> Notice:
    images = f"{done_count:,} image{'' if done_count == 1 else 's'}"
    failed = f", {failed_count:,} failed" if failed_count else ""
    return Notice(
        "Downloads finished",
        f"{images} of “{public_name(profile)}” downloaded{failed}.",
        Type.WARNING if failed_count else Type.SUCCESS,
    )
