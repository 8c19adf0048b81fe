"""A dashboard on a real port, an account at the simulated Flow, and a browser that is signed in there."""

from collections.abc import Callable, Iterator

import pytest
from extension import Browser, Channel
from flask import Flask

from webapp import store
from webapp.background import Background
from webapp.demo import FlowServer, World


@pytest.fixture
def world() -> World:
    world = World(uploaded=9, generated=20, videos=2, tiny_pictures=True)
    world.projects.page_size = 4
    world.migrate()
    return world


@pytest.fixture(autouse=True)
def connection(app: Flask) -> Iterator[None]:
    """A database connection of the test's own."""
    with store.connection():
        yield


@pytest.fixture
def channel(work: Background, live_url: str) -> Channel:
    """A paired browser's channel."""
    channel = Channel(live_url)
    assert channel.pair(work.companion.new_code()).status_code == 200
    return channel


@pytest.fixture
def browser(flow: FlowServer, world: World, channel: Channel) -> Iterator[Browser]:
    """An open browser where Ada is signed in."""
    with Browser(flow.url, channel, world.google.email) as browser:
        yield browser


@pytest.fixture
def connect(work: Background, wait_until: Callable) -> Callable[..., str]:
    """Picks an account of a browser, as a person does on the dashboard. Returns the id of its profile."""

    def connect(channel: Channel, index: int = 0, **choice: object) -> str:
        wait_until(lambda: work.companion.accounts_of(channel.pairing_id) is not None)
        return work.connect_browser(channel.pairing_id, index, **choice).id

    return connect


@pytest.fixture
def ada(browser: Browser, connect: Callable, app: Flask) -> str:
    """The profile that the open browser signs in."""
    return connect(browser.channel)
