"""Notifications: what is told, how often, to whom, and that nothing depends on it."""

import json
import os
import stat
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from click.testing import CliRunner

from webapp import store
from webapp.background import delivery
from webapp.background.delivery import NotSent, deliver
from webapp.background.notifications import MAX_TRIES, MIN_INTERVAL_SECONDS, Kind, Notifications
from webapp.cli import main
from webapp.config import Config, read_config
from webapp.database.models import Notification, Profile
from webapp.database.states import Health, RunState
from webapp.errors import BadRequest
from webapp.outgoing import parse_notify_command, parse_notify_url
from webapp.store import notifications, profiles
from webapp.times import timestamp


class Recipient:
    """A server that stores what is posted to it, and answers with `status`."""

    def __init__(self):
        self.got, self.headers, self.status = [], [], 200
        recipient = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                content = self.rfile.read(int(self.headers["Content-Length"]))
                recipient.got.append(json.loads(content))
                recipient.headers.append((self.path, dict(self.headers)))
                self.send_response(recipient.status)
                self.send_header("Content-Length", "0")
                if recipient.status == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.host}/notify/secret-key"

    @property
    def titles(self):
        return [each["title"] for each in self.got]


@pytest.fixture
def recipient():
    recipient = Recipient()
    thread = threading.Thread(target=recipient.server.serve_forever)
    thread.start()
    yield recipient
    recipient.server.shutdown()
    recipient.server.server_close()
    thread.join()


@pytest.fixture
def told(shelf, config, recipient):
    """Notifications of a shelf without new ones, whose steps the test makes; with a connection open."""
    config = replace(config, notify_url=parse_notify_url(recipient.url))
    notifier = Notifications(config, [config.images_dir], threading.Event())
    notifier.note_present()
    return notifier


def sign_out(profile_id, health=Health.WAITING_FOR_COOKIES):
    profiles.note_health(profile_id, health, "The cookies of ada@example.com no longer work in /home/ada.")


def an_hour_later(kind):
    moment = datetime.now(UTC) - timedelta(seconds=MIN_INTERVAL_SECONDS + 1)
    Notification.update(sent_at=timestamp(moment)).where(Notification.kind == kind).execute()


def test_a_sign_in_that_ends_is_told_once(told, recipient, profile_id):
    told.look()
    assert recipient.got == []
    sign_out(profile_id)
    for _ in range(3):
        told.look()
    (notice,) = recipient.got
    assert set(notice) == {"title", "body", "type"}
    assert (notice["title"], notice["type"]) == ("Sign-in ended", "warning")
    assert "“Ada”" in notice["body"]


def test_a_closed_browser_is_no_ended_sign_in(told, recipient, profile_id):
    sign_out(profile_id, Health.WAITING_FOR_BROWSER)
    told.look()
    assert recipient.got == []


def test_each_kind_is_told_at_most_once_an_hour_and_afterwards_only_what_is_still_true(
    told, recipient, profile_id
):
    for _ in range(3):
        sign_out(profile_id)
        told.look()
        sign_out(profile_id, Health.WELL)
        told.look()
    assert len(recipient.got) == 1
    sign_out(profile_id)
    told.look()
    an_hour_later(Kind.SIGN_IN_ENDED)
    told.look()
    assert len(recipient.got) == 2
    sign_out(profile_id, Health.WELL)
    told.look()
    sign_out(profile_id)
    told.look()
    sign_out(profile_id, Health.WELL)
    an_hour_later(Kind.SIGN_IN_ENDED)
    told.look()
    assert len(recipient.got) == 2, "it is signed in again"


def test_the_hour_survives_a_restart(told, recipient, profile_id, config):
    sign_out(profile_id)
    told.look()
    sign_out(profile_id, Health.WELL)
    again = Notifications(told._config, [config.images_dir], threading.Event())
    again.note_present()
    sign_out(profile_id)
    again.look()
    assert len(recipient.got) == 1


def test_a_sync_is_told_when_it_failed_twice_in_a_row(told, recipient, shelf, profile_id, world, flow):
    for number, is_told in ((1, False), (2, True)):
        flow.fail_next(400, kind="history", count=3)
        run = shelf.syncs.wait(shelf.syncs.start(profile_id, histories=("ASSET_MANAGER",)).id)
        assert run.state in (RunState.FAILED, RunState.PAUSED), number
        assert run.error
        told.look()
        assert (recipient.titles == ["Sync failed twice"]) == is_told
    assert recipient.got[0]["type"] == "failure"
    assert run.error not in recipient.got[0]["body"]


def test_a_sync_that_works_between_two_failures_is_none(told, recipient, shelf, profile_id, flow):
    for fails in (True, False, True):
        if fails:
            flow.fail_next(400, kind="history", count=3)
        run = shelf.syncs.wait(shelf.syncs.start(profile_id, histories=("ASSET_MANAGER",)).id)
        assert (run.state == RunState.DONE) != fails
        flow.reset()
        told.look()
    assert recipient.got == []


def test_finished_downloads_are_told_with_their_number(told, recipient, shelf, profile_id):
    shelf.downloads.wait_for_run(shelf.downloads.request_pending(profile_id, 3).id)
    told.look()
    (notice,) = recipient.got
    assert notice == {
        "title": "Downloads finished",
        "body": "3 images of “Ada” downloaded.",
        "type": "success",
    }


def test_a_disk_that_is_nearly_full_is_told(told, recipient, monkeypatch):
    told.look()
    monkeypatch.setattr("webapp.background.notifications.LOW_SPACE_BYTES", 10**18)
    told.look()
    told.look()
    assert recipient.titles == ["Disk nearly full"]


@pytest.mark.parametrize("name", ["ada@example.com", "/home/ada", "C:\\ada", ""])
def test_no_notification_holds_an_email_a_path_or_a_prompt(told, recipient, profile_id, shelf, name, config):
    Profile.update(name=name).where(Profile.id == profile_id).execute()
    shelf.downloads.wait_for_run(shelf.downloads.request_pending(profile_id, 1).id)
    sign_out(profile_id)
    told.look()
    text = json.dumps(recipient.got)
    assert len(recipient.got) == 2
    assert not [each for each in ("@", "home", "C:", str(config.data_dir)) if each in text]
    assert "“Shelf 1”" in recipient.got[0]["body"]


def test_a_notification_that_fails_is_noted_tried_again_and_stops_nothing(
    told, recipient, profile_id, client, monkeypatch
):
    monkeypatch.setattr("webapp.background.notifications.RETRY_SECONDS", 0.0)
    recipient.status = 500
    sign_out(profile_id)
    told.look()
    failure = notifications.find_failure()
    assert failure.kind == Kind.SIGN_IN_ENDED
    assert "HTTP 500" in failure.failure
    assert "secret-key" not in failure.failure
    assert "could not be sent" in client.get("/activity").text
    recipient.status = 200
    told.look()
    told.look()
    assert len(recipient.got) == 2
    assert notifications.find_failure() is None
    assert "could not be sent" not in client.get("/activity").text


def test_it_is_given_up_after_an_hour(told, recipient, profile_id, monkeypatch):
    monkeypatch.setattr("webapp.background.notifications.RETRY_SECONDS", 0.0)
    recipient.status = 500
    sign_out(profile_id)
    for _ in range(MAX_TRIES + 5):
        told.look()
    assert len(recipient.got) == MAX_TRIES


def test_the_thread_tells_while_the_shelf_runs(running, config, recipient, world, wait_until, monkeypatch):
    monkeypatch.setattr("webapp.background.notifications.POLL_SECONDS", 0.01)
    app = running(notify_url=parse_notify_url(recipient.url))
    with store.connection():
        work = app.extensions["flowshelf"]
        profile_id = work.accounts.add("Ada", world.cookie_header()).id
        sign_out(profile_id)
    wait_until(lambda: recipient.titles == ["Sign-in ended"])


def test_the_demo_sends_none(config, recipient, running):
    app = running(notify_url=parse_notify_url(recipient.url), is_sealed=True)
    assert app.extensions["flowshelf"].notifications._thread is None


# To a URL


def send(config, **settings):
    deliver(replace(config, **settings), delivery.TEST, threading.Event())


def test_the_message_is_what_apprise_takes(config, recipient):
    url = recipient.url.replace("http://", "http://ada:pass%40word@")
    send(config, notify_url=parse_notify_url(url))
    assert recipient.got == [{"title": "Test", "body": "Flowshelf can send notifications.", "type": "info"}]
    path, headers = recipient.headers[0]
    assert (path, headers["Content-Type"]) == ("/notify/secret-key", "application/json")
    assert headers["Authorization"] == "Basic YWRhOnBhc3NAd29yZA=="


def test_a_redirect_is_not_followed(config, recipient):
    recipient.status = 302
    with pytest.raises(NotSent, match="redirects"):
        send(config, notify_url=parse_notify_url(recipient.url))
    assert len(recipient.got) == 1


def test_a_recipient_that_is_not_there_is_named_without_its_path(config, recipient):
    recipient.server.server_close()
    with pytest.raises(NotSent) as failed:
        send(config, notify_url=parse_notify_url("http://127.0.0.1:1/notify/secret-key"))
    assert "secret-key" not in str(failed.value)


@pytest.mark.parametrize("url", ["secret-key", "ftp://x/secret-key", "http://", "http://a b/", "http://x:y/"])
def test_an_invalid_url_is_refused_and_not_quoted(url, tmp_path):
    with pytest.raises(BadRequest) as refused:
        read_config({"FLOWSHELF_NOTIFY_URL": url, "FLOWSHELF_DATA_DIR": str(tmp_path)})
    assert "FLOWSHELF_NOTIFY_URL" in str(refused.value)
    assert "secret-key" not in str(refused.value)


def test_no_text_of_the_settings_shows_what_may_be_a_password(config, recipient, running):
    url = "https://ada:hunter2@apprise.example:8443/notify/secret-key?token=t0ken"
    command = "/opt/tell --token c0mmand"
    config = replace(config, notify_url=parse_notify_url(url), notify_command=parse_notify_command(command))
    page = running(notify_url=config.notify_url, notify_command=config.notify_command)
    text = page.test_client().get("/settings").text + repr(config)
    assert "https://apprise.example:8443/…" in text
    assert "the program tell" in text
    assert not [each for each in ("hunter2", "secret-key", "t0ken", "c0mmand") if each in text]


def test_no_page_can_set_a_recipient(client, app):
    form = {"notify_url": "http://evil.example/", "notify_command": "/bin/sh", "download_workers": "3"}
    client.post("/settings", data=form)
    current = app.extensions["flowshelf"].settings.current
    assert (current.notify_url, current.notify_command, current.download_workers) == (None, None, 3)


# To a program


@pytest.fixture
def program(tmp_path):
    """A program that stores what it reads and its arguments, or does what the test writes."""

    def write(body="import sys, pathlib; pathlib.Path(sys.argv[1]).write_bytes(sys.stdin.buffer.read())"):
        path = tmp_path / "tell me.py"
        path.write_text(f"#!{sys.executable}\n{body}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    return write


def test_a_program_reads_the_message_and_no_shell_sees_its_arguments(config, program, tmp_path):
    target = tmp_path / "$(touch pwned); got"
    command = parse_notify_command(f"'{program()}' '{target}'")
    send(config, notify_command=command)
    assert json.loads(target.read_bytes())["title"] == "Test"
    assert not list(tmp_path.glob("pwned"))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("raise SystemExit(3)", "exit code 3"),
        ("import sys; sys.stdin.close()", None),
        ("import threading; threading.Event().wait()", "took longer"),
    ],
)
def test_what_a_program_does_is_bounded_and_named(config, program, monkeypatch, body, expected):
    monkeypatch.setattr(delivery, "MAX_SECONDS", 0.7)
    settings = {"notify_command": parse_notify_command(f"'{program(body)}' secret-key")}
    if expected is None:
        return send(config, **settings)
    with pytest.raises(NotSent, match=expected) as failed:
        send(config, **settings)
    assert "secret-key" not in str(failed.value)


def test_a_program_that_is_not_there_is_named(config):
    with pytest.raises(NotSent, match="nowhere cannot be started"):
        send(config, notify_command=parse_notify_command("/no/such/nowhere x"))
    with pytest.raises(BadRequest, match="quotation mark"):
        read_config({"FLOWSHELF_NOTIFY_COMMAND": "tell 'x"})


# The doctor


@contextmanager
def environment(config: Config, **variables: str):
    before = dict(os.environ)
    os.environ.update({"FLOWSHELF_DATA_DIR": str(config.data_dir), **variables})
    yield
    os.environ.clear()
    os.environ.update(before)


def test_the_doctor_sends_a_test_and_says_what_is_set(config, recipient, app):
    with environment(config, FLOWSHELF_NOTIFY_URL=recipient.url):
        done = CliRunner().invoke(main, ["doctor", "--notify"])
        assert (done.exit_code, recipient.titles) == (0, ["Test"])
        assert f"A test was sent to the URL http://{recipient.host}/…." in done.output
        recipient.status = 403
        failed = CliRunner().invoke(main, ["doctor", "--notify", "--json"])
        assert (failed.exit_code, json.loads(failed.stdout)["code"]) == (1, "not_sent")
    with environment(config):
        none = CliRunner().invoke(main, ["doctor", "--notify"])
        assert (none.exit_code, "FLOWSHELF_NOTIFY_URL" in none.output) == (1, True)


def test_the_doctor_says_that_the_last_one_could_not_be_sent(config, app, recipient):
    from webapp.maintenance.doctor import check_notifications

    assert check_notifications(config).is_well
    config = replace(config, notify_url=parse_notify_url(recipient.url))
    assert recipient.host in check_notifications(config).sentence
    with store.connection():
        notifications.note_failed(Kind.SYNC_FAILED, "It refuses.")
    assert (check_notifications(config).is_well, "It refuses." in check_notifications(config).sentence) == (
        False,
        True,
    )
