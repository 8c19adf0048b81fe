"""A shared `flowshelf` as a process: its output, its log, its files, and commands on the same machine."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from test_process import Shelf

from webapp.web.sharing.links import base_urls

LINK = re.compile(r"(http://[^\s/]+)/enter\?code=([\w-]+)")


@pytest.fixture
def shelf(config):
    shelf = Shelf(config)
    yield shelf
    if shelf.process and shelf.process.poll() is None:
        shelf.kill()


def links_printed(shelf):
    """The printed links: first the owner's, then the guests'."""
    found = []
    while len(found) < 2:
        line = shelf.process.stdout.readline()
        assert line, shelf.process.stderr.read()
        if link := LINK.search(line):
            found.append(link.groups())
    return found


def test_without_share_only_loopback_addresses_are_allowed(shelf):
    for host in ("0.0.0.0", "::", "192.0.2.2"):
        sentence = " ".join(shelf.run("--host", host, code=2).split())
        assert "could open this shelf without signing in" in sentence
        assert "--share" in sentence
        assert "127.0.0.1 only" in sentence


def test_the_trusted_proxy_must_be_one_ip_address(shelf):
    for address in ("*", "0.0.0.0/0", "proxy"):
        assert "IP address" in shelf.run("--share", "--trusted-proxy", address, code=1)
    shelf._environ["FLOWSHELF_TRUSTED_PROXY"] = "*"
    assert "FLOWSHELF_TRUSTED_PROXY" in shelf.run("--share", code=1)


def test_the_printed_links_have_the_codes_of_the_data_folder(shelf):
    shelf.serve("--share", "--host", "127.0.0.1")
    links = links_printed(shelf)
    codes = json.loads((shelf.data_dir / "share.json").read_text())
    assert [code for _, code in links] == [codes["owner"], codes["guest"]]
    assert {base for base, _ in links} == {shelf.url}
    shelf.kill(signal.SIGTERM)
    shelf.serve("--share", "--host", "127.0.0.1")
    assert [code for _, code in links_printed(shelf)] == [codes["owner"], codes["guest"]]


def test_sharing_requires_sign_in_on_every_address_it_prints(shelf):
    shelf.serve("--share")
    port = int(shelf.url.rpartition(":")[2])
    expected = base_urls("0.0.0.0", port, "") or [shelf.url]
    printed = [links_printed(shelf) for _ in expected]
    assert {base for pair in printed for base, _ in pair} == set(expected)
    for url in [*expected, shelf.url]:
        shelf.url = url
        with pytest.raises(AssertionError, match="sign_in"):
            shelf.ask("/api/profiles")


def test_the_environment_turns_sharing_on_and_a_terminal_shows_qr_codes(shelf):
    shelf._environ |= {"FLOWSHELF_SHARE": "1", "FLOWSHELF_HOST": "127.0.0.1"}
    mine, theirs = pty.openpty()
    command = [sys.executable, "-m", "webapp"]
    process = subprocess.Popen(command, env=shelf._environ, stdout=theirs, stderr=subprocess.DEVNULL)
    os.close(theirs)
    try:
        shown = b""
        while shown.count("▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀".encode()) < 2:
            shown += os.read(mine, 4096)
    finally:
        process.terminate()
        process.wait(10)
        os.close(mine)
    assert len(LINK.findall(shown.decode(errors="replace"))) == 2


@pytest.mark.proof
def test_commands_on_this_machine_need_no_sign_in(shelf, world):
    shelf.serve("--share", "--host", "127.0.0.1")
    code = json.loads((shelf.data_dir / "share.json").read_text())["owner"]
    shelf.headers = {"Authorization": f"Bearer {code}"}
    shelf.ask("/api/profiles", {"name": "Ada", "cookies": world.cookie_header()})
    assert shelf.json("sync", "Ada")["data"]["synced"] == 6
    assert shelf.json("profiles")["data"][0]["images"] == 6
    shelf.kill(signal.SIGTERM)
    shelf._environ["FLOWSHELF_SHARE"] = "1"
    assert (
        shelf.json("download", "Ada")["data"]["downloaded"] == 6
    )  # no server is running: the command works by itself


def test_no_code_is_in_the_log_or_the_process_list_and_files_are_private(shelf, world):
    os.umask(0o000)
    try:
        shelf.serve("--share", "--host", "127.0.0.1")
    finally:
        os.umask(0o022)
    codes = json.loads((shelf.data_dir / "share.json").read_text())
    shelf.headers = {"Authorization": f"Bearer {codes['owner']}"}
    shelf.ask("/api/profiles", {"name": "Ada", "cookies": world.cookie_header()})
    shelf.json("sync", "Ada")
    shelf.json("download", "Ada")
    shelf.headers = {}
    for path in ("/enter", "/nothing", "/api/nothing", "/images/x"):
        with pytest.raises(AssertionError):
            shelf.ask(f"{path}?code={codes['guest']}x")
    process = Path("/proc", str(shelf.process.pid))
    seen = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    files = list(shelf.data_dir.rglob("*"))
    modes = {path.stat().st_mode & 0o777 for path in files if path.is_file()}
    folders = {path.stat().st_mode & 0o777 for path in [shelf.data_dir, *files] if path.is_dir()}
    assert {path.name for path in files} >= {"flowshelf.sqlite3-wal", "flowshelf.sqlite3-shm", "share.json"}
    assert (modes, folders) == ({0o600}, {0o700})
    shelf.process.send_signal(signal.SIGTERM)
    _, log = shelf.process.communicate(timeout=10)
    for code in codes.values():
        assert code not in log
        assert code.encode() not in seen
