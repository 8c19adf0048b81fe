"""How far a run is: one line that changes on a terminal, a plain line now and then elsewhere."""

import sys
import time
from collections.abc import Callable

import click

from webapp.cli.api_client import ApiClient, pause
from webapp.errors import FlowUnavailable

POLL_SECONDS = 0.25
PLAIN_LINE_SECONDS = 5.0


def follow(client: ApiClient, run_id: str, describe: Callable[[dict], str], *, quiet: bool) -> dict:
    """The run as the API tells it, once it stopped running.

    Ctrl-C pauses a run of this process; one of a server goes on there. Raises FlowUnavailable when the run
    waits for Flow to answer: it goes on with the server, or with the next command.
    """
    line = StatusLine(quiet=quiet)
    try:
        while (run := client.ask("GET", f"/api/runs/{run_id}"))["state"] == "running":
            if reason := run.get("waitsFor"):
                line.end()
                raise FlowUnavailable(reason)
            line.show(describe(run))
            pause(POLL_SECONDS)
        line.show(describe(run), is_last=True)
        return run
    except KeyboardInterrupt:
        line.end()
        stop(client, run_id)
        raise


def stop(client: ApiClient, run_id: str) -> None:
    if not client.is_here:
        click.echo("The dashboard goes on with it. Pause it there if it should stop.", err=True)
        return
    client.ask("POST", f"/api/runs/{run_id}/pause")
    click.echo(
        "Stopped. The place is kept: “flowshelf sync … --resume” or “flowshelf download …” goes on there.",
        err=True,
    )


def describe_sync(run: dict) -> str:
    counts = run["counts"]
    skipped = f", {counts['ignored']} not kept" if counts["ignored"] else ""
    return f"{counts['pages']} pages, {counts['synced']} new, {counts['skipped']} known{skipped}"


def describe_download(run: dict) -> str:
    counts = run["counts"]
    decided = counts["downloaded"] + counts["failed"]
    share = decided / max(decided + counts["left"], 1)
    bar = "#" * round(24 * share)
    failed = f", {counts['failed']} failed" if counts["failed"] else ""
    return (
        f"[{bar:-<24}] {counts['downloaded']} of {decided + counts['left']}{failed}, "
        f"{counts['bytes'] / 1e6:.1f} MB"
    )


class StatusLine:
    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._is_terminal = sys.stderr.isatty()
        self._said_at = 0.0
        self._length = 0

    def show(self, text: str, *, is_last: bool = False) -> None:
        if self._quiet:
            return
        if self._is_terminal:
            click.echo("\r" + text.ljust(self._length), nl=is_last, err=True)
            self._length = len(text)
        elif is_last or time.monotonic() - self._said_at >= PLAIN_LINE_SECONDS:
            click.echo(text, err=True)
            self._said_at = time.monotonic()

    def end(self) -> None:
        if self._is_terminal and not self._quiet:
            click.echo(err=True)
