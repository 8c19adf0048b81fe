"""`flowshelf profiles add`: with the Firefox of this machine, and with cookies from standard input."""

import subprocess
import sys

import pytest
from firefox_files import rows_of, write_profile
from test_process import Shelf

from webapp.demo import World


class ShelfOfAUser(Shelf):
    """Runs `flowshelf` as a user with a home folder of their own."""

    def __init__(self, config, home):
        super().__init__(config)
        self._environ = {name: value for name, value in self._environ.items() if name != "XDG_CONFIG_HOME"}
        self._environ |= {"HOME": str(home)}

    def set(self, **variables):
        self._environ |= variables

    def pipe(self, text, *arguments):
        """Run a command with this text on its standard input."""
        command = [sys.executable, "-m", "webapp", *arguments]
        return subprocess.run(
            command, env=self._environ, input=text, capture_output=True, timeout=60, check=False
        )


@pytest.fixture
def world():
    world = World(uploaded=2, generated=3, tiny_pictures=True)
    world.migrate()
    return world


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def profile(home, world):
    return write_profile(home / ".mozilla" / "firefox" / "abc.default", rows_of(world.google.cookies()))


@pytest.fixture
def shelf(config, home, profile):
    shelf = ShelfOfAUser(config, home)
    yield shelf
    if shelf.process and shelf.process.poll() is None:
        shelf.kill()


def test_one_command_adds_a_profile_that_syncs_and_downloads(shelf):
    added = shelf.json("profiles", "add", "Ada", "--firefox")["data"]
    assert (added["name"], added["accountEmail"], added["health"]) == ("Ada", "ada@example.com", "well")
    assert shelf.json("sync", "Ada")["success"]
    assert shelf.run("download", "Ada") == "5 downloaded, 0 failed.\n"
    assert len(shelf.files()) == 5
    assert "cookies are good" in shelf.run("profiles")


@pytest.mark.proof
def test_a_shared_shelf_is_set_up_with_the_server_stopped(shelf):
    shelf.set(FLOWSHELF_SHARE="1", FLOWSHELF_HOST="127.0.0.1", FLOWSHELF_ALLOWED_HOSTS="shelf.example.org")
    shelf.serve()
    refused = shelf.run("profiles", "add", "Ada", "--firefox", code=1)
    assert "Stop Flowshelf" in refused
    shelf.kill()
    assert "ada@example.com" in shelf.run("profiles", "add", "Ada", "--firefox")


def test_a_running_server_that_is_not_shared_is_asked(shelf):
    shelf.serve()
    assert "ada@example.com" in shelf.run("profiles", "add", "Ada", "--firefox")
    assert shelf.state()["accountEmail"] == "ada@example.com"


@pytest.mark.proof
def test_of_several_sign_ins_one_has_to_be_named(shelf, profile, world, flow):
    other = World(uploaded=1, generated=1, tiny_pictures=True, seed=5, email="grace@example.com")
    other.migrate()
    flow.add_world(other)
    both = [*rows_of(world.google.cookies()), *rows_of(other.google.cookies(), "^userContextId=2")]
    write_profile(profile, both)
    said = shelf.run("profiles", "add", "Ada", "--firefox", code=1)
    assert "--firefox “abc.default” --account ada@example.com" in said
    assert "--firefox “abc.default” --container “Work” --account grace@example.com" in said
    assert "no sign-in" in shelf.run("profiles", "add", "A", "--firefox", "--container", "Shop", code=1)
    assert "Its profiles: “default”." in shelf.run("profiles", "add", "A", "--firefox", "other", code=1)
    named = ("profiles", "add", "Grace", "--firefox", "abc.default", "--container", "work")
    assert shelf.json(*named)["data"]["accountEmail"] == "grace@example.com"
    by_mail = ("profiles", "add", "Ada", "--firefox", "--account", "Ada@example.com")
    assert shelf.json(*by_mail)["data"]["accountEmail"] == "ada@example.com"


@pytest.mark.proof
def test_an_account_on_the_shelf_takes_it_over_with_yes_only(shelf, world):
    cookies = world.google.cookie_header().encode()
    added = shelf.pipe(cookies, "profiles", "add", "Ada")
    assert added.returncode == 0, added.stderr
    refused = shelf.json("profiles", "add", "Anna", "--firefox", code=1)
    assert refused["code"] == "account_exists"
    assert refused["error"].startswith("Ada is on this shelf: use this Firefox for it from now on?")
    assert shelf.json("profiles", "add", "Anna", "--firefox", "--yes")["data"]["name"] == "Ada"
    assert len(shelf.json("profiles")["data"]) == 1


@pytest.mark.parametrize("text", [b"", b"hello", b"\xff\xfe\x00", b"x" * 5_000_000])
def test_cookies_that_are_none_are_a_sentence(shelf, text):
    refused = shelf.pipe(text, "profiles", "add", "Ada")
    assert refused.returncode == 1
    assert refused.stderr.startswith(b"Error: ")
    assert b"Traceback" not in refused.stderr


def test_without_a_firefox_the_command_says_so(shelf, profile):
    (profile / "cookies.sqlite").unlink()
    assert "No Firefox was found" in shelf.run("profiles", "add", "Ada", "--firefox", code=1)
    assert "--firefox" in shelf.run("profiles", "add", "Ada", "--container", "Work", code=2)
