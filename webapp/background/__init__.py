"""Everything that goes on beside the requests: pools, wake, pause, stop, recovery at start.

    accounts       profiles and their cookies, checked against Flow
    examination    what Flow answers to each reading call, for a report
    connections    one source and one pace per profile, shared by its threads
    syncs          one thread per profile that syncs
    previews       fresh signed addresses for cards in view
    exports        one thread that prepares ZIPs (archive: how one is written)
    deletion       files that a person had deleted
    downloads      a crew of threads per profile that downloads; crews says what one is
    schedule       quick syncs that begin by themselves
    measuring      sizes of pictures whose files came before sizes were kept
    waiting        callers that want to stay until their work is done

Views and commands call `Background`; nothing else starts a thread. Threads are daemons: what they
write is whole or not there at any moment, so a process may end without waiting for a slow answer.
"""

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from webapp import storage, store
from webapp.background.accounts import Accounts
from webapp.background.connections import Connections
from webapp.background.downloads import Downloads
from webapp.background.examination import Examination, Examinations
from webapp.background.exports import Exports
from webapp.background.measuring import Measuring
from webapp.background.previews import Previews
from webapp.background.schedule import Scheduler
from webapp.background.settings import Settings
from webapp.background.syncs import Syncs
from webapp.background.thumbnails import Thumbnails
from webapp.background.waiting import Waiting
from webapp.config import Config
from webapp.database.states import Health, RunKind, RunState
from webapp.errors import AccountMoved, Busy, FlowshelfError
from webapp.maintenance.deletion import delete_files
from webapp.sources.services import open_source
from webapp.store import runs
from webapp.store.history import walks
from webapp.store.profiles import get_profile, list_profiles, remove_profile
from webapp.store.runs import downloads as downloads

log = logging.getLogger(__name__)


class Background:
    """The work of one process on one data folder, whose lock it holds.

    `most_waiting` is how many callers may wait for work at a time.
    """

    def __init__(self, config: Config, *, max_waiting: int = 6, open_source: Callable = open_source) -> None:
        self._config = config
        self.settings = Settings(config)
        self.stopping = threading.Event()
        self._keeper: sqlite3.Connection | None = None
        self.waiting = Waiting(max_waiting, self.stopping)
        self.connections = Connections(config, open_source, self.stopping)
        self.syncs = Syncs(config, self.connections, self.waiting, self.stopping, self._download_new)
        self.schedule = Scheduler(self.syncs, self.stopping)
        self.downloads = Downloads(config, self.connections, self.waiting, self.stopping)
        self.exports = Exports(config, self.downloads.roots, self.stopping)
        self.measuring = Measuring(self.downloads.roots, self.stopping)
        self.previews = Previews(config, self.connections, self.stopping)
        self.accounts = Accounts(config, self.connections, open_source, self.stopping)
        self.thumbnails = Thumbnails(config.thumbnails_dir)
        self.examinations = Examinations(self.connections)

    @property
    def picture_hosts(self) -> frozenset[str]:
        """Hosts that a signed preview address may point to."""
        return self._config.all_picture_hosts

    @property
    def is_ready(self) -> bool:
        """Whether work can begin: started, not stopping, and somewhere to write down what comes of it."""
        is_running = self._keeper is not None and not self.stopping.is_set()
        return is_running and os.access(self._config.data_dir, os.W_OK)

    def start(self, *, resumes: bool = True) -> None:
        """Clear up what a killed process left, and let its runs go on (paused ones stay paused).

        A command that does one thing only passes `carries_on` False: the runs wait for the next server.
        """
        self._keeper = store.keep_open()
        with store.connection():
            self.settings.load()
            for folder in self._folders_of_interrupted():
                storage.remove_parts(folder)
            downloads.requeue_interrupted_runs()
            for run in runs.list_runs_in(RunState.RUNNING):
                if run.kind == RunKind.DOWNLOAD:
                    downloads.finish_run_if_complete(run.id)
            if not resumes:
                return
            for run in runs.list_runs_in(RunState.RUNNING):
                self._owner(run.kind).ensure_running(run.id)
            self.schedule.start()
            self.exports.start()
            self.measuring.start()

    def stop(self, timeout_seconds: float = 2.0) -> None:
        """Let go of everything within about `timeout_seconds`. Idempotent; runs go on at the next start."""
        self.stopping.set()
        self.waiting.notify()
        self.connections.close()  # requests under way end at once, and what they raise counts for nothing
        self.schedule.stop(timeout_seconds / 2)
        self.syncs.stop(timeout_seconds / 2)
        self.downloads.stop(timeout_seconds / 2)
        self.exports.stop(timeout_seconds / 4)
        self.measuring.stop(timeout_seconds / 4)
        if self._keeper:
            self._keeper.close()

    def replace_cookies(self, profile_id: str, pasted_text: str, *, is_confirmed: bool = False) -> None:
        """Other cookies for a profile; what waited for them goes on. Those of another service let everything
        go on there. Raises what `Accounts` raises."""
        before = get_profile(profile_id)
        after = self.accounts.replace_cookies(profile_id, pasted_text, is_confirmed=is_confirmed)
        self.continue_waiting(profile_id)
        was_elsewhere = before.service is not None or before.health == Health.MOVED
        if was_elsewhere and after.service != before.service:
            self._follow(profile_id)

    def _follow(self, profile_id: str) -> None:
        """An account has moved: its downloads that met a closed door go on, and its history there is read."""
        run = runs.find_open_run(profile_id, RunKind.DOWNLOAD)
        if run and run.error_code == AccountMoved.code:
            self.downloads.resume(profile_id)
        try:
            self.syncs.start(profile_id)
        except Busy:  # a person was quicker
            log.info("%s syncs already where its account has moved to", profile_id)

    def check(self, profile_id: str) -> None:
        """Ask Flow whether the cookies still sign in; what waited for that goes on."""
        self.accounts.check(profile_id)
        self.continue_waiting(profile_id)

    def examine(self, profile_id: str) -> Examination:
        """Ask each reading call of the profile's service once; what waited for its cookies goes on."""
        examination = self.examinations.examine(profile_id)
        if examination.account:
            self.continue_waiting(profile_id)
        return examination

    def continue_waiting(self, profile_id: str) -> None:
        """The cookies are good again: runs of the profile that waited for them go on by themselves."""
        for kind in RunKind:
            run = runs.find_open_run(profile_id, kind)
            if run and runs.change_state(
                run.id, (RunState.WAITING,), RunState.RUNNING, error=None, error_code=None
            ):
                self._owner(kind).ensure_running(run.id)

    def remove_profile(self, profile_id: str, *, with_files: bool = False) -> None:
        """Forget a profile. Its files stay on the disk unless `with_files`."""
        get_profile(profile_id)
        self.syncs.pause(profile_id)
        self.downloads.cancel(profile_id)
        self.connections.drop(profile_id)
        self._wait_for_writers(profile_id)
        walks.reread_shared(profile_id)
        paths = remove_profile(profile_id)
        self.connections.drop(profile_id)
        storage.remove_files([self._config.thumbnails_dir / profile_id])
        if with_files:
            storage.remove_files(paths)

    def _wait_for_writers(self, profile_id: str) -> None:
        """Stay, two seconds at most, until nobody writes files of a profile: no row would know of them."""
        for _ in range(100):
            if not self.downloads.is_working(profile_id) or self.stopping.wait(0.02):
                return

    def delete_files(self, image_ids: Sequence[str]) -> tuple[int, int]:
        """How many files of these images were deleted from the disk, and how many stay."""
        return delete_files(image_ids, self.downloads.roots, self._config.thumbnails_dir)

    def folder_of(self, profile_id: str) -> Path:
        """Where the images of a profile go unless a caller names another folder."""
        return self._config.images_dir / profile_id

    def _download_new(self, run_id: str, state: RunState) -> None:
        """A sync that was to download what is new is about to end: wish for the images that it stored.

        Also when it failed, because for the next sync those images are known ones; not when a person
        paused it.
        """
        run = runs.find_run(run_id)  # its profile may have been removed
        if run is None or not run.downloads_new or state == RunState.PAUSED:
            return
        try:
            self.downloads.request(run.profile_id, downloads.list_pending_of_run(run_id))
        except FlowshelfError as error:
            runs.add_note(run_id, f"What is new was not downloaded. {error}")
        except Exception:
            log.exception("What sync run %s stored could not be wished for", run_id)

    def _owner(self, kind: str) -> Syncs | Downloads:
        return self.syncs if kind == RunKind.SYNC else self.downloads

    def _folders_of_interrupted(self):
        for root in (self._config.images_dir, self._config.thumbnails_dir):
            yield from (root / profile.id for profile in list_profiles())
        yield from downloads.list_folders_in_use()
