"""`-v`, FLOWSHELF_LOG and `serve --dev`: how much a command logs, and what is read again when it changes."""

import logging
import urllib.request

import pytest
from jinja2 import FileSystemLoader
from test_process import Shelf

from webapp import create_app, store
from webapp.cli.logs import RedactingFormatter, start_logging
from webapp.demo import World
from webapp.web.services import background_of


@pytest.fixture
def shelf(config):
    shelf = Shelf(config)
    yield shelf
    if shelf.process and shelf.process.poll() is None:
        shelf.kill()


@pytest.fixture
def profile_id(shelf, config, world):
    """A profile in the data folder, without a server."""
    background = background_of(create_app(config))
    with store.connection():
        cookies = world.google.cookie_header() if world.moved else world.cookie_header()
        profile_id = background.accounts.add("Ada", cookies).id
    background.stop()
    return profile_id


@pytest.fixture
def log_of(shelf):
    """What a command wrote to standard error; with its exit code, if another one than 0 is expected."""

    def log_of(*arguments, code=0, level=None):
        shelf._environ.pop("FLOWSHELF_LOG", None)
        if level:
            shelf._environ["FLOWSHELF_LOG"] = level
        process = shelf.popen(*arguments)
        _, err = process.communicate(timeout=60)
        assert process.returncode == code, err
        return err

    return log_of


def test_a_command_logs_its_runs_only_if_it_is_asked_to(log_of, profile_id):
    assert "INFO" not in log_of("sync", "Ada")
    assert f"of {profile_id}: done" in log_of("sync", "Ada", "-v")
    assert f"of {profile_id}: done" in log_of("-v", "sync", "Ada")
    assert f"of {profile_id}: done" in log_of("sync", "Ada", level="INFO")


def test_details_are_logged_at_the_second_v_and_at_the_level_debug(log_of, profile_id):
    opened = f"DEBUG connection of {profile_id} to labs.google: opened"
    assert opened not in log_of("sync", "Ada", "--verbose")
    assert opened in log_of("-v", "sync", "Ada", "-v")
    assert opened in log_of("-vv", "sync", "Ada")
    assert opened in log_of("sync", "Ada", level="debug")
    assert opened in log_of("-v", "sync", "Ada", level="info")


def test_a_level_that_does_not_exist_is_a_sentence_and_exit_code_2(log_of, shelf):
    said = log_of("profiles", level="loud", code=2)
    assert "FLOWSHELF_LOG is “loud”" in said
    assert "it must be debug, info or warning" in said
    assert "Traceback" not in said
    assert "FLOWSHELF_LOG" in shelf.run("profiles", "--help")


def test_a_v_in_front_of_the_options_of_serve_serves_and_logs_details(shelf):
    shelf.serve("-v", "--port", "0")
    assert shelf.ask("/api/profiles") == []


@pytest.mark.parametrize("service", ["labs.google", "flow.google.com"])
def test_no_secret_is_logged_at_any_level(log_of, profile_id, world, flow, service):
    written = log_of("-vv", "sync", "Ada", "--full")
    flow.fail_next(503, "picture")
    world.delete(world.names("PINHOLE")[0])
    written += log_of("-vv", "download", "Ada", code=1)
    secrets = {*world.cookies().values(), *world.google.cookies().values(), world.key, world.google.token}
    for request in flow.log:
        secrets |= {
            *request.cookies.values(),
            request.headers.get("authorization", "").removeprefix("Bearer "),
        }
        secrets |= {request.query[name] for name in ("key", "Signature") if name in request.query}
    assert "fail_permanently" in written
    assert any(request.kind == "picture" for request in flow.log), "signed URLs were fetched"
    assert [secret for secret in secrets - {""} if secret in written] == []


@pytest.fixture
def world(request) -> World:
    """Pictures behind signed URLs; at flow.google.com if the test asks for that."""
    world = World(uploaded=6, generated=6, tiny_pictures=True)
    for name in [*world.names(), *world.names("PINHOLE")]:
        world.change(name, inline=False)
    callspec = getattr(request.node, "callspec", None)
    if callspec and callspec.params.get("service") == "flow.google.com":
        world.migrate()
    return world


def test_what_another_library_logs_is_redacted_too(capsys):
    record = logging.makeLogRecord({"msg": "GET /a?Signature=c2lnbmF0dXJl&key=AIzaSyD-1 with ya29.a0AfH6SMB"})
    assert RedactingFormatter().format(record) == "GET /a?Signature=[hidden]&key=[hidden] with [hidden]"


def test_details_of_libraries_that_handle_secrets_are_not_logged(monkeypatch):
    """At the level debug peewee logs the parameters of statements, cookies among them, and urllib3 URLs."""
    root, own = logging.getLogger(), logging.getLogger("webapp")
    levels = root.level, own.level
    monkeypatch.setattr(root, "handlers", [])
    try:
        start_logging("debug")
        assert own.isEnabledFor(logging.DEBUG)
        assert not logging.getLogger("peewee").isEnabledFor(logging.DEBUG)
        assert not logging.getLogger("urllib3.connectionpool").isEnabledFor(logging.DEBUG)
    finally:
        root.setLevel(levels[0])
        own.setLevel(levels[1])


# serve --dev


def test_templates_are_read_again_when_they_change(config, tmp_path):
    app = create_app(config, reloads_assets=True)
    app.jinja_env.loader = FileSystemLoader(tmp_path)
    (tmp_path / "page.html").write_text("before")
    assert app.jinja_env.get_template("page.html").render() == "before"
    (tmp_path / "page.html").write_text("afterwards")
    assert app.jinja_env.get_template("page.html").render() == "afterwards"
    assert not create_app(config).jinja_env.auto_reload


@pytest.mark.parametrize(
    ("options", "caching"),
    [(["--dev"], "no-store"), ([], "max-age=31536000, immutable")],
    ids=["dev", "usual"],
)
def test_browsers_cache_styles_and_scripts_unless_it_serves_for_development(shelf, options, caching):
    shelf.serve(*options)
    with urllib.request.urlopen(f"{shelf.url}/") as page:
        address = next(part for part in page.read().decode().split('"') if part.startswith("/static/app.css"))
    with urllib.request.urlopen(shelf.url + address) as styles:
        assert styles.headers["Cache-Control"] == caching


def test_the_debugger_of_werkzeug_stays_off_in_development(shelf, config):
    assert not create_app(config, reloads_assets=True).debug
    shelf.serve("--dev")
    with urllib.request.urlopen(f"{shelf.url}/?__debugger__=yes&cmd=resource&f=debugger.js") as page:
        assert page.headers["Content-Type"].startswith("text/html")
