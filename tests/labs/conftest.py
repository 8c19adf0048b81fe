"""Fixtures for the tests of labs.google: a source with stored cookies, and a simulated Flow."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace

import pytest
from kept import Clock, Kept, caught

from webapp.config import Config
from webapp.demo import World
from webapp.errors import FlowError
from webapp.sources.http import HttpClient
from webapp.sources.labs import LabsSource
from webapp.sources.labs.site import LabsSite


@pytest.fixture
def world() -> World:
    return World(uploaded=23, generated=5, videos=2, tiny_pictures=True)


@pytest.fixture
def credentials(world: World) -> Kept:
    return Kept(world.cookies())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_source(config: Config, credentials: Kept) -> Iterator[Callable[..., LabsSource]]:
    """Opens sources with settings of their own, and closes them after the test."""
    with ExitStack() as opened:

        def open_source(**settings: object) -> LabsSource:
            source = LabsSource(replace(config, **settings), credentials, threading.Event())
            return opened.enter_context(closing(source))

        yield open_source


@pytest.fixture
def source(open_source: Callable[..., LabsSource]) -> LabsSource:
    return open_source()


@pytest.fixture
def fetch_all(source: LabsSource) -> Callable[[list[str]], list[bytes]]:
    """Fetches images in parallel, each in a thread of its own."""

    def fetch_all(names: list[str]) -> list[bytes]:
        with ThreadPoolExecutor(len(names)) as pool:
            return [fetched.content for fetched in pool.map(source.fetch_image, names)]

    return fetch_all


@pytest.fixture
def http(config: Config) -> Iterator[HttpClient]:
    with closing(HttpClient(threading.Event(), config.timeout_seconds)) as http:
        yield http


@pytest.fixture
def site(config: Config, credentials: Kept, http: HttpClient) -> LabsSite:
    return LabsSite(config, credentials, http)


@pytest.fixture
def failure(world: World, credentials: Kept) -> Callable[..., FlowError]:
    """Expects an error of exactly one class without any secret of the profile, and returns it."""

    def failure(kind: type[FlowError], call: Callable, *arguments: object) -> FlowError:
        known = [*credentials.kept.values(), world.key, world.decoy_key, "ya29.", "AIzaSy"]
        return caught(kind, known, call, *arguments)

    return failure
