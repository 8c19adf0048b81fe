"""The log of a command, on standard error: its level, and the redaction of every line.

Each command takes `-v`, before or after its name. Each `-v` makes the log one level more verbose than
FLOWSHELF_LOG says, or, without that, than the command's default: `info` for a server, `warning` for all
others.
"""

import logging

import click

from webapp.config import read_log_level
from webapp.errors import BadRequest
from webapp.sources.http import redacted

LEVELS = ("warning", "info", "debug")
_VERBOSITY = "flowshelf.verbosity"
_HELP = "Log more; repeat it for details.  [env var: FLOWSHELF_LOG: debug, info or warning]"


class RedactingFormatter(logging.Formatter):
    """Removes secrets from every line, whichever library logged it."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


def group_option() -> click.Option:
    """`-v` before the name of a command. Only counted: the command that follows decides about its log."""
    return _option(_count)


def add_logging(command: click.Command, *, default: str = "warning") -> click.Command:
    """Let a command take `-v` and log from `default` on."""

    def start(ctx: click.Context, param: click.Parameter, count: int) -> None:
        _count(ctx, param, count)
        try:
            level = read_log_level() or default
        except BadRequest as error:
            raise click.UsageError(str(error), ctx) from error
        start_logging(level, ctx.meta[_VERBOSITY])

    command.params.append(_option(start))
    return command


def start_logging(level: str, verbosity: int = 0) -> None:
    """Log to standard error, `verbosity` levels more than `level`.

    The level `debug` is for our own modules. At that level peewee would log the parameters of each statement,
    with cookies among them, and urllib3 the signed URL of each picture; the redaction should not be all that
    keeps them out of a log.
    """
    name = LEVELS[min(LEVELS.index(level) + verbosity, len(LEVELS) - 1)]
    number = logging.getLevelNamesMapping()[name.upper()]
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=max(number, logging.INFO), handlers=[handler])
    if number < logging.INFO:
        logging.getLogger("webapp").setLevel(number)
    # Waitress warns of each request that waits for a thread, which is normal here.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    # `webapp.database` says itself what a migration did.
    logging.getLogger("peewee.migrations").setLevel(logging.WARNING)


def _option(callback) -> click.Option:
    return click.Option(["-v", "--verbose"], count=True, expose_value=False, callback=callback, help=_HELP)


def _count(ctx: click.Context, param: click.Parameter, count: int) -> None:
    # click shares `meta` between the context of the group and that of the command.
    ctx.meta[_VERBOSITY] = ctx.meta.get(_VERBOSITY, 0) + count
