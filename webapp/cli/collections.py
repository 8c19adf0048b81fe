"""`flowshelf collections`, and `flowshelf import` of favourites and collections."""

import json
from pathlib import Path

import click

from webapp import storage
from webapp.cli.api_client import open_client
from webapp.cli.commands import errors_as_json
from webapp.cli.options import data_dir_option, json_option
from webapp.config import Config, read_config
from webapp.errors import BadRequest
from webapp.store.choices import portable

MAX_FILE_BYTES = 64 * 1024**2


@click.command()
@click.option(
    "--export",
    "target",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write all favourites and collections to FILE as JSON, for “flowshelf import”.",
)
@json_option
@data_dir_option
def collections(target: Path | None, as_json: bool, data_dir: Path | None) -> None:
    """List the collections, or export favourites and collections."""
    with errors_as_json(as_json), open_client(read_config(data_dir=data_dir)) as client:
        found = client.request("GET", "/api/choices" if target else "/api/collections")
    if target:
        with storage.translate_errors(target.absolute().parent):
            storage.replace_file(target.absolute(), json.dumps(found, ensure_ascii=False, indent=1).encode())
        found = {"favourites": len(found["favourites"]), "collections": len(found["collections"])}
    if as_json:
        click.echo(json.dumps({"success": True, "data": found}))
    elif target:
        click.echo(f"{found['favourites']:,} favourites and {found['collections']:,} collections: {target}")
    else:
        for each in found:
            click.echo(f"{each['images']:>9,}  {each['title']}")


def find_export(file: Path) -> object:
    """The value of a file that holds favourites and collections; None for any other file."""
    try:
        if not file.is_file() or file.stat().st_size > MAX_FILE_BYTES:
            return None
        value = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return value if portable.is_export(value) else None


def import_choices(config: Config, value: object, as_json: bool) -> None:
    """Add the choices of an export, and print what it brought. Raises BadRequest, Busy."""
    if not isinstance(value, dict):
        raise BadRequest("This is no export of favourites and collections.")
    with open_client(config) as client:
        done = client.request("POST", "/api/choices", value)
    if as_json:
        click.echo(json.dumps({"success": True, "data": done}))
        return
    click.echo(
        f"{done['favourites']:,} new favourites; {done['images']:,} images added to "
        f"{done['collections']:,} collections."
    )
