"""A Flowshelf at work on a data folder of its own."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from webapp import create_app, store
from webapp.background import Background
from webapp.config import Config
from webapp.database.states import RunState, SyncMode
from webapp.web.services import background_of

HISTORY = "ASSET_MANAGER"


@contextmanager
def working(
    labs_url: str, cookies: str, *, media_url: str = "", **settings
) -> Iterator[tuple[Background, str]]:
    """Its background and the id of its one profile."""
    with tempfile.TemporaryDirectory(prefix="flowshelf-bench-") as folder:
        urls = {"labs_url": labs_url, "media_url": media_url or labs_url}
        work = background_of(create_app(Config(Path(folder), page_delay_seconds=0, **urls, **settings)))
        work.start()
        try:
            with store.connection():
                yield work, work.accounts.add("Ada", cookies).id
        finally:
            work.stop()


def sync(work: Background, profile_id: str, mode: SyncMode = SyncMode.NEW) -> float:
    """Seconds of a whole sync of one history."""
    began = time.perf_counter()
    run = work.syncs.wait(work.syncs.start(profile_id, mode=mode, histories=(HISTORY,)).id)
    assert run.state == RunState.DONE, run.error
    return time.perf_counter() - began


def download(work: Background, profile_id: str) -> float:
    """Seconds of the download of all that is pending."""
    began = time.perf_counter()
    run = work.downloads.wait_for_run(work.downloads.request_pending(profile_id).id)
    assert (run.state, run.failed_count) == (RunState.DONE, 0), run.error
    return time.perf_counter() - began
