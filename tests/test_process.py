"""Flowshelf as a process: killed at any moment, ended by a signal, used from a terminal."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


class Shelf:
    """Runs the command `flowshelf` on one data folder."""

    def __init__(self, config):
        self.data_dir = config.data_dir
        self._environ = os.environ | {
            "FLOWSHELF_DATA_DIR": str(config.data_dir),
            "FLOWSHELF_LABS_URL": config.labs_url,
            "FLOWSHELF_MEDIA_URL": config.media_url,
            "FLOWSHELF_FLOW_URL": config.flow_url,
            "FLOWSHELF_ACCOUNTS_URL": config.accounts_url,
            "FLOWSHELF_PICTURE_HOSTS": ",".join(config.picture_hosts),
            "FLOWSHELF_PORT": "0",
            "FLOWSHELF_PAGE_DELAY": "0",
            "PYTHONUNBUFFERED": "1",
        }
        self.process = self.url = None
        self.headers = {}

    def serve(self, *options):
        """Start the server and wait until it prints its URL."""
        self.process = self.popen(*options)
        for line in self.process.stdout:
            if found := ADDRESS.search(line):
                self.url = found[0]
                return
        raise AssertionError(self.process.stderr.read())

    def popen(self, *arguments):
        command = [sys.executable, "-m", "webapp", *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, env=self._environ, **pipes)

    def run(self, *arguments, code=0):
        """Run a command to its end. Returns what it printed."""
        process = self.popen(*arguments)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code, out + err
        assert "Traceback" not in out + err
        return out or err

    def json(self, *arguments, code=0):
        return json.loads(self.run(*arguments, "--json", code=code))

    def ask(self, path, body=None, method=None):
        request = urllib.request.Request(
            self.url + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"} | self.headers,
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return json.load(response).get("data")
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(error.read().decode()) from error

    def kill(self, number=signal.SIGKILL):
        """Send a signal and wait. Returns the exit code and the seconds it took."""
        began = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(15)
        self.process.stdout.close()
        self.process.stderr.close()
        return code, time.monotonic() - began

    def state(self):
        return self.ask("/api/profiles")[0]

    def files(self):
        return sorted(path for path in (self.data_dir / "images").rglob("*") if path.is_file())


VIDEOS = {
    "ignored": 3,
    "ignoredByReason": {"video": 3, "sound": 0, "not_ready": 0, "failed": 0, "unrecognised": 0},
}


@pytest.fixture
def shelf(config):
    shelf = Shelf(config)
    yield shelf
    if shelf.process and shelf.process.poll() is None:
        shelf.kill()


@pytest.fixture
def profile_id(shelf, world):
    """A profile, added to a server that runs from now on."""
    shelf.serve()
    return shelf.ask("/api/profiles", {"name": "Ada", "cookies": world.cookie_header()})["profileId"]


SYNC = "/api/image-veo3/sync-metadata"
BATCH = "/api/image-veo3/download-batch"


def test_a_killed_sync_resumes_at_the_next_start_and_requests_no_page_twice(
    shelf, profile_id, flow, world, wait_until
):
    with flow.holding("history", at=3) as gate:
        shelf.ask(SYNC, {"profileId": profile_id, "wait": False})
        assert gate.reached.wait(10)
        shelf.kill()
    cursors = [request.cursor for request in flow.asked("history")][:2]
    flow.reset()
    shelf.serve()
    wait_until(lambda: not shelf.state()["isSyncingMetadata"])
    assert shelf.state()["images"] == 40
    assert not {request.cursor for request in flow.asked("history")} & set(cursors)


@pytest.mark.parametrize("has_answered", [False, True])
def test_a_process_that_is_killed_while_it_renews_cookies_signs_in_afterwards(
    shelf, flow, world, wait_until, has_answered
):
    """Google has new cookies for it that it has not stored, or is about to."""
    world.migrate()
    shelf.serve()
    cookies = world.google.cookie_header()
    profile_id = shelf.ask("/api/profiles", {"name": "Ada", "cookies": cookies})["profileId"]
    with flow.holding("project", at=3) as work, flow.holding("rotation") as gate:
        asked = {"profileId": profile_id, "mode": "new", "history": "PROJECTS", "wait": False}
        run_id = shelf.ask(SYNC, asked)["runId"]
        assert work.reached.wait(10)
        switch = urllib.request.Request(f"{shelf.url}/profiles/{profile_id}/renewal", b"renewal=on")
        urllib.request.urlopen(switch, timeout=10).close()
        assert gate.reached.wait(10)
        if not has_answered:
            shelf.kill()
        else:
            os.kill(shelf.process.pid, signal.SIGSTOP)
        gate.release()
        wait_until(lambda: world.google.cookie_header() != cookies)
        if has_answered:
            shelf.kill()
    world.google.pass_time(60)
    shelf.serve()
    wait_until(lambda: shelf.ask(f"/api/runs/{run_id}")["state"] == "done")
    assert shelf.state()["renewal"] == "on"


def test_killed_downloads_resume_and_leave_no_partial_file(shelf, profile_id, flow, world, wait_until):
    shelf.ask(SYNC, {"profileId": profile_id})
    with flow.holding("media", at=9) as gate:
        shelf.ask(BATCH, {"profileId": profile_id, "pending": True, "wait": False})
        assert gate.reached.wait(10)
        shelf.kill()
    images = shelf.data_dir / "images" / profile_id
    (images / ".flowshelf-killed.part").write_bytes(b"half")
    shelf.serve()
    wait_until(lambda: shelf.state()["downloaded"] == 40)
    expected = {f"{world.entry(name).media_key}.jpg": world.content(name) for name in world.names()}
    assert {path.name: path.read_bytes() for path in shelf.files()} == {
        name: content for name, content in expected.items() if name in {path.name for path in shelf.files()}
    }
    assert len(shelf.files()) == 40


def test_paused_downloads_stay_paused_after_a_restart(shelf, profile_id, flow, world):
    shelf.ask(SYNC, {"profileId": profile_id})
    with flow.holding("media", at=2) as gate:
        run_id = shelf.ask(BATCH, {"profileId": profile_id, "pending": True, "wait": False})["runId"]
        assert gate.reached.wait(10)
        shelf.ask(f"/api/runs/{run_id}/pause", {})
        shelf.kill()
    shelf.serve()
    run = shelf.ask(f"/api/runs/{run_id}")
    assert run["state"] == "paused"
    assert run["counts"]["left"] + run["counts"]["downloaded"] == 40
    shelf.run("download", "Ada")  # a request by hand ends the pause
    assert shelf.state()["downloaded"] == 40


def test_a_sync_paused_before_a_kill_is_paused(shelf, profile_id, flow):
    with flow.holding("history", at=2) as gate:
        run_id = shelf.ask(SYNC, {"profileId": profile_id, "wait": False})["runId"]
        assert gate.reached.wait(10)
        shelf.ask(f"/api/runs/{run_id}/pause", {})
        shelf.kill()
    shelf.serve()
    assert shelf.ask(f"/api/runs/{run_id}")["state"] == "paused"


def test_images_of_a_run_cancelled_before_a_kill_are_pending(shelf, profile_id, flow):
    shelf.ask(SYNC, {"profileId": profile_id})
    with flow.holding("media", at=3) as gate:
        run_id = shelf.ask(BATCH, {"profileId": profile_id, "pending": True, "wait": False})["runId"]
        assert gate.reached.wait(10)
        shelf.ask(f"/api/runs/{run_id}/cancel", {})
        shelf.kill()
    shelf.serve()
    shelf.ask(BATCH, {"profileId": profile_id, "pending": True})
    assert shelf.state()["downloaded"] == 40


@pytest.mark.proof
def test_a_full_sync_that_was_stopped_resumes_where_it_stopped(shelf, profile_id, flow):
    shelf.ask(SYNC, {"profileId": profile_id})
    shelf.kill(signal.SIGTERM)
    with flow.holding("history", at=2) as gate:
        process = shelf.popen("sync", "Ada", "--full")
        assert gate.reached.wait(10)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
    flow.reset()
    shelf.json("sync", "Ada", "--resume")
    assert flow.asked("history")[0].cursor is not None
    flow.reset()
    shelf.json("sync", "Ada", "--full")
    assert flow.asked("history")[0].cursor is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_within_three_seconds_during_any_work(shelf, profile_id, flow, number):
    shelf.ask(SYNC, {"profileId": profile_id})
    with flow.holding("media") as media, flow.holding("history") as history:
        waiting = shelf.popen("download", "Ada", "--json")
        assert media.reached.wait(10)
        shelf.ask(SYNC, {"profileId": profile_id, "wait": False})
        assert history.reached.wait(10)
        code, seconds = shelf.kill(number)
        media.release()
        history.release()
    assert code == 0
    assert seconds < 3
    waiting.communicate(timeout=30)


def test_many_signals_end_the_server_as_one_does(shelf, profile_id, flow):
    shelf.ask(SYNC, {"profileId": profile_id})
    with flow.holding("media") as media:
        shelf.ask(BATCH, {"profileId": profile_id, "pending": True, "wait": False})
        assert media.reached.wait(10)
        ends_at = time.monotonic() + 10
        while shelf.process.poll() is None and time.monotonic() < ends_at:
            shelf.process.send_signal(signal.SIGTERM)
            shelf.process.send_signal(signal.SIGINT)
        code = shelf.process.poll()
        media.release()
    assert code == 0
    shelf.process.communicate(timeout=10)


def test_a_second_server_ends_with_a_sentence_that_names_the_first(shelf, profile_id):
    assert shelf.url in shelf.run("serve", code=1)


def test_a_sync_from_the_terminal_goes_through_the_server(shelf, profile_id, world):
    assert shelf.json("sync", "ada")["data"]["synced"] == 70
    assert shelf.state()["images"] == 70
    assert "download run" not in shelf.run("download", profile_id, "--limit", "5")
    assert shelf.state()["downloaded"] == 5


@pytest.mark.proof
def test_without_a_server_the_terminal_does_the_work_itself(shelf, profile_id, world):
    shelf.kill(signal.SIGTERM)
    result = shelf.json("sync", "Ada")
    assert result == {"success": True, "data": {"synced": 70, "skipped": 0, **VIDEOS, "hasMore": False}}
    names = world.names()
    assert shelf.json("download", "Ada", names[0], names[1])["data"]["downloaded"] == 2
    assert shelf.json("download", "Ada", names[0], "CAMaNEVER", code=1)["data"]["failedNames"] == [
        "CAMaNEVER"
    ]
    assert shelf.run("download", "Ada") == "68 downloaded, 0 failed.\n"
    rows = shelf.json("profiles")["data"]
    assert (rows[0]["images"], rows[0]["downloaded"]) == (70, 70)
    assert "70 images, 70 downloaded" in shelf.run("profiles")


@pytest.mark.proof
def test_a_cursor_and_a_limit_of_pages_work_from_the_terminal(shelf, profile_id):
    first = shelf.ask(SYNC, {"profileId": profile_id, "maxPages": 1})
    again = shelf.json("sync", "Ada", "--cursor", first["lastCursor"], "--max-pages", "1")
    assert again["data"]["synced"] == 18
    assert shelf.json("sync", "Ada", "--full")["success"] is True
    assert "--history goes with --cursor" in shelf.run("sync", "Ada", "--history", "PINHOLE", code=2)


@pytest.mark.proof
def test_verify_finds_missing_changed_and_damaged_files_and_makes_them_pending(shelf, profile_id, world):
    for history in ("ASSET_MANAGER", "PINHOLE"):
        shelf.ask(SYNC, {"profileId": profile_id, "history": history})
    shelf.ask(BATCH, {"profileId": profile_id, "pending": True})
    missing, changed, damaged, *_ = shelf.files()
    missing.unlink()
    changed.write_bytes(world.content(world.names()[0]) + b"\xff\xd9")
    damaged.write_bytes(damaged.read_bytes()[:100])
    report = shelf.json("verify", "--set-pending", code=1)["data"]
    assert report["counts"]["whole"] >= 66
    assert {problem["path"] for problem in report["problems"]} == {str(missing), str(changed), str(damaged)}
    assert report["requeuedCount"] == 2
    shelf.kill(signal.SIGTERM)
    assert shelf.run("download", "Ada") == "2 downloaded, 0 failed.\n"
    assert shelf.json("verify", "--deep", code=1)["data"]["counts"] == {"whole": 69, "changed": 1}


def test_an_unknown_profile_is_a_sentence_and_an_exit_code(shelf, profile_id):
    assert "There is no profile" in shelf.run("sync", "nobody", code=1)
    assert shelf.json("download", "nobody", code=1)["code"] == "unknown_profile"


@pytest.mark.proof
def test_ctrl_c_pauses_a_sync_of_the_terminal_and_the_next_one_continues(shelf, profile_id, flow):
    shelf.kill(signal.SIGTERM)
    with flow.holding("history", at=2) as gate:
        process = shelf.popen("sync", "Ada")
        assert gate.reached.wait(10)
        process.send_signal(signal.SIGINT)
        gate.release()
        out, err = process.communicate(timeout=10)
    assert process.returncode != 0
    assert "Flowshelf remembers the place" in err
    assert "Traceback" not in out + err
    assert shelf.json("sync", "Ada")["success"] is True
    assert shelf.json("profiles")["data"][0]["images"] == 70


def test_only_the_owner_can_read_the_data_folder_and_its_files(shelf, profile_id, flow):
    with flow.holding("history") as gate:  # so that a thread has the database open
        shelf.ask(SYNC, {"profileId": profile_id, "wait": False})
        assert gate.reached.wait(10)
        files = [path for path in shelf.data_dir.iterdir() if path.is_file()]
        modes = {path.name: path.stat().st_mode & 0o777 for path in files}
    assert shelf.data_dir.stat().st_mode & 0o777 == 0o700
    assert {name for name in modes if name.startswith("flowshelf.sqlite3")} >= {"flowshelf.sqlite3-wal"}
    assert set(modes.values()) == {0o600}


def test_serving_the_network_without_sharing_is_refused(shelf):
    assert "127.0.0.1 only" in shelf.run("--host", "0.0.0.0", code=2)


def test_an_invalid_setting_is_named(shelf, monkeypatch):
    shelf._environ["FLOWSHELF_PAGE_SIZE"] = "many"
    assert "FLOWSHELF_PAGE_SIZE" in shelf.run("profiles", code=1)


def test_no_secret_reaches_the_log(shelf, profile_id, world):
    shelf.json("sync", "Ada")
    shelf.json("download", "Ada")
    shelf.process.send_signal(signal.SIGTERM)
    out, err = shelf.process.communicate(timeout=10)
    values = [*world.cookies().values(), world.key]
    assert "sync" in err
    assert not [value for value in values if value in out + err]


def test_doctor_and_backup_work_while_a_server_runs(shelf, profile_id, tmp_path):
    told = shelf.json("doctor")["data"]
    assert [row["subject"] for row in told["findings"]][-1] == "cookies of “Ada”"
    assert shelf.json("backup", str(tmp_path / "copy"))["data"]["sizeBytes"] > 0
    assert shelf.state()["name"] == "Ada"


def test_a_backup_is_restored_only_without_a_server_and_the_next_start_shows_it(shelf, profile_id, tmp_path):
    copy = tmp_path / "copy.sqlite3"
    shelf.run("backup", str(copy), "--with-cookies")
    shelf.ask(f"/api/profiles/{profile_id}", method="DELETE")
    assert shelf.ask("/api/profiles") == []
    refused = shelf.json("restore", str(copy), code=1)
    assert (refused["code"], "stop Flowshelf first" in refused["error"]) == ("busy", True)
    shelf.kill(signal.SIGTERM)
    database = shelf.data_dir / "flowshelf.sqlite3"
    assert "the database itself" in shelf.run("restore", str(database), code=1)
    (shelf.data_dir / "share.json").touch()
    assert shelf.json("restore", str(shelf.data_dir / "share.json"), code=1)["code"] == "bad_database"
    (shelf.data_dir / "share.json").unlink()
    with closing(sqlite3.connect(copy)) as opened, opened:
        opened.execute("INSERT INTO session VALUES ('hash', 'owner', 'code', '2026', NULL, NULL)")
    kept = shelf.json("restore", str(copy))["data"]
    assert kept["file"] == str(database)
    with closing(sqlite3.connect(kept["previousFile"])) as opened:
        assert opened.execute("SELECT count(*) FROM profile").fetchone() == (0,)
    with closing(sqlite3.connect(database)) as opened:
        assert opened.execute("SELECT count(*) FROM session").fetchone() == (0,)
    shelf.serve()
    assert shelf.state()["name"] == "Ada"


def test_a_backup_is_restored_into_a_new_data_folder(shelf, profile_id, tmp_path):
    shelf.run("backup", str(tmp_path / "copy"))
    shelf.kill(signal.SIGTERM)
    other = tmp_path / "other"
    told = shelf.run("restore", str(tmp_path / "copy"), "--data-dir", str(other))
    assert f"{other / 'flowshelf.sqlite3'} is restored" in told
    assert "previous" not in told
    assert "Ada" in shelf.run("profiles", "--data-dir", str(other))


def test_options_of_serve_work_without_the_command(shelf):
    shelf.serve("--port", "0", "--data-dir", str(Path(shelf.data_dir) / "other"))
    assert shelf.ask("/api/profiles") == []
