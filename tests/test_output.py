"""What commands do when their output is closed or full, or when its encoding lacks a character."""

import os
import subprocess
import sys

import pytest

from webapp import store
from webapp.cli import main
from webapp.store import profiles

NAME = "Ada \N{GRINNING FACE}"


@pytest.fixture
def run(tmp_path):
    """Start a command on a data folder that has one profile."""
    store.open_database(tmp_path / "flowshelf.sqlite3")
    with store.connection():
        profiles.add_profile(NAME, ("PINHOLE",))

    def run(*arguments, **options):
        environ = os.environ | {"FLOWSHELF_DATA_DIR": str(tmp_path)} | options.pop("environ", {})
        command = [sys.executable, "-m", "webapp", *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        done = subprocess.run(command, check=False, env=environ, timeout=60, **pipes)
        assert b"Traceback" not in (done.stderr or b"") + (done.stdout or b"")
        assert b"Exception ignored" not in (done.stderr or b"")
        return done

    return run


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-8"])
def test_a_character_that_the_encoding_lacks_is_a_replacement_sign(run, encoding):
    environ = {"PYTHONIOENCODING": encoding}
    name = NAME.encode(encoding, errors="replace")
    assert name in run("profiles", environ=environ).stdout
    assert name in run("sync", "nobody", environ=environ).stderr


def test_a_name_that_is_no_text_is_printed_all_the_same(run):
    assert b"There is no profile" in run("sync", b"\xff\xfe").stderr


@pytest.mark.parametrize(
    "arguments", [["profiles"], ["profiles", "--json"], ["doctor"], ["--help"], ["sync", "nobody"]]
)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_closed_pipe_ends_a_command_quietly(run, arguments, unbuffered):
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        stream = "stderr" if "nobody" in arguments else "stdout"
        done = run(*arguments, environ={"PYTHONUNBUFFERED": unbuffered}, **{stream: write_end})
    finally:
        os.close(write_end)
    assert (done.returncode, done.stderr or b"") == (1, b"")


@pytest.mark.proof
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux only")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_under_the_output_is_one_sentence(run, unbuffered):
    environ = {"PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "wb") as full:
        ascii_only = {"PYTHONIOENCODING": "ascii"}
        assert run("profiles", environ=environ | ascii_only, stdout=full).returncode == 1
        for arguments in (["profiles"], ["verify", "--json"], ["--help"]):
            done = run(*arguments, environ=environ, stdout=full)
            assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
            assert b"the output could not be written: No space left on device" in done.stderr
        assert run("profiles", environ=environ, stdout=full, stderr=full).returncode == 1
        assert run("sync", "nobody", environ=environ, stderr=full).returncode == 1


@pytest.mark.proof
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux only")
def test_every_command_can_fail_to_print(run):
    with open("/dev/full", "wb") as full:
        for name in main.commands:
            assert run(name, "--help", stdout=full).returncode == 1


@pytest.mark.skipif(os.name == "nt", reason="POSIX only")
@pytest.mark.parametrize("number", [1, 2])
def test_a_command_works_although_its_output_was_closed_before_it_began(run, number):
    close = {"preexec_fn": lambda: os.close(number)}
    assert run("profiles", **close).returncode == 0
    assert run("verify", **close).returncode == 0
