"""A profile at each of the services, and an examination of what Flow sends."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from webapp import store
from webapp.background import Background
from webapp.cli import main
from webapp.config import Config
from webapp.demo import World


@pytest.fixture
def world() -> World:
    return World(uploaded=7, generated=12, videos=1, tiny_pictures=True)


@pytest.fixture
def moved(world: World) -> World:
    """The same account at flow.google.com."""
    world.migrate()
    return world


@pytest.fixture
def moved_id(work: Background, moved: World) -> str:
    with store.connection():
        return work.accounts.add("Ada", moved.google.cookie_header()).id


@pytest.fixture
def examine(client) -> Callable[[str], dict]:
    """Examine a profile by the API: the result, with its steps also by their call."""

    def examine(profile_id: str) -> dict:
        response = client.post(f"/api/profiles/{profile_id}/examine", json={})
        assert response.status_code == 200, response.text
        found = response.get_json()["data"]
        return found | {"by": {step["asked"]: step for step in found["steps"]}}

    return examine


@pytest.fixture
def command(config: Config, monkeypatch) -> Iterator[Callable[..., tuple[int, str]]]:
    """`flowshelf doctor` in this process: its exit code and what it printed."""
    for name in ("data_dir", "labs_url", "media_url", "flow_url"):
        monkeypatch.setenv(f"FLOWSHELF_{name.upper()}", str(getattr(config, name)))
    monkeypatch.setenv("FLOWSHELF_PICTURE_HOSTS", ",".join(config.picture_hosts))

    def run(*arguments: str | Path) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["doctor", *map(str, arguments)])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.output

    return run


@pytest.fixture
def command_json(command: Callable[..., tuple[int, str]]) -> Callable[..., tuple[int, dict]]:
    def run(*arguments: str) -> tuple[int, dict]:
        code, printed = command(*arguments, "--json")
        return code, json.loads(printed.splitlines()[-1])

    return run
