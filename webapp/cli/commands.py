"""`flowshelf sync`, `download` and `verify`: for a terminal, a script or cron."""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import click

from webapp import store
from webapp.cli.api_client import ApiClient, LocalClient, open_client
from webapp.cli.api_types import DownloadResult, ProfileValue, RunValue, SyncRunValue
from webapp.cli.options import data_dir_option, json_option, profile_argument
from webapp.cli.progress import describe_download, describe_sync, follow, stop
from webapp.config import read_config
from webapp.errors import FlowshelfError, UnknownProfile, error_of
from webapp.maintenance.unknown_files import UnknownFiles
from webapp.maintenance.verify import VerifyReport
from webapp.maintenance.verify import verify as verify_files
from webapp.store.gallery import images
from webapp.web.views.api_values import report_value

# Images per request: few enough for a progress bar that moves.
NAMES_PER_REQUEST = 50

ADVICE = {
    "missing": "Missing: deleted or moved by hand. --set-pending makes these images pending again.",
    "damaged": "Damaged: not a whole image any more. --set-pending makes these images pending again.",
    "changed": "Changed: a whole image, but not the one that was stored; it is left alone. --keep-changed "
    "takes it for the right one. “Download again” on the image’s page gets Flow’s image.",
    "folder_gone": "Folder gone: if it is on a disk that is not connected, connect it again.",
}


@click.command()
@profile_argument
@click.option("--resume", is_flag=True, help="Continue where the last sync stopped, also a full one.")
@click.option("--full", is_flag=True, help="Read the whole history again, and find what is gone from Flow.")
@click.option("--max-pages", type=click.IntRange(1), metavar="N", help="Stop after N pages of each history.")
@click.option("--cursor", metavar="C", help="Start at this cursor of a history, not at the newest image.")
@click.option("--history", help="The history that --cursor belongs to.  [default: that of the service]")
@json_option
@data_dir_option
def sync(
    profile: str,
    resume: bool,
    full: bool,
    max_pages: int | None,
    cursor: str | None,
    history: str | None,
    as_json: bool,
    data_dir: Path | None,
) -> None:
    """Sync the metadata of PROFILE (an id or a name) with Flow."""
    if bool(cursor) + full + resume > 1:
        raise click.UsageError("Use only one of --resume, --full and --cursor.")
    if history and not cursor:
        raise click.UsageError("--history goes with --cursor. Without --cursor every history is synced.")
    options: dict[str, object] = {"maxPages": max_pages}
    if cursor:
        options |= {"mode": "all", "startCursor": cursor} | ({"history": history} if history else {})
    else:
        options |= {"mode": "full" if full else "resume" if resume else "new", "histories": []}
    with errors_as_json(as_json), open_client(read_config(data_dir=data_dir)) as client:
        run_id = client.start_sync(find_profile(client, profile)["profileId"], options)
        run = follow(client, client.get_sync_run, run_id, describe_sync, quiet=as_json)
    exit_with_sync(run, as_json)


@click.command()
@profile_argument
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Download only the newest N.")
@json_option
@data_dir_option
def download(
    profile: str, names: tuple[str, ...], limit: int | None, as_json: bool, data_dir: Path | None
) -> None:
    """Download images of PROFILE: those with a NAME given, else all pending ones."""
    if names and limit:
        raise click.UsageError("--limit is for pending images. It does not go with names.")
    with errors_as_json(as_json), open_client(read_config(data_dir=data_dir)) as client:
        profile_id = find_profile(client, profile)["profileId"]
        if names:
            result = download_names(client, profile_id, names, quiet=as_json)
        else:
            result = download_pending(client, profile_id, limit, quiet=as_json)
    if as_json:
        click.echo(json.dumps({"success": not result["failed"], "data": result}))
    else:
        print_result(result)
    sys.exit(1 if result["failed"] else 0)


@click.command()
@click.option("--deep", is_flag=True, help="Also decode every image.")
@click.option("--set-pending", is_flag=True, help="Make images with a missing or damaged file pending again.")
@click.option("--keep-changed", is_flag=True, help="Take files that were changed for the right ones.")
@click.option("--follow-moves", is_flag=True, help="Record files whose folder was moved at their new place.")
@click.option("--move-unknown", is_flag=True, help="Move files that no image knows to the folder “unknown”.")
@json_option
@data_dir_option
def verify(
    deep: bool,
    set_pending: bool,
    keep_changed: bool,
    follow_moves: bool,
    move_unknown: bool,
    as_json: bool,
    data_dir: Path | None,
) -> None:
    """Compare every downloaded image with its file, and look for files that no image knows."""
    asked = {
        "deep": deep,
        "sets_pending": set_pending,
        "keeps_changed": keep_changed,
        "follows_moves": follow_moves,
    }
    with errors_as_json(as_json), open_client(read_config(data_dir=data_dir)) as client:
        report, unknown = verify_with_bar(client, quiet=as_json, moves_unknown=move_unknown, **asked)
    if as_json:
        click.echo(json.dumps({"success": report.is_well, "data": report_value(report, unknown)}))
    else:
        print_report(report)
        print_unknown(unknown)
    sys.exit(0 if report.is_well else 1)


def verify_with_bar(
    client: ApiClient, *, quiet: bool, moves_unknown: bool, **asked: bool
) -> tuple[VerifyReport, UnknownFiles]:
    """Verify, with a progress bar if this process does it: a server sends nothing before its report."""
    if not isinstance(client, LocalClient):
        return client.verify(moves_unknown=moves_unknown, **asked)
    with store.connection():
        count = images.count_files()
        with click.progressbar(length=count, file=sys.stderr, label="Checking", hidden=quiet) as bar:
            report = verify_files(client.work.downloads.roots, on_image=lambda: bar.update(1), **asked)
        return report, client.work.check_unknown_files(moves=moves_unknown)


def find_profile(client: ApiClient, id_or_name: str) -> ProfileValue:
    """The profile with that id, else the only one with that name. Raises UnknownProfile."""
    rows = client.list_profiles()
    found = [row for row in rows if row["profileId"] == id_or_name]
    found = found or [row for row in rows if row["name"].lower() == id_or_name.lower()]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(row["profileId"] for row in found)
        raise UnknownProfile(f"Several profiles are called “{id_or_name}”. Name one by its id: {ids}.")
    names = ", ".join(f"“{row['name']}”" for row in rows) or "none yet"
    raise UnknownProfile(f"There is no profile “{id_or_name}”. Profiles on this shelf: {names}.")


def download_pending(client: ApiClient, profile_id: str, limit: int | None, *, quiet: bool) -> DownloadResult:
    """Download all pending images, or the newest `limit`. Raises what stopped the run, if it stopped."""
    run_id = client.start_download(profile_id, {"pending": limit or True})
    if run_id is None:
        return nothing_downloaded()
    resume_if_paused(client, run_id)
    run = follow(client, client.get_download_run, run_id, describe_download, quiet=quiet)
    if "result" not in run:
        raise error_of(run.get("code", run["state"]), reason_of(run))
    return run["result"]


def download_names(
    client: ApiClient, profile_id: str, names: Sequence[str], *, quiet: bool
) -> DownloadResult:
    """Download images by name, a few per request. Raises what stopped the run if it did not finish."""
    total = nothing_downloaded()
    remaining = iter(dict.fromkeys(names))
    with click.progressbar(length=len(set(names)), file=sys.stderr, label="Downloading", hidden=quiet) as bar:
        while chunk := list(islice(remaining, NAMES_PER_REQUEST)):
            result = download_chunk(client, profile_id, chunk)
            total["downloaded"] += result["downloaded"]
            total["failed"] += result["failed"]
            total["failedNames"] += result["failedNames"]
            total["failures"] += result["failures"]
            bar.update(len(chunk))
    return total


def download_chunk(client: ApiClient, profile_id: str, names: list[str]) -> DownloadResult:
    """Queue images, then wait for them. Two requests, because Ctrl-C needs the id of the run to pause it."""
    run_id = client.start_download(profile_id, {"imageNames": names})
    if run_id is None:
        return client.download(profile_id, names)
    try:
        resume_if_paused(client, run_id)
        return client.download(profile_id, names)
    except KeyboardInterrupt:
        stop(client, run_id)
        raise


def nothing_downloaded() -> DownloadResult:
    return {"downloaded": 0, "failed": 0, "failedNames": [], "failures": []}


def resume_if_paused(client: ApiClient, run_id: str) -> None:
    """A person who asks for downloads wants them now, although the run was paused earlier."""
    if client.get_download_run(run_id)["state"] == "paused":
        client.resume_run(run_id)


def exit_with_sync(run: SyncRunValue, as_json: bool) -> None:
    """Print how a sync run ended, and exit with 0 if it is done."""
    is_done = run["state"] == "done"
    if as_json:
        response: dict[str, object] = {"success": is_done, "data": run.get("result", run["counts"])}
        if not is_done:
            response |= {"error": reason_of(run), "code": run.get("code")}
        click.echo(json.dumps(response))
    else:
        for sentence in filter(None, (run.get("note"), run.get("error"))):
            click.echo(sentence, err=True)
    sys.exit(0 if is_done else 1)


def reason_of(run: RunValue) -> str:
    return run.get("error", f"The run ended as {run['state']}.")


def print_result(result: DownloadResult) -> None:
    click.echo(f"{result['downloaded']} downloaded, {result['failed']} failed.")
    reasons = Counter(failure["error"] for failure in result["failures"])
    for reason, count in reasons.most_common(10):
        click.echo(f"  {count} × {reason}", err=True)


def print_report(report: VerifyReport) -> None:
    counts = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in report.counts.items())
    click.echo(counts or "No image has a file yet.")
    for problem in report.problems:
        click.echo(f"  {problem['finding'].replace('_', ' ')}: {problem['path']}", err=True)
    for state, advice in ADVICE.items():
        if state in report.counts:
            click.echo(advice, err=True)
    for move in report.moves:
        click.echo(
            f"Moved: {move.file_count} files are recorded under {move.before}; the same files are under "
            f"{move.now}. --follow-moves records them there.",
            err=True,
        )
    if report.found_count:
        click.echo(f"Images without a file that took the one at their place: {report.found_count}")
    if report.kept_count:
        click.echo(f"Changed files that were kept as they are: {report.kept_count}")
    if report.requeued_count:
        click.echo(f"{report.requeued_count} images are pending again: run “flowshelf download”.")


def print_unknown(unknown: UnknownFiles) -> None:
    if not unknown.count:
        return
    click.echo(f"{unknown.count} files in the folders of profiles belong to no image.")
    for name in unknown.first:
        click.echo(f"  images/{name}", err=True)
    if unknown.count > len(unknown.first):
        click.echo(f"  … and {unknown.count - len(unknown.first)} more", err=True)
    if unknown.moved_count:
        click.echo(f"{unknown.moved_count} of them were moved to the folder “unknown” of the data folder.")
    else:
        click.echo("--move-unknown moves them to the folder “unknown” of the data folder.", err=True)


def health_text(row: ProfileValue) -> str:
    return row["healthReason"] or {"well": "cookies are good"}.get(row["health"], row["health"])


@contextmanager
def errors_as_json(as_json: bool) -> Iterator[None]:
    """With --json, print an error as the API would respond with it, and exit with 1."""
    try:
        yield
    except (FlowshelfError, click.ClickException, KeyboardInterrupt) as error:
        if not as_json:
            raise
        code = "cancelled" if isinstance(error, KeyboardInterrupt) else getattr(error, "code", "bad_request")
        sentence = str(error) or "Stopped by Ctrl-C."
        click.echo(json.dumps({"success": False, "error": sentence, "code": code}))
        sys.exit(1)
