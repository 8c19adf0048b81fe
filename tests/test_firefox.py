"""Profiles that sign in with a Firefox on this machine, against the simulated Flow.

Each test runs with files as Firefox writes them, and in CI with a real Firefox that is running.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from firefox_files import WrittenFirefox
from flask import Flask
from marionette import Firefox, running_firefox

from webapp import store
from webapp.background import Background
from webapp.database.models import Profile, Run, Secret
from webapp.database.states import Health, RunState, Way
from webapp.demo import World
from webapp.errors import AccountExists, UnknownFirefox
from webapp.sources.firefox import FirefoxFiles, read_sign_in
from webapp.store import profiles, runs
from webapp.store.gallery import images
from webapp.store.gallery.filters import Filter
from webapp.web.services import background_of


@pytest.fixture
def world() -> World:
    world = World(uploaded=6, generated=14, tiny_pictures=True)
    world.projects.page_size = 4
    world.migrate()
    return world


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    """One Firefox for all tests of this module: its start takes seconds."""
    with running_firefox(tmp_path_factory.mktemp("mozilla") / "firefox" / "x1y2z3.default") as firefox:
        yield firefox


AnyFirefox = Firefox | WrittenFirefox


@pytest.fixture(params=["files", pytest.param("running", marks=pytest.mark.proof)])
def firefox(request: pytest.FixtureRequest, world: World, tmp_path: Path) -> AnyFirefox:
    """Signed in to Flow, and to nothing else."""
    if request.param == "running":
        firefox = request.getfixturevalue("browser")
    else:
        firefox = WrittenFirefox(tmp_path / "firefox" / "x1y2z3.default")
    firefox.sign_out()
    firefox.set_cookies(world.google.cookies())
    return firefox


@pytest.fixture
def work(running: Callable[..., Flask], firefox: AnyFirefox, wait_until: Callable) -> Background:
    work = background_of(running(firefox_roots=(firefox.folder.parent,)))
    key = work.firefox.list_profiles()[0].key
    wait_until(lambda: work.firefox.look(key).found != ())
    return work


@pytest.fixture
def stored(work: Background, firefox: AnyFirefox, wait_until: Callable) -> Callable[[dict[str, str]], None]:
    """Gives Firefox other cookies, and waits until it has written them."""

    def store_cookies(cookies: dict[str, str], container: int | None = None) -> None:
        firefox.set_cookies(cookies, container=container)
        files = FirefoxFiles(firefox.folder, container, work.firefox._config.firefox_copies_dir)
        wait_until(lambda: cookies.items() <= read_sign_in(files).cookies.items())

    return store_cookies


@pytest.fixture
def signed_out(
    work: Background, firefox: AnyFirefox, world: World, wait_until: Callable
) -> Callable[[], None]:
    """Signs out in Firefox, as the button of Google does: the session ends and its cookies are removed."""

    def sign_out() -> None:
        world.google.sign_out()
        firefox.sign_out()
        files = FirefoxFiles(firefox.folder, None, work.firefox._config.firefox_copies_dir)
        wait_until(lambda: read_sign_in(files).cookies == {})

    return sign_out


def use(work: Background, container: int | None = None, **options: str) -> str:
    return work.use_firefox(work.firefox.list_profiles()[0].key, container, **options).id


def sync(work: Background, profile_id: str) -> Run:
    return work.syncs.wait(work.syncs.start(profile_id).id)


def rotated(world: World) -> dict[str, str]:
    """The cookies after the browser got new ones and used them, which ends those from before."""
    world.google.rotate()
    world.google.set_cookies()
    assert world.google.is_owner(world.google.cookies())
    return world.google.cookies()


def test_a_picture_is_downloaded_with_the_sign_in_of_a_running_firefox(work, world, config):
    with store.connection():
        (found,) = work.firefox.look(work.firefox.list_profiles()[0].key).found
        assert (found.account.email, found.container) == (world.email, None)
        profile_id = use(work)
        profile = profiles.get_profile(profile_id)
        assert (profile.way, profile.health, profile.name) == (Way.FIREFOX, Health.WELL, "")
        assert sync(work, profile_id).state == RunState.DONE
        newest = images.list_page(Filter(), limit=1).images[0]
        work.downloads.wait_for_run(work.downloads.request(profile_id, [newest.id]).id)
        path = images.get_image(newest.id).file_path
        assert Path(path).read_bytes() == world.content_of(world.find_picture(newest.media_key))
        assert Secret.select().count() == 0
    assert list(config.firefox_copies_dir.iterdir()) == [], "no copy of a cookie is left"


def test_requests_carry_the_user_agent_of_that_firefox(work, flow):
    with store.connection():
        use(work)
    agents = {request.headers["user-agent"] for request in flow.log}
    (agent,) = agents
    assert re.fullmatch(r"Mozilla/5.0 \(.*; rv:(\d+)\.0\) Gecko/20100101 Firefox/\1\.0", agent)


def test_a_walk_goes_on_when_firefox_replaces_its_cookies_meanwhile(work, world, flow, stored):
    with store.connection():
        profile_id = use(work)
        with flow.holding("project", at=2) as gate:
            run = work.syncs.start(profile_id)
            assert gate.reached.wait(10)
            stored(rotated(world))
            gate.release()
        assert work.syncs.wait(run.id).state == RunState.DONE
        assert profiles.get_profile(profile_id).health == Health.WELL


def test_cookies_that_a_response_renews_are_left_to_firefox(work, world, flow):
    with store.connection():
        profile_id = use(work)
        before = world.google.cookies()
        world.google.rotate()
        flow.reset()
        assert sync(work, profile_id).state == RunState.DONE
        assert world.google.cookies() != before
        assert world.google.is_owner(before), "Firefox still has these, and they work"
        assert flow.count("start") <= 1


def test_when_the_sign_in_ends_all_waits_and_goes_on_by_itself_after_the_next(
    work, world, flow, firefox, signed_out, wait_until
):
    with store.connection():
        profile_id = use(work)
        sync(work, profile_id)
        with flow.holding("address", at=2) as gate, flow.holding("project") as project:
            download = work.downloads.request_pending(profile_id)
            run = work.syncs.start(profile_id)
            assert gate.reached.wait(10)
            assert project.reached.wait(10)
            signed_out()
            gate.release()
            project.release()
        waiting = work.syncs.wait(run.id), work.downloads.wait_for_run(download.id)
        assert [one.state for one in waiting] == [RunState.WAITING] * 2
        profile = profiles.get_profile(profile_id)
        assert profile.health == Health.WAITING_FOR_COOKIES
        for sentence in (profile.health_reason, *(one.error for one in waiting)):
            assert "Open Flow in Firefox" in sentence
            assert "paste" not in sentence.lower()
        firefox.set_cookies(world.google.sign_in())
        wait_until(lambda: runs.get_run(run.id).state == RunState.DONE, 30)
        wait_until(lambda: runs.get_run(download.id).state == RunState.DONE, 30)
        profile = profiles.get_profile(profile_id)
        assert (profile.health, profile.health_reason) == (Health.WELL, None)


def test_sync_looks_into_firefox_at_once(work, world, stored, signed_out, wait_until):
    with store.connection():
        profile_id = use(work)
        signed_out()
        assert sync(work, profile_id).state == RunState.WAITING
        stored(world.google.sign_in())
        assert sync(work, profile_id).state == RunState.DONE
        wait_until(lambda: profiles.get_profile(profile_id).health == Health.WELL, 30)


def test_another_account_in_firefox_is_never_read_into_the_profile(work, world, flow, stored, wait_until):
    other = World(uploaded=3, generated=3, tiny_pictures=True, seed=5, email="grace@example.com")
    other.migrate()
    flow.add_world(other)
    with store.connection():
        profile_id = use(work)
        sync(work, profile_id)
        count = images.count_files(), len(images.list_page(Filter(), limit=200).images)
        stored(other.google.cookies())
        world.google.sign_out()
        run = sync(work, profile_id)
        assert run.state == RunState.WAITING
        assert "sign in as ada@example.com: others are signed in there" in run.error
        assert (images.count_files(), len(images.list_page(Filter(), limit=200).images)) == count
        stored(world.google.sign_in())
        wait_until(lambda: runs.get_run(run.id).state == RunState.DONE, 30)


@pytest.mark.parametrize("restarts", [False, True])
def test_another_account_that_does_not_say_whose_it_is_is_not_read_either(
    work, world, flow, firefox, stored, running, restarts
):
    other = World(uploaded=3, generated=3, tiny_pictures=True, seed=5, email="grace@example.com")
    other.migrate()
    other.google.hides_email = other.google.hides_person = True
    flow.add_world(other)
    with store.connection():
        profile_id = use(work)
        sync(work, profile_id)
        Profile.update(account_key=None).execute()
        count = len(images.list_page(Filter(), limit=200).images)
        stored(other.google.cookies())
        world.google.sign_out()
    work = background_of(running(firefox_roots=(firefox.folder.parent,))) if restarts else work
    with store.connection():
        run = sync(work, profile_id)
        assert run.state == RunState.WAITING
        assert "sign in as ada@example.com" in run.error
        assert len(images.list_page(Filter(), limit=200).images) == count


def test_each_container_has_a_sign_in_of_its_own(work, world, flow, firefox, stored):
    other = World(uploaded=3, generated=3, tiny_pictures=True, seed=5, email="grace@example.com")
    other.migrate()
    flow.add_world(other)
    stored(other.google.cookies(), 2)
    with store.connection():
        found = work.firefox.look(work.firefox.list_profiles()[0].key).found
        assert [(one.container, one.container_name, one.account.email) for one in found] == [
            (None, "", "ada@example.com"),
            (2, "Work", "grace@example.com"),
        ]
        ids = [use(work), use(work, 2)]
        emails = [profiles.get_profile(profile_id).account_email for profile_id in ids]
        assert emails == ["ada@example.com", "grace@example.com"]
        with pytest.raises(UnknownFirefox):
            use(work, 77)


def test_of_several_accounts_in_one_firefox_each_is_read_by_its_own_number(work, world, flow, stored):
    other = World(uploaded=3, generated=3, tiny_pictures=True, seed=5, email="grace@example.com")
    other.migrate()
    flow.add_world(other)
    flow.service.browsers.share_session(world, other)
    with store.connection():
        key = work.firefox.list_profiles()[0].key
        found = work.firefox.look(key).found
        assert [(one.index, one.account.email) for one in found] == [
            (0, "ada@example.com"),
            (1, "grace@example.com"),
        ]
        profile_id = work.use_firefox(key, None, 1, name="Grace").id
        assert profiles.get_profile(profile_id).account_email == "grace@example.com"
        assert sync(work, profile_id).state == RunState.DONE
        assert {image.profile_id for image in images.list_page(Filter(), limit=99).images} == {profile_id}
        flow.service.browsers.shared[0].reverse()  # out of all, and in again in the other order
        stored(world.google.sign_in())
        assert sync(work, profile_id).state == RunState.DONE
        assert profiles.get_profile(profile_id).account_email == "grace@example.com"


def test_a_profile_on_the_shelf_takes_the_firefox_over_after_a_yes(work, world, flow, wait_until):
    with store.connection():
        profile_id = work.accounts.add("Ada", world.google.cookie_header()).id
        key = work.firefox.list_profiles()[0].key
        with pytest.raises(AccountExists, match="Ada is on this shelf: use this Firefox for it from now on"):
            work.use_firefox(key, None)
        assert profiles.get_cookies(profile_id)
        runs_before = sync(work, profile_id)
        assert runs_before.state == RunState.DONE
        count = len(images.list_page(Filter(), limit=200).images)
        assert work.use_firefox(key, None, replaces=profile_id).id == profile_id
        profile = profiles.get_profile(profile_id)
        assert (profile.way, profile.name, profile.health) == (Way.FIREFOX, "Ada", Health.WELL)
        assert (Secret.select().count(), profile.cookie_names) == (0, "")
        assert sync(work, profile_id).state == RunState.DONE
        assert len(images.list_page(Filter(), limit=200).images) == count


def test_after_a_restart_the_sign_in_is_read_again(work, world, running, firefox, stored):
    with store.connection():
        profile_id = use(work)
    again = background_of(running(firefox_roots=(firefox.folder.parent,)))
    with store.connection():
        assert sync(again, profile_id).state == RunState.DONE


def test_a_session_cookie_stands_in_for_a_missing_one(work, world, firefox, wait_until):
    firefox.sign_out()
    cookies = world.google.cookies()
    session = {"OSID": cookies.pop("OSID"), "SID": cookies.pop("SID")}
    firefox.set_cookies(session, is_session=True)
    firefox.set_cookies(cookies)
    firefox.save_session()
    files = FirefoxFiles(firefox.folder, None, work.firefox._config.firefox_copies_dir)
    wait_until(lambda: read_sign_in(files).cookies == world.google.cookies())
    with store.connection():
        assert profiles.get_profile(use(work)).health == Health.WELL
