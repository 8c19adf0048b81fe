"""All work that outlives a request: every thread is started in this package.

    adoption       files that a person downloaded elsewhere and that are taken over
    accounts       profiles and their cookies, checked with Flow
    firefox        the Firefox on this machine: whose sign-in it has, and the profile that reads it
    firefox_watch  one thread that looks whether a Firefox has a sign-in again (firefox_credentials reads it)
    examination    what Flow answers to each reading call, for a report
    companion/     calls that a paired browser makes (PROTOCOL.md)
    connections    one source and one retry policy per profile, shared by its threads
    syncs          sync runs: one thread each
    downloads      download runs: a pool of threads each (worker_pool)
    handover       parts that the script of a hand-over saved
    notifications  one thread that tells what a person should know (delivery sends it)
    previews       fresh preview URLs for the cards in view
    exports        one thread that prepares ZIPs (archive writes one)
    schedule       one thread that starts scheduled syncs
    renewals       one thread that keeps pasted cookies alive
    settings       the settings in force
    backfill       what rows of an earlier version lack, a thread for each: size_backfill (picture sizes),
                   time_backfill (the times of files)
    removals       files that are deleted for good; one thread carries on what a killed process left
    trash          files in the trash; one thread carries on and empties it
    thumbnails     local thumbnails, each made once
    troubles       runs that cannot store what they did
    waiters        API calls that block until their run ends
    disk_space     whether a request fits on the disk
    rate           how fast downloads arrive

Views and commands call `Background`. All threads are daemons, and every file and row they write is complete
or absent at any moment, so the process may exit without waiting for a slow response.
"""

import logging
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from webapp import database, storage, store
from webapp.background.accounts import Accounts
from webapp.background.adoption import Adoption
from webapp.background.companion import Companion
from webapp.background.companion.browser import PairedBrowser
from webapp.background.connections import Connections, OpenSource
from webapp.background.downloads import Downloads
from webapp.background.examination import Examination, Examinations
from webapp.background.exports import Exports
from webapp.background.firefox import Firefox
from webapp.background.firefox_watch import FirefoxWatch
from webapp.background.handover import Handover
from webapp.background.notifications import Notifications
from webapp.background.previews import Previews
from webapp.background.removals import Removals
from webapp.background.renewals import COMMAND_DELAY_SECONDS, Renewals
from webapp.background.schedule import Scheduler
from webapp.background.settings import Settings
from webapp.background.size_backfill import SizeBackfill
from webapp.background.syncs import Syncs
from webapp.background.thumbnails import Thumbnails
from webapp.background.time_backfill import TimeBackfill
from webapp.background.trash import Deletion, Trash
from webapp.background.troubles import Troubles, log_failure
from webapp.background.waiters import Waiters
from webapp.config import Config
from webapp.database.models import Profile
from webapp.database.states import Health, RunKind, RunState
from webapp.errors import AccountExists, AccountMoved, Busy, DatabaseLocked, DiskFull, FlowshelfError
from webapp.maintenance.deletion import Disk
from webapp.maintenance.doctor import find_open_modes
from webapp.maintenance.unknown_files import UnknownFiles, check_unknown_files
from webapp.sources.flow_google import FlowGoogleSource
from webapp.sources.services import open_source
from webapp.store import runs
from webapp.store.history import walks
from webapp.store.pairings import find_pairing_of
from webapp.store.profile_names import owner_name
from webapp.store.profiles import (
    find_profile_of,
    get_profile,
    list_profiles,
    note_service,
    remove_profile,
)
from webapp.store.runs import downloads

log = logging.getLogger(__name__)

# More than the reserve, so that the disk still counts as full when a start has used that.
MIN_FREE_BYTES = 4 * 1024 * 1024
DISK_FULL = (
    "The disk that holds the data folder is full. Free some space there, or delete images that you do not "
    "need. Runs continue by themselves; nothing was lost."
)


class Background:
    """The background work of one process, which holds the lock of the data folder.

    `max_waiters` limits how many callers may block until their run ends, so that they never take all threads
    of the server.
    """

    def __init__(
        self, config: Config, *, max_waiters: int = 6, open_source: OpenSource = open_source
    ) -> None:
        self._config = config
        self.settings = Settings(config)
        self.stopping = threading.Event()
        self._is_started = False
        self.waiters = Waiters(max_waiters, self.stopping)
        self.troubles = Troubles()
        self.connections = Connections(
            config,
            self.settings,
            open_source,
            self.stopping,
            browser_of=self._browser_of,
        )
        self.companion = Companion(self.connections, self.resume_waiting, self.stopping)
        self.syncs = Syncs(
            config, self.connections, self.waiters, self.stopping, self.troubles, self._download_new
        )
        self.schedule = Scheduler(self.syncs, self.stopping)
        roots = (config.images_dir, *config.storage_roots)
        self.trash = Trash(self.settings, roots, config.thumbnails_dir, self.stopping)
        self.downloads = Downloads(
            config, self.settings, self.connections, self.waiters, self.stopping, self.troubles, self.trash
        )
        self.exports = Exports(config, self.settings, self.downloads.roots, self.stopping)
        self.size_backfill = SizeBackfill(self.downloads.roots, self.stopping)
        self.time_backfill = TimeBackfill(self.downloads.roots, self.stopping)
        self.previews = Previews(config, self.connections, self.stopping)
        self.accounts = Accounts(config, self.connections, open_source, self.stopping)
        self.firefox_watch = FirefoxWatch(config, self.connections, self.check, self.stopping)
        self.firefox = Firefox(config, self.connections, open_source, self.stopping)
        self.thumbnails = Thumbnails(config.thumbnails_dir)
        disk = Disk(self.downloads.roots, config.images_dir, config.thumbnails_dir)
        self.removals = Removals(disk, self.stopping)
        self.notifications = Notifications(config, self.downloads.roots, self.stopping)
        self.handover = Handover(
            config.all_picture_hosts, lambda email: self.accounts.add_without_cookies("", email)
        )
        self.adoption = Adoption(config.images_dir, config.uploads_dir, self.downloads.roots)
        self.examinations = Examinations(self.connections)
        self.renewals = Renewals(config, self.stopping, self.check)

    @property
    def picture_hosts(self) -> frozenset[str]:
        """Hosts that a signed preview URL may point to."""
        return self._config.all_picture_hosts

    def project_page(self, project_id: str, account_index: int | None) -> str:
        """The page of a project in today's Flow, for the account with this number there."""
        return self._config.project_page(project_id, account_index)

    @property
    def flow_url(self) -> str:
        """Where today's Flow is."""
        return self._config.flow_url

    @property
    def privacy_problem(self) -> str | None:
        """Why other users of this machine can use the data folder, and what to do; None when they cannot."""
        return find_open_modes(self._config)

    @property
    def is_ready(self) -> bool:
        """Whether work can start: `start` was called, `stop` was not, and the data folder is writable."""
        is_running = self._is_started and not self.stopping.is_set()
        return is_running and os.access(self._config.data_dir, os.W_OK)

    def find_trouble(self) -> FlowshelfError | None:
        """What every page should show: runs cannot store what they do, or the data folder's disk is full."""
        if trouble := self.troubles.find():
            return trouble
        try:
            is_full = storage.free_bytes(self._config.data_dir) < MIN_FREE_BYTES
        except FlowshelfError as error:
            return error
        return DiskFull(DISK_FULL) if is_full else None

    def start(self, *, resumes: bool = True) -> None:
        """Clean up after a killed process and resume its runs. Paused runs stay paused.

        A command that does a single job passes `resumes=False`: the runs then wait for the next server.
        """
        with database.translate_damage(self._config.database_path):
            self._start(resumes=resumes)

    def _start(self, *, resumes: bool) -> None:
        storage.keep_reserve(self._config.data_dir)
        store.keep_open(self._config.database_path)
        self._is_started = True
        with store.connection():
            self.settings.load()
            for folder in self._list_folders_in_use():
                storage.remove_parts(folder)
            storage.remove_files(self._config.uploads_dir.glob("*"))
            # Before any thread starts: from then on a download in the state RUNNING belongs to a thread.
            downloads.requeue_interrupted_runs()
            for run in runs.list_runs_in(RunState.RUNNING):
                if run.kind == RunKind.DOWNLOAD:
                    downloads.finish_run_if_complete(run.id)
            # A command that ends at once contacts nobody; a long one keeps its cookies alive like a server.
            self.renewals.start(delay_seconds=0.0 if resumes else COMMAND_DELAY_SECONDS)
            self.companion.relay.is_served = resumes
            if not resumes:
                return
            for run in runs.list_runs_in(RunState.RUNNING):
                self._ensure_running(run.kind, run.id)
            self.schedule.start()
            self.firefox_watch.start()
            self.exports.start()
            self.size_backfill.start()
            self.trash.start()
            self.time_backfill.start()
            self.removals.start()
            self.notifications.start()

    def stop(self, timeout_seconds: float = 2.0) -> None:
        """Stop all threads within about `timeout_seconds`. Runs resume at the next start. Idempotent.

        The order matters. `stopping` comes first, because closing the connections makes every request under
        way raise, and only `stopping` tells the threads that this is no failure of Flow. Then the threads are
        joined.
        """
        self.stopping.set()
        self.waiters.notify_all()
        self.connections.close()
        self.renewals.stop(timeout_seconds / 2)
        self.schedule.stop(timeout_seconds / 2)
        self.firefox_watch.stop(timeout_seconds / 4)
        self.syncs.stop(timeout_seconds / 2)
        self.downloads.stop(timeout_seconds / 2)
        self.exports.stop(timeout_seconds / 4)
        self.size_backfill.stop(timeout_seconds / 4)
        self.trash.stop(timeout_seconds / 4)
        self.time_backfill.stop(timeout_seconds / 4)
        self.removals.stop(timeout_seconds / 4)
        self.notifications.stop(timeout_seconds / 4)
        store.close_kept()

    def choose_settings(self, texts: Mapping[str, str]) -> None:
        """Store what a person chose, and apply it to the runs that are under way. Raises BadRequest."""
        self.settings.choose(texts)
        self.connections.apply_settings()
        self.downloads.apply_settings()
        self.trash.wake()

    def replace_cookies(self, profile_id: str, pasted_text: str, *, is_confirmed: bool = False) -> None:
        """Replace a profile's cookies and resume the runs that waited for them.

        If the new cookies belong to another service than the old ones, the account has moved: then downloads
        that stopped because of the move resume too, and a sync starts. Raises what `Accounts.replace_cookies`
        raises.
        """
        before, before_pairing = get_profile(profile_id), find_pairing_of(profile_id)
        after = self.accounts.replace_cookies(profile_id, pasted_text, is_confirmed=is_confirmed)
        if before_pairing:
            self.companion.unpair(before_pairing.id)  # its row is gone already: pasted cookies end it
        self.resume_waiting(profile_id)
        self.renewals.wake()
        had_service = before.service is not None or before.health == Health.MOVED
        if had_service and after.service != before.service:
            self._resume_after_move(profile_id)

    def _resume_after_move(self, profile_id: str) -> None:
        run = runs.find_open_run(profile_id, RunKind.DOWNLOAD)
        if run and run.error_code == AccountMoved.code:
            self.downloads.resume(profile_id)
        try:
            self.syncs.start(profile_id)
        except Busy:
            log.info("sync of %s after its account moved: another one is running already", profile_id)

    def connect_browser(
        self, pairing_id: str, index: int, *, name: str = "", takes_over: bool = False
    ) -> Profile:
        """Let a paired browser sign in one of its accounts from now on.

        A new profile is called `name`, or like the account. `takes_over`: also when the account is on the
        shelf already. Its rows, gaps, queue and files stay, its cookies are deleted, and what waits goes on.
        Raises BadRequest, UnknownPairing, and AccountExists without `takes_over`.
        """
        email = self.companion.require_free(pairing_id, index)
        before = find_profile_of(email) if email else None
        if before and not takes_over:
            raise AccountExists(f"{email} is on this shelf already, as “{owner_name(before)}”.")
        profile_id = before.id if before else self.accounts.add_without_cookies(name, email).id
        self.companion.use_for(pairing_id, profile_id, index)
        note_service(profile_id, FlowGoogleSource.name, FlowGoogleSource.capabilities.histories)
        self.resume_waiting(profile_id)
        if before and before.service not in (None, FlowGoogleSource.name):
            self._resume_after_move(profile_id)
        return get_profile(profile_id)

    def check(self, profile_id: str) -> None:
        """Check with Flow whether the cookies still sign in; if so, resume the runs that waited for them."""
        self.accounts.check(profile_id)
        self.resume_waiting(profile_id)

    def use_firefox(
        self, key: str, container: int | None, index: int = 0, *, name: str = "", replaces: str = ""
    ) -> Profile:
        """Let a profile read a Firefox from now on, and resume its runs that waited.

        The arguments and errors are those of `Firefox.use`.
        """
        before = next((one for one in list_profiles() if one.id == replaces), None)
        before_pairing = find_pairing_of(replaces) if replaces else None
        profile = self.firefox.use(key, container, index, name=name, replaces=replaces)
        if before_pairing:
            self.companion.unpair(before_pairing.id)  # its row is gone already
        self.firefox_watch.wake()
        self.resume_waiting(profile.id)
        if before and before.service not in (None, profile.service):
            self._resume_after_move(profile.id)
        return get_profile(profile.id)

    def examine(self, profile_id: str) -> Examination:
        """Make each reading call of the profile's service once.

        If the cookies sign in, runs that waited for them resume.
        """
        examination = self.examinations.examine(profile_id)
        if examination.account:
            self.resume_waiting(profile_id)
        return examination

    def resume_waiting(self, profile_id: str) -> None:
        """The cookies work again: resume the profile's runs that waited for them."""
        for kind in RunKind:
            run = runs.find_open_run(profile_id, kind)
            if run and runs.change_state(
                run.id, (RunState.WAITING,), RunState.RUNNING, error=None, error_code=None
            ):
                self._ensure_running(kind, run.id)

    def remove_profile(self, profile_id: str, *, with_files: bool = False) -> None:
        """Remove a profile and its rows. Its files stay where they are, or go to the trash if `with_files`.

        What is to be done with its files is recorded with the removal of its rows, so a killed process leaves
        none for good.

        The connection is dropped twice: first so that requests under way end and no thread writes another
        file, then because a thread may have opened a new connection before the row was gone.
        """
        get_profile(profile_id)
        self.syncs.pause(profile_id)
        self.downloads.cancel(profile_id)
        self.connections.drop(profile_id)
        if pairing := find_pairing_of(profile_id):
            self.companion.unpair(pairing.id)
        self._wait_for_writers(profile_id)
        walks.reread_shared(profile_id)
        trashed, recorded = remove_profile(profile_id, with_files=with_files)
        self.connections.drop(profile_id)
        self.trash.carry_out(trashed)
        self.removals.carry_out(recorded)  # afterwards, because the folder goes only when it is empty

    def _wait_for_writers(self, profile_id: str) -> None:
        """Wait, at most two seconds, until no thread writes files of a profile, which would have no row."""
        for _ in range(100):
            if not self.downloads.is_working(profile_id) or self.stopping.wait(0.02):
                return

    def delete_files(self, image_ids: Sequence[str]) -> Deletion:
        """Move the files of these images to the trash."""
        with self._reserve():
            return self.trash.delete(image_ids)

    def delete_for_good(self, image_ids: Sequence[str]) -> tuple[int, int]:
        """Delete the files of these images, past the trash. Returns how many were deleted and how many could
        not be deleted."""
        with self._reserve():
            return self.removals.delete_files(image_ids)

    def empty_trash(self, ids: Sequence[int]) -> int:
        """Delete files of the trash for good. Returns how many are gone."""
        with self._reserve():
            return self.trash.empty(ids)

    @contextmanager
    def _reserve(self) -> Iterator[None]:
        """On a full disk the reserve of the data folder makes it possible to store that files are deleted."""
        storage.release_reserve(self._config.data_dir)
        try:
            yield
        finally:
            storage.keep_reserve(self._config.data_dir)

    def is_disk_full(self) -> bool:
        """Whether a disk that holds images or the database has less than the reserve: then moving files to
        the trash, which is on the same disk, does not help."""
        for folder in (self._config.data_dir, *self.downloads.roots):
            with suppress(FlowshelfError):
                if storage.free_bytes(folder) < MIN_FREE_BYTES:
                    return True
        return False

    def check_unknown_files(self, *, moves: bool) -> UnknownFiles:
        """Find files of profiles that no image knows; `moves`: move them to the folder `unknown`."""
        config = self._config
        return check_unknown_files(config.images_dir, config.unknown_dir, config.storage_roots, moves=moves)

    def folder_of(self, profile_id: str) -> Path:
        """The folder for a profile's images unless a caller names another one."""
        return self._config.images_dir / profile_id

    def _browser_of(self, profile_id: str) -> PairedBrowser:
        # Looked up when it is needed: `companion` is made after `connections`, which it uses.
        return self.companion.browser_of(profile_id)

    def _download_new(self, run_id: str, state: RunState) -> None:
        """Called when a sync is about to end: queue the images it stored, if it was asked to.

        Also after a failure, because the next sync will not count these images as new. Not after a pause.
        """
        run = runs.find_run(run_id)  # None: its profile was removed
        if run is None or not run.downloads_new or state == RunState.PAUSED:
            return
        try:
            self.downloads.request(run.profile_id, downloads.list_pending_of_run(run_id))
        except FlowshelfError as error:
            runs.add_note(run_id, f"The new images were not downloaded. {error}")
        except Exception as error:
            if isinstance(store.problem_of(error), DatabaseLocked | DiskFull):
                raise  # the run does not end yet: it is tried again once the database can be written
            log_failure(f"sync {run_id}: its new images could not be queued for download", error)

    def _ensure_running(self, kind: str, run_id: str) -> None:
        runner = self.syncs if kind == RunKind.SYNC else self.downloads
        runner.ensure_running(run_id)

    def _list_folders_in_use(self) -> Iterator[Path]:
        for root in (self._config.images_dir, self._config.thumbnails_dir):
            yield from (root / profile.id for profile in list_profiles())
        yield from downloads.list_folders_in_use()
