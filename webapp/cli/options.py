"""Options that several commands take."""

from pathlib import Path

import click

from webapp.config import setting_of

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help=setting_of("data_dir").option_help,
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, for scripts.")
profile_argument = click.argument("profile")
