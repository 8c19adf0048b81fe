"""The command `flowshelf`; the only part that prints, blocks and handles signals.

serving     serve and demo
listening   waitress, and how many may talk to it for how long
working     sync, download, profiles and verify
keeping     backup, import and doctor
examining   doctor --flow
shelf       the JSON API of the server that owns the data folder, or of this process when none does
progress    bars on a terminal, plain lines elsewhere
"""

import os

import click

from webapp.cli.commands import download, profiles, sync, verify
from webapp.cli.dashboard import demo, serve
from webapp.cli.maintenance import backup, doctor_, import_
from webapp.errors import FlowshelfError


class Sentences(click.Group):
    """Serves when no command is named, and ends with a sentence where a traceback would help nobody."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "-h", "--version")):
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        os.umask(0o077)  # whatever this process makes is for its owner alone
        try:
            return super().invoke(ctx)
        except FlowshelfError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Sentences, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="flowshelf")
def main() -> None:
    """A local shelf for your own Google Flow images.

    Without a command, flowshelf serves the dashboard and takes the options of "flowshelf serve".
    """


for command in (serve, demo, sync, download, profiles, verify, backup, import_, doctor_):
    main.add_command(command)
