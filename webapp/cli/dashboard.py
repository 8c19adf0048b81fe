"""`flowshelf serve`, and what it has in common with `demo`: one process that serves one data folder."""

import gc
import signal
import sys
import tempfile
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click
from flask import Flask
from waitress.server import BaseWSGIServer

from webapp import create_app, make_data_folder, store
from webapp.background import Background
from webapp.cli.options import data_dir_option
from webapp.cli.server import listen
from webapp.config import EVERY_ADDRESS, LOOPBACK_HOSTS, Config, read_config, setting_of
from webapp.database.states import Role
from webapp.errors import FlowshelfError
from webapp.storage.lock import DataFolderLock
from webapp.store.choices import guests
from webapp.web.services import background_of, sharing_of
from webapp.web.sharing import links
from webapp.web.sharing.codes import Codes

# The address by which this machine reaches a server that listens on all addresses.
LOCAL_HOSTS = {EVERY_ADDRESS: "127.0.0.1", "::": "::1"}


def serving_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that `serve` and `demo` have in common."""
    for option in (
        click.option("--trusted-proxy", metavar="ADDRESS", help=setting_of("trusted_proxy").option_help),
        click.option("--share", is_flag=True, default=None, help=setting_of("share").option_help),
        click.option("--open", "opens", is_flag=True, help="Open the dashboard in the browser."),
        click.option("--port", type=click.IntRange(0, 65535), help=setting_of("port").option_help),
        click.option("--host", help=setting_of("host").option_help),
    ):
        command = option(command)
    return command


@click.command()
@serving_options
@click.option("--dev", is_flag=True, help="Reload templates, styles and scripts when they change.")
@data_dir_option
def serve(
    host: str | None,
    port: int | None,
    opens: bool,
    share: bool | None,
    trusted_proxy: str | None,
    dev: bool,
    data_dir: Path | None,
) -> None:
    """Serve the dashboard and the JSON API."""
    config = read_config(data_dir=data_dir, host=host, port=port, share=share, trusted_proxy=trusted_proxy)
    require_share(config)
    make_data_folder(config)
    with owned(config) as lock:
        run_server(create_app(config, reloads_assets=dev), config, lock, opens=opens)


def require_share(config: Config) -> None:
    """Raises UsageError for an address that other machines can reach, unless the shelf is shared."""
    if config.host not in LOOPBACK_HOSTS and not config.share:
        raise click.UsageError(
            f"On {config.host} everybody in your network could open this shelf without signing in. Add "
            "--share to make everybody sign in. Without --share, Flowshelf serves 127.0.0.1 only."
        )


@contextmanager
def owned(config: Config) -> Iterator[DataFolderLock]:
    """Hold the lock of the data folder. Raises ClickException when another Flowshelf holds it."""
    lock = DataFolderLock(config.data_dir)
    if not lock.take():
        if url := lock.read_url():
            raise click.ClickException(f"Flowshelf already serves {config.data_dir}: open {url}")
        raise click.ClickException(
            f"Another flowshelf command is using {config.data_dir}. Try again when it has ended."
        )
    try:
        yield lock
    finally:
        lock.release()


def run_server(
    app: Flask,
    config: Config,
    lock: DataFolderLock,
    *,
    opens: bool,
    prepare: Callable[[Background], None] = lambda work: None,
) -> None:
    """Serve until SIGTERM or Ctrl-C. Runs that are under way resume at the next start.

    `prepare` is called when work can start, before the first response.
    """
    work = background_of(app)
    # Waitress writes what it cannot keep in memory to temporary files: to the data disk, because the system's
    # folder for them may be small, or in memory itself.
    tempfile.tempdir = str(config.uploads_dir)
    server = _listen(app, config)
    port, prefix = server.effective_port, config.prefix
    url = f"{links.base_url(LOCAL_HOSTS.get(config.host, config.host), port, prefix)}/"

    _end_on_signals(work)
    try:
        work.start()
        prepare(work)
        lock.write_url(url)
        click.echo(f"Flowshelf is open at {url}  (Ctrl-C ends it)")
        if sharing := sharing_of(app):
            print_links(sharing.codes, links.base_urls(config.host, port, prefix) or [url])
        if opens:
            webbrowser.open(url)
        gc.freeze()  # what exists now stays: the collector need not go through it while a request waits
        server.run()
    finally:
        work.stop(timeout_seconds=1.6)


def _end_on_signals(work: Background) -> None:
    """End the program with SIGTERM or Ctrl-C."""

    def end(*_: object) -> None:
        # A second signal, as of an impatient Ctrl-C, would wait for ever for the lock that `set` holds below,
        # or cut short what the first one began.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # Before the exit, so that waiting API calls return now and waitress's threads can end.
        work.stopping.set()
        sys.exit()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)


def _listen(app: Flask, config: Config) -> BaseWSGIServer:
    """Like `listen`. The demo takes any free port when the usual one is taken, as by a Flowshelf at work."""
    try:
        return listen(app, config)
    except FlowshelfError:
        if not config.is_sealed or "port" in config.given:
            raise
        return listen(app, replace(config, port=0))


def _is_guest_link_on() -> bool:
    with store.connection():
        return guests.is_link_on()


def print_links(codes: Codes, base_urls: list[str]) -> None:
    """Print the links that sign in as owner and as guest, on a terminal as QR codes too."""
    for role, label in ((Role.OWNER, "You, with all rights"), (Role.GUEST, "Guests, who may only look")):
        click.echo(f"\n{label}:")
        if role is Role.GUEST and not _is_guest_link_on():
            click.echo("  The link is off. Choose on the page Share what guests see.")
            continue
        for base in base_urls:
            click.echo(f"  {links.enter_url(base, codes.code_of(role))}")
        if sys.stdout.isatty():
            click.echo(links.qr_lines(links.enter_url(base_urls[0], codes.code_of(role))))
