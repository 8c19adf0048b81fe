"""`flowshelf serve` and `flowshelf demo`: one process, one data folder, waitress."""

import logging
import signal
import sys
import tempfile
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click
import waitress
from flask import Flask
from waitress.task import ThreadedTaskDispatcher

from webapp import background_of, create_app, make_data_folder, store
from webapp.cli.options import data_dir_option
from webapp.config import LOOPBACK_HOSTS, Config, read_config
from webapp.demo import FlowServer, World
from webapp.errors import FlowshelfError
from webapp.lock import DataFolderLock
from webapp.sources.http import redacted

# Polling tabs and waiting API calls share these; at most half of them may wait (design.md).
SERVER_THREADS = 12
DEMO_LATENCY_SECONDS = {"history": 0.35, "media": 0.5}


class QuickDispatcher(ThreadedTaskDispatcher):
    """Waitress's threads, given less time at the end: everything has to be over within three seconds."""

    def shutdown(self, cancel_pending: bool = True, timeout: float = 0.7) -> bool:
        return super().shutdown(cancel_pending, timeout)


class RedactingFormatter(logging.Formatter):
    """No secret reaches a log, whoever wrote the line."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


def serving_options(command):
    for option in (
        click.option("--open", "opens", is_flag=True, help="Open the dashboard in the browser."),
        click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 takes any free one.  [8765]"),
        click.option("--host", help="Address to listen on.  [127.0.0.1]"),
    ):
        command = option(command)
    return command


@click.command()
@serving_options
@data_dir_option
def serve(host: str | None, port: int | None, data_dir: Path | None, opens: bool) -> None:
    """Serve the dashboard and the JSON API."""
    config = read_config(host=host, port=port, data_dir=data_dir)
    require_loopback(config)
    start_logging()
    make_data_folder(config)
    with owned(config) as lock:
        run_server(create_app(config), config, lock, opens=opens)


@click.command()
@serving_options
def demo(host: str | None, port: int | None, opens: bool) -> None:
    """Serve the dashboard on sample pictures of a simulated Flow; nothing of it is kept."""
    with tempfile.TemporaryDirectory(prefix="flowshelf-demo-") as folder, simulated_flow() as (flow, world):
        config = demo_config(read_config(host=host, port=port, data_dir=Path(folder)), flow)
        require_loopback(config)
        start_logging()
        app = create_app(config)
        with store.connection():
            background_of(app).accounts.add("Sample shelf", world.cookie_header())
        click.echo("This is a demo: a simulated Flow with sample pictures, in a temporary folder.")
        with owned(config) as lock:
            run_server(app, config, lock, opens=opens)


@contextmanager
def simulated_flow() -> Iterator[tuple[FlowServer, World]]:
    world = World.sample()
    with FlowServer(world, latency_seconds=DEMO_LATENCY_SECONDS) as flow:
        yield flow, world


def demo_config(config: Config, flow: FlowServer) -> Config:
    return replace(
        config,
        labs_url=flow.url,
        media_url=flow.url,
        picture_hosts=frozenset({flow.picture_host}),
        flow_next_key=None,
        page_delay_seconds=0.4,
    )


def require_loopback(config: Config) -> None:
    if config.host not in LOOPBACK_HOSTS:
        raise click.UsageError(
            f"Flowshelf would answer everybody in the network on {config.host}, and it asks nobody who they "
            "are yet. It serves 127.0.0.1 only until sharing with sign-in is built."
        )


@contextmanager
def owned(config: Config) -> Iterator[DataFolderLock]:
    """Hold the lock of the data folder. Ends with a sentence when another Flowshelf has it."""
    lock = DataFolderLock(config.data_dir)
    if not lock.take():
        where = lock.address() or "another command, which serves no page"
        raise click.ClickException(f"A Flowshelf is using {config.data_dir} already: {where}. Use that one.")
    try:
        yield lock
    finally:
        lock.release()


def run_server(app: Flask, config: Config, lock: DataFolderLock, *, opens: bool) -> None:
    """Serve until SIGTERM or Ctrl-C; what is under way goes on at the next start."""
    work = background_of(app)
    server = listen(app, config)
    url = f"http://{'[::1]' if ':' in config.host else config.host}:{server.effective_port}/"

    def end(*_: object) -> None:
        work.stopping.set()  # waiting API calls answer now, not when their work is done
        sys.exit()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        work.start()
        lock.say_address(url)
        click.echo(f"Flowshelf is open at {url}  (Ctrl-C ends it)")
        if opens:
            webbrowser.open(url)
        server.run()
    finally:
        work.stop(timeout_seconds=1.6)


def listen(app: Flask, config: Config):
    dispatcher = QuickDispatcher()
    dispatcher.set_thread_count(SERVER_THREADS)
    try:
        return waitress.create_server(
            app,
            host="127.0.0.1" if config.host == "localhost" else config.host,  # one socket, not two
            port=config.port,
            _dispatcher=dispatcher,
            ident=None,
            max_request_body_size=4 * app.config["MAX_CONTENT_LENGTH"],  # so that Flask says it, as JSON
        )
    except OSError as error:
        raise FlowshelfError(
            f"Port {config.port} of {config.host} cannot be used ({error.strerror}). Another program may "
            "have it; choose another with --port, or --port 0 for any free one."
        ) from error


def start_logging() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
