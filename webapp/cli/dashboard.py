"""`flowshelf serve` and `flowshelf demo`: one process, one data folder, waitress."""

import gc
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
from flask import Flask

from webapp import create_app, make_data_folder, store
from webapp.cli.options import data_dir_option
from webapp.cli.server import listen
from webapp.config import EVERY_ADDRESS, LOOPBACK_HOSTS, Config, read_config
from webapp.database.states import Role
from webapp.demo import FlowServer, World
from webapp.demo.samples import moved_sample_world, sample_world
from webapp.sources.http import redacted
from webapp.storage.lock import DataFolderLock
from webapp.web.services import background_of, sharing_of
from webapp.web.sharing import links
from webapp.web.sharing.codes import Codes

# How this machine reaches a server that listens on all addresses.
LOCAL_HOSTS = {EVERY_ADDRESS: "127.0.0.1", "::": "::1"}
DEMO_LATENCY_SECONDS = {"history": 0.35, "media": 0.5, "project": 0.35, "address": 0.5}


class RedactingFormatter(logging.Formatter):
    """No secret reaches a log, whoever wrote the line."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


def serving_options(command):
    for option in (
        click.option(
            "--trusted-proxy",
            metavar="ADDRESS",
            help="The reverse proxy whose X-Forwarded headers are believed; from anybody else they are not.",
        ),
        click.option(
            "--share",
            is_flag=True,
            default=None,
            help="Listen on the LAN and ask everybody to sign in: prints a link for you and one for guests.",
        ),
        click.option("--open", "opens", is_flag=True, help="Open the dashboard in the browser."),
        click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 takes any free one.  [8765]"),
        click.option("--host", help="Address to listen on.  [127.0.0.1; with --share all of them]"),
    ):
        command = option(command)
    return command


@click.command()
@serving_options
@data_dir_option
def serve(data_dir: Path | None, opens: bool, **options: object) -> None:
    """Serve the dashboard and the JSON API."""
    config = read_config(data_dir=data_dir, **options)
    require_share(config)
    start_logging()
    make_data_folder(config)
    with owned(config) as lock:
        run_server(create_app(config), config, lock, opens=opens)


@click.command()
@serving_options
def demo(opens: bool, **options: object) -> None:
    """Serve the dashboard on sample pictures of a simulated Flow; nothing of it is kept."""
    with tempfile.TemporaryDirectory(prefix="flowshelf-demo-") as folder, simulated_flow() as (flow, worlds):
        config = demo_config(read_config(data_dir=Path(folder), **options), flow)
        require_share(config)
        start_logging()
        app = create_app(config)
        world, moved = worlds
        with store.connection():
            background_of(app).accounts.add("Sample shelf", world.cookie_header())
            background_of(app).accounts.add("Moved shelf", moved.google.cookie_header())
        click.echo("This is a demo: a simulated Flow with sample pictures, in a temporary folder.")
        with owned(config) as lock:
            run_server(app, config, lock, opens=opens)


@contextmanager
def simulated_flow() -> Iterator[tuple[FlowServer, tuple[World, World]]]:
    """An account at the old Flow, and one that has moved to flow.google.com."""
    worlds = sample_world(), moved_sample_world(seed=2, email="grace@example.com", owner="Grace Example")
    with FlowServer(worlds[0], latency_seconds=DEMO_LATENCY_SECONDS) as flow:
        flow.add_world(worlds[1])
        yield flow, worlds


def demo_config(config: Config, flow: FlowServer) -> Config:
    return replace(
        config,
        labs_url=flow.url,
        media_url=flow.url,
        flow_url=flow.url,
        picture_hosts=frozenset({flow.picture_host}),
        flow_next_key=None,
        page_delay_seconds=0.4,
    )


def require_share(config: Config) -> None:
    if config.host not in LOOPBACK_HOSTS and not config.share:
        raise click.UsageError(
            f"On {config.host} Flowshelf would answer everybody in the network without asking who they are. "
            "Add --share: then it asks everybody to sign in. Without it, it serves 127.0.0.1 only."
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
    url = f"{links.base_url(LOCAL_HOSTS.get(config.host, config.host), server.effective_port)}/"

    def end(*_: object) -> None:
        work.stopping.set()  # waiting API calls answer now, not when their work is done
        sys.exit()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        work.start()
        lock.say_address(url)
        click.echo(f"Flowshelf is open at {url}  (Ctrl-C ends it)")
        if sharing := sharing_of(app):
            say_links(sharing.codes, links.base_urls(config.host, server.effective_port) or [url])
        if opens:
            webbrowser.open(url)
        gc.freeze()  # what is here now stays: no visitor has to wait while it is looked through for garbage
        server.run()
    finally:
        work.stop(timeout_seconds=1.6)


def say_links(codes: Codes, base_urls: list[str]) -> None:
    """Who may come in by which link. A terminal shows them as QR codes too."""
    for role, words in ((Role.OWNER, "You, with everything"), (Role.GUEST, "Guests, who may only look")):
        click.echo(f"\n{words}:")
        for base in base_urls:
            click.echo(f"  {links.enter_url(base, codes.code_of(role))}")
        if sys.stdout.isatty():
            click.echo(links.qr_lines(links.enter_url(base_urls[0], codes.code_of(role))))


def start_logging() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    logging.getLogger("peewee.migrations").setLevel(logging.WARNING)  # what a migration did is said by us
