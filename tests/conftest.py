"""Fixtures of most tests: a simulated Flow, a data folder, the app on it, and a real server."""

import os
import shutil
import subprocess
import sys
import threading
import time
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


def pytest_xdist_auto_num_workers() -> int:
    """Two processes per core: most tests spend half of their time waiting for a socket or a browser."""
    return 2 * (os.cpu_count() or 1)


WAIT_SECONDS = 15.0
# Machines that run tests set these. A test that is about one of them sets it itself.
for variable in (
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("ALL_PROXY", "NO_PROXY", "HTTP_PROXY", "HTTPS_PROXY"),
):
    for name in (variable, variable.lower()):
        os.environ.pop(name, None)
# Dates are those of this zone, unless a browser names another one.
os.environ["TZ"] = "UTC"
time.tzset()
# Hypothesis: `pytest --hypothesis-profile=thorough`.
settings.register_profile("long", max_examples=1000, deadline=None)
settings.register_profile("thorough", max_examples=300, deadline=None)
settings.register_profile("usual", max_examples=60, deadline=None)
settings.load_profile("usual")


def pytest_sessionstart() -> None:
    """Ignores finalizers that failed for want of stack, as where a test reads JSON that is nested too deeply.

    Garbage is collected at any allocation, so it is often that of earlier tests: connection pools they used.
    """
    report = sys.unraisablehook

    def report_others(unraisable: object) -> None:
        if unraisable.exc_type is not RecursionError:
            report(unraisable)

    sys.unraisablehook = report_others


@pytest.fixture
def world() -> World:
    return World(uploaded=40, generated=30, videos=3, tiny_pictures=True)


@pytest.fixture
def flow(world: World) -> Iterator[FlowServer]:
    """Fails the test when a request was one that no client may send."""
    with FlowServer(world) as server:
        yield server
        assert server.violations == []


@pytest.fixture
def config(flow: FlowServer, tmp_path: Path) -> Config:
    """Settings with short pauses and timeouts, so that tests are fast."""
    return Config(
        data_dir=tmp_path / "data",
        labs_url=flow.url,
        media_url=flow.url,
        flow_url=flow.url,
        accounts_url=flow.url,
        picture_hosts=frozenset({flow.picture_host}),
        port=0,
        page_delay_seconds=0.0,
        retry_pauses_seconds=(0.01, 0.01, 0.01, 0.01),
        timeout_seconds=(2.0, 5.0),
    )


class CompiledTemplates(BytecodeCache):
    """Compiles each template once per process instead of once per app: each test has its own app."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], object] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._codes[bucket.key, bucket.checksum] = bucket.code


COMPILED_TEMPLATES = CompiledTemplates()


@pytest.fixture(scope="session")
def new_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as the first start makes it. Copying it takes a third of the time of making one."""
    path = tmp_path_factory.mktemp("new") / "flowshelf.sqlite3"
    store.open_database(path)
    return path


@pytest.fixture
def running(config: Config, new_database: Path) -> Iterator[Callable[..., Flask]]:
    """Starts an app on the data folder, after stopping the previous one, like a restart of the process."""
    started: list[Flask] = []

    def start(**settings: object) -> Flask:
        for app in started:
            background_of(app).stop()
        app_config = replace(config, **settings)
        if not app_config.data_dir.exists():
            app_config.data_dir.mkdir(parents=True, mode=0o700)
            shutil.copy(new_database, app_config.database_path)
        app = create_app(app_config)
        app.jinja_env.bytecode_cache = COMPILED_TEMPLATES
        background_of(app).start()
        started.append(app)
        return app

    yield start
    for app in started:
        background_of(app).stop()


@pytest.fixture
def app(running: Callable[..., Flask]) -> Flask:
    return running()


class ThreadedClient(FlaskClient):
    """Handles each request in a thread of its own.

    A database connection belongs to a thread, and a request opens its own: the test may have one open, too.
    """

    def open(self, *args: object, **kwargs: object) -> TestResponse:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(super().open, *args, **kwargs).result()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    app.test_client_class = ThreadedClient
    return app.test_client()


@pytest.fixture
def fields_of() -> Callable[[BeautifulSoup], dict[str, list[str]]]:
    """Reads the hidden fields of the form on a page, as a browser would send them."""

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
    """Asks for an action on a selection and confirms it on the page that asks back."""

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
    """The background after a sync of all uploads, with a database connection open for the test."""
    with store.connection():
        run = work.syncs.start(profile_id, histories=("ASSET_MANAGER",))
        assert work.syncs.wait(run.id).state == RunState.DONE
        flow.reset()
        yield work


@pytest.fixture
def wait_until() -> Callable[[Callable[[], bool]], None]:
    """Waits until a condition, which another thread or process brings about, is true; fails after a limit."""

    def wait(is_true: Callable[[], bool], seconds: float = WAIT_SECONDS) -> None:
        pause = threading.Event()
        for _ in range(int(seconds / 0.01)):
            if is_true():
                return
            pause.wait(0.01)
        raise AssertionError(f"not true after {seconds} seconds")

    return wait


@contextmanager
def served(app: Flask, **settings: object) -> Iterator[str]:
    """The URL of the app behind a real waitress, on a free port, started as `flowshelf serve` does."""
    server = listen(app, Config(**{"data_dir": Path(), "port": 0} | settings))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        background_of(app).stopping.set()
        server.task_dispatcher.shutdown(timeout=2)
        # Only the thread of the loop may close its sockets: from this one, the loop would stay alive or
        # raise EBADF. The loop can wake up by itself and close the trigger before it is pulled: OSError.
        with suppress(OSError):
            server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map))
        thread.join(5)


@pytest.fixture
def serving() -> Callable[..., AbstractContextManager[str]]:
    """`served`, for tests that serve an app twice or with settings of their own."""
    return served


@pytest.fixture
def live_url(app: Flask) -> Iterator[str]:
    with served(app) as url:
        yield url


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 kB, to fill. Only root can mount it; otherwise the test is skipped."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)]
    if not shutil.which("mount") or os.geteuid() != 0 or subprocess.run(command, check=False).returncode:
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
    """A browser for all tests. Without Chromium they are skipped, or fail in CI."""
    try:
        with launched_chromium() as browser:
            yield browser
    except FileNotFoundError as missing:
        if os.environ.get("FLOWSHELF_REQUIRE_BROWSER"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))
