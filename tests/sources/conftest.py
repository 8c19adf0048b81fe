"""The same account at each of the two services, and a source for it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace

import pytest
from kept import Kept, caught, walk

from webapp.config import Config
from webapp.demo import FlowServer, World
from webapp.demo.entries import Entry, Kind
from webapp.errors import FlowError
from webapp.sources import FetchedImage, HistoryPage, RemoteImage, Source
from webapp.sources.services import open_source

SERVICES = ("labs.google", "flow.google.com")


@dataclass
class Side:
    """One of the two services with an account, and `source`, which knows it by `credentials`."""

    service: str
    source: Source
    flow: FlowServer
    world: World
    credentials: Kept
    open: Callable[..., Source]
    """Opens another source with the same credentials and with settings of its own."""

    @property
    def is_new(self) -> bool:
        return self.service == "flow.google.com"

    @property
    def kinds(self) -> tuple[str, str, str]:
        """The kinds of requests that sign in, that fetch a history page, and that fetch an image."""
        return ("start", "project", "address") if self.is_new else ("session", "history", "media")

    @property
    def session(self):
        """Where the account signs in and out."""
        return self.world.google if self.is_new else self.world

    @property
    def history(self) -> str:
        return self.source.capabilities.default_history

    def first_page(self) -> HistoryPage:
        return self.source.history_page(self.history, None)

    def images(self) -> list[RemoteImage]:
        """The images of all histories, as the source reads them."""
        histories = self.source.capabilities.histories
        return [
            image for history in histories for page in walk(self.source, history) for image in page.images
        ]

    def entries(self) -> list[Entry]:
        """The images of all histories, as the simulated Flow has them: uploads first."""
        names = self.world.names("ASSET_MANAGER", Kind.UPLOADED) + self.world.names("PINHOLE", Kind.GENERATED)
        return [self.world.entry(name) for name in names]

    def fetch(self, entry: Entry) -> FetchedImage:
        return self.source.fetch_image(*self.keys(entry))

    def keys(self, entry: Entry) -> tuple[str, str]:
        """The name and the media key by which the database knows an image of the old Flow."""
        return entry.name, entry.media_key

    def failure(self, kind: type[FlowError], call: Callable, *arguments: object) -> FlowError:
        return caught(kind, self.credentials.kept.values(), call, *arguments)


@pytest.fixture
def world() -> World:
    """An account whose histories have several pages at both services."""
    world = World(uploaded=11, generated=6, videos=2, tiny_pictures=True)
    world.projects.page_size = 2
    return world


@pytest.fixture(params=SERVICES)
def side(request: pytest.FixtureRequest, config: Config, flow: FlowServer, world: World) -> Iterator[Side]:
    session = world.google if request.param == "flow.google.com" else world
    if session is not world:
        world.migrate()
    credentials = Kept(session.cookies())
    with ExitStack() as opened:

        def open_another(**settings: object) -> Source:
            stopping = settings.pop("stopping", threading.Event())
            of_test = replace(config, page_size=4, **settings)
            return opened.enter_context(closing(open_source(of_test, credentials, stopping)))

        yield Side(request.param, open_another(), flow, world, credentials, open_another)
