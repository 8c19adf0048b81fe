"""Runs a sync: reads history pages one by one and stores each with its counts and the gap's new place.

What a page means is decided by `webapp.sync.rules`, whose rules the comments cite by number. Everything
that a run needs to continue after an interruption is in its rows.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
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

# How often a failing project is requested. When there was no response at all, this many times again.
TRIES_PER_PROJECT = 3

T = TypeVar("T")


class SyncRun:
    """Continues one sync run from where its rows say it stands, to its end.

    `stopping` ends it between two pages and aborts a page that is under way. `on_page` is called after each
    page was stored. One thread at a time may work on a run.
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
        self._request = self._run.sync_request
        self._source = source
        self._retry = retry
        self._stopping = stopping
        self._on_page = on_page
        self._was_refused = False

    def run(self) -> None:
        """Read all histories of the run.

        Raises Stopped when `stopping` is set, RunEnded when the run was paused or its profile removed, and a
        FlowError when the service fails. Whatever it raises, the gap is where the walk stood.
        """
        names = self._request.histories
        try:
            with self._source.cancelled_by(self._stopping):
                self._read_histories(names[names.index(self._run.history) if self._run.history else 0 :])
                run = runs.get_run(self._run.id)
                # Rule 11: it was requested again while it was under way.
                while unread := walks.list_unread_heads(run):
                    self._read_histories(unread, again=True)
                    run = runs.get_run(self._run.id)
        except SourceClosed:
            if self._stopping.is_set():
                raise Stopped from None
            raise
        self._check_success(run)

    def _read_histories(self, names: Sequence[str], *, again: bool = False) -> None:
        """Read histories one after the other. `again`: from their newest pages once more (rule 11)."""
        refused = []
        for history in names:
            try:
                self._sync_history(history, again=again)
            except HistoryRefused as error:  # rule 9: it does not stop the others
                if walks.has_responded(self._run.profile_id, history):
                    raise
                with self._writing():
                    is_new = walks.note_refused_history(self._run.profile_id, history)
                    # Rule 11: there is no head to read, so the refusal serves everybody who asked.
                    walks.note_head_read(self._run, history, runs.get_run(self._run.id).asked_count)
                    # Only once: from then on the state of the history says it.
                    if is_new:
                        runs.add_note(self._run.id, str(error))
                refused.append(error)
        if len(refused) == len(self._request.histories):
            raise refused[0]

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction that writes for this run. Raises RunEnded when the run was paused.

        After Pause another thread may continue the walk at once, while this one still waits for its response.
        Checking the state in the same transaction keeps this thread from moving a gap that is no longer its
        own.
        """
        with store.transaction():
            runs.require_running(self._run.id)
            yield

    def _check_success(self, run: Run) -> None:
        """Raises FlowChanged when the run could read nothing, which must not look like “nothing new”."""
        if read_nothing(run):
            raise FlowChanged(
                f"{self._source.name} responded, but Flowshelf could read nothing of what it sent: the "
                "service has probably changed. Nothing was marked as gone. Look for a newer Flowshelf; the "
                "next sync tries again.",
                run.sample or "",
            )
        if self._reads_projects and run.walk and projects.is_none_read(run.walk):
            raise FlowChanged(
                f"None of the projects at {self._source.name} could be read. Nothing was marked as gone, and "
                "the next sync tries again. If this goes on, look for a newer Flowshelf.",
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

    def _walks(self, run: Run, history: str) -> Iterator[Walk]:
        """The walks of a run in one history. The caller continues each to its end before it takes the next,
        because the next one follows from the gaps that are left."""
        walk = run.walk or self._first_walk(run, history)
        if walk and walk.finished_at is None:
            yield walk
        # Rule 4: a quick sync closes the remaining gaps.
        # Rule 7: after a refused cursor the gap is at the head.
        while self._request.mode == SyncMode.NEW or self._was_refused:
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
        """Whether this run may leave projects unread: a quick sync of a source of projects (rule 12)."""
        return self._reads_projects and self._request.mode == SyncMode.NEW

    def _first_walk(self, run: Run, history: str) -> Walk | None:
        """The walk with which a run begins in a history; None when there is nothing to resume."""
        request = self._request
        with self._writing():
            if request.start_cursor:
                return walks.begin_at_cursor(run, history, request.start_cursor)
            if request.mode == SyncMode.RESUME:
                return self._resumed_walk(run, history)
            is_full = request.mode == SyncMode.FULL
            return walks.begin_at_head(run, history, is_full=is_full, is_quick=self._is_quick)

    def _resumed_walk(self, run: Run, history: str) -> Walk | None:
        """The walk at the newest gap, or the unfinished full walk if that began later (rule 6)."""
        full = walks.find_open_full_walk(run.profile_id, history)
        gap = next(iter(walks.list_gaps(run.profile_id, history)), None)
        if full and (gap is None or (gap.walk_id is not None and gap.walk_id <= full.id)):
            return walks.continue_walk(run, full)
        if gap is None:
            return None
        # At the head a new walk begins. It is quick if the one that stopped there was.
        is_quick = self._reads_projects and (gap.walk is None or gap.walk.is_quick)
        return walks.begin_at_gap(run, gap, is_quick=is_quick)

    def _continue_walk(self, walk: Walk) -> None:
        """Read pages until the walk ends, catches up, or the run has its `max_pages`."""
        visited = Visited(cursors={walk.cursor} if walk.cursor else set())
        passed_over = projects.list_passed_over(walk) if self._reads_projects else set()
        first_cursor, goes_on = walk.cursor, True
        while goes_on:
            self._retry.wait_for_page(self._stopping)
            # Rule 11: `self._run` was read before the request is sent. A sync that is requested after that is
            # not served by the response.
            asked_count = self._run.asked_count if _is_at_head(walk) else 0
            try:
                page = self._read_page(walk, passed_over)
            except CursorRefused:
                self._give_up_cursor(walk, is_new=walk.cursor != first_cursor)
                return
            check_progress(visited, page, is_project=self._reads_projects)
            if page.next_cursor is None and not self._has_read_unlisted(walk, page):
                return
            outcome = self._save(walk, page, asked_count=asked_count)
            if page.project:
                passed_over.add(page.project.id)
            self._on_page()
            goes_on = self._goes_on(walk, outcome) and not self._has_enough_pages()

    def _has_read_unlisted(self, walk: Walk, last_page: HistoryPage) -> bool:
        """Before a full walk marks images as gone, request once each project of theirs that has left the
        listing; “not found” means that it was deleted (rule 12). Returns False if `max_pages` is reached."""
        if not walk.is_full or not self._reads_projects:
            return True
        on_last_page = {project.id for project in (*last_page.passed, last_page.project) if project}
        for project in projects.list_unlisted(walk, on_last_page):
            if self._has_enough_pages():
                return False
            self._retry.wait_for_page(self._stopping)
            page = self._call_for_project(partial(self._source.project_page, project))
            # With its own cursor as the next one the walk stays where it is: its last page is not stored yet.
            self._save(walk, replace(page, next_cursor=walk.cursor), is_listed=False)
            self._on_page()
        return not self._has_enough_pages()

    def _read_page(self, walk: Walk, passed_over: set[str]) -> HistoryPage:
        """Read the page at the walk's cursor. A response with neither entries nor token is requested again
        (rule 2)."""
        page = self._request_page(walk, passed_over)
        if page.entry_count or page.next_cursor:
            return page
        page = self._request_page(walk, passed_over)
        is_empty = not page.entry_count and not page.next_cursor
        if is_empty and walk.cursor:
            raise HistoryEmpty(
                "Flow announced another page of this history, but sent nothing, twice. The sync stopped; "
                "press Resume later to continue from the same place."
            )
        if is_empty and walks.has_images(walk.profile_id, walk.history):
            raise HistoryEmpty(
                "Flow says that this history is empty, but there are images of it on the shelf. Nothing was "
                "changed. Check in Flow that this account still shows its images, then sync again."
            )
        if is_empty and self._source.capabilities.empty_note:
            with self._writing():
                runs.add_note(self._run.id, self._source.capabilities.empty_note)
        return page

    def _request_page(self, walk: Walk, passed_over: set[str]) -> HistoryPage:
        call = partial(
            self._source.history_page,
            walk.history,
            walk.cursor or None,
            lambda project: project.id in passed_over,
        )
        return self._call_for_project(call) if self._reads_projects else self._call(call)

    def _call_for_project(self, call: Callable[[], HistoryPage]) -> HistoryPage:
        """Call for a project. One that cannot be read is recorded and passed over, so that the projects below
        it are read (rule 12).

        When there is no response at all, the service may be down. Then a small request is repeated until the
        service responds, and the project is requested again. Only if that fails too is the failure put down
        to the project.
        """
        for is_last in (False, True):
            try:
                return self._retry.call(
                    call, self._stopping, bounded=_is_about_a_project, max_tries=TRIES_PER_PROJECT
                )
            except (ProjectFailed, FlowUnavailable) as error:
                page = _page_of(error)
                if page is None:
                    raise
                if is_last or isinstance(error, ProjectFailed):
                    return page
            self._call(self._source.ping)
        raise AssertionError("the last try returns or raises")

    def _call(self, call: Callable[[], T]) -> T:
        return self._retry.call(call, self._stopping, bounded=False)

    def _save(
        self, walk: Walk, page: HistoryPage, *, asked_count: int = 0, is_listed: bool = True
    ) -> PageOutcome:
        """Store a page, its counts, and the new places of the walk and its gap.

        All of it is one transaction (rule 1). If the gap moved without the images, a crash would lose them;
        if the images were stored without the gap, the page would be read again and counted twice. What is
        known is read in the same transaction, because the sync of another profile may store one of these
        images meanwhile. `save_page` raises RunEnded when the run was paused, and rolls all of it back.
        """
        with store.transaction():
            known = history_pages.list_known(walk.profile_id, page.images)
            page = history_pages.under_known_names(page, known.own)
            may_catch_up = not self._reads_projects and walks.may_catch_up(walk)
            stored_by = {row.name: row.stored_walk_id or 0 for row in known.own}
            # Rule 10: what another profile has counts as known.
            stored_by |= dict.fromkeys(history_pages.names_of_others(page, known), 0)
            outcome = outcome_of(page, stored_by, walk, may_catch_up=may_catch_up)
            # Rule 5: a full walk only ends at the end of the history, also when the run that continues it
            # stops here.
            is_last = outcome is PageOutcome.END or not (walk.is_full or self._goes_on(walk, outcome))
            history_pages.save_page(self._run, walk, history_pages.without_others(page, known), known.own)
            walks.advance_walk(walk, page, outcome, is_last=is_last)
            if self._reads_projects:
                projects.note_page(walk, page, is_listed=is_listed)
            if asked_count:
                walks.note_head_read(self._run, walk.history, asked_count)
            walks.note_response(walk, is_complete=outcome is not PageOutcome.CONTINUE)
            if outcome is PageOutcome.END:
                self._finish_history(walk)
        return outcome

    def _finish_history(self, walk: Walk) -> None:
        """At the end of a history: mark what is gone and add the notes about it.

        Call it in the transaction of the last page. After a crash between the two, the walk would be finished
        and nothing would ever be marked (rule 13).
        """
        notes = []
        if self._reads_projects and walk.from_head:
            projects.finish_listing(walk)
            notes.append(failure_note(projects.count_failures(walk), projects.count_tried(walk)))
        if walk.is_full and not read_nothing(runs.get_run(self._run.id)):
            notes.append(missing_note(missing.mark_missing_images(walk, by_project=self._reads_projects)))
        for note in filter(None, notes):
            runs.add_note(self._run.id, note)

    def _goes_on(self, walk: Walk, outcome: PageOutcome) -> bool:
        """Whether the walk reads another page. `all`, `full` and a resumed full walk also do so after they
        caught up (rule 5)."""
        mode = self._request.mode
        passes = mode in (SyncMode.ALL, SyncMode.FULL) or (mode == SyncMode.RESUME and walk.is_full)
        return outcome is PageOutcome.CONTINUE or (outcome is PageOutcome.CAUGHT_UP and passes)

    def _has_enough_pages(self) -> bool:
        max_pages = self._request.max_pages
        return max_pages is not None and self._run.history_page_count >= max_pages

    def _give_up_cursor(self, walk: Walk, *, is_new: bool) -> None:
        """Move the gap of a refused cursor to the head, from where `_walks` continues (rule 7).

        `is_new`: the service returned this cursor in this very run. Then, and when the first page was
        refused, the run stops and keeps the gap; otherwise it could go from the head to the refusal for ever.
        """
        if not walk.cursor or is_new:
            raise CursorRefused(
                "Flow refused the next page of this history, although it had just named it. The sync "
                "stopped; press Resume later to continue from the same place."
            )
        with self._writing():
            has_gap = walks.reopen_at_head(walk) is not None
        if self._request.start_cursor == walk.cursor:
            raise CursorRefused(
                "Flow does not know the startCursor any more. Leave it out to sync from the newest image."
            )
        if not has_gap:
            raise CursorRefused(
                "Flow no longer knows the place where this full sync stopped. Nothing is missing on the "
                "shelf; start a new full sync to compare it with Flow."
            )
        self._was_refused = True
        runs.add_note(
            self._run.id,
            "Flow no longer knew the place to continue from, so the history is read again from its first "
            "page.",
        )


def _is_at_head(walk: Walk) -> bool:
    return walk.from_head and not walk.cursor


def _is_about_a_project(error: BaseException) -> bool:
    """Whether a failure concerns a single project, and not the listing or the service."""
    return _page_of(error) is not None


def _page_of(error: BaseException) -> HistoryPage | None:
    """The page with which the walk goes on when a single project failed; None for other failures."""
    page = getattr(error, "page", None)
    return page if isinstance(page, HistoryPage) else None
