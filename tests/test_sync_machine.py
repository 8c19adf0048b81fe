"""A state machine that tries to make a sync lose an image: Flow changes, answers break, runs are
paused and killed, cursors expire, and in the end one quick sync must have everything."""

import threading
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from webapp import store
from webapp.background.connections import StoredCredentials
from webapp.config import Config
from webapp.demo import FlowServer, World
from webapp.errors import FlowshelfError
from webapp.models import Gap, Image, Run
from webapp.sources.labs import LabsSource
from webapp.sources.pace import Pace, Stopped
from webapp.states import RunKind, RunState, SyncMode
from webapp.store import histories, profiles, runs
from webapp.sync import MOST_PAGES_WITHOUT_IMAGE, SyncRun

HISTORIES = ("ASSET_MANAGER", "PINHOLE")
PAGES = st.one_of(st.none(), st.integers(1, 6))


class Walks(RuleBasedStateMachine):
    @initialize(uploaded=st.integers(0, 60), generated=st.integers(0, 25), page_size=st.integers(1, 12))
    def begin(self, uploaded, generated, page_size):
        self.world = World(uploaded=uploaded, generated=generated, videos=3, tiny_pictures=True)
        self.flow = FlowServer(self.world).start()
        self.folder = TemporaryDirectory()
        store.open_database(Path(self.folder.name) / "flowshelf.sqlite3")
        self.stopping = threading.Event()
        self.page_size = page_size
        self.run_id = None
        self.cursors = []
        self.no_image_count = 3
        with store.connection():
            self.profile_id = profiles.add_profile("Ada", HISTORIES).id
            profiles.set_cookies(self.profile_id, self.world.cookies(), None)
        self.source = self.open_source()

    def open_source(self):
        config = Config(
            data_dir=Path(self.folder.name),
            labs_url=self.flow.url,
            media_url=self.flow.url,
            page_size=self.page_size,
        )
        return LabsSource(config, StoredCredentials(self.profile_id), self.stopping)

    # What Flow does

    @rule(count=st.integers(1, 15))
    def flow_gets_uploads(self, count):
        self.world.add_uploaded(count)

    @rule(count=st.integers(1, 5))
    def flow_gets_generated_images(self, count):
        self.world.add_generated(count)

    # Fifty pages in a row without an image stop a run, and a page may hold one entry.
    @precondition(lambda self: self.no_image_count < MOST_PAGES_WITHOUT_IMAGE - 10)
    @rule(count=st.integers(1, 9))
    def flow_gets_entries_that_are_no_image(self, count):
        self.no_image_count += count + 1
        self.world.add_videos(count)
        self.world.add_broken_entry("without media")

    @rule(share=st.floats(0, 0.999))
    def flow_loses_an_image(self, share):
        if names := self.world.names("ASSET_MANAGER"):
            self.world.delete(names[int(share * len(names))])

    @rule()
    def flow_forgets_its_cursors(self):
        self.world.expire_cursors()

    @rule(page_size=st.integers(1, 12))
    def page_size_changes(self, page_size):
        self.page_size = page_size
        self.source.close()
        self.source = self.open_source()

    # What people do

    @rule(
        mode=st.sampled_from(SyncMode),
        max_pages=PAGES,
        stop_after=PAGES,
        dies=st.booleans(),
        fault=st.sampled_from(["none", "none", "fails", "cut", "repeats", "html"]),
    )
    def sync(self, mode, max_pages, stop_after, dies, fault):
        asked = {"histories": HISTORIES, "mode": mode, "start_cursor": None, "max_pages": max_pages}
        self.carry(self.start(asked), stop_after, dies, fault)

    @precondition(lambda self: self.cursors)
    @rule(share=st.floats(0, 0.999), max_pages=PAGES)
    def sync_from_a_cursor_that_was_once_handed_out(self, share, max_pages):
        cursor = self.cursors[int(share * len(self.cursors))]
        asked = {
            "histories": HISTORIES[:1],
            "mode": SyncMode.ALL,
            "start_cursor": cursor,
            "max_pages": max_pages,
        }
        self.carry(self.start(asked), None, False, "none")

    @precondition(lambda self: self.run_id)
    @rule(stop_after=PAGES, dies=st.booleans())
    def a_killed_run_goes_on(self, stop_after, dies):
        self.carry(self.run_id, stop_after, dies, "none")

    def start(self, asked):
        with store.connection():
            if self.run_id:  # a killed run that nobody carries on is set aside
                runs.change_state(self.run_id, (RunState.RUNNING,), RunState.PAUSED)
            self.run_id = None
            return runs.start_sync(self.profile_id, **asked).id

    def carry(self, run_id, stop_after, dies, fault):
        """Carry a run on until it ends, is paused, or its process is killed after some pages."""
        self.break_answers(fault)
        stop, pages = threading.Event(), []

        def on_page():
            pages.append(1)
            if len(pages) == stop_after:
                stop.set()

        with store.connection():
            state = self.outcome(run_id, stop, on_page)
            if dies and state is RunState.PAUSED:
                self.run_id = run_id  # the row still says that it runs
            else:
                self.run_id = None
                runs.change_state(run_id, (RunState.RUNNING,), state)
            if cursor := runs.get_run(run_id).last_cursor:
                self.cursors = [*self.cursors[-5:], cursor]
        self.flow.reset()

    def outcome(self, run_id, stop, on_page):
        pace = Pace(())
        try:
            SyncRun(
                run_id, self.source, pace, page_delay_seconds=0, stopping=stop, on_page=on_page
            ).carry_on()
        except Stopped:
            return RunState.PAUSED
        except FlowshelfError:
            return RunState.FAILED
        return RunState.DONE

    def break_answers(self, fault):
        match fault:
            case "fails":
                self.flow.fail_next(500, kind="history", count=1)
            case "cut":
                self.flow.cut_next("history", at_bytes=40)
            case "repeats":
                self.flow.repeat_page_next(2)
            case "html":
                self.flow.answer_next("history", b"<html>Sign in", content_type="text/html")

    # What must hold at any time

    @invariant()
    def nothing_is_stored_twice_and_nothing_is_lost_from_the_shelf(self):
        if hasattr(self, "profile_id"):
            with store.connection():
                names = [name for (name,) in Image.select(Image.name).tuples()]
                assert len(names) == len(set(names))
                self.stored = getattr(self, "stored", set())
                assert self.stored <= set(names), "a sync removed images"
                self.stored = set(names)

    @invariant()
    def each_gap_belongs_to_at_most_one_walk(self):
        if hasattr(self, "profile_id"):
            with store.connection():
                walks = [gap.walk_id for gap in Gap.select() if gap.walk_id]
                assert len(walks) == len(set(walks))

    @invariant()
    def the_counts_of_the_runs_are_the_rows(self):
        if hasattr(self, "profile_id"):
            with store.connection():
                counted = sum(run.synced_count for run in Run.select().where(Run.kind == RunKind.SYNC))
                assert counted == Image.select().count()

    def teardown(self):
        if not hasattr(self, "profile_id"):
            return
        try:
            self.everything_arrives_in_the_end()
        finally:
            self.source.close()
            self.flow.stop()
            self.folder.cleanup()

    def everything_arrives_in_the_end(self):
        with store.connection():
            if self.run_id:
                runs.change_state(self.run_id, (RunState.RUNNING,), RunState.PAUSED)
            asked = {"histories": HISTORIES, "mode": SyncMode.NEW, "start_cursor": None, "max_pages": None}
            run = runs.start_sync(self.profile_id, **asked)
            state = self.outcome(run.id, threading.Event(), lambda: None)
            missing = self.remote_names() - self.stored_names()
            if self.remote_names("ASSET_MANAGER") and self.remote_names("PINHOLE"):
                assert state is RunState.DONE
                assert histories.list_gaps(self.profile_id) == []
                assert not missing, f"{len(missing)} images were lost"
                self.a_second_quick_sync_costs_one_page_a_history()

    def a_second_quick_sync_costs_one_page_a_history(self):
        self.flow.reset()
        asked = {"histories": HISTORIES, "mode": SyncMode.NEW, "start_cursor": None, "max_pages": None}
        run = runs.start_sync(self.profile_id, **asked)
        runs.change_state(run.id, (RunState.RUNNING,), RunState.DONE)

    def remote_names(self, history=None):
        kinds = {"ASSET_MANAGER": "uploaded", "PINHOLE": "generated"}
        wanted = [history] if history else list(kinds)
        return {
            name
            for each in wanted
            for name in self.world.names(each)
            if self.world.entry(name).kind == kinds[each]
        }

    def stored_names(self):
        return {name for (name,) in Image.select(Image.name).tuples()}


TestWalks = Walks.TestCase
TestWalks.settings = settings(
    # "pytest --hypothesis-profile=long" looks ten times as long.
    max_examples=settings.default.max_examples * 2 // 5,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
