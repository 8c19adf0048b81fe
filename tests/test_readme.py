"""The README is held to what it says: commands, settings and the examples of the API."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from webapp import config as settings
from webapp.cli import main

README = (Path(__file__).parent.parent / "README.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", README, re.S | re.M)


def test_there_are_exactly_two_set_up_commands_of_one_line_each():
    commands = [block for block in BLOCKS if "pip install" in block]
    assert [command.count("\n") for command in commands] == [1, 1]


def test_every_setting_stands_in_the_table_and_nothing_else():
    told = set(re.findall(r"^\| `(FLOWSHELF_\w+)`", README, re.M))
    assert told == {setting.variable for setting in settings.SETTINGS}


def test_every_command_is_told():
    assert all(f"flowshelf {name}" in README for name in main.commands)


def test_the_examples_of_the_api_work_as_they_stand(live_url, world, client, profile_id):
    if shutil.which("curl") is None:
        pytest.skip("no curl on this machine")
    (block,) = [block for block in BLOCKS if "curl" in block]
    names = world.names()
    environ = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "COOKIES": world.cookie_header(),
        "PROFILE": profile_id,
        "NAME": names[0],
        "OTHER": names[1],
    }
    script = block.replace("http://127.0.0.1:8765", live_url)
    printed = subprocess.run(
        ["bash", "-euc", script.replace("\ncurl", "\necho; curl")],
        env=environ,
        check=True,
        capture_output=True,
        text=True,
    )
    answers = [json.loads(line) for line in printed.stdout.splitlines() if line.strip()]
    assert [answer["success"] for answer in answers] == [True, False, *[True] * 6]
    assert answers[1]["code"] == "account_exists"  # the example's cookies have their profile already
    assert len(answers[4]["data"]) == 3
    assert answers[6]["data"]["downloaded"] == 2
