"""`flowshelf backup`, `restore`, `import` and `doctor`."""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from webapp import create_app, database, make_data_folder, store
from webapp.background import delivery
from webapp.cli.api_client import ApiClient, open_client
from webapp.cli.api_types import ProfileValue
from webapp.cli.collections import find_export, import_choices
from webapp.cli.commands import errors_as_json, find_profile
from webapp.cli.examination import examine_flow, mark_of
from webapp.cli.handover import import_parts, is_part
from webapp.cli.options import data_dir_option, json_option
from webapp.config import Config, read_config
from webapp.database.restore import restore_database
from webapp.errors import BadRequest, Busy, FlowshelfError
from webapp.maintenance import doctor, importing
from webapp.maintenance.found_files import take_found_files
from webapp.maintenance.trash import find_unrecorded
from webapp.storage.lock import DataFolderLock
from webapp.store import profiles

# An import adds at most this many profiles unasked.
MAX_NEW_PROFILES = 5
# The fields of an ImportReport, in the order in which they are printed.
IMPORT_LABELS = {
    "added": "images added",
    "skipped": "on the shelf already",
    "ignored": "rows that are no usable image",
    "files": "files imported",
    "missing": "files missing",
    "damaged": "files that are incomplete or broken",
}


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@click.option(
    "--with-cookies", is_flag=True, help="Include cookies and keys: whoever has FILE can use your account."
)
@json_option
@data_dir_option
def backup(file: Path, force: bool, with_cookies: bool, as_json: bool, data_dir: Path | None) -> None:
    """Copy the database to FILE, also while Flowshelf runs.

    The copy contains no images, which are files in the data folder, and no cookies. It lists what is in
    the trash.
    """
    with errors_as_json(as_json):
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


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@data_dir_option
def restore(file: Path, as_json: bool, data_dir: Path | None) -> None:
    """Replace the database by FILE, a copy that “flowshelf backup” wrote. Stop Flowshelf first.

    The present database is kept next to it under another name. No image is changed. Every browser has to
    sign in again.
    """
    config = read_config(data_dir=data_dir)
    source, target = file.absolute(), config.database_path
    with errors_as_json(as_json):
        if target.exists() and source.samefile(target):
            raise BadRequest(f"{file} is the database itself. Name a copy of it.")
        make_data_folder(config)
        with stopped(config):
            saved = restore_database(source, target)
            found_count = find_files(config)
    if as_json:
        found = {
            "file": str(target),
            "previousFile": str(saved) if saved else None,
            "foundCount": found_count,
            "guestLinkIsOn": False,
        }
        click.echo(json.dumps({"success": True, "data": found}))
        return
    click.echo(f"{target} is restored from {file}.")
    if saved:
        click.echo(f"The previous database is {saved}.")
    if found_count:
        click.echo(f"Images that took a file from after that copy: {found_count}")
    click.echo("The guest link is off until you choose on the page Share what guests see.")
    click.echo("Start Flowshelf, then run “flowshelf verify” to compare the images with their files.")


def find_files(config: Config) -> int:
    """Open the restored database, and let its images take the files that it knows nothing of."""
    create_app(replace(config, share=False, prefix=""))
    with store.connection():
        find_unrecorded()
        return take_found_files((config.images_dir, *config.storage_roots))


@contextmanager
def stopped(config: Config) -> Iterator[None]:
    """Hold the lock of the data folder, so that no server starts. Raises Busy while one runs."""
    lock = DataFolderLock(config.data_dir)
    if not lock.take():
        raise Busy(f"A Flowshelf is using {config.data_dir}: stop Flowshelf first. Nothing was changed.")
    try:
        yield
    finally:
        lock.release()


@click.command("import")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option("--profile", metavar="PROFILE", help="Import into this profile: an id or a name.")
@click.option(
    "--new-profiles", "adds_many", is_flag=True, help=f"Add more than {MAX_NEW_PROFILES} profiles unasked."
)
@click.option("--other-account", is_flag=True, help="Take parts of another account than the profile's.")
@json_option
@data_dir_option
def import_(
    files: tuple[Path, ...],
    profile: str | None,
    adds_many: bool,
    other_account: bool,
    as_json: bool,
    data_dir: Path | None,
) -> None:
    """Import the images of the Electron predecessor from its database FILE, the parts of a hand-over,
    or favourites and collections.

    Existing files of the predecessor are copied to the shelf. Images that are on the shelf already are
    skipped. Without --profile, images go to the profile with the same id, or to a new one if there are no
    profiles yet; parts go to the profile of their account. For parts, Flowshelf may run meanwhile.
    """
    config = read_config(data_dir=data_dir)
    if len(files) == 1 and (choices := find_export(files[0])):
        with errors_as_json(as_json):
            import_choices(config, choices, as_json)
        return
    if any(map(is_part, files)):
        with errors_as_json(as_json):
            import_parts(config, files, profile, takes_other=other_account, as_json=as_json)
        return
    if len(files) > 1:
        raise click.UsageError("Only parts of a hand-over are imported several at a time.")
    (file,) = files
    with errors_as_json(as_json):
        report = _import_table(config, file, profile, adds_many=adds_many, may_ask=not as_json)
    print_import(report, as_json)


def _import_table(
    config: Config, file: Path, profile: str | None, *, adds_many: bool, may_ask: bool
) -> importing.ImportReport:
    """Import the database of the predecessor, with a progress bar if somebody may be asked. Raises Busy."""
    with open_client(config) as client:
        if not client.is_local:
            raise Busy(
                f"A Flowshelf server is using {config.data_dir}. An import reads files from anywhere on this "
                "machine, which a running server must not do. Stop the server, import, then start it again."
            )
        table = importing.OldTable(file)
        owner_of = find_owners(
            client, config, table, profile, adds_many=adds_many, may_ask=may_ask and sys.stdin.isatty()
        )
        with store.connection():
            count = table.count()
            with click.progressbar(
                length=count, file=sys.stderr, label="Importing", hidden=not may_ask
            ) as bar:
                return importing.Import(config, owner_of).run(table, lambda: bar.update(1))


def find_owners(
    client: ApiClient,
    config: Config,
    table: importing.OldTable,
    profile: str | None,
    *,
    adds_many: bool,
    may_ask: bool,
) -> dict[str, str]:
    """Our profile ids for the profile ids in the table; profiles are added if there are none yet.

    More than `MAX_NEW_PROFILES` are added only with `adds_many`, or when the person agrees. Raises BadRequest
    when they are not, and when it is not clear which profile is meant.
    """
    old_ids = table.owners()
    if profile:
        return dict.fromkeys(old_ids, find_profile(client, profile)["profileId"])
    rows = client.list_profiles()
    by_name = {row["name"]: row["profileId"] for row in rows}
    by_key = by_name | {row["profileId"]: row["profileId"] for row in rows}
    owner_of = {}
    for old_id in old_ids:
        # An earlier import added profiles with these names.
        if profile_id := by_key.get(old_id) or by_key.get(new_name(old_id)):
            owner_of[old_id] = profile_id
    unknown = [old_id for old_id in old_ids if old_id not in owner_of]
    if unknown and rows:
        names = ", ".join(f"“{name}”" for name in by_name)
        raise BadRequest(
            f"Whose images are these? Name the profile with --profile. Profiles on this shelf: {names}. "
            "Nothing was imported."
        )
    if len(unknown) > MAX_NEW_PROFILES and not adds_many:
        require_many(len(unknown), may_ask=may_ask)
    with store.connection():
        for old_id in unknown:
            owner_of[old_id] = profiles.add_profile(new_name(old_id), config.histories).id
    return owner_of


def printable(text: str) -> str:
    """A text of a foreign file without control characters, which a terminal would obey."""
    return "".join(each if each.isprintable() else "?" for each in text)


def require_many(count: int, *, may_ask: bool) -> None:
    """Ask whether to add so many profiles. Raises BadRequest when nobody can be asked, or says no."""
    if may_ask and click.confirm(f"This adds {count:,} profiles, one for each owner. Add them?", err=True):
        return
    raise BadRequest(
        f"The images belong to {count:,} owners, and each would become a profile. Nothing was imported. Add "
        "them with --new-profiles, or import all images into one profile with --profile."
    )


def new_name(old_id: str) -> str:
    """The name of a profile that an import adds."""
    return " ".join(f"Imported {old_id}"[:80].split())


def print_import(report: importing.ImportReport, as_json: bool) -> None:
    counts = {name: getattr(report, name) for name in IMPORT_LABELS}
    if as_json:
        problems = [{"file": problem.file, "reason": problem.reason} for problem in report.problems]
        found = counts | {"profiles": dict(report.by_profile), "problems": problems}
        click.echo(json.dumps({"success": True, "data": found}))
        return
    click.echo(", ".join(f"{counts[name]:,} {label}" for name, label in IMPORT_LABELS.items()) + ".")
    for problem in report.problems:
        click.echo(f"  {printable(problem.file)}: {problem.reason}", err=True)
    if more := report.missing + report.damaged - len(report.problems):
        click.echo(f"  … and {more:,} more.", err=True)
    if report.missing + report.damaged:
        click.echo("Images without a file are pending: “flowshelf download” fetches them from Flow.")


@click.command("doctor")
@click.option("--flow", "profile", metavar="PROFILE", help="Check what Flow sends to this profile.")
@click.option(
    "--report", type=click.Path(dir_okay=False, path_type=Path), help="Write the results of --flow to a file."
)
@click.option("--notify", is_flag=True, help="Send a test notification.")
@json_option
@data_dir_option
def doctor_(
    profile: str | None, report: Path | None, notify: bool, as_json: bool, data_dir: Path | None
) -> None:
    """Check whether all is well, and say what to do where it is not.

    Checks the data folder and its modes, disks, the database, the cookies of each profile, whether Flow can
    be reached, and versions. Flowshelf may run meanwhile.

    With --flow PROFILE (an id or a name), makes each kind of request to Flow once and prints what came back.
    The report of it contains nothing of your account: send it along when something is wrong.
    """
    if report and not profile:
        raise click.UsageError("--report goes with --flow.")
    if notify:
        with errors_as_json(as_json):
            send_test(read_config(data_dir=data_dir), as_json)
        return
    if profile:
        with errors_as_json(as_json):
            is_well = examine_flow(read_config(data_dir=data_dir), profile, report, as_json)
        sys.exit(0 if is_well else 1)
    checks = []
    with errors_as_json(as_json):
        for check in run_checks(read_config(data_dir=data_dir)):
            checks.append(check)
            if not as_json:
                click.echo(f"{mark_of(check.is_well)}  {check.subject}: {check.sentence}")
    is_well = all(check.is_well for check in checks)
    if as_json:
        findings = [
            {"subject": check.subject, "isWell": check.is_well, "sentence": check.sentence}
            for check in checks
        ]
        click.echo(json.dumps({"success": is_well, "data": {"isWell": is_well, "findings": findings}}))
    sys.exit(0 if is_well else 1)


def send_test(config: Config, as_json: bool) -> None:
    """Send a test notification. Raises NotSent, and BadRequest when there is nobody to send it to."""
    targets = delivery.recipients(config)
    if not targets:
        raise BadRequest("Set FLOWSHELF_NOTIFY_URL or FLOWSHELF_NOTIFY_COMMAND first.")
    delivery.deliver(config, delivery.TEST, threading.Event())
    if as_json:
        click.echo(json.dumps({"success": True, "data": {"sentTo": targets}}))
    else:
        click.echo(f"A test was sent to {' and '.join(targets)}.")


def run_checks(config: Config) -> Iterator[doctor.Check]:
    """The checks of the doctor, then those of the cookies if the database can be opened."""
    can_open = True
    for check in doctor.run_checks(config):
        can_open = can_open and (check.is_well or check.subject not in ("data folder", "database"))
        yield check
    if not can_open:
        yield doctor.Check("cookies", False, "Not checked: first solve the problems above.")
        return
    try:
        with open_client(config) as client:
            for profile in client.list_profiles():
                yield check_cookies(client, profile)
    except FlowshelfError as error:
        yield doctor.Check("cookies", False, str(error))


def check_cookies(client: ApiClient, profile: ProfileValue) -> doctor.Check:
    error = None
    try:
        profile = client.check_profile(profile["profileId"])
    except FlowshelfError as raised:
        error = raised
    return doctor.check_profile(profile, error, datetime.now(UTC))
