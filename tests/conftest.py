"""What most tests stand on: a simulated Flow, a data folder, the app on it, and a real server."""

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from waitress import wasyncore
from werkzeug.test import TestResponse

from webapp import create_app, store
from webapp.background import Background
from webapp.cli.server import listen
from webapp.config import Config
from webapp.database.states import RunState
from webapp.demo import FlowServer, World
from webapp.web.services import background_of

WAIT_SECONDS = 15.0
settings.register_profile("long", max_examples=1000, deadline=None)
settings.register_profile("thorough", max_examples=300, deadline=None)
settings.register_profile("usual", max_examples=60, deadline=None)
settings.load_profile("usual")


@pytest.fixture
def world() -> World:
    return World(uploaded=40, generated=30, videos=3, tiny_pictures=True)


@pytest.fixture
def flow(world: World) -> Iterator[FlowServer]:
    with FlowServer(world) as server:
        yield server
        assert server.violations == []


@pytest.fixture
def config(flow: FlowServer, tmp_path: Path) -> Config:
    """No pauses, so that a test takes no longer than its work."""
    return Config(
        data_dir=tmp_path / "data",
        labs_url=flow.url,
        media_url=flow.url,
        flow_url=flow.url,
        picture_hosts=frozenset({flow.picture_host}),
        port=0,
        page_delay_seconds=0.0,
        retry_pauses_seconds=(0.01, 0.01, 0.01, 0.01),
        timeout_seconds=(2.0, 5.0),
    )


class _Templates(BytecodeCache):
    """Keeps what templates were compiled to, for all apps of this process: there is one a test."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], object] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._codes[bucket.key, bucket.checksum] = bucket.code


_TEMPLATES = _Templates()


@pytest.fixture(scope="session")
def new_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as Flowshelf makes it at its first start: to copy one takes a third of the time."""
    path = tmp_path_factory.mktemp("new") / "flowshelf.sqlite3"
    store.open_database(path)
    return path


@pytest.fixture
def running(config: Config, new_database: Path) -> Iterator[Callable[..., Flask]]:
    """Starts apps on the data folder as processes would, one after the other; all are stopped."""
    started: list[Flask] = []

    def start(**settings: object) -> Flask:
        for app in started:
            background_of(app).stop()
        config_of_app = replace(config, **settings)
        if not config_of_app.database_path.exists() and not config_of_app.data_dir.exists():
            config_of_app.data_dir.mkdir(parents=True, mode=0o700)
            shutil.copy(new_database, config_of_app.database_path)
        app = create_app(config_of_app)
        app.jinja_env.bytecode_cache = _TEMPLATES
        background_of(app).start()
        started.append(app)
        return app

    yield start
    for app in started:
        background_of(app).stop()


@pytest.fixture
def app(running: Callable[..., Flask]) -> Flask:
    return running()


class Visitor(FlaskClient):
    """A client for tests that have a connection open for looking: connections belong to threads, and a
    request makes its own."""

    def open(self, *args, **kwargs):
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(super().open, *args, **kwargs).result()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    app.test_client_class = Visitor
    return app.test_client()


@pytest.fixture
def fields_of() -> Callable[[BeautifulSoup], dict[str, list[str]]]:
    """What a browser would send with the form of hidden fields on a page."""

    def fields_of(page: BeautifulSoup) -> dict[str, list[str]]:
        fields: dict[str, list[str]] = {}
        for field in page.select("main form input[type=hidden]"):
            fields.setdefault(field["name"], []).append(field["value"])
        return fields

    return fields_of


@pytest.fixture
def confirm(
    client: FlaskClient, fields_of: Callable[[BeautifulSoup], dict]
) -> Callable[[str, dict], TestResponse]:
    """Ask what is done to a selection, and say yes on the page that asks."""

    def confirm(verb: str, form: dict) -> TestResponse:
        question = BeautifulSoup(client.post(f"/selection/ask/{verb}", data=form).text, "html.parser")
        return client.post(f"/selection/{verb}", data=fields_of(question))

    return confirm


@pytest.fixture
def work(app: Flask) -> Background:
    return background_of(app)


@pytest.fixture
def profile_id(work: Background, world: World) -> str:
    with store.connection():
        return work.accounts.add("Ada", world.cookie_header()).id


@pytest.fixture
def shelf(work: Background, profile_id: str, flow: FlowServer) -> Iterator[Background]:
    """The metadata of all uploads is there; an open connection for asking and looking."""
    with store.connection():
        run = work.syncs.start(profile_id, histories=("ASSET_MANAGER",))
        assert work.syncs.wait(run.id).state == RunState.DONE
        flow.reset()
        yield work


@pytest.fixture
def wait_until() -> Callable[[Callable[[], bool]], None]:
    """Bounded waiting for what another thread or process brings about."""

    def wait(is_true: Callable[[], bool], seconds: float = WAIT_SECONDS) -> None:
        pause = threading.Event()
        for _ in range(int(seconds / 0.01)):
            if is_true():
                return
            pause.wait(0.01)
        raise AssertionError(f"still not so after {seconds} seconds")

    return wait


@contextmanager
def served(app: Flask, **settings: object) -> Iterator[str]:
    """The app behind a real waitress on a free port, as `flowshelf serve` starts it; its address."""
    server = listen(app, Config(data_dir=Path(), port=0, **settings))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        background_of(app).stopping.set()
        server.task_dispatcher.shutdown(timeout=2)
        # Closing from this thread would leave the loop alive or raise EBADF. Awake already, the loop may
        # close the trigger before it is pulled.
        with suppress(OSError):
            server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map))
        thread.join(5)


@pytest.fixture
def serving() -> Callable[..., AbstractContextManager[str]]:
    """`served`, for tests that open more than one port or one of their own kind."""
    return served


@pytest.fixture
def live_url(app: Flask) -> Iterator[str]:
    with served(app) as url:
        yield url


@pytest.fixture
def tiny_disk(tmp_path):
    """A real disk of 200 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    asked = [mount, "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)]
    if mount is None or os.geteuid() != 0 or subprocess.run(asked, check=False).returncode != 0:
        pytest.skip("only root can make a small disk to fill")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def launched_chromium() -> Iterator[object]:
    """A real browser. Raises FileNotFoundError when none is installed."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        raise FileNotFoundError("no Chromium on this machine (Debian: apt-get install chromium)")
    options = ["no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"]
    options += ["disable-component-update", "disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[f"--{option}" for option in options])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    """A real browser. Without one the test is skipped; in CI it fails."""
    try:
        with launched_chromium() as browser:
            yield browser
    except FileNotFoundError as missing:
        if os.environ.get("FLOWSHELF_REQUIRE_BROWSER"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))
