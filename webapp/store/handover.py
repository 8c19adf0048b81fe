"""Stores what was read by the script of a hand-over, as a sync run that has ended."""

import secrets
from collections.abc import Sequence

from webapp.database.models import Run, SyncRequest, Walk
from webapp.database.states import RunKind, RunState, SyncMode
from webapp.errors import Busy
from webapp.sources import HistoryPage
from webapp.store import runs, transaction
from webapp.store.history import history_pages, projects, walks
from webapp.times import now

NOTE = "From the script of a hand-over."


def save_pages(profile_id: str, history: str, pages: Sequence[HistoryPage]) -> Run:
    """Store projects that were read whole; nothing is marked as gone, and no gap is closed.

    All in one transaction, so that a run of this kind is never seen under way. Raises Busy during a sync.
    """
    with transaction():
        if runs.find_open_run(profile_id, RunKind.SYNC):
            raise Busy("A sync of this profile is under way. Wait for it, or pause it first.")
        walks.ensure_history(profile_id, history)
        run = _add_run(profile_id, history)
        walk = Walk.create(
            profile=profile_id,
            history=history,
            cursor="",
            from_head=False,
            keeps_gap=False,
            began_at=run.started_at,
            finished_at=run.started_at,
        )
        for page in pages:
            _save_page(run, walk, page)
        Run.update(walk=walk, note=NOTE).where(Run.id == run.id).execute()
        runs.change_state(run.id, (RunState.RUNNING,), RunState.DONE)
    return runs.get_run(run.id)


def _add_run(profile_id: str, history: str) -> Run:
    request = SyncRequest(SyncMode.ALL, (history,))
    fields = {"kind": RunKind.SYNC, "history": history, "started_at": now(), **request.columns()}
    return Run.create(id=secrets.token_hex(8), profile=profile_id, **fields)


def _save_page(run: Run, walk: Walk, page: HistoryPage) -> None:
    known = history_pages.list_known(run.profile_id, page.images)
    page = history_pages.under_known_names(history_pages.without_others(page, known), known.own)
    history_pages.save_page(run, walk, page, known.own)
    projects.note_page(walk, page)
