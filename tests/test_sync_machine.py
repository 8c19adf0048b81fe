"""A state machine that tries to make a sync lose an image: Flow changes, responses break, runs are paused and
killed, and cursors expire. In the end a quick sync must have stored everything."""

import threading
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from webapp import store
from webapp.background.connections import StoredCredentials
from webapp.config import Config
from webapp.database.models import Gap, Image, Project, Run
from webapp.database.states import RunKind, RunState, SyncMode
from webapp.demo import FlowServer, World
from webapp.errors import FlowshelfError
from webapp.sources.retry import RetryPolicy, Stopped
from webapp.sources.services import open_source
from webapp.store import profiles, runs
from webapp.store.history import walks
from webapp.store.history.projects import QUICK_FAILED, QUICK_IN_TURN, QUICK_RECENT
from webapp.sync.engine import SyncRun
from webapp.sync.rules import MAX_PAGES_WITHOUT_IMAGE

HISTORIES = ("ASSET_MANAGER", "PINHOLE")
PAGES = st.one_of(st.none(), st.integers(1, 6))
SHARE = st.floats(0, 0.999)


class Walks(RuleBasedStateMachine):
    """What both services have in common. Subclasses set `histories` and `page_kind`."""

    def set_up(self, world, cookies):
        self.world = world
        self.flow = FlowServer(self.world).start()
        self.folder = TemporaryDirectory()
        store.open_database(Path(self.folder.name) / "flowshelf.sqlite3")
        self.stopping = threading.Event()
        self.page_size = 18
        self.run_id = None
        self.cursors = []
        with store.connection():
            self.profile_id = profiles.add_profile("Ada", self.histories).id
            profiles.set_cookies(self.profile_id, cookies, None)
        self.source = self.open_source()

    def open_source(self):
        config = Config(
            data_dir=Path(self.folder.name),
            labs_url=self.flow.url,
            media_url=self.flow.url,
            flow_url=self.flow.url,
            page_size=self.page_size,
        )
        with store.connection():
            return open_source(config, StoredCredentials(self.profile_id), self.stopping)

    # What Flow does

    @rule(count=st.integers(1, 15))
    def flow_gets_uploads(self, count):
        self.world.add_uploaded(count)

    @rule(count=st.integers(1, 5))
    def flow_gets_generated_images(self, count):
        self.world.add_generated(count)

    @rule(share=SHARE)
    def flow_loses_an_image(self, share):
        if names := self.world.names("ASSET_MANAGER"):
            self.world.delete(names[int(share * len(names))])

    @rule()
    def flow_forgets_its_cursors(self):
        self.world.expire_cursors()

    # What people do

    @rule(
        mode=st.sampled_from(SyncMode),
        max_pages=PAGES,
        stop_after=PAGES,
        dies=st.booleans(),
        fault=st.sampled_from(["none", "none", "fails", "cut", "repeats", "html"]),
    )
    def sync(self, mode, max_pages, stop_after, dies, fault):
        asked = {"histories": self.histories, "mode": mode, "start_cursor": None, "max_pages": max_pages}
        self.work_on(self.start(asked), stop_after, dies, fault)

    @precondition(lambda self: self.cursors)
    @rule(share=SHARE, max_pages=PAGES)
    def sync_from_a_cursor_that_was_once_handed_out(self, share, max_pages):
        cursor = self.cursors[int(share * len(self.cursors))]
        asked = {
            "histories": self.histories[:1],
            "mode": SyncMode.ALL,
            "start_cursor": cursor,
            "max_pages": max_pages,
        }
        self.work_on(self.start(asked), None, False, "none")

    @precondition(lambda self: self.run_id)
    @rule(stop_after=PAGES, dies=st.booleans())
    def a_killed_run_continues(self, stop_after, dies):
        self.work_on(self.run_id, stop_after, dies, "none")

    @rule(after_pages=st.integers(1, 5))
    def a_quick_sync_is_requested_again_while_it_is_under_way(self, after_pages):
        """Rule 11: when the sync is done, everything is stored that Flow had at the latest request."""
        asked = {"histories": self.histories, "mode": SyncMode.NEW, "start_cursor": None, "max_pages": None}
        run_id, expected, pages = self.start(asked), set(), []

        def on_page():
            pages.append(1)
            if len(pages) == after_pages:
                self.world.add_uploaded(2)
                self.world.add_generated(2)
                assert runs.start_sync(self.profile_id, **asked).id == run_id
                expected.update(self.new_keys(4))

        with store.connection():
            state = self.outcome(run_id, threading.Event(), on_page)
            assert state is not RunState.DONE or runs.finish_sync(run_id)
            runs.change_state(run_id, (RunState.RUNNING,), state)
            if state is RunState.DONE:
                assert expected <= self.stored_keys()
            self.run_id = None
        self.flow.reset()

    def new_keys(self, count):
        """The keys of the images that Flow got last."""
        names = [*self.world.names("ASSET_MANAGER")[: count // 2], *self.world.names("PINHOLE")[: count // 2]]
        return {self.world.entry(name).media_key for name in names}

    def start(self, asked):
        with store.connection():
            if self.run_id:  # a run of a killed process is paused before another one starts
                runs.change_state(self.run_id, (RunState.RUNNING,), RunState.PAUSED)
            self.run_id = None
            return runs.start_sync(self.profile_id, **asked).id

    def work_on(self, run_id, stop_after, dies, fault):
        """Continue a run until it ends, is paused, or its process is killed after `stop_after` pages."""
        self.break_responses(fault)
        stop, pages = threading.Event(), []

        def on_page():
            pages.append(1)
            self.meanwhile(len(pages))
            if len(pages) == stop_after:
                stop.set()

        with store.connection():
            state = self.outcome(run_id, stop, on_page)
            if dies and state is RunState.PAUSED:
                self.run_id = run_id  # its row still says RUNNING
            else:
                self.run_id = None
                runs.change_state(run_id, (RunState.RUNNING,), state)
            if cursor := runs.get_run(run_id).last_cursor:
                self.cursors = [*self.cursors[-5:], cursor]
        self.flow.reset()
        if fault == "html":  # the source remembers for some seconds that the cookies were refused
            self.source.close()
            self.source = self.open_source()

    def outcome(self, run_id, stop, on_page):
        retry = RetryPolicy(())
        try:
            SyncRun(run_id, self.source, retry, stopping=stop, on_page=on_page).run()
        except Stopped:
            return RunState.PAUSED
        except FlowshelfError:
            return RunState.FAILED
        return RunState.DONE

    def break_responses(self, fault):
        match fault:
            case "fails":
                self.flow.fail_next(500, kind=self.page_kind, count=1)
            case "cut":
                self.flow.cut_next(self.page_kind, at_bytes=40)
            case "repeats":
                self.repeat_responses()
            case "html":
                self.flow.respond_next(self.page_kind, b"<html>Sign in", content_type="text/html")

    def meanwhile(self, page_count):
        """Change Flow while a walk is under way, after its page number `page_count`."""

    # What must always hold

    @invariant()
    def no_image_is_stored_twice_and_none_is_removed(self):
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
    def the_counts_of_the_runs_add_up_to_the_images(self):
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
            asked = {
                "histories": self.histories,
                "mode": SyncMode.NEW,
                "start_cursor": None,
                "max_pages": None,
            }
            for _ in range(self.syncs_until_all_is_read()):
                run = runs.start_sync(self.profile_id, **asked)
                state = self.outcome(run.id, threading.Event(), lambda: None)
                runs.change_state(run.id, (RunState.RUNNING,), state)
            missing = self.remote_keys() - self.stored_keys()
            if self.has_something_everywhere():
                assert state is RunState.DONE
                gaps = [walks.list_gaps(self.profile_id, each) for each in self.histories]
                assert not any(gaps)
                assert not missing, f"{len(missing)} images were lost"
                marked_gone = self.stored_keys(Image.gone_upstream_at.is_null(False))
                assert not marked_gone & self.remote_keys(), "an image that Flow still has is marked as gone"
                self.a_second_quick_sync_reads_few_pages()

    def syncs_until_all_is_read(self):
        return 1

    def quick_sync(self):
        asked = {"histories": self.histories, "mode": SyncMode.NEW, "start_cursor": None, "max_pages": None}
        run = runs.start_sync(self.profile_id, **asked)
        return run, self.outcome(run.id, threading.Event(), lambda: None)

    def a_second_quick_sync_reads_few_pages(self):
        self.flow.reset()
        assert self.quick_sync()[1] is RunState.DONE
        assert self.flow.count(self.page_kind) <= self.max_pages_when_in_sync()

    def remote_keys(self, history=None):
        kinds = {"ASSET_MANAGER": "uploaded", "PINHOLE": "generated"}
        wanted = [history] if history else list(kinds)
        entries = [self.world.entry(name) for each in wanted for name in self.world.names(each)]
        return {entry.media_key for entry in entries if entry.kind in kinds.values() and not entry.breakage}

    def stored_keys(self, *conditions):
        return {key for (key,) in Image.select(Image.media_key).where(True, *conditions).tuples()}


class LabsWalks(Walks):
    """labs.google: two histories in pages, newest first."""

    histories, page_kind = HISTORIES, "history"

    @initialize(uploaded=st.integers(0, 60), generated=st.integers(0, 25), page_size=st.integers(1, 12))
    def begin(self, uploaded, generated, page_size):
        world = World(uploaded=uploaded, generated=generated, videos=3, tiny_pictures=True)
        self.no_image_count = 3
        self.set_up(world, world.cookies())
        self.page_size_changes(page_size)

    # A page may have a single entry, and fifty pages in a row without an image stop a run.
    @precondition(lambda self: self.no_image_count < MAX_PAGES_WITHOUT_IMAGE - 10)
    @rule(count=st.integers(1, 9))
    def flow_gets_entries_that_are_no_image(self, count):
        self.no_image_count += count + 1
        self.world.add_videos(count)
        self.world.add_broken_entry("without media")

    @rule(page_size=st.integers(1, 12))
    def page_size_changes(self, page_size):
        self.page_size = page_size
        self.source.close()
        self.source = self.open_source()

    def repeat_responses(self):
        self.flow.repeat_page_next(2)

    def has_something_everywhere(self):
        return bool(self.remote_keys("ASSET_MANAGER") and self.remote_keys("PINHOLE"))

    def max_pages_when_in_sync(self):
        # One page of each history, plus pages of videos, which do not count as caught up.
        return 2 + self.no_image_count


class ProjectWalks(Walks):
    """flow.google.com: projects that come, go, grow, fail and respond without records, also during a walk."""

    histories, page_kind = ("PROJECTS",), "project"

    @initialize(
        uploaded=st.integers(0, 9),
        generated=st.integers(1, 25),
        page_size=st.integers(1, 5),
        syncs_before_it_moves=st.integers(0, 2),
    )
    def begin(self, uploaded, generated, page_size, syncs_before_it_moves):
        world = World(uploaded=uploaded, generated=generated, videos=1, tiny_pictures=True)
        world.projects.page_size = page_size
        self.coming = []
        if syncs_before_it_moves:
            self.begin_at_labs(world, syncs_before_it_moves)
        else:
            world.migrate()
            self.set_up(world, world.google.cookies())

    def begin_at_labs(self, world, sync_count):
        """An account of which images are stored when it moves."""
        self.histories = HISTORIES
        self.set_up(world, world.cookies())
        with store.connection():
            for max_pages in (1, None)[:sync_count]:
                asked = {"histories": HISTORIES, "mode": SyncMode.NEW, "start_cursor": None}
                run = runs.start_sync(self.profile_id, max_pages=max_pages, **asked)
                state = self.outcome(run.id, threading.Event(), lambda: None)
                runs.change_state(run.id, (RunState.RUNNING,), state)
            world.migrate()
            self.histories = ("PROJECTS",)
            profiles.set_cookies(self.profile_id, world.google.cookies(), None)
            profiles.note_service(self.profile_id, "flow.google.com", self.histories)
        self.source.close()
        self.source = self.open_source()

    @rule(has_images=st.booleans())
    def flow_gets_a_project(self, has_images):
        project_id = self.world.add_project("A new one")
        if has_images:
            self.world.add_generated(2, project_id=project_id)

    @rule(share=SHARE, count=st.integers(1, 3))
    def a_project_grows(self, share, count):
        self.world.add_generated(count, project_id=self.project_at(share))

    @rule(share=SHARE)
    def a_project_is_renamed(self, share):
        self.world.projects.rename(self.project_at(share), "Renamed")

    @rule(share=SHARE)
    def a_project_is_removed(self, share):
        if len(self.world.projects.ids()) > 3:
            self.world.remove_project(self.project_at(share))

    @rule(share=SHARE, code=st.sampled_from([3, 5, 7, 13]))
    def a_project_is_refused(self, share, code):
        self.world.refuse_project(self.project_at(share), code)

    @rule(share=SHARE)
    def a_project_responds_without_records(self, share):
        self.world.empty_project(self.project_at(share))

    @rule(share=SHARE)
    def a_project_is_no_longer_listed(self, share):
        if len(self.world.projects.ids()) > 3:
            self.world.unlist_project(self.project_at(share))

    @rule(share=SHARE)
    def a_project_contains_an_odd_record(self, share):
        self.world.odd_record(self.project_at(share), ["odd", None, {"new": 1}])

    @rule(share=SHARE, other=SHARE)
    def a_project_shows_an_image_of_another(self, share, other):
        if names := self.world.names("PINHOLE"):
            self.world.add_ingredient(self.project_at(other), names[int(share * len(names))])

    @rule(share=SHARE, state=st.sampled_from([None, 2, 4]))
    def an_image_is_in_another_state(self, share, state):
        if names := self.world.names("PINHOLE"):
            self.world.change(names[int(share * len(names))], state=state)

    @rule(days=st.integers(1, 2))
    def days_pass(self, days):
        with store.connection():
            Project.update(empty_on="2026-01-01").where(Project.empty_on.is_null(False)).execute()

    @invariant()
    def nothing_that_flow_still_has_is_marked_as_gone(self):
        """Rule 13, whatever was refused, empty, odd or unfinished."""
        if hasattr(self, "profile_id"):
            with store.connection():
                marked_gone = self.stored_keys(Image.gone_upstream_at.is_null(False))
                assert not marked_gone & self.all_remote_keys()

    @rule(
        after_pages=st.integers(1, 5), what=st.sampled_from(["grows", "comes", "goes", "token"]), share=SHARE
    )
    def something_will_happen_during_a_walk(self, after_pages, what, share):
        self.coming.append((after_pages, what, share))

    def meanwhile(self, page_count):
        due = [each for each in self.coming if each[0] == page_count]
        self.coming = [each for each in self.coming if each[0] != page_count]
        for _, what, share in due:
            match what:
                case "grows":
                    self.a_project_grows(share, 1)
                case "comes":
                    self.flow_gets_a_project(True)
                case "goes":
                    self.a_project_is_removed(share)
                case "token":
                    self.world.google.change_token()

    def all_remote_keys(self):
        names = [*self.world.names("ASSET_MANAGER"), *self.world.names("PINHOLE")]
        return {self.world.entry(name).media_key for name in names}

    def remote_keys(self, history=None):
        """The keys of finished images in listed projects."""
        listed = set(self.world.projects.ids())
        entries = [entry for each in listed for entry in self.world.entries_in(each)]
        return {
            entry.media_key
            for entry in entries
            if entry.kind in ("uploaded", "generated") and entry.state in (None, 3)
        }

    def new_keys(self, count):
        return (
            {
                entry.media_key
                for each in self.world.projects.ids()[:count]
                for entry in self.world.entries_in(each)
                if entry.kind in ("uploaded", "generated") and entry.state in (None, 3)
            }
            if not self.has_failing_project()
            else set()
        )

    def has_failing_project(self):
        ids = self.world.projects.ids()
        return any(self.world.refusal_of(each) or self.world.is_emptied(each) for each in ids)

    def everything_arrives_in_the_end(self):
        for project_id in self.world.projects.ids():
            self.world.allow_project(project_id)
            self.world.empty_project(project_id, False)
        super().everything_arrives_in_the_end()

    def syncs_until_all_is_read(self):
        """A quick sync tries QUICK_FAILED failed projects."""
        count = len(self.world.projects.ids())
        return 1 + -(-count // QUICK_FAILED)

    def project_at(self, share):
        ids = self.world.projects.ids() or [self.world.add_project("The first")]
        return ids[int(share * len(ids))]

    def repeat_responses(self):
        self.world.google.change_token()

    def has_something_everywhere(self):
        return bool(self.remote_keys())

    def max_pages_when_in_sync(self):
        return QUICK_RECENT + QUICK_IN_TURN + QUICK_FAILED


def percent_of_examples(share):
    """`share` percent of the usual number of examples. `pytest --hypothesis-profile=thorough`, which .ci/run
    uses, tries five times as many, and `long` seventeen times."""
    return settings(
        max_examples=settings.default.max_examples * share // 100,
        stateful_step_count=20,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


TestLabsWalks = LabsWalks.TestCase
TestLabsWalks.settings = percent_of_examples(10)
TestProjectWalks = ProjectWalks.TestCase
TestProjectWalks.settings = percent_of_examples(7)
