"""`flowshelf profiles` lists the profiles, and `flowshelf profiles add` adds one."""

import json
import sys
from pathlib import Path

import click

from webapp.cli.api_client import ApiClient, open_client
from webapp.cli.api_types import FirefoxSignInValue, FirefoxValue, ProfileValue
from webapp.cli.commands import errors_as_json, health_text
from webapp.cli.options import data_dir_option, json_option
from webapp.config import read_config
from webapp.errors import AccountExists, FirefoxSignedOut, UnknownFirefox

# More than anybody can paste; the server refuses it with a sentence.
MAX_READ_BYTES = 4_000_000

Choice = tuple[FirefoxValue, FirefoxSignInValue]


@click.group(invoke_without_command=True)
@json_option
@data_dir_option
@click.pass_context
def profiles(ctx: click.Context, as_json: bool, data_dir: Path | None) -> None:
    """List the profiles, their images and how they are signed in."""
    if ctx.invoked_subcommand is not None:
        return
    with errors_as_json(as_json), open_client(read_config(data_dir=data_dir)) as client:
        rows = client.list_profiles()
    if as_json:
        click.echo(json.dumps({"success": True, "data": rows}))
    elif not rows:
        click.echo("No profiles yet. Start flowshelf and add one in the dashboard.")
    for row in () if as_json else rows:
        click.echo(f"{row['profileId']}  {row['name']}  <{row['accountEmail'] or 'not checked yet'}>")
        more = ", more to sync" if row["hasMore"] else ""
        click.echo(f"    {row['images']} images, {row['downloaded']} downloaded{more}; {health_text(row)}")


@profiles.command()
@click.argument("name")
@click.option(
    "--firefox",
    is_flag=False,
    flag_value="",
    metavar="[PROFILE]",
    help="Use the sign-in of the Firefox on this machine, or of that PROFILE of it.",
)
@click.option("--container", metavar="NAME", help="Use the sign-in of this container of Firefox.")
@click.option("--account", metavar="EMAIL", help="Use this account, of several in one Firefox.")
@click.option("--yes", "agrees", is_flag=True, help="Use it also for a profile that is on the shelf already.")
@json_option
@data_dir_option
@click.pass_context
def add(
    ctx: click.Context,
    name: str,
    firefox: str | None,
    container: str | None,
    account: str | None,
    agrees: bool,
    as_json: bool,
    data_dir: Path | None,
) -> None:
    """Add the profile NAME. Without --firefox, cookies are read from standard input."""
    above = ctx.parent.params if ctx.parent else {}
    as_json, data_dir = as_json or above.get("as_json", False), data_dir or above.get("data_dir")
    if (container or account) and firefox is None:
        raise click.UsageError("--container and --account go with --firefox.")
    with errors_as_json(as_json), open_client(read_config(data_dir=data_dir)) as client:
        if firefox is None:
            row = client.add_profile(name, read_cookies())
        else:
            choice = choose_sign_in(client, firefox, container, account)
            row = use_firefox(client, choice, name, agrees=agrees, asks=not as_json)
    if as_json:
        click.echo(json.dumps({"success": True, "data": row}))
    else:
        click.echo(f"{row['profileId']}  {row['name']}  <{row['accountEmail'] or 'not checked yet'}>")


def read_cookies() -> str:
    if sys.stdin.isatty():
        click.echo("Paste the cookies, then press Ctrl-D on a line of its own.", err=True)
    # Not as text: what was saved by another program may be of any encoding.
    return sys.stdin.buffer.read(MAX_READ_BYTES).decode("utf-8", "replace")


def use_firefox(client: ApiClient, choice: Choice, name: str, *, agrees: bool, asks: bool) -> ProfileValue:
    """Add a profile that reads a Firefox, or let that of the account read it if the person agrees.

    Raises AccountExists when nobody can be asked.
    """
    firefox, found = choice
    if found["profileId"] and not agrees:
        question = f"{found['profileName']} is on this shelf: use this Firefox for it from now on?"
        if not asks or not sys.stdin.isatty():
            raise AccountExists(f"{question} Add --yes to agree.")
        click.confirm(question, abort=True)
    return client.use_firefox(
        firefox["key"],
        name=name,
        container=found["container"],
        number=found["number"],
        replaces=found["profileId"],
    )


def choose_sign_in(client: ApiClient, wanted: str, container: str | None, account: str | None) -> Choice:
    """The only sign-in to Flow in the Firefox of this machine, of those in the profile named, if one is.

    Raises FirefoxSignedOut if there is none, UnknownFirefox if there are several or no such profile.
    """
    listed = client.list_firefox()
    firefoxes = [one for one in listed if not wanted or wanted.lower() in names_of(one)]
    if not listed:
        raise UnknownFirefox("No Firefox was found for this user. Open Flow in Firefox once, and sign in.")
    if not firefoxes:
        names = ", ".join(f"“{one['name']}”" for one in listed)
        raise UnknownFirefox(f"Firefox has no such profile on this machine. Its profiles: {names}.")
    looks = [(firefox, client.look_into_firefox(firefox["key"])) for firefox in firefoxes]
    found = [(firefox, one) for firefox, look in looks for one in look["found"]]
    problems = [look["problem"] for _, look in looks] + [one["problem"] for _, one in found]
    choices = [choice for choice in found if is_usable(choice[1], container, account)]
    if len(choices) > 1:
        listed_choices = "; ".join(map(describe_choice, choices))
        raise UnknownFirefox(f"Firefox has several sign-ins. Name one of these: {listed_choices}.")
    if not choices:
        missing = "Firefox has no sign-in to Flow in that container, or of that account."
        raise FirefoxSignedOut(next(filter(None, problems), missing))
    return choices[0]


def is_usable(found: FirefoxSignInValue, container: str | None, account: str | None) -> bool:
    """Whether Flow accepts a sign-in, and it is in the container and of the account wanted, if any is."""
    is_there = container is None or found["containerName"].lower() == container.lower()
    is_theirs = account is None or (found["accountEmail"] or "").lower() == account.lower()
    return is_there and is_theirs and not found["problem"]


def names_of(firefox: FirefoxValue) -> tuple[str, ...]:
    return firefox["name"].lower(), firefox["folder"].lower(), firefox["key"]


def describe_choice(choice: Choice) -> str:
    firefox, found = choice
    container = f" --container “{found['containerName']}”" if found["containerName"] else ""
    return f"--firefox “{firefox['folder']}”{container} --account {found['accountEmail'] or 'unknown'}"
