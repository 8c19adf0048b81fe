"""Monitoring: `/healthz`, the log lines of runs, and `flowshelf doctor`."""

import json
import shutil
import socket
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import pytest
from click.testing import CliRunner

from webapp import store
from webapp.cli import main
from webapp.database.models import Profile
from webapp.times import timestamp
from webapp.web.services import background_of

SYNC = "/api/image-veo3/sync-metadata"
BATCH = "/api/image-veo3/download-batch"


def health(client):
    return client.get("/healthz").get_json()


def test_the_owner_gets_readiness_queue_version_and_last_error(client, profile_id, flow, work):
    told = health(client)
    assert told["status"] == "ok"
    assert (told["version"], told["ready"], told["lastError"]) == (version("flowshelf"), True, None)
    client.post(SYNC, json={"profileId": profile_id})
    with flow.holding("media", at=1) as gate:
        client.post(BATCH, json={"profileId": profile_id, "pending": True, "wait": False})
        assert gate.reached.wait(5)
        queue = health(client)["queue"]
        assert (queue["syncs"], queue["downloads"], queue["waitingForCookies"]) == (0, 1, 0)
        assert queue["wanted"] + queue["running"] == 40
        assert queue["running"] > 0
        client.post(
            "/api/image-veo3/sync-metadata", json={"profileId": profile_id, "startCursor": "no place"}
        )
        gate.release()
    told = health(client)["lastError"]
    assert (told["code"], told["kind"], told["profileId"]) == ("cursor_refused", "sync", profile_id)
    assert "no place" not in json.dumps(told)
    work.stopping.set()
    assert health(client)["ready"] is False


def test_each_run_logs_a_line_without_secrets(client, profile_id, world, caplog, wait_until):
    caplog.set_level("INFO")
    client.post(SYNC, json={"profileId": profile_id})
    client.post(BATCH, json={"profileId": profile_id, "pending": 3})
    wait_until(lambda: "download " in caplog.text)
    with_state = [record.getMessage() for record in caplog.records if profile_id in record.getMessage()]
    assert [line.split()[0] for line in with_state] == ["sync", "download"]
    assert "done, 3 pages, 40 new, 0 already listed" in with_state[0]
    assert "done, 3 done, 0 failed" in with_state[1]
    assert not [value for value in (*world.cookies().values(), world.key) if value in caplog.text]


def test_cancelled_and_paused_runs_log_a_line(client, profile_id, flow, caplog, wait_until):
    caplog.set_level("INFO")
    client.post(SYNC, json={"profileId": profile_id})
    for verb in ("pause", "cancel"):
        with flow.holding("media", at=1) as gate:
            body = {"profileId": profile_id, "pending": True, "wait": False}
            run_id = client.post(BATCH, json=body).get_json()["data"]["runId"]
            client.post(f"/api/runs/{run_id}/resume")
            assert gate.reached.wait(5)
            client.post(f"/api/runs/{run_id}/{verb}")
            gate.release()
        flow.reset()
        said = {"pause": "paused", "cancel": "cancelled"}[verb]
        wait_until(lambda line=f"download {run_id} of {profile_id}: {said}": line in caplog.text)


# `flowshelf doctor`


@pytest.fixture
def doctor(config, monkeypatch):
    """Runs `flowshelf doctor` in this process: its exit code, and the sentence of each problem by subject."""
    monkeypatch.setenv("FLOWSHELF_DATA_DIR", str(config.data_dir))
    monkeypatch.setenv("FLOWSHELF_LABS_URL", config.labs_url)
    monkeypatch.setenv("FLOWSHELF_MEDIA_URL", config.media_url)
    monkeypatch.setenv("FLOWSHELF_FLOW_URL", config.flow_url)

    def run():
        done = CliRunner().invoke(main, ["doctor", "--json"])
        assert done.exit_code in (0, 1), done.output
        told = json.loads(done.stdout.splitlines()[-1])["data"]
        assert told["isWell"] is (done.exit_code == 0) is all(row["isWell"] for row in told["findings"])
        return done.exit_code, {
            row["subject"]: row["sentence"] for row in told["findings"] if not row["isWell"]
        }

    return run


def test_doctor_finds_no_problem_in_a_good_data_folder(doctor, work, profile_id):
    work.stop()
    assert doctor() == (0, {})
    said = CliRunner().invoke(main, ["doctor"]).output
    for subject in (
        "versions",
        "data folder",
        "modes",
        "disk",
        "database",
        "reachability",
        "cookies of “Ada”",
    ):
        assert f"ok     {subject}: " in said


def test_doctor_reports_cookies_that_have_expired_or_soon_will(doctor, work, profile_id, flow, world):
    work.stop()
    with store.connection():
        Profile.update(cookies_expire_at=timestamp(datetime.now(UTC) + timedelta(hours=5))).execute()
    code, wrong = doctor()
    assert (code, list(wrong)) == (1, ["cookies of “Ada”"])
    assert "Paste new ones before" in wrong["cookies of “Ada”"]
    world.sign_out()
    code, wrong = doctor()
    assert (code, list(wrong)) == (1, ["cookies of “Ada”"])
    with store.connection():
        assert Profile.get().health == "waiting_for_cookies"


def test_doctor_reports_an_unreachable_service_with_its_setting(doctor, work, monkeypatch):
    work.stop()
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("FLOWSHELF_MEDIA_URL", f"http://127.0.0.1:{free.getsockname()[1]}")
        code, wrong = doctor()
    assert (code, list(wrong)) == (1, ["reachability"])
    assert "FLOWSHELF_MEDIA_URL" in wrong["reachability"]


def test_doctor_reports_open_file_modes_with_the_command_to_fix_them(doctor, work, config):
    work.stop()
    config.database_path.chmod(0o644)
    code, wrong = doctor()
    assert (code, list(wrong)) == (1, ["modes"])
    assert f"chmod 600 '{config.database_path}'" in wrong["modes"]


def test_files_of_others_in_the_data_folder_keep_their_modes(doctor, work, profile_id, config, running):
    script = config.data_dir / "run.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    background_of(running()).stop()
    assert script.stat().st_mode & 0o777 == 0o755
    assert doctor() == (0, {})


def test_doctor_reports_a_damaged_database_and_does_not_change_it(doctor, work, profile_id, config):
    work.stop()
    content = bytearray(config.database_path.read_bytes())
    content[8192 : 8192 + 40_000] = b"\x55" * 40_000
    config.database_path.write_bytes(content)
    code, wrong = doctor()
    assert (code, list(wrong)) == (1, ["database", "cookies"])
    assert "restore a backup" in wrong["database"]
    assert config.database_path.read_bytes() == bytes(content)


def test_doctor_reports_an_unfinished_search_index(doctor, work, config):
    work.stop()
    with closing(sqlite3.connect(config.database_path)) as connection:
        connection.execute("DROP TABLE image_text")
    code, wrong = doctor()
    assert (code, list(wrong)) == (1, ["database", "cookies"])
    assert "Start Flowshelf" in wrong["database"]


def test_doctor_reports_a_newer_database_and_a_missing_folder(doctor, work, config):
    work.stop()
    with closing(sqlite3.connect(config.database_path)) as connection:
        connection.execute("PRAGMA user_version = 999")
    code, wrong = doctor()
    assert (code, list(wrong)) == (1, ["database", "cookies"])
    assert "newer Flowshelf" in wrong["database"]
    shutil.rmtree(config.data_dir)
    code, wrong = doctor()
    assert (code, list(wrong)) == (1, ["data folder", "cookies"])
    assert not config.data_dir.exists()


@pytest.mark.parametrize("way", ["option", "environment"])
def test_an_impossible_data_folder_is_an_error_with_a_sentence(monkeypatch, way):
    folder = "~nobody-of-that-name/shelf"
    monkeypatch.setenv("FLOWSHELF_DATA_DIR", folder if way == "environment" else "")
    done = CliRunner().invoke(main, ["profiles", *(["--data-dir", folder] if way == "option" else [])])
    assert done.exit_code == 1
    assert f"“{folder}”, which is not valid" in done.output
