"""Data folders on disks that refuse modes and hard links, with odd names, and users without a home."""

import errno
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner

from webapp import storage, store
from webapp.cli import main
from webapp.config import read_config, read_log_level
from webapp.database.restore import restore_database
from webapp.errors import BadRequest


def refuse(monkeypatch, name):
    """Let a call of the operating system fail like exFAT, a network disk or another user's volume."""

    def refused(*arguments, **options):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, name, refused)


@pytest.fixture
def refusing(monkeypatch, config, caplog):
    """A data folder that everybody may use, where neither modes nor hard links are possible."""
    config.data_dir.mkdir(parents=True, exist_ok=True)
    config.data_dir.chmod(0o755)
    caplog.set_level("INFO")
    for name in ("chmod", "link"):
        refuse(monkeypatch, name)


def test_a_disk_that_refuses_modes_and_links_is_a_warning_and_everything_works(
    caplog, refusing, config, work, client, profile_id
):
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id).id)
        run = work.downloads.wait_for_run(work.downloads.request_pending(profile_id).id)
    assert (run.failed_count, run.done_count > 0) == (0, True)
    logged = [record.getMessage() for record in caplog.get_records("setup")]
    assert sum("its disk keeps no access rights" in line for line in logged) == 1
    page = BeautifulSoup(client.get("/overview").text, "html.parser")
    assert "its disk keeps no access rights" in page.select_one(".problem").text
    work.stop()
    told = CliRunner().invoke(main, ["doctor", "--data-dir", str(config.data_dir)]).output
    assert told.count("its disk keeps no access rights") == 1


def test_a_private_folder_needs_no_warning(client, caplog):
    assert "Other users" not in client.get("/overview").text + caplog.text


def test_a_file_is_saved_and_no_other_replaced_where_hard_links_are_refused(tmp_path, monkeypatch):
    refuse(monkeypatch, "link")
    first = storage.save_file(tmp_path, ["key", "key-1"], ".jpg", b"one")
    assert storage.save_file(tmp_path, ["key", "key-1"], ".jpg", b"one") == first
    other = storage.save_file(tmp_path, ["key", "key-1"], ".jpg", b"two")
    assert (first.read_bytes(), other.name, other.read_bytes()) == (b"one", "key-1.jpg", b"two")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key-1.jpg", "key.jpg"]


def test_a_backup_is_restored_where_hard_links_and_modes_are_refused(config, work, refusing, tmp_path):
    work.stop()
    copy = tmp_path / "copy"
    copy.write_bytes(config.database_path.read_bytes())
    assert restore_database(copy, config.database_path).exists()


def test_a_folder_whose_name_is_not_utf_8_is_refused_with_a_sentence(tmp_path):
    folder = os.fsencode(tmp_path) + b"/shelf-\xff"
    for arguments, environ in (([b"--data-dir", folder], {}), ([], {b"FLOWSHELF_DATA_DIR": folder})):
        done = subprocess.run(
            [sys.executable, "-m", "webapp", "profiles", *arguments],
            env=os.environb | environ,
            capture_output=True,
            check=False,
        )
        assert (done.returncode, b"Traceback" in done.stderr) == (1, False)
        assert b"is not UTF-8, so rename it" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def homeless(monkeypatch):
    """A user without HOME and without an entry in the list of users."""

    def unknown(uid):
        raise KeyError(uid)

    for name in ("HOME", "XDG_DATA_HOME", "FLOWSHELF_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


def test_without_a_home_folder_a_data_folder_has_to_be_named(homeless, tmp_path):
    with pytest.raises(BadRequest, match="FLOWSHELF_DATA_DIR"):
        read_config()
    assert read_config({"FLOWSHELF_DATA_DIR": str(tmp_path)}).data_dir == Path(tmp_path).resolve()
    assert read_log_level({"FLOWSHELF_LOG": "debug"}) == "debug"
    runner = CliRunner()
    assert "FLOWSHELF_DATA_DIR" in runner.invoke(main, ["profiles"]).output
    assert runner.invoke(main, ["profiles", "--data-dir", str(tmp_path)]).exit_code == 0
