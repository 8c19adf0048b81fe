"""`flowshelf sync`, `download`, `profiles` and `verify`: work from a terminal, a script or cron."""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

import click

from webapp import store
from webapp.cli.api_client import ApiClient, LocalClient, open_client
from webapp.cli.options import data_dir_option, json_option, profile_argument
from webapp.cli.progress import describe_download, describe_sync, follow, stop
from webapp.config import read_config
from webapp.errors import FlowshelfError, UnknownProfile, error_of
from webapp.maintenance import verify as verifying
from webapp.store.gallery import images
from webapp.web.views.api_values import report_value

SYNC = "/api/image-veo3/sync-metadata"
BATCH = "/api/image-veo3/download-batch"
# Names that are asked for in one call: small enough for a bar that moves.
NAMES_PER_CALL = 50

WHAT_TO_DO = {
    "missing": "Missing: deleted or moved by hand. --set-pending makes them pending again.",
    "damaged": "Damaged: no whole pictures any more. --set-pending makes them pending again.",
    "changed": "Changed: whole, but not what Flow sent; they are kept. To have Flow’s picture again delete "
    "the file, then --set-pending.",
    "folder_gone": "Folder gone: if it is on a disk that was taken out, connect it again.",
}


@click.command()
@profile_argument
@click.option("--resume", is_flag=True, help="Go on where the last sync stopped, a full one too.")
@click.option("--full", is_flag=True, help="Read the whole history again, and notice what is gone from Flow.")
@click.option("--max-pages", type=click.IntRange(1), metavar="N", help="Stop after N pages of each history.")
@click.option(
    "--cursor", metavar="C", help="Begin at this cursor of one history instead of the newest image."
)
@click.option(
    "--history", help="The history that --cursor is of; without it the usual one of the profile's service."
)
@json_option
@data_dir_option
def sync(profile, resume, full, max_pages, cursor, history, as_json, data_dir) -> None:
    """Bring the metadata of PROFILE (an id or a name) up to date."""
    if bool(cursor) + full + resume > 1:
        raise click.UsageError("Only one of --resume, --full and --cursor says where to begin.")
    if history and not cursor:
        raise click.UsageError("--history is of --cursor. Without it every history is synced.")
    with ending_with_json(as_json), open_client(read_config(data_dir=data_dir)) as client:
        mode = "full" if full else "resume" if resume else "new"
        asked = {"mode": mode, "histories": []}
        if cursor:
            asked = {"mode": "all", "startCursor": cursor} | ({"history": history} if history else {})
        profile_id = find_profile(client, profile)["profileId"]
        asked |= {"profileId": profile_id, "maxPages": max_pages, "wait": False}
        run = follow(client, client.ask("POST", SYNC, asked)["runId"], describe_sync, quiet=as_json)
    say_end(run, as_json)


@click.command()
@profile_argument
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--limit", type=click.IntRange(1), metavar="N", help="Download the newest N pending images only."
)
@json_option
@data_dir_option
def download(profile, names, limit, as_json, data_dir) -> None:
    """Download images of PROFILE: those NAMEd, else all that are pending."""
    if names and limit:
        raise click.UsageError("--limit is for pending images; it does not go with names.")
    with ending_with_json(as_json), open_client(read_config(data_dir=data_dir)) as client:
        profile_id = find_profile(client, profile)["profileId"]
        if names:
            result = download_names(client, profile_id, names, quiet=as_json)
        else:
            result = download_pending(client, profile_id, limit or True, quiet=as_json)
    if as_json:
        click.echo(json.dumps({"success": not result["failed"], "data": result}))
    else:
        say_result(result)
    sys.exit(1 if result["failed"] else 0)


@click.command()
@json_option
@data_dir_option
def profiles(as_json, data_dir) -> None:
    """List the profiles and how they are."""
    with ending_with_json(as_json), open_client(read_config(data_dir=data_dir)) as client:
        rows = client.ask("GET", "/api/profiles")
    if as_json:
        click.echo(json.dumps({"success": True, "data": rows}))
        return
    if not rows:
        click.echo("No profile yet. Start flowshelf and add one in the dashboard.")
    for row in rows:
        click.echo(f"{row['profileId']}  {row['name']}  <{row['accountEmail'] or 'not checked yet'}>")
        more = ", more to sync" if row["hasMore"] else ""
        click.echo(f"    {row['images']} images, {row['downloaded']} downloaded{more}; {health_words(row)}")


@click.command()
@click.option("--deep", is_flag=True, help="Decode every picture as well.")
@click.option("--set-pending", is_flag=True, help="Make images with a missing or damaged file pending again.")
@json_option
@data_dir_option
def verify(deep, set_pending, as_json, data_dir) -> None:
    """Compare every image that should have a file with its file."""
    with ending_with_json(as_json), open_client(read_config(data_dir=data_dir)) as client:
        report = look_through(client, deep=deep, sets_pending=set_pending, quiet=as_json)
    if as_json:
        click.echo(json.dumps({"success": report["isWell"], "data": report}))
    else:
        say_report(report)
    sys.exit(0 if report["isWell"] else 1)


def look_through(client: ApiClient, *, deep: bool, sets_pending: bool, quiet: bool) -> dict:
    """The report of `verify`, with a bar where this process does the work."""
    if not isinstance(client, LocalClient):
        return client.ask("POST", "/api/verify", {"deep": deep, "setPending": sets_pending})
    with store.connection():
        bar = click.progressbar(length=images.count_files(), file=sys.stderr, label="Checking", hidden=quiet)
        roots = client.work.downloads.roots
        with bar:
            found = verifying.verify(
                roots, deep=deep, sets_pending=sets_pending, on_image=lambda: bar.update(1)
            )
    return report_value(found)


def find_profile(client: ApiClient, id_or_name: str) -> dict:
    """The profile of that id, or of that name when only one has it. Raises UnknownProfile."""
    rows = client.ask("GET", "/api/profiles")
    found = [row for row in rows if row["profileId"] == id_or_name]
    found = found or [row for row in rows if row["name"].lower() == id_or_name.lower()]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(row["profileId"] for row in found)
        raise UnknownProfile(f"Several profiles are called “{id_or_name}”. Say which by its id: {ids}.")
    names = ", ".join(f"“{row['name']}”" for row in rows) or "none yet"
    raise UnknownProfile(f"There is no profile “{id_or_name}”. Profiles on this shelf: {names}.")


def download_pending(client: ApiClient, profile_id: str, pending: int | bool, *, quiet: bool) -> dict:
    asked = {"profileId": profile_id, "pending": pending, "wait": False}
    begun = client.ask("POST", BATCH, asked)
    if "runId" not in begun:
        return begun  # there was nothing to download
    go_on(client, begun["runId"])
    run = follow(client, begun["runId"], describe_download, quiet=quiet)
    if run["state"] != "done":
        raise error_of(run.get("code", run["state"]), run.get("error", f"The run ended as {run['state']}."))
    return run["result"]


def download_names(client: ApiClient, profile_id: str, names: tuple[str, ...], *, quiet: bool) -> dict:
    total = {"downloaded": 0, "failed": 0, "failedNames": [], "failures": []}
    remaining = iter(dict.fromkeys(names))
    with click.progressbar(length=len(set(names)), file=sys.stderr, label="Downloading", hidden=quiet) as bar:
        while some := list(islice(remaining, NAMES_PER_CALL)):
            result = download_some(client, profile_id, some)
            total = {field: total[field] + result[field] for field in total}
            bar.update(len(some))
    return total


def download_some(client: ApiClient, profile_id: str, names: list[str]) -> dict:
    asked = {"profileId": profile_id, "imageNames": names}
    begun = client.ask("POST", BATCH, asked | {"wait": False})
    if "runId" not in begun:
        return begun
    try:
        go_on(client, begun["runId"])
        return client.ask("POST", BATCH, asked)
    except KeyboardInterrupt:
        stop(client, begun["runId"])
        raise


def go_on(client: ApiClient, run_id: str) -> None:
    """Somebody asks for downloads by hand: that ends a pause."""
    if client.ask("GET", f"/api/runs/{run_id}")["state"] == "paused":
        client.ask("POST", f"/api/runs/{run_id}/resume")


def say_end(run: dict, as_json: bool) -> None:
    is_well = run["state"] == "done"
    if as_json:
        answer = {"success": is_well, "data": run.get("result", run["counts"])}
        if not is_well:
            answer |= {
                "error": run.get("error", f"The run ended as {run['state']}."),
                "code": run.get("code"),
            }
        click.echo(json.dumps(answer))
    else:
        for sentence in filter(None, (run.get("note"), run.get("error"))):
            click.echo(sentence, err=True)
    sys.exit(0 if is_well else 1)


def say_result(result: dict) -> None:
    click.echo(f"{result['downloaded']} downloaded, {result['failed']} failed.")
    reasons = Counter(failure["error"] for failure in result["failures"])
    for reason, count in reasons.most_common(10):
        click.echo(f"  {count} × {reason}", err=True)


def say_report(report: dict) -> None:
    words = ", ".join(f"{count} {finding.replace('_', ' ')}" for finding, count in report["counts"].items())
    click.echo(words or "No image has a file yet.")
    for problem in report["problems"]:
        click.echo(f"  {problem['finding'].replace('_', ' ')}: {problem['path']}", err=True)
    for finding in report["counts"].keys() & WHAT_TO_DO:
        click.echo(WHAT_TO_DO[finding], err=True)
    if report["requeuedCount"]:
        click.echo(f"{report['requeuedCount']} images are pending again: run “flowshelf download”.")


def health_words(row: dict) -> str:
    return row["healthReason"] or {"well": "cookies are good"}.get(row["health"], row["health"])


@contextmanager
def ending_with_json(as_json: bool) -> Iterator[None]:
    """With --json an error is printed as the API would answer it, and the exit code is 1."""
    try:
        yield
    except (FlowshelfError, click.ClickException, KeyboardInterrupt) as error:
        if not as_json:
            raise
        code = "cancelled" if isinstance(error, KeyboardInterrupt) else getattr(error, "code", "bad_request")
        sentence = str(error) or "Stopped by the person at the terminal."
        click.echo(json.dumps({"success": False, "error": sentence, "code": code}))
        sys.exit(1)
