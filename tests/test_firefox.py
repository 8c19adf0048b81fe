"""Profiles that sign in with a Firefox on this machine: a real one that runs, against the simulated Flow."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from marionette import Firefox, running_firefox

from webapp import store
from webapp.background import Background
from webapp.config import Config
from webapp.database.models import Secret
from webapp.database.states import Health, RunKind, RunState, Way
from webapp.demo import FlowServer, World
from webapp.store import profiles, runs
from webapp.store.gallery import images
from webapp.store.gallery.filters import Filter
from webapp.web.services import background_of

pytestmark = pytest.mark.proof


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


@pytest.fixture
def firefox(browser: Firefox, world: World) -> Firefox:
    """Signed in to Flow, and to nothing else."""
    browser.sign_out()
    browser.set_cookies(world.google.cookies())
    return browser


@pytest.fixture
def work(running: Callable[..., Flask], firefox: Firefox, wait_until: Callable) -> Background:
    work = background_of(running(firefox_roots=(firefox.folder.parent,)))
    key = work.firefox.list_profiles()[0].key
    wait_until(lambda: work.firefox.look(key).found != ())
    return work


def use(work: Background, container: int | None = None, **options: str) -> str:
    return work.firefox.use(work.firefox.list_profiles()[0].key, container, **options).id


def test_a_picture_is_downloaded_with_the_sign_in_of_a_running_firefox(work: Background, world: World):
    with store.connection():
        (found,) = work.firefox.look(work.firefox.list_profiles()[0].key).found
        assert (found.account.email, found.container) == (world.email, None)
        profile_id = use(work)
        profile = profiles.get_profile(profile_id)
        assert (profile.way, profile.health, profile.name) == (Way.FIREFOX, Health.WELL, "ada")
        assert work.syncs.wait(work.syncs.start(profile_id).id).state == RunState.DONE
        newest = images.list_page(Filter(), limit=1).images[0]
        work.downloads.wait_for_run(work.downloads.request(profile_id, [newest.id]).id)
        path = images.get_image(newest.id).file_path
        assert Path(path).read_bytes() == world.content(newest.name)
        assert Secret.select().count() == 0
