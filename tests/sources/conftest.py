"""The same account at each of the two services, and a source on it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest
from kept import Kept, caught, walk

from webapp.config import Config
from webapp.demo import FlowServer, World
from webapp.demo.entries import Entry, Kind
from webapp.errors import FlowError
from webapp.sources import RemoteImage, Source
from webapp.sources.services import open_source

SERVICES = ("labs.google", "flow.google.com")


@dataclass
class Side:
    """One of the two services. `who` is the kind of request that tells whom cookies sign in, `page` that of
    a history page, `image` that of one image."""

    service: str
    source: Source
    flow: FlowServer
    world: World
    credentials: Kept

    @property
    def is_new(self) -> bool:
        return self.service == "flow.google.com"

    @property
    def kinds(self) -> tuple[str, str, str]:
        return ("start", "project", "address") if self.is_new else ("session", "history", "media")

    @property
    def session(self):
        """Where the owner signs in and out."""
        return self.world.google if self.is_new else self.world

    def first_page(self):
        return self.source.history_page(self.source.capabilities.histories[0], None)

    def images(self) -> list[RemoteImage]:
        """What a walk over all histories brings."""
        histories = self.source.capabilities.histories
        return [
            image for history in histories for page in walk(self.source, history) for image in page.images
        ]

    def entries(self) -> list[Entry]:
        """What it should bring."""
        names = self.world.names("ASSET_MANAGER", Kind.UPLOADED) + self.world.names("PINHOLE", Kind.GENERATED)
        return [self.world.entry(name) for name in names]

    def fetch(self, entry: Entry):
        return self.source.fetch_image(*self.keys(entry))

    def keys(self, entry: Entry) -> tuple[str, str]:
        """Name and media key by which the shelf knows an image of the old Flow."""
        return entry.name, entry.media_key

    def failure(self, kind: type[FlowError], call: Callable, *arguments: object) -> FlowError:
        return caught(kind, self.credentials.kept.values(), call, *arguments)


@pytest.fixture
def world() -> World:
    return World(uploaded=11, generated=6, videos=2, tiny_pictures=True)


@pytest.fixture(params=SERVICES)
def side(request: pytest.FixtureRequest, config: Config, flow: FlowServer, world: World) -> Iterator[Side]:
    session = world.google if request.param == "flow.google.com" else world
    if session is not world:
        world.migrate()
    credentials = Kept(session.cookies())
    with closing(open_source(config, credentials, threading.Event())) as source:
        yield Side(request.param, source, flow, world, credentials)
