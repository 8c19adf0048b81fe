"""Parts of a hand-over: what is taken of them, for whom, and what they never do.

The script that saves them is tested in tests/browser/test_handover_script.py.
"""

import io
import json

import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from test_process import Shelf

from webapp import store
from webapp.cli import main
from webapp.config import GOOGLE_PICTURE_HOSTS
from webapp.database.models import Image, Profile, Project, Run
from webapp.database.states import RunKind, RunState
from webapp.errors import BadRequest
from webapp.sources.flow_google.handover import read_part
from webapp.store import runs

EMAIL = "ada@example.com"


def record(name, project, arm=6):
    """A record of an image, or with another arm of something else."""
    about = [[1_760_000_000, 0], None, None, None, None, None, [None, None, [["A red kite"]]]]
    whole = [name, project, f"card-{name}", "CAE", None, about, None, None, None, None, None]
    whole[arm] = [[None, 7, None, None, None, None, None, None, 25], None, [64, 36]]
    return whole


def project(number, *records):
    card = [f"project-{number}", [f"Kites {number}", None, [1_760_000_000, 0]]]
    return {"card": card, "contents": [None, None, list(records), None]}


def part(*projects, email=EMAIL):
    head = {"flowshelfHandover": 1, "account": {"email": email, "index": 0}, "savedAt": "2026-11-30"}
    return json.dumps(head | {"projects": projects}).encode()


ONE = part(project(1, record("asset-0001", "project-1"), record("asset-0002", "project-1")))
TWO = part(project(2, record("asset-0003", "project-2")))


@pytest.fixture
def send(client):
    """Sends parts by the form of the page. Returns the page that responds."""

    def send(*parts, status=200, **fields):
        page = BeautifulSoup(client.get("/handover").text, "html.parser")
        files = [(io.BytesIO(content), f"part-{number}.json") for number, content in enumerate(parts)]
        form = page.select_one("#parts-form")
        response = client.post(form["action"], data={**fields, "parts": files}, content_type=form["enctype"])
        assert response.status_code == status, response.text
        return response.text

    return send


def names():
    with store.connection():
        return set(Image.select(Image.name).scalars())


def test_parts_are_taken_in_any_order_and_number_and_again(send):
    assert "1 projects, 1 new images" in send(TWO)
    assert "1 projects, 2 new images" in send(ONE)
    assert names() == {"asset-0001", "asset-0002", "asset-0003"}
    page = send(ONE, TWO, ONE)
    assert page.count("0 new images") == 3
    assert names() == {"asset-0001", "asset-0002", "asset-0003"}
    with store.connection():
        (profile,) = Profile.select()
        assert (profile.account_email, Run.select().where(Run.kind == RunKind.SYNC).count()) == (EMAIL, 5)
        image = Image.get(Image.name == "asset-0001")
        assert (image.seed, image.width, image.model_name) == (7, 64, "GEM_PIX_2")
        assert image.prompt == "A red kite"


def test_a_part_marks_nothing_as_gone_and_counts_as_read_only_what_it_shows_whole(send):
    send(ONE, TWO)
    whole = project(2, record("asset-0004", "project-2"))
    unknown = project(3, record("asset-0005", "project-3", arm=9))
    unreadable = {"card": ["project-4", []], "contents": [None, None, "no list"]}
    page = send(part(whole, unknown, unreadable, {"card": 7}, None))
    assert "3 projects could not be read" in page
    with store.connection():
        assert Image.select().where(Image.gone_upstream_at.is_null(False)).count() == 0
        read = Project.select(Project.remote_id).where(
            Project.read_at.is_null(False), Project.failure.is_null()
        )
        assert set(read.scalars()) == {"project-1", "project-2"}


def test_a_part_of_another_account_is_asked_about(send, profile_id):
    other = part(project(1, record("asset-0009", "project-1")), email="grace@example.com")
    text = send(other, profile=profile_id, status=409)
    assert "grace@example.com" in text
    assert "needed for these" in text
    assert names() == set()
    send(other, profile=profile_id, other="yes")
    assert names() == {"asset-0009"}
    assert "does not say whose it is" in send(part(email=""), status=409)


def test_while_a_sync_is_under_way_a_part_waits_for_it(send, profile_id, work, world):
    with store.connection():
        run = Run.create(
            id="open", profile=profile_id, kind=RunKind.SYNC, started_at="2026", state=RunState.RUNNING
        )
    assert "is under way" in send(ONE, profile=profile_id, other="yes", status=409)
    assert names() == set()
    with store.connection():
        runs.change_state(run.id, (RunState.RUNNING,), RunState.CANCELLED)
    send(ONE, profile=profile_id, other="yes")
    assert len(names()) == 2


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[" * 100_000,
        ONE[:-9],
        ONE.replace(b'"flowshelfHandover": 1', b'"flowshelfHandover": 2'),
        b'{"flowshelfHandover": 1, "account": null, "projects": []}',
        b"SQLite format 3\0",
    ],
)
def test_what_is_no_part_is_refused(send, content):
    send(content, status=400)
    assert names() == set()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=12) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=60,
)


@given(st.lists(VALUES | st.fixed_dictionaries({"card": VALUES, "contents": VALUES}), max_size=5))
def test_whatever_stands_in_a_part_it_is_read_or_refused(projects):
    try:
        found = read_part(part(*projects), frozenset(GOOGLE_PICTURE_HOSTS))
    except BadRequest:
        return
    assert len(found.pages) + found.unread_count == len(projects)


def test_the_page_warns_and_shows_the_script_that_makes_no_call_but_reading_ones(client):
    page = BeautifulSoup(client.get("/handover").text, "html.parser")
    text = page.select_one("main").text
    assert "Never paste a script from elsewhere" in text
    assert "allow pasting" in text
    script = page.select_one("#script").text
    assert script.startswith("(async () => {")
    assert "export " not in script
    assert script.count("fetch(") == 1
    for rpc in ("UpteDb", "Zzl0ze"):
        assert rpc in script


def test_the_command_imports_parts_with_and_without_a_server(work, config, tmp_path, monkeypatch):
    work.stop()
    files = [tmp_path / "one.json", tmp_path / "two.json"]
    for file, content in zip(files, (ONE, TWO), strict=True):
        file.write_bytes(content)
    monkeypatch.setenv("FLOWSHELF_DATA_DIR", str(config.data_dir))
    done = CliRunner().invoke(main, ["import", str(files[0]), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["data"]["parts"][0]["synced"] == 2
    shelf = Shelf(config)
    shelf.serve()
    try:
        assert "1 new images" in shelf.run("import", *map(str, files))
        other = part(project(9, record("asset-0010", "project-9")), email="grace@example.com")
        files[0].write_bytes(other)
        refused = json.loads(shelf.run("import", str(files[0]), "--profile", EMAIL, "--json", code=1))
        assert refused["code"] == "other_account"
        shelf.run("import", str(files[0]), "--profile", EMAIL, "--other-account")
    finally:
        shelf.process.terminate()
        shelf.process.communicate(timeout=20)
    assert "asset-0010" in names()
