"""`flowshelf demo`: a simulated Flow with two accounts, and a shelf that has some of their images already."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click

from webapp import create_app, store
from webapp.background import Background
from webapp.cli.dashboard import owned, require_share, run_server, serving_options
from webapp.config import Config, read_config, setting_of
from webapp.demo import FlowServer, World
from webapp.demo.samples import add_news, moved_sample_world, sample_world
from webapp.store.choices import collections, favourites
from webapp.store.gallery import images, selections
from webapp.store.gallery.filters import Filter, Selection

# The settings of the environment that the demo follows. It ignores all others, so that it reaches neither a
# real account nor another data folder.
SETTINGS = ("host", "port", "share")
# How slow the simulated Flow is once the shelf is filled: a sync of each account takes about five seconds.
LATENCY_SECONDS = {"history": 0.75, "media": 0.5, "projects": 0.4, "project": 0.1, "address": 0.5}
# One image in three is downloaded at the start, except for a few that Flow has deleted meanwhile.
DOWNLOADED_SHARE, FAILED_COUNT = 3, 2


@dataclass(frozen=True, slots=True)
class Accounts:
    """`ada` is at labs.google; `studio` was moved to flow.google.com."""

    ada: World
    studio: World


@click.command()
@serving_options
def demo(
    host: str | None, port: int | None, opens: bool, share: bool | None, trusted_proxy: str | None
) -> None:
    """Serve the dashboard with sample images of a simulated Flow. Everything is deleted at the end."""
    with (
        tempfile.TemporaryDirectory(prefix="flowshelf-demo-") as folder,
        simulated_flow() as (flow, accounts),
    ):
        environ = {name: os.environ.get(name, "") for name in map(_variable_of, SETTINGS)}
        config = read_config(
            environ, data_dir=Path(folder), host=host, port=port, share=share, trusted_proxy=trusted_proxy
        )
        config = demo_config(config, flow)
        require_share(config)
        app = create_app(config)
        click.echo("This is a demo: a simulated Flow with sample images, in a temporary folder.")

        def prepare(work: Background) -> None:
            fill(work, accounts)
            flow.latency_seconds = LATENCY_SECONDS

        with owned(config) as lock:
            run_server(app, config, lock, opens=opens, prepare=prepare)


@contextmanager
def simulated_flow() -> Iterator[tuple[FlowServer, Accounts]]:
    """A simulated Flow with two accounts, which responds without delay."""
    accounts = Accounts(
        sample_world(), moved_sample_world(seed=2, email="studio@example.com", owner="Studio Example")
    )
    with FlowServer(accounts.ada) as flow:
        flow.add_world(accounts.studio)
        yield flow, accounts


def fill(work: Background, accounts: Accounts) -> None:
    """Sync both accounts and download a part of their images, as a person would. Then Flow gets new images.

    A few images are deleted at Flow in between, so that their downloads fail.
    """
    with store.connection():
        ada = work.accounts.add("Ada", accounts.ada.cookie_header()).id
        studio = work.accounts.add("Studio", accounts.studio.google.cookie_header()).id
        for run_id in [work.syncs.start(profile_id).id for profile_id in (ada, studio)]:
            work.syncs.wait(run_id)
        downloaded = {one: _list_ids(one)[::DOWNLOADED_SHARE] for one in (ada, studio)}
        for image in images.list_by_ids(downloaded[ada][-FAILED_COUNT:]):
            accounts.ada.delete(image.name)
        requested = [work.downloads.request(one, ids) for one, ids in downloaded.items()]
        for run in filter(None, requested):
            work.downloads.wait_for_run(run.id)
        choose(ada)
    add_news(accounts.ada, accounts.studio)


def choose(profile_id: str) -> None:
    """Favourites and two collections, as a person might have made them."""
    ids = _list_ids(profile_id)
    favourites.mark(Selection(tuple(ids[::DOWNLOADED_SHARE][:4])))
    for title, chosen in (("Kites and dunes", ids[:9]), ("For the living room", ids[3:27:3])):
        collections.add_images(collections.add_collection(title), Selection(tuple(chosen)))


def _list_ids(profile_id: str) -> list[str]:
    """Newest first."""
    return selections.list_ids(Selection(everything=Filter(profile_id)))


def _variable_of(field_name: str) -> str:
    return setting_of(field_name).variable


def demo_config(config: Config, flow: FlowServer) -> Config:
    return replace(
        config,
        labs_url=flow.url,
        media_url=flow.url,
        flow_url=flow.url,
        accounts_url=flow.url,
        picture_hosts=frozenset({flow.picture_host}),
        flow_next_key=None,
        page_delay_seconds=0.0,
        firefox_roots=(),
        is_sealed=True,
    )
