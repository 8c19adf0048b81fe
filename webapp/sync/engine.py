"""Carries a sync run on: reads page by page and stores page, counts and the gap's new place together.

What a page means is decided by `webapp.sync.rules`; the numbers in the comments are those of its rules. A run
can be carried on from its rows after any interruption.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TypeVar

from webapp import store
from webapp.database.models import Run, Walk
from webapp.database.states import PageOutcome, SyncMode
from webapp.errors import (
    CursorRefused,
    FlowChanged,
    FlowUnavailable,
    HistoryEmpty,
    HistoryRefused,
    ProjectFailed,
    SourceClosed,
)
from webapp.sources import HistoryPage, Source
from webapp.sources.retry import RetryPolicy, Stopped
from webapp.store import runs
from webapp.store.history import history_pages, missing, projects, walks
from webapp.sync.missing import missing_note
from webapp.sync.rules import Visited, check_progress, failure_note, outcome_of, read_nothing

# A project that fails is asked for so often, one that was never answered for once more after that.
TRIES_OF_A_PROJECT = 3

T = TypeVar("T")


class SyncRun:
    """Carries one sync run on from where its rows say it stands, to its end.

    `stopping` ends it between two pages, and gives up a page that is under way; `on_page` is called after
    each page was stored.
    """

    def __init__(
        self,
        run_id: str,
        source: Source,
        retry: RetryPolicy,
        *,
        stopping: threading.Event,
        on_page: Callable[[], None] = lambda: None,
    ) -> None:
        self._run = runs.get_run(run_id)
        self._source = source
        self._retry = retry
        self._stopping = stopping
        self._on_page = on_page
        self._was_refused = False

    def run(self) -> None:
        """Raises Stopped when told to stop, FlowError and its kind when Flow does not play along.

        Whatever it raises, the gap is where the walk stood.
        """
        names = self._run.histories.split(",")
        try:
            with self._source.cancelled_by(self._stopping):
                self._read_histories(names[names.index(self._run.history) if self._run.history else 0 :])
                run = runs.get_run(self._run.id)
                # 11: somebody asked for it while it was under way.
                while unserved := walks.list_unserved(run):
                    self._read_histories(unserved, again=True)
                    run = runs.get_run(self._run.id)
        except SourceClosed:
            if self._stopping.is_set():
                raise Stopped from None
            raise
        self._check_success(run)

    def _read_histories(self, names: list[str], *, again: bool = False) -> None:
        refused = []
        for history in names:
            try:
                self._sync_history(history, again=again)
            except HistoryRefused as error:  # 9: it does not stop the other
                if walks.has_responded(self._run.profile_id, history):
                    raise
                with self._writing():
                    walks.note_refused_history(self._run.profile_id, history)
                    walks.note_head_read(self._run, history, runs.get_run(self._run.id).asked_count)
                    if not again:
                        runs.add_note(self._run.id, str(error))
                refused.append(error)
        if len(refused) == len(self._run.histories.split(",")):
            raise refused[0]

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction for this run, unless it was paused: then another thread may carry the walk on."""
        with store.transaction():
            runs.require_running(self._run.id)
            yield

    def _check_success(self, run: Run) -> None:
        """Raises FlowChanged when the run could read none of what it met: that is not “nothing new”."""
        if read_nothing(run):
            raise FlowChanged(
                f"{self._source.name} answered, but Flowshelf could read nothing of what it sent: the "
                "service has probably changed. Nothing was marked as gone. Look for a newer Flowshelf; the "
                "next sync tries again.",
                run.sample or "",
            )
        if self._reads_projects and run.walk and projects.is_none_read(run.walk):
            raise FlowChanged(
                f"{self._source.name} let none of the projects be read. Nothing was marked as gone, and the "
                "next sync tries again. Look for a newer Flowshelf if it stays so.",
                run.sample or "",
            )

    def _sync_history(self, history: str, *, again: bool) -> None:
        if self._run.history != history or again:
            with self._writing():
                walks.begin_history(self._run.id, history)
            self._run = runs.get_run(self._run.id)
        for walk in self._walks(self._run, history):
            if self._has_enough_pages():
                return
            self._continue_walk(walk)

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
            gaps = walks.list_gaps(run.profile_id, history)
            if not gaps:
                return
            with self._writing():
                walk = walks.begin_at_gap(run, gaps[0], is_quick=self._is_quick)
            yield walk

    @property
    def _reads_projects(self) -> bool:
        return not self._source.capabilities.is_newest_first

    @property
    def _is_quick(self) -> bool:
        """12: a quick sync does not read every project."""
        return self._reads_projects and self._run.mode == SyncMode.NEW

    def _first_walk(self, run: Run, history: str) -> Walk | None:
        with self._writing():
            if run.start_cursor:
                return walks.begin_at_cursor(run, history, run.start_cursor)
            if run.mode == SyncMode.RESUME:
                return self._resumed_walk(run, history)
            is_full = run.mode == SyncMode.FULL
            return walks.begin_at_head(run, history, is_full=is_full, is_quick=self._is_quick)

    def _resumed_walk(self, run: Run, history: str) -> Walk | None:
        """6: the newest gap, or the full walk that was begun later than the walk to that gap."""
        full = walks.find_open_full_walk(run.profile_id, history)
        gap = next(iter(walks.list_gaps(run.profile_id, history)), None)
        if full and (gap is None or (gap.walk_id is not None and gap.walk_id <= full.id)):
            return walks.continue_walk(run, full)
        if gap is None:
            return None
        # At the head a new walk begins; it reads as many projects as the one that stopped there.
        is_quick = self._reads_projects and (gap.walk is None or gap.walk.is_quick)
        return walks.begin_at_gap(run, gap, is_quick=is_quick)

    def _continue_walk(self, walk: Walk) -> None:
        visited = Visited(cursors={walk.cursor} if walk.cursor else set())
        passed_over = projects.list_passed_over(walk) if self._reads_projects else set()
        first_cursor, goes_on = walk.cursor, True
        while goes_on:
            self._retry.wait_for_page(self._stopping)
            # As it was before the request: who asks after it is not served by its answer.
            asked_count = self._run.asked_count if _is_at_head(walk) else 0
            try:
                page = self._read_page(walk, passed_over)
            except CursorRefused:
                self._give_up_cursor(walk, was_handed_out_now=walk.cursor != first_cursor)
                return
            check_progress(visited, page, is_project=self._reads_projects)
            if page.next_cursor is None and not self._has_read_unlisted(walk, page):
                return
            step = self._save(walk, page, asked_count=asked_count)
            if page.project:
                passed_over.add(page.project.id)
            self._on_page()
            goes_on = self._goes_on(walk, step) and not self._has_enough_pages()

    def _has_read_unlisted(self, walk: Walk, last_page: HistoryPage) -> bool:
        """12: before a full walk says what is gone, it asks once for each project that the listing does not
        show any more: not found means deleted. False when there were enough pages."""
        if not walk.is_full or not self._reads_projects:
            return True
        besides = {project.id for project in (*last_page.passed, last_page.project) if project}
        for project in projects.list_unlisted(walk, besides):
            if self._has_enough_pages():
                return False
            self._retry.wait_for_page(self._stopping)
            page = self._ask_project(partial(self._source.project_page, project))
            # The walk stays where it is: its last page is still to be stored.
            self._save(walk, replace(page, next_cursor=walk.cursor), is_listed=False)
            self._on_page()
        return not self._has_enough_pages()

    def _read_page(self, walk: Walk, passed_over: set[str]) -> HistoryPage:
        """2: an answer with neither entries nor token is asked for once more."""
        page = self._ask(walk, passed_over)
        if page.entry_count or page.next_cursor:
            return page
        page = self._ask(walk, passed_over)
        is_nothing = not page.entry_count and not page.next_cursor
        if is_nothing and walk.cursor:
            raise HistoryEmpty(
                "Flow named a next page of this history and then sent nothing, twice. The sync stopped and "
                "remembers the place; press Resume later."
            )
        if is_nothing and walks.has_images(walk.profile_id, walk.history):
            raise HistoryEmpty(
                "Flow says that this history is empty, but there are images of it on the shelf. Nothing was "
                "changed. Check in Flow that this account still shows its pictures, then sync again."
            )
        if is_nothing and self._source.capabilities.empty_note:
            with self._writing():
                runs.add_note(self._run.id, self._source.capabilities.empty_note)
        return page

    def _ask(self, walk: Walk, passed_over: set[str]) -> HistoryPage:
        ask = partial(
            self._source.history_page,
            walk.history,
            walk.cursor or None,
            lambda project: project.id in passed_over,
        )
        return self._ask_project(ask) if self._reads_projects else self._call(ask)

    def _ask_project(self, ask: Callable[[], HistoryPage]) -> HistoryPage:
        """12: a project that cannot be read is noted and passed by, so that those behind it are read.

        No answer at all may mean that the service is down. So something small is asked for, as long as it
        takes; only a project that fails while the service answers is at fault itself.
        """
        for is_last in (False, True):
            try:
                return self._retry.call(
                    ask, self._stopping, bounded=_is_about_a_project, max_tries=TRIES_OF_A_PROJECT
                )
            except ProjectFailed as error:
                return error.page
            except FlowUnavailable as error:
                if error.page is None:
                    raise
                if is_last:
                    return error.page
            self._call(self._source.ping)
        raise AssertionError("the last try returns or raises")

    def _call(self, ask: Callable[[], T]) -> T:
        return self._retry.call(ask, self._stopping, bounded=False)

    def _save(
        self, walk: Walk, page: HistoryPage, *, asked_count: int = 0, is_listed: bool = True
    ) -> PageOutcome:
        """Store a page, its counts, and where the walk and its gap stand now: all of it or nothing."""
        with store.transaction():
            on_shelf = history_pages.list_known(walk.profile_id, page.images)
            known = on_shelf.own
            page = history_pages.under_known_names(page, known)
            may_join = not self._reads_projects and walks.may_join(walk)
            stored_by = {row.name: row.stored_walk_id or 0 for row in known}
            # 10: what another profile has counts as known.
            stored_by |= dict.fromkeys(history_pages.names_of_others(page, on_shelf), 0)
            step = outcome_of(page, stored_by, walk, may_join=may_join)
            # A full walk that only had its gap closed by a quick sync is still to be resumed.
            ends = step is PageOutcome.END or not (walk.is_full or self._goes_on(walk, step))
            history_pages.save_page(self._run, walk, history_pages.without_others(page, on_shelf), known)
            walks.advance_walk(walk, page, step, is_last=ends)
            if self._reads_projects:
                projects.note_page(walk, page, is_listed=is_listed)
            if asked_count:
                walks.note_head_read(self._run, walk.history, asked_count)
            walks.note_response(walk, is_complete=step is not PageOutcome.CONTINUE)
            if step is PageOutcome.END:
                self._note_end(walk)
        return step

    def _note_end(self, walk: Walk) -> None:
        """What the end of a history says, in the transaction of its last page."""
        notes = []
        if self._reads_projects and walk.from_head:
            projects.finish_listing(walk)
            notes.append(failure_note(projects.count_failures(walk), projects.count_tried(walk)))
        if walk.is_full and not read_nothing(runs.get_run(self._run.id)):
            notes.append(missing_note(missing.mark_missing_images(walk, by_project=self._reads_projects)))
        for note in filter(None, notes):
            runs.add_note(self._run.id, note)

    def _goes_on(self, walk: Walk, step: PageOutcome) -> bool:
        """5: all and full, and a full walk that is resumed, do not stop where they join."""
        mode = self._run.mode
        passes = mode in (SyncMode.ALL, SyncMode.FULL) or (mode == SyncMode.RESUME and walk.is_full)
        return step is PageOutcome.CONTINUE or (step is PageOutcome.CAUGHT_UP and passes)

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
        with self._writing():
            has_gap = walks.reopen_at_head(walk) is not None
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


def _is_at_head(walk: Walk) -> bool:
    return walk.from_head and not walk.cursor


def _is_about_a_project(error: BaseException) -> bool:
    """Whether a failure is one of a single project, and not of the listing or the service."""
    return getattr(error, "page", None) is not None
