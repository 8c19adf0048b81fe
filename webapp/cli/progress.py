"""Shows how far a run is: one line that is rewritten on a terminal, else a line every few seconds."""

import sys
import time
from collections.abc import Callable
from typing import TypeVar

import click

from webapp.cli.api_client import ApiClient, pause
from webapp.cli.api_types import DownloadRunValue, RunValue, SyncRunValue
from webapp.errors import FlowUnavailable

POLL_SECONDS = 0.25
PLAIN_LINE_SECONDS = 5.0

R = TypeVar("R", bound=RunValue)


def follow(
    client: ApiClient, get_run: Callable[[str], R], run_id: str, describe: Callable[[R], str], *, quiet: bool
) -> R:
    """Show the progress of a run until it stops running, and return it.

    Ctrl-C pauses a run of this process; a run of a server goes on there. Raises FlowUnavailable when the run
    cannot go on because Flow does not respond: the server, or the next command, continues it.
    """
    line = StatusLine(quiet=quiet)
    try:
        while (run := get_run(run_id))["state"] == "running":
            if "waitsFor" in run:
                line.end()
                raise FlowUnavailable(run["waitsFor"])
            line.show(describe(run))
            pause(POLL_SECONDS)
        line.show(describe(run), is_last=True)
        return run
    except KeyboardInterrupt:
        line.end()
        stop(client, run_id)
        raise


def stop(client: ApiClient, run_id: str) -> None:
    """Pause a run after Ctrl-C, unless a server runs it, and say how to continue."""
    if not client.is_local:
        click.echo("The server continues this run. Pause it in the dashboard if it should stop.", err=True)
        return
    client.pause_run(run_id)
    click.echo(
        "Stopped. Flowshelf remembers the place: “flowshelf sync … --resume” or “flowshelf download …” "
        "continues there.",
        err=True,
    )


def describe_sync(run: SyncRunValue) -> str:
    counts = run["counts"]
    skipped = f", {counts['ignored']} skipped" if counts["ignored"] else ""
    return f"{counts['pages']} pages, {counts['synced']} new, {counts['skipped']} already listed{skipped}"


def describe_download(run: DownloadRunValue) -> str:
    counts = run["counts"]
    finished = counts["downloaded"] + counts["failed"]
    total = finished + counts["left"]
    bar = "#" * round(24 * finished / max(total, 1))
    failed = f", {counts['failed']} failed" if counts["failed"] else ""
    return f"[{bar:-<24}] {counts['downloaded']} of {total}{failed}, {counts['bytes'] / 1e6:.1f} MB"


class StatusLine:
    """The line on standard error that shows the progress; none if `quiet`."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._is_terminal = sys.stderr.isatty()
        self._shown_at = 0.0
        self._length = 0

    def show(self, text: str, *, is_last: bool = False) -> None:
        """Show `text`, on a terminal at once. Elsewhere only every few seconds, and if it `is_last`."""
        if self._quiet:
            return
        if self._is_terminal:
            click.echo("\r" + text.ljust(self._length), nl=is_last, err=True)
            self._length = len(text)
        elif is_last or time.monotonic() - self._shown_at >= PLAIN_LINE_SECONDS:
            click.echo(text, err=True)
            self._shown_at = time.monotonic()

    def end(self) -> None:
        """Leave the line as it is; what is printed next begins below it."""
        if self._is_terminal and not self._quiet:
            click.echo(err=True)
