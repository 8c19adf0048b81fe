"""`flowshelf import` of parts that the script of a hand-over saved in a browser."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from webapp.cli.api_client import ApiClient, open_client
from webapp.cli.api_types import HandoverValue
from webapp.cli.commands import find_profile
from webapp.config import Config
from webapp.errors import BadRequest, FlowshelfError, OtherAccount
from webapp.sources.flow_google.handover import MAX_PART_BYTES


def is_part(file: Path) -> bool:
    """Whether a file is JSON, and so no database. Only a real file is read: a pipe would wait for ever."""
    if not file.is_file():
        return False
    try:
        with file.open("rb") as content:
            return content.read(1) == b"{"
    except OSError:
        return False


def import_parts(
    config: Config, files: Sequence[Path], profile: str | None, *, takes_other: bool, as_json: bool
) -> None:
    """Import the parts, one after the other, and print what they brought. Raises FlowshelfError for the first
    that cannot be taken; those before it are imported."""
    with open_client(config) as client:
        profile_id = find_profile(client, profile)["profileId"] if profile else None
        may_ask = not as_json and sys.stdin.isatty()
        values = []
        for file in files:
            values.append(_import_part(client, file, profile_id, takes_other=takes_other, may_ask=may_ask))
            if not as_json:
                click.echo(_sentence(file, values[-1]))
    if as_json:
        click.echo(json.dumps({"success": True, "data": {"parts": values}}))


def _import_part(
    client: ApiClient, file: Path, profile_id: str | None, *, takes_other: bool, may_ask: bool
) -> HandoverValue:
    try:
        if file.stat().st_size > MAX_PART_BYTES:
            raise BadRequest(f"{file} is too large to be a part of a hand-over.")
        return client.hand_over(file, profile_id, takes_other=takes_other)
    except OtherAccount as error:
        if may_ask and click.confirm(f"{error} Import it there?", err=True):
            return client.hand_over(file, profile_id, takes_other=True)
        raise OtherAccount(f"{file}: {error} (--other-account)") from error
    except FlowshelfError as error:
        raise type(error)(f"{file}: {error}") from error


def _sentence(file: Path, value: HandoverValue) -> str:
    unread = f", {value['unread']:,} could not be read" if value["unread"] else ""
    projects = f"{file.name}: {value['projects']:,} projects of {value['profile']}{unread}"
    return f"{projects}; {value['synced']:,} new images, {value['skipped']:,} known."
