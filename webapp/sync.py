"""Phase 1: walk a history page by page and store what it says, without any file.

A walk is a gap being closed (design.md, "How history is walked"; the numbers in the comments are
its rules). What a page means is decided by pure functions; the store applies page, counts and the
gap's new place in one transaction. A run can be carried on from its rows after any interruption.
"""

import hashlib
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial

from webapp import store
from webapp.errors import (
    CircularHistory,
    CursorRefused,
    FlowError,
    HistoryEmpty,
    HistoryRefused,
)
from webapp.gone import gone_note
from webapp.models import Run, Walk
from webapp.sources import HistoryPage, Source
from webapp.sources.pace import Pace, Stopped, jittered
from webapp.states import Step, SyncMode
from webapp.store import histories, pages, projects, runs

MOST_PAGES_WITHOUT_IMAGE = 50


@dataclass(slots=True)
class Met:
    """What one walk has met since this process carries it on: names (as 8-byte hashes) and tokens."""

    names: set[bytes] = field(default_factory=set)
    cursors: set[str] = field(default_factory=set)
    pages_without_image: int = 0


def is_joined(page: HistoryPage, known: dict[str, int], walk: Walk) -> bool:
    """Rule 3: the page has usable images, all were known before this walk began, and none is newer
    than the last entry above. `known` maps names to the id of the walk that stored them."""
    return bool(page.images) and all(
        known.get(image.name, walk.id) < walk.id and not _is_newer(image.created_at, walk.last_created_at)
        for image in page.images
    )


def _is_newer(created_at: str | None, above: str | None) -> bool:
    return created_at is not None and above is not None and created_at > above


def step_of(page: HistoryPage, known: dict[str, int], walk: Walk, *, may_join: bool) -> Step:
    """What a page means for the walk that met it."""
    if page.next_cursor is None:
        return Step.END
    if may_join and walk.owes_gap and is_joined(page, known, walk):
        return Step.JOINED
    return Step.ON


def meet(met: Met, page: HistoryPage, *, is_project: bool = False) -> None:
    """Rules 3 and 8: raises when the history goes round in circles or brings no images for ever.

    A project may be empty, and one that moved in the listing meanwhile may come twice.
    """
    hashes = {hashlib.blake2b(name.encode(), digest_size=8).digest() for name in page.names}
    is_met = not is_project and bool(hashes) and hashes <= met.names
    if page.next_cursor in met.cursors or is_met:
        raise CircularHistory(
            "Flow repeats itself: it handed out pages of this history that this sync has already seen. "
            "The sync stopped and remembers the place; press Resume to go on from there later."
        )
    met.names |= hashes
    if page.next_cursor:
        met.cursors.add(page.next_cursor)
    met.pages_without_image = 0 if page.images or is_project else met.pages_without_image + 1
    if met.pages_without_image >= MOST_PAGES_WITHOUT_IMAGE:
        raise FlowError(
            f"Flow sent {MOST_PAGES_WITHOUT_IMAGE} pages in a row without a usable image. The sync stopped "
            "and remembers the place; press Resume to go on from there."
        )


class SyncRun:
    """Carries one sync run on from where its rows say it stands, to its end.

    `stopping` ends it between two pages; `on_page` is called after each page was stored.
    """

    def __init__(
        self,
        run_id: str,
        source: Source,
        pace: Pace,
        *,
        page_delay_seconds: float,
        stopping: threading.Event,
        on_page: Callable[[], None] = lambda: None,
    ) -> None:
        self._run = runs.get_run(run_id)
        self._source = source
        self._pace = pace
        self._page_delay_seconds = page_delay_seconds
        self._stopping = stopping
        self._on_page = on_page
        self._pages_read = 0
        self._was_refused = False

    def carry_on(self) -> None:
        """Raises Stopped when told to stop, FlowError and its kind when Flow does not play along.

        Whatever it raises, the gap is where the walk stood.
        """
        run = self._run
        names = run.histories.split(",")
        refused = []
        for history in names[names.index(run.history) if run.history else 0 :]:
            try:
                self._sync_history(history)
            except HistoryRefused as error:  # 9: it does not stop the other
                if histories.has_answered(run.profile_id, history):
                    raise
                histories.note_refused_history(run.profile_id, history)
                runs.add_note(run.id, str(error))
                refused.append(error)
        if len(refused) == len(names):
            raise refused[0]

    def _sync_history(self, history: str) -> None:
        if self._run.history != history:
            histories.begin_history(self._run.id, history)
            self._run = runs.get_run(self._run.id)
        for walk in self._walks(self._run, history):
            if self._has_enough_pages():
                return
            self._carry_walk_on(walk)

    def _walks(self, run: Run, history: str) -> Iterable[Walk]:
        """The walks that a run consists of, each to be carried on before the next is asked for."""
        if run.walk_id is None:
            if walk := self._first_walk(run, history):
                yield walk
        elif run.walk.finished_at is None:
            yield run.walk
        # 4: a quick sync closes the remaining gaps. 7: a walk whose cursor was refused goes on from the
        # head, which its gap has become.
        while run.mode == SyncMode.NEW or self._was_refused:
            self._was_refused = False
            gaps = histories.list_gaps(run.profile_id, history)
            if not gaps:
                return
            yield histories.begin_at_gap(run, gaps[0])

    def _first_walk(self, run: Run, history: str) -> Walk | None:
        if run.start_cursor:
            return histories.begin_at_cursor(run, history, run.start_cursor)
        if run.mode == SyncMode.RESUME:
            return self._resumed_walk(run, history)
        return histories.begin_at_head(run, history, is_full=run.mode == SyncMode.FULL)

    def _resumed_walk(self, run: Run, history: str) -> Walk | None:
        """6: the newest gap, or the full walk that was begun later than the walk to that gap."""
        full = histories.find_open_full_walk(run.profile_id, history)
        gap = next(iter(histories.list_gaps(run.profile_id, history)), None)
        if full and (gap is None or (gap.walk_id is not None and gap.walk_id <= full.id)):
            return histories.continue_walk(run, full)
        return histories.begin_at_gap(run, gap) if gap else None

    def _carry_walk_on(self, walk: Walk) -> None:
        met = Met(cursors={walk.cursor} if walk.cursor else set())
        first_cursor, goes_on = walk.cursor, True
        while goes_on:
            self._wait_between_pages()
            try:
                page = self._read_page(walk)
            except CursorRefused:
                self._give_up_cursor(walk, was_handed_out_now=walk.cursor != first_cursor)
                return
            meet(met, page, is_project=not self._source.promise.is_newest_first)
            if page.next_cursor is None and not self._has_read_missed(walk, page):
                return
            step = self._save(walk, page)
            self._on_page()
            goes_on = self._goes_on(walk, step) and not self._has_enough_pages()

    def _has_read_missed(self, walk: Walk, last_page: HistoryPage) -> bool:
        """Before a full walk says what is gone, it asks for each project that the listing did not show to
        it: that may have moved to a place the walk had left behind. False when there were enough pages."""
        if not walk.is_full or self._source.promise.is_newest_first:
            return True
        for project in pages.list_missed_projects(walk):
            if project.id == (last_page.project and last_page.project.id):
                continue
            if self._has_enough_pages():
                return False
            self._wait_between_pages()
            page = self._tried(partial(self._source.project_page, project))
            # The walk stays where it is: its last page is still to be stored.
            self._save(walk, replace(page, next_cursor=walk.cursor))
            self._on_page()
        return not self._has_enough_pages()

    def _wait_between_pages(self) -> None:
        if self._stopping.wait(jittered(self._page_delay_seconds) if self._pages_read else 0):
            raise Stopped
        self._pages_read += 1

    def _read_page(self, walk: Walk) -> HistoryPage:
        """2: an answer with neither entries nor token is asked for once more."""
        page = self._ask(walk)
        if page.entry_count or page.next_cursor:
            return page
        page = self._ask(walk)
        is_nothing = not page.entry_count and not page.next_cursor
        if is_nothing and walk.cursor:
            raise HistoryEmpty(
                "Flow named a next page of this history and then sent nothing, twice. The sync stopped and "
                "remembers the place; press Resume later."
            )
        if is_nothing and histories.has_images(walk.profile_id, walk.history):
            raise HistoryEmpty(
                "Flow says that this history is empty, but there are images of it on the shelf. Nothing was "
                "changed. Check in Flow that this account still shows its pictures, then sync again."
            )
        if is_nothing and self._source.promise.empty_note:
            runs.add_note(self._run.id, self._source.promise.empty_note)
        return page

    def _ask(self, walk: Walk) -> HistoryPage:
        settled = self._settled_projects(walk)
        return self._tried(
            lambda: self._source.history_page(
                walk.history, walk.cursor or None, lambda project: (project.id, project.listed_at) in settled
            )
        )

    def _tried(self, ask: Callable[[], HistoryPage]) -> HistoryPage:
        return self._pace.tried(ask, self._stopping, gives_up=False)

    def _settled_projects(self, walk: Walk) -> set[tuple[str, str]]:
        """What a quick sync passes over, where the service shows that nothing changed."""
        is_quick = self._run.mode == SyncMode.NEW and not walk.is_full
        if self._source.promise.is_newest_first or not is_quick:
            return set()
        return projects.list_settled(walk.profile_id, walk.history)

    def _save(self, walk: Walk, page: HistoryPage) -> Step:
        with store.transaction():
            known = pages.list_known(walk.profile_id, page.images)
            page = pages.under_known_names(page, known)
            may_join = self._source.promise.is_newest_first and histories.may_join(walk)
            stored_by = {row.name: row.stored_walk_id or 0 for row in known}
            step = step_of(page, stored_by, walk, may_join=may_join)
            # A full walk that only had its gap closed by a quick sync is still to be resumed.
            ends = step is Step.END or not (walk.is_full or self._goes_on(walk, step))
            unseen = pages.save_page(self._run, walk, page, known, step, is_last=ends)
        if unseen.count:
            runs.add_note(self._run.id, gone_note(unseen))
        return step

    def _goes_on(self, walk: Walk, step: Step) -> bool:
        """5: all and full, and a full walk that is resumed, do not stop where they join."""
        mode = self._run.mode
        passes = mode in (SyncMode.ALL, SyncMode.FULL) or (mode == SyncMode.RESUME and walk.is_full)
        return step is Step.ON or (step is Step.JOINED and passes)

    def _has_enough_pages(self) -> bool:
        most = self._run.max_pages
        return most is not None and self._run.history_page_count >= most

    def _give_up_cursor(self, walk: Walk, *, was_handed_out_now: bool) -> None:
        """7: an old place that Flow no longer knows; the gap becomes the head, which does not join.

        Never head, refusal, head for ever: a refused first page or a place handed out in this very
        run stops the run and keeps the gap.
        """
        if not walk.cursor or was_handed_out_now:
            raise CursorRefused(
                "Flow refused the next page of this history, although it had just named it. The sync stopped "
                "and remembers the place; press Resume later."
            )
        has_gap = histories.reopen_at_head(walk) is not None
        if self._run.start_cursor == walk.cursor:
            raise CursorRefused(
                "Flow does not know the startCursor any more. Leave it out to sync from the newest image."
            )
        if not has_gap:
            raise CursorRefused(
                "Flow no longer knows the place where this full sync stopped. Nothing is missing on the "
                "shelf; start Full sync anew to compare it with Flow."
            )
        self._was_refused = True
        runs.add_note(
            self._run.id, "Flow no longer knew the place to go on from, so the history is read from its head."
        )
