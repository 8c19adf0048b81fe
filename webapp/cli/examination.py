"""`flowshelf doctor --flow`: what Flow sends to a profile, line by line, and the report of it."""

import json
import os
from pathlib import Path

import click

from webapp import storage
from webapp.cli.api_client import open_client
from webapp.cli.commands import find_profile
from webapp.config import Config
from webapp.errors import BadRequest


def examine_flow(config: Config, profile: str, report: Path | None, as_json: bool) -> bool:
    """Say what Flow sends, and whether all of it is well. A report that is there already is left alone."""
    if report and os.path.lexists(report):
        raise BadRequest(f"{report} is there already. Name another file, or move that one away.")
    with open_client(config) as client:
        profile_id = find_profile(client, profile)["profileId"]
        found = client.ask("POST", f"/api/profiles/{profile_id}/examine")
    if report:
        write_report(report, found["report"])
    if as_json:
        click.echo(json.dumps({"success": found["isWell"], "data": found}))
        return found["isWell"]
    for step in found["steps"]:
        click.echo(line_of(step))
    if report:
        click.echo(f"The report is in {report}. Nothing of your account is in it.")
    elif not found["isWell"]:
        click.echo("Write a report to send along with --report FILE.")
    return found["isWell"]


def line_of(step: dict) -> str:
    mark = mark_of(step["isWell"]) if step["isAsked"] else click.style("-    ", fg="yellow")
    told = [step["came"]]
    told += [f"Recognised: {step['recognised']}"] if step["recognised"] else []
    told += [f"Not recognised: {step['unrecognised']}"] if step["unrecognised"] else []
    return f"{mark}  {step['asked']}: {'. '.join(told)}."


def mark_of(is_well: bool) -> str:
    return click.style("well ", fg="green") if is_well else click.style("WRONG", fg="red")


def write_report(file: Path, report: dict) -> None:
    """Write a new file for its owner alone; one that came meanwhile is not touched."""
    text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
    with storage.translate_errors(file.absolute().parent):
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError as error:
            raise BadRequest(f"{file} is there already. Name another file.") from error
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(text)
