"""Fixtures for the tests of flow.google.com: a source with stored cookies, and a simulated Flow."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace

import pytest
from kept import Clock, Kept, caught

from webapp.config import Config
from webapp.demo import World
from webapp.errors import FlowError
from webapp.sources.flow_google import FlowGoogleSource
from webapp.sources.http import HttpClient


@pytest.fixture
def world() -> World:
    """A moved account whose listing has several pages."""
    world = World(uploaded=9, generated=20, videos=2, tiny_pictures=True)
    world.projects.page_size = 4
    world.migrate()
    return world


@pytest.fixture
def credentials(world: World) -> Kept:
    return Kept(world.google.cookies())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_source(config: Config, credentials: Kept) -> Iterator[Callable[..., FlowGoogleSource]]:
    """Opens sources with settings of their own, and closes them after the test."""
    with ExitStack() as opened:

        def open_source(**settings: object) -> FlowGoogleSource:
            source = FlowGoogleSource(replace(config, **settings), credentials, threading.Event())
            return opened.enter_context(closing(source))

        yield open_source


@pytest.fixture
def source(open_source: Callable[..., FlowGoogleSource]) -> FlowGoogleSource:
    return open_source()


@pytest.fixture
def http(config: Config) -> Iterator[HttpClient]:
    with closing(HttpClient(threading.Event(), config.timeout_seconds)) as http:
        yield http


@pytest.fixture
def failure(world: World, credentials: Kept) -> Callable[..., FlowError]:
    """Expects an error of exactly one class without any secret of the profile, and returns it."""

    def failure(kind: type[FlowError], call: Callable, *arguments: object) -> FlowError:
        known = [*credentials.kept.values(), world.google.token, world.google.session_id]
        return caught(kind, known, call, *arguments)

    return failure
