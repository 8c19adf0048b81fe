"""`flowshelf doctor --flow`."""

import json

from webapp.storage.lock import DataFolderLock


def test_the_command_prints_one_line_for_each_step(command, work, moved_id):
    work.stop()
    code, printed = command("--flow", "Ada")
    assert code == 0
    lines = printed.splitlines()
    assert len(lines) == 6
    assert all(line.startswith("ok     ") for line in lines)
    assert "list of projects (UpteDb): 200, framed JSON of " in lines[1]


def test_a_failed_step_is_marked_and_the_exit_code_is_1(command, command_json, work, moved_id, world):
    work.stop()
    world.refuse_project(world.projects.ids()[0])
    code, printed = command("--flow", "ada")
    assert code == 1
    assert "WRONG  a project (Zzl0ze): 200, framed JSON" in printed
    code, result = command_json("--flow", moved_id)
    assert (code, result["success"], result["data"]["isWell"]) == (1, False, False)
    assert result["data"]["report"]["service"] == "flow.google.com"


def test_the_report_is_a_new_file_that_only_its_owner_can_read(command, work, moved_id, tmp_path, flow):
    work.stop()
    file = tmp_path / "report.json"
    code, printed = command("--flow", "Ada", "--report", file)
    assert (code, file.stat().st_mode & 0o777) == (0, 0o600)
    assert str(file) in printed
    report = json.loads(file.read_text())
    assert [step["isWell"] for step in report["steps"]] == [True] * 6
    flow.reset()
    code, printed = command("--flow", "Ada", "--report", file)
    assert code == 1
    assert "is there already" in printed
    assert flow.log == []
    assert json.loads(file.read_text()) == report


def test_a_report_that_cannot_be_written_is_an_error_for_the_person(command, work, moved_id, tmp_path):
    work.stop()
    code, printed = command("--flow", "Ada", "--report", tmp_path / "nowhere" / "report.json")
    assert code == 1
    assert "cannot be written to" in printed


def test_the_command_uses_a_running_server(command, live_url, moved_id, config):
    lock = DataFolderLock(config.data_dir)
    assert lock.take()
    lock.write_url(live_url)
    try:
        code, printed = command("--flow", "Ada")
    finally:
        lock.release()
    assert code == 0, printed
    assert len(printed.splitlines()) == 6


def test_unknown_profiles_and_wrong_options_are_reported(command, work, moved_id, tmp_path):
    work.stop()
    code, printed = command("--flow", "Grace")
    assert code == 1
    assert "no profile “Grace”" in printed
    code, printed = command("--report", tmp_path / "report.json")
    assert code == 2
    assert "--report goes with --flow" in printed
