"""The command `flowshelf`: the only part that prints, blocks and handles signals.

dashboard    serve
demo         demo, on a simulated Flow
server       waitress and its limits
commands     sync, download and verify
profiles     profiles, profiles add
adopt        adopt
maintenance  backup, restore, import and doctor
export       export
collections  collections, and import of favourites and collections
examination  doctor --flow
handover     import of parts of a hand-over
api_client   a client of the JSON API, of a running server or of this process
api_types    what that API returns
progress     how far a run is, on a terminal or in a log
logs         the log, its level and its redaction
output       standard output and error that are closed, full or of an old encoding
options      options that several commands take
"""

import os
import re
from itertools import takewhile
from typing import Any

import click

from webapp.cli import logs
from webapp.cli.adopt import adopt
from webapp.cli.collections import collections
from webapp.cli.commands import download, sync, verify
from webapp.cli.dashboard import serve
from webapp.cli.demo import demo
from webapp.cli.export import export
from webapp.cli.maintenance import backup, doctor_, import_, restore
from webapp.cli.output import tolerant_output
from webapp.cli.profiles import add, profiles
from webapp.cli.trash import trash
from webapp.errors import FlowshelfError


class FlowshelfGroup(click.Group):
    """Runs `serve` when no command is named, and prints a FlowshelfError as a sentence."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        with tolerant_output():  # around everything, also the parsing of options, which prints --help
            return super().main(*args, **kwargs)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        verbose = list(takewhile(re.compile("-v+|--verbose").fullmatch, args))
        rest = args[len(verbose) :]
        if not rest or (rest[0].startswith("-") and rest[0] not in ("--help", "-h", "--version")):
            rest = ["serve", *rest]
        return super().parse_args(ctx, [*verbose, *rest])

    def invoke(self, ctx: click.Context) -> object:
        os.umask(0o077)  # files that this process creates are readable only by their owner
        try:
            return super().invoke(ctx)
        except FlowshelfError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=FlowshelfGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="flowshelf")
def main() -> None:
    """A local shelf for your own Google Flow images.

    Without a command, flowshelf serves the dashboard and takes the options of "flowshelf serve".
    """


main.params.append(logs.group_option())
for command in (serve, demo):
    main.add_command(logs.add_logging(command, default="info"))
ON_IMAGES = (sync, download, verify, trash, adopt, export, collections)
for command in (*ON_IMAGES, profiles, backup, restore, import_, doctor_):
    main.add_command(logs.add_logging(command))
logs.add_logging(add)
