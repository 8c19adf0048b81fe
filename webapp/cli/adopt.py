"""`flowshelf adopt`: files that a person downloaded by hand or with another tool become those of images.

This process reads the folder, and sends one file after the other. No request names a path.
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click

from webapp.cli.api_client import ApiClient, open_client
from webapp.cli.api_types import AdoptedValue
from webapp.cli.commands import errors_as_json
from webapp.cli.maintenance import printable
from webapp.cli.options import data_dir_option, json_option
from webapp.config import read_config
from webapp.maintenance.adoption import MAX_FILE_BYTES, TOO_LARGE
from webapp.storage import SUFFIXES

PICTURE_SUFFIXES = {*SUFFIXES.values(), ".jpeg"}
MAX_PRINTED = 20
LABELS = {"adopted": "adopted", "known": "known already", "left": "not taken"}


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@json_option
@data_dir_option
def adopt(folder: Path, as_json: bool, data_dir: Path | None) -> None:
    """Take over the image files in FOLDER that belong to images of the shelf.

    A file finds its image by the media key or asset id in its name, and is taken if it has the image's width
    and height. Files are copied; FOLDER stays as it is. Folders inside it are read too.
    """
    files = list(list_pictures(folder))
    with (
        errors_as_json(as_json),
        open_client(read_config(data_dir=data_dir)) as client,
        click.progressbar(files, file=sys.stderr, label="Adopting", hidden=as_json) as bar,
    ):
        results = [adopt_one(client, folder, file) for file in bar]
    counts = Counter(result["outcome"] for result in results)
    left = [result for result in results if result["outcome"] == "left"]
    if as_json:
        found = {name: counts[name] for name in LABELS}
        click.echo(json.dumps({"success": not left, "data": {**found, "notTaken": left}}))
    else:
        print_results(counts, left)
    sys.exit(1 if left else 0)


def list_pictures(folder: Path) -> Iterator[Path]:
    """The files in a folder, and those below it, that are called like pictures. Hidden ones are left out."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            if not name.startswith(".") and path.suffix.lower() in PICTURE_SUFFIXES and path.is_file():
                yield path


def adopt_one(client: ApiClient, folder: Path, file: Path) -> AdoptedValue:
    """Adopt a file; `file` of the result is its path inside the folder. Raises FlowshelfError when it makes
    no sense to go on, as on a full disk."""
    name = str(file.relative_to(folder)).encode("utf-8", "replace").decode()
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            return {"file": name, "outcome": "left", "reason": TOO_LARGE}
        return {**client.adopt(file), "file": name}
    except OSError as error:
        return {"file": name, "outcome": "left", "reason": f"It cannot be read: {error.strerror}."}


def print_results(counts: Counter[str], left: list[AdoptedValue]) -> None:
    click.echo(f"{', '.join(f'{counts[name]:,} {label}' for name, label in LABELS.items())}.")
    for result in left[:MAX_PRINTED]:
        click.echo(f"  {printable(result['file'])}: {result.get('reason', '')}", err=True)
    if len(left) > MAX_PRINTED:
        click.echo(f"  … and {len(left) - MAX_PRINTED:,} more; --json lists all.", err=True)
