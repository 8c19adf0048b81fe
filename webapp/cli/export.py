"""`flowshelf export`: keeps a folder in step with a filter, beside a running server."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import click

from webapp import database, store
from webapp.background.settings import Settings
from webapp.cli.commands import errors_as_json
from webapp.cli.maintenance import printable
from webapp.cli.options import data_dir_option, json_option
from webapp.config import Config, read_config, setting_of
from webapp.database.models import Collection
from webapp.errors import BadRequest, UnknownCollection, UnknownProfile
from webapp.maintenance.leaving.folder import ExportReport, FolderExport
from webapp.store import roots
from webapp.store.choices import collections
from webapp.store.gallery.filters import Filter, Selection
from webapp.store.history.projects import list_projects
from webapp.store.profiles import list_profiles
from webapp.web.views.filter_parameters import filter_of


def filter_options(command: Callable[..., None]) -> Callable[..., None]:
    """The fields of the gallery's filter, by the names of its URL."""
    options = (
        click.option("--profile", metavar="PROFILE", help="Images of this profile: an id or a name."),
        click.option("--search", "q", metavar="TEXT", help="What you would type into the search box."),
        click.option("--kind", help="generated or uploaded."),
        click.option("--state", help="done, changed, gone, hidden, …: as in the gallery's address."),
        click.option("--model", metavar="CODE", help="Images of this model, by Flow's code."),
        click.option("--aspect", metavar="CODE", help="Images of this aspect ratio, by Flow's code."),
        click.option("--collection", metavar="TITLE", help="Images of this collection: a title or id."),
        click.option("--favourites", "favourite", is_flag=True, help="Favourites only."),
        click.option("--project", metavar="PROJECT", help="Images of this project: an id or a title."),
        click.option("--card", metavar="ID", help="The versions of one image: a workflow id."),
        click.option("--from", metavar="DAY", help="Images made on this day or later, as 2026-11-03."),
        click.option("--to", metavar="DAY", help="Images made on this day or earlier."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@filter_options
@click.option("--file-names", metavar="TEMPLATE", help=setting_of("file_names").option_help)
@click.option("--file-metadata", metavar="PLACE", help=setting_of("file_metadata").option_help)
@click.option("--prune", is_flag=True, help="Remove files of images outside the filter.")
@click.option("--yes", "is_agreed", is_flag=True, help="Do not ask before --prune removes files.")
@json_option
@data_dir_option
def export(
    folder: Path,
    file_names: str | None,
    file_metadata: str | None,
    prune: bool,
    is_agreed: bool,
    as_json: bool,
    data_dir: Path | None,
    **filter_texts: str | bool | None,
) -> None:
    """Copy images to FOLDER, and later those that are new. All of them, or those of a filter.

    Flowshelf may run meanwhile. Names and metadata are those of the page Settings, unless an option or a
    variable says otherwise. Nothing in FOLDER is overwritten, renamed or, without --prune, removed.
    """
    config = read_config(data_dir=data_dir, file_names=file_names, file_metadata=file_metadata)
    with errors_as_json(as_json):
        store.open_to_read(config.database_path)
        with database.translate_errors(), store.connection():
            own_roots, current = roots.read_roots(config.images_dir), _current_settings(config)
            filter_ = _filter(filter_texts)
            with closing(
                FolderExport(
                    folder.absolute(),
                    template=current.file_names,
                    metadata_place=current.file_metadata,
                    roots=(config.images_dir, *config.storage_roots),
                    own_folders=(config.data_dir, *config.storage_roots, *own_roots.paths),
                    collection=_title_of(filter_),
                )
            ) as exported:
                image_ids = exported.list_ids(Selection(everything=filter_))
                found = exported.find_out_of_filter()
                may_ask = not as_json and sys.stdin.isatty()
                prune = prune and _may_prune(len(found), is_agreed=is_agreed, may_ask=may_ask)
                _run(exported, image_ids, as_json)
                if prune:
                    exported.prune(found)
    print_report(exported.report, folder, as_json)
    sys.exit(1 if exported.report.failed else 0)


def _run(exported: FolderExport, image_ids: Sequence[str], as_json: bool) -> None:
    with click.progressbar(length=len(image_ids), file=sys.stderr, label="Exporting", hidden=as_json) as bar:
        exported.run(image_ids, lambda: bar.update(1))


def _may_prune(count: int, *, is_agreed: bool, may_ask: bool) -> bool:
    """Whether a person wants so many files removed. Raises BadRequest when nobody can be asked."""
    sentence = f"Files of images outside the filter: {count:,}"
    if is_agreed or not count:
        return True
    if may_ask:
        return click.confirm(f"{sentence}. Remove them?", err=True)
    raise BadRequest(f"{sentence}. Nobody can be asked here whether to remove them; --yes removes them.")


def _current_settings(config: Config) -> Config:
    settings = Settings(config)
    settings.load()
    return settings.current


def _filter(texts: Mapping[str, str | bool | None]) -> Filter:
    """The filter of the options. Raises UnknownProfile, UnknownCollection, BadRequest."""
    args = {name: str(text) for name, text in texts.items() if text}
    if "collection" in args:
        args["collection"] = find_collection(args["collection"]).id
    if "profile" in args:
        args["profile"] = _profile_id(args["profile"])
    if "project" in args:
        args["project"] = _project_id(args["project"], args.get("profile"))
    # Oldest first, so that {sequence} goes with time.
    return filter_of({**args, "sort": "oldest"})


def _title_of(filter_: Filter) -> str | None:
    return collections.get_collection(filter_.collection_id).title if filter_.collection_id else None


def find_collection(title_or_id: str) -> Collection:
    """Raises UnknownCollection, with the titles that there are."""
    found = collections.find_by_title(title_or_id) or collections.find_collection(title_or_id)
    if found is None:
        titles = ", ".join(f"“{row.title}”" for row in collections.list_collections()) or "none yet"
        raise UnknownCollection(f"There is no collection “{title_or_id}”. Collections: {titles}.")
    return found


def _profile_id(id_or_name: str) -> str:
    rows = list_profiles()
    found = [row.id for row in rows if row.id == id_or_name] or [
        row.id for row in rows if row.name.lower() == id_or_name.lower()
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise UnknownProfile(
            f"Several profiles are called “{id_or_name}”. Name one by its id: {', '.join(found)}."
        )
    names = ", ".join(f"“{row.name}”" for row in rows) or "none yet"
    raise UnknownProfile(f"There is no profile “{id_or_name}”. Profiles on this shelf: {names}.")


def _project_id(id_or_title: str, profile_id: str | None) -> str:
    projects = list_projects(profile_id)
    ids = {project.remote_id for project in projects if id_or_title == project.remote_id} or {
        project.remote_id for project in projects if project.title.lower() == id_or_title.lower()
    }
    if len(ids) == 1:
        return ids.pop()
    if ids:
        raise BadRequest(
            f"Several projects are called “{id_or_title}”. Name one by its id: {', '.join(sorted(ids))}."
        )
    raise BadRequest(f"There is no project “{id_or_title}” on this shelf.")


def print_report(report: ExportReport, folder: Path, as_json: bool) -> None:
    if as_json:
        values = asdict(report)
        data = {
            "folder": str(folder.absolute()),
            "copied": report.copied,
            "present": report.present,
            "withoutFile": report.without_file,
            "failed": report.failed,
            "failures": values["problems"],
            "changedCount": report.changed_count,
            "changed": report.changed,
            "outOfFilter": report.out_count,
            "pruned": report.pruned,
        }
        click.echo(json.dumps({"success": not report.failed, "data": data}))
        return
    click.echo(f"{report.copied:,} copied, {report.present:,} there already, {report.failed:,} failed.")
    if report.without_file:
        click.echo(f"Images without a whole file on the shelf: {report.without_file:,}. Download them first.")
    for problem in report.problems:
        click.echo(f"  {printable(problem.file)}: {problem.reason}", err=True)
    if report.pruned:
        click.echo(f"Removed files of images outside the filter: {report.pruned:,}.")
    if report.out_count and not report.is_pruned:
        click.echo(f"Files of images outside the filter: {report.out_count:,}. --prune removes them.")
    if report.changed_count:
        click.echo(
            f"Files that were changed since they were exported, and left alone: {report.changed_count:,}"
        )
        for file in report.changed:
            click.echo(f"  {printable(file)}", err=True)
