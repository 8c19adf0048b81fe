"""`flowshelf backup`, `import` and `doctor`: a copy of the database, old images, and how all of it is."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from webapp import database, store
from webapp.cli.api_client import ApiClient, open_client
from webapp.cli.commands import ending_with_json, find_profile
from webapp.cli.examination import examine_flow, mark_of
from webapp.cli.options import data_dir_option, json_option
from webapp.config import Config, read_config
from webapp.errors import BadRequest, Busy, FlowshelfError
from webapp.maintenance import doctor, importing
from webapp.store import profiles

REPORT_WORDS = {
    "added": "images added",
    "skipped": "on the shelf already",
    "ignored": "rows that are no usable image",
    "files": "files taken over",
    "missing": "files not there",
    "damaged": "files that are no whole picture",
}


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE when it is there.")
@click.option("--with-cookies", is_flag=True, help="Copy cookies and keys too: whoever has FILE is you then.")
@json_option
@data_dir_option
def backup(file: Path, force: bool, with_cookies: bool, as_json: bool, data_dir: Path | None) -> None:
    """Copy the database to FILE as it is at this moment, also while Flowshelf runs.

    The pictures are not in it: they are files in the data folder. Cookies are left out.
    """
    with ending_with_json(as_json):
        source, target = read_config(data_dir=data_dir).database_path, file.absolute()
        if not source.exists():
            raise BadRequest(f"There is no database in {source.parent}: nothing to copy.")
        if target.resolve().name.startswith(source.name) and target.resolve().parent == source.parent:
            raise BadRequest(f"{file} is the database itself. Name another file.")
        if target.exists() and not force:
            raise BadRequest(f"{file} is there already. Name another file, or replace it with --force.")
        database.check(source)
        database.copy_database(source, target, with_secrets=with_cookies)
    size = target.stat().st_size
    if as_json:
        click.echo(json.dumps({"success": True, "data": {"file": str(target), "sizeBytes": size}}))
    else:
        cookies = "with cookies: keep it to yourself" if with_cookies else "without cookies"
        click.echo(f"{target}: {size / 1e6:,.1f} MB, {cookies}.")


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--profile", metavar="PROFILE", help="Whose the images are: the id or the name of a profile.")
@json_option
@data_dir_option
def import_(file: Path, profile: str | None, as_json: bool, data_dir: Path | None) -> None:
    """Take over the images of the Electron program, from its database FILE.

    Files that are there are copied to the shelf, images that are on it already are skipped. Without
    --profile they go to the profile of the same id, or to a new one while there is none at all.
    """
    config = read_config(data_dir=data_dir)
    with ending_with_json(as_json), open_client(config) as client:
        if not client.is_here:
            raise Busy(
                f"A Flowshelf is using {config.data_dir}. End it, import, and start it again: an import "
                "reads files from anywhere on this machine, which nobody may ask of a server."
            )
        table = importing.OldTable(file)
        owner_of = owners(client, config, table, profile)
        with store.connection():
            bar = click.progressbar(length=table.count(), file=sys.stderr, label="Importing", hidden=as_json)
            with bar:
                report = importing.Import(config, owner_of).run(table, lambda: bar.update(1))
    say_import(report, as_json)


def owners(
    client: ApiClient, config: Config, table: importing.OldTable, profile: str | None
) -> dict[str, str]:
    """Which profile here the images of each profile there go to. Raises BadRequest when that is not clear."""
    old_ids = table.owners()
    if profile:
        return dict.fromkeys(old_ids, find_profile(client, profile)["profileId"])
    rows = client.ask("GET", "/api/profiles")
    here = {row["name"]: row["profileId"] for row in rows} | {
        row["profileId"]: row["profileId"] for row in rows
    }
    # An import that was made before gave them a profile of that name.
    owner_of = {old_id: here.get(old_id) or here.get(new_name(old_id)) for old_id in old_ids}
    unknown = [old_id for old_id, profile_id in owner_of.items() if profile_id is None]
    if unknown and rows:
        names = ", ".join(f"“{row['name']}”" for row in rows)
        raise BadRequest(
            f"Whose are these images? Say it with --profile. Profiles on this shelf: {names}. Nothing was "
            "imported."
        )
    with store.connection():
        made = {old_id: profiles.add_profile(new_name(old_id), config.histories).id for old_id in unknown}
    return owner_of | made


def new_name(old_id: str) -> str:
    return " ".join(f"Imported {old_id}"[:80].split())


def say_import(report: importing.ImportReport, as_json: bool) -> None:
    counts = {name: getattr(report, name) for name in REPORT_WORDS}
    if as_json:
        click.echo(json.dumps({"success": True, "data": counts | {"profiles": dict(report.by_profile)}}))
        return
    click.echo(", ".join(f"{counts[name]:,} {words}" for name, words in REPORT_WORDS.items()) + ".")
    if report.missing + report.damaged:
        click.echo("Images without a file are pending: “flowshelf download” fetches them from Flow.")


@click.command("doctor")
@click.option("--flow", "profile", metavar="PROFILE", help="Check what Flow sends to this profile.")
@click.option(
    "--report", type=click.Path(dir_okay=False, path_type=Path), help="Write what --flow found to it."
)
@json_option
@data_dir_option
def doctor_(profile: str | None, report: Path | None, as_json: bool, data_dir: Path | None) -> None:
    """Look whether all is well, and say what to do where it is not.

    Looks at data folder, modes, disk, database, cookies of each profile, reachability of Flow and
    versions, also while Flowshelf runs.

    With --flow PROFILE (an id or a name) each kind of request is made to Flow once, and what came is told.
    The report of it holds nothing of your account: send it along when something is odd.
    """
    if report and not profile:
        raise click.UsageError("--report goes with --flow.")
    if profile:
        with ending_with_json(as_json):
            is_well = examine_flow(read_config(data_dir=data_dir), profile, report, as_json)
        sys.exit(0 if is_well else 1)
    found = []
    with ending_with_json(as_json):
        for finding in examine(read_config(data_dir=data_dir)):
            found.append(finding)
            if not as_json:
                click.echo(f"{mark_of(finding.is_well)}  {finding.subject}: {finding.sentence}")
    is_well = all(finding.is_well for finding in found)
    if as_json:
        findings = [
            {"subject": finding.subject, "isWell": finding.is_well, "sentence": finding.sentence}
            for finding in found
        ]
        click.echo(json.dumps({"success": is_well, "data": {"isWell": is_well, "findings": findings}}))
    sys.exit(0 if is_well else 1)


def examine(config: Config) -> Iterator[doctor.Check]:
    can_open = True
    for finding in doctor.run_checks(config):
        can_open = can_open and (finding.is_well or finding.subject not in ("data folder", "database"))
        yield finding
    if not can_open:
        yield doctor.Check(
            "cookies", False, "Flow was not asked about them: mend what is wrong above first."
        )
        return
    try:
        with open_client(config) as client:
            for profile in client.ask("GET", "/api/profiles"):
                yield check_cookies(client, profile)
    except FlowshelfError as error:
        yield doctor.Check("cookies", False, str(error))


def check_cookies(client: ApiClient, profile: dict) -> doctor.Check:
    error = None
    try:
        profile = client.ask("POST", f"/api/profiles/{profile['profileId']}/check")
    except FlowshelfError as raised:
        error = raised
    return doctor.check_profile(profile, error, datetime.now(UTC))
