"""Options that several commands take."""

from pathlib import Path

import click

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the database and the images; also FLOWSHELF_DATA_DIR.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, for scripts.")
profile_argument = click.argument("profile")
