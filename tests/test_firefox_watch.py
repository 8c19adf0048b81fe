"""When Flow is asked again about a profile that waits for the sign-in of its Firefox."""

import shutil

import pytest
from firefox_files import rows_of, write_profile
from kept import Clock

from webapp import store
from webapp.background import firefox_watch
from webapp.background.firefox_watch import FirefoxWatch
from webapp.database.models import Profile, Run
from webapp.database.states import Health, RunKind, RunState, SyncMode, Way
from webapp.errors import FirefoxSignedOut
from webapp.store import firefox_profiles, profiles, runs

COOKIES = {"SID": "sid", "OSID": "osid", "SIDCC": "cc", "__Secure-1PSIDTS": "ts"}


@pytest.fixture
def folder(tmp_path):
    return write_profile(tmp_path / "firefox" / "a.b", rows_of(COOKIES))


@pytest.fixture
def waiting(work, folder):
    with store.connection():
        profile = profiles.add_profile("Ada", ("PROJECTS",))
        firefox_profiles.use_firefox(profile.id, folder, None, None)
        profiles.note_health(profile.id, Health.WAITING_FOR_COOKIES, "Open Flow in Firefox.")
        yield profiles.get_profile(profile.id)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def asked(config, work, waiting, clock):
    """Looks after some seconds. Returns whether Flow was asked; it always refuses."""
    calls = []

    def refuse(profile_id):
        calls.append(profile_id)
        raise FirefoxSignedOut("Not yet.")

    watch = FirefoxWatch(config, work.connections, refuse, work.stopping, clock)

    def asked(after_seconds=0.0):
        clock.seconds += after_seconds
        before = len(calls)
        watch.look(waiting)
        return len(calls) > before

    return asked


def test_flow_is_asked_when_the_cookies_change_and_rarely_otherwise(asked, folder):
    assert asked()
    assert not asked(60)
    write_profile(folder, rows_of(COOKIES | {"__Secure-1PSIDTS": "new"}))
    assert asked(1 + firefox_watch.MIN_ASK_SECONDS)
    assert not asked(60)
    assert asked(firefox_watch.ASK_SECONDS), "a person may have confirmed at Google that it is them"


def test_a_cookie_that_changes_with_every_page_of_google_asks_nothing(asked, folder):
    assert asked()
    write_profile(folder, rows_of(COOKIES | {"SIDCC": "other"}))
    assert not asked(60)


def test_flow_is_not_asked_again_and_again_while_cookies_change(asked, folder):
    assert asked()
    write_profile(folder, rows_of(COOKIES | {"SID": "second"}))
    assert not asked(firefox_watch.MIN_ASK_SECONDS / 2)
    assert asked(firefox_watch.MIN_ASK_SECONDS), "what changed meanwhile is not forgotten"


def test_a_firefox_that_is_gone_and_back_is_noticed(asked, folder):
    assert asked()
    shutil.rmtree(folder)
    assert asked(60)
    assert not asked(60)
    write_profile(folder, rows_of(COOKIES))
    assert asked(60)


def test_only_profiles_that_read_a_firefox_and_wait_are_looked_at(waiting):
    assert [one.id for one in firefox_profiles.list_waiting()] == [waiting.id]
    profiles.note_health(waiting.id, Health.WELL)
    assert firefox_profiles.list_waiting() == []
    run = runs.start_sync(
        waiting.id, histories=("PROJECTS",), mode=SyncMode.NEW, start_cursor=None, max_pages=None
    )
    Run.update(state=RunState.WAITING).where(Run.id == run.id).execute()
    assert [one.id for one in firefox_profiles.list_waiting()] == [waiting.id]
    Profile.update(way=Way.PASTE).execute()
    assert firefox_profiles.list_waiting() == []
    assert not firefox_profiles.has_firefox()
    assert runs.find_open_run(waiting.id, RunKind.SYNC)


def test_a_start_removes_copies_that_a_killed_process_left(config, running):
    config.firefox_copies_dir.mkdir(parents=True)
    (config.firefox_copies_dir / "tmpx").mkdir()
    (config.firefox_copies_dir / "tmpx" / "cookies.sqlite").write_text("a cookie")
    running()
    assert not config.firefox_copies_dir.exists()
