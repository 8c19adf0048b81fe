"""`flowshelf trash`."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from webapp.cli.api_client import open_client
from webapp.cli.commands import errors_as_json
from webapp.cli.options import data_dir_option, json_option
from webapp.config import read_config
from webapp.errors import BadRequest


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--restore", is_flag=True, help="Restore the files of the images NAME, or all without a name.")
@click.option("--empty", is_flag=True, help="Delete all files in the trash for good.")
@click.option("--yes", is_flag=True, help="Do not ask before emptying.")
@json_option
@data_dir_option
def trash(
    names: tuple[str, ...], restore: bool, empty: bool, yes: bool, as_json: bool, data_dir: Path | None
) -> None:
    """Show what is in the trash, restore files, or empty it."""
    if (restore and empty) or (names and not restore):
        raise click.UsageError("Use either --restore, with names or without, or --empty.")
    with errors_as_json(as_json), open_client(read_config(data_dir=data_dir)) as client:
        found = client.request("GET", "/api/trash")
        if restore:
            asked = {"imageNames": list(names)} if names else {"all": True}
            done = client.request("POST", "/api/trash/restore", asked)
        elif empty:
            if found["count"]:
                require_yes(found, yes=yes, may_ask=not as_json and sys.stdin.isatty())
            done = {"deleted": 0}
            if found["lastId"]:
                done = client.request("POST", "/api/trash/empty", {"upTo": found["lastId"]})
        else:
            done = found
    if as_json:
        click.echo(json.dumps({"success": True, "data": done}))
    else:
        click.echo(sentence_of(done))
    sys.exit(1 if done.get("notRestored") or (names and not done.get("restored")) else 0)


def require_yes(found: dict[str, Any], *, yes: bool, may_ask: bool) -> None:
    """Ask before files are deleted for good. Raises BadRequest when nobody can be asked, or says no."""
    warning = describe(found)
    if yes or (may_ask and click.confirm(f"{warning}\nDelete all of them for good?", err=True)):
        return
    raise BadRequest(f"{warning} Nothing was deleted. Delete them with --yes.")


def describe(found: dict[str, Any]) -> str:
    text = f"{found['count']:,} files in the trash, {found['sizeBytes'] / 1e6:,.1f} MB."
    if found["onlyHereCount"]:
        text += f" {found['onlyHereCount']:,} exist nowhere else."
    if found["unsureCount"]:
        text += f" {found['unsureCount']:,} may not exist elsewhere: no sync has seen their images since."
    if found["inUseCount"]:
        text += f" {found['inUseCount']:,} more are in use and follow later."
    return text


def sentence_of(done: dict[str, Any]) -> str:
    if "deleted" in done:
        return f"{done['deleted']:,} files were deleted for good."
    if "restored" not in done:
        return describe(done)
    text = f"{done['restored']:,} files were restored."
    if done["aside"]:
        text += f" {done['aside']:,} lie in their old folders, but not as the file of an image."
    if done["notRestored"]:
        text += f" {done['notRestored']:,} were not restored: in use, being downloaded, or not there."
    return text
