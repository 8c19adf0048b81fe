"""`flowshelf doctor --flow`: what Flow sends to a profile, call by call, and a report of it."""

import json
import os
from pathlib import Path

import click

from webapp import storage
from webapp.cli.api_client import open_client
from webapp.cli.api_types import StepValue
from webapp.cli.commands import find_profile
from webapp.config import Config
from webapp.errors import BadRequest


def examine_flow(config: Config, profile: str, report: Path | None, as_json: bool) -> bool:
    """Print what Flow sends, and write it to the new file `report`. Returns whether all of it is well.

    Raises BadRequest when that file exists.
    """
    if report and os.path.lexists(report):  # before any request: they take a while
        raise BadRequest(f"{report} is there already. Name another file, or move that one away.")
    with open_client(config) as client:
        found = client.examine_profile(find_profile(client, profile)["profileId"])
    if report:
        write_report(report, found["report"])
    if as_json:
        click.echo(json.dumps({"success": found["isWell"], "data": found}))
        return found["isWell"]
    for step in found["steps"]:
        click.echo(step_line(step))
    if report:
        click.echo(f"The report is in {report}. It contains nothing of your account.")
    elif not found["isWell"]:
        click.echo("To report this, write a file to send along with --report FILE.")
    return found["isWell"]


def step_line(step: StepValue) -> str:
    mark = mark_of(step["isWell"]) if step["isAsked"] else click.style("-    ", fg="yellow")
    sentences = [step["came"]]
    sentences += [f"Recognised: {step['recognised']}"] if step["recognised"] else []
    sentences += [f"Not recognised: {step['unrecognised']}"] if step["unrecognised"] else []
    return f"{mark}  {step['asked']}: {'. '.join(sentences)}."


def mark_of(is_well: bool) -> str:
    """The mark at the beginning of a line; five characters wide."""
    return click.style("ok   ", fg="green") if is_well else click.style("WRONG", fg="red")


def write_report(file: Path, report: dict[str, object]) -> None:
    """Write a new file that only its owner can read. Raises BadRequest when it exists."""
    text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
    with storage.translate_errors(file.absolute().parent):
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError as error:
            raise BadRequest(f"{file} is there already. Name another file.") from error
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(text)
