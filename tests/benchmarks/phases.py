"""Both phases of Flowshelf in this process, on a temporary data folder with one profile."""

from collections.abc import Iterator
from contextlib import contextmanager

from webapp import create_app, store
from webapp.background import Background
from webapp.config import Config
from webapp.database.states import RunState, SyncMode
from webapp.web.services import background_of

from .measuring import seconds_of
from .servers import temporary_folder

HISTORY = "ASSET_MANAGER"


@contextmanager
def opened(labs_url: str, cookies: str, **settings) -> Iterator[tuple[Background, str]]:
    """The background and the profile's id. `settings` are fields of `Config`."""
    usual = {"labs_url": labs_url, "media_url": labs_url, "page_delay_seconds": 0}
    with temporary_folder() as folder:
        work = background_of(create_app(Config(folder, **usual | settings)))
        work.start()
        try:
            with store.connection():
                yield work, work.accounts.add("Ada", cookies).id
        finally:
            work.stop()


def start_sync(work: Background, profile_id: str, mode: SyncMode = SyncMode.NEW) -> str:
    """The id of a new sync run of one history."""
    return work.syncs.start(profile_id, mode=mode, histories=(HISTORY,)).id


def sync(work: Background, profile_id: str) -> None:
    run = work.syncs.wait(start_sync(work, profile_id))
    assert run.state == RunState.DONE, run.error


def download_seconds(work: Background, profile_id: str) -> float:
    """The time that the download of all pending images takes."""

    def download() -> None:
        run = work.downloads.wait_for_run(work.downloads.request_pending(profile_id).id)
        assert (run.state, run.failed_count) == (RunState.DONE, 0), run.error

    return seconds_of(download)
