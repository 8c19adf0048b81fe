"""The script of a hand-over in a real browser, on a page of the simulated Flow; its parts are imported."""

import json
from urllib.parse import quote

import pytest
from bs4 import BeautifulSoup

from webapp import store
from webapp.database.models import Image, Project
from webapp.demo import World

pytestmark = pytest.mark.browser


@pytest.fixture
def world():
    """An account whose listing has several pages."""
    world = World(uploaded=9, generated=20, videos=2, tiny_pictures=True)
    world.projects.page_size = 4
    world.migrate()
    return world


@pytest.fixture
def flow_page(chromium, flow, world):
    """A signed-in page of Flow."""
    context = chromium.new_context(accept_downloads=True)
    page = context.new_page()
    page.goto(f"{flow.url}/browser?in={quote(world.email)}")
    page.goto(f"{flow.url}/u/0/")
    yield page
    context.close()


@pytest.fixture
def script(client):
    return BeautifulSoup(client.get("/handover").text, "html.parser").select_one("#script").text


@pytest.fixture
def run(flow_page, tmp_path):
    """Runs a script as in the console. Returns the parts that it saved."""

    def run(script):
        parts = []

        def keep(download):
            path = tmp_path / f"part-{len(parts)}.json"
            parts.append(path)  # first, because the next one may come while this one is saved
            download.save_as(path)

        flow_page.on("download", keep)
        flow_page.evaluate(script.strip().removesuffix(";"))
        flow_page.wait_for_timeout(300)
        flow_page.remove_listener("download", keep)
        return parts

    return run


def rows_of(profile_id):
    fields = ("name", "media_key", "prompt", "model_name", "seed", "width", "height", "title", "project_id")
    fields += ("version", "kind", "workflow_id", "created_at", "aspect_ratio", "is_archived", "fife_url")
    with store.connection():
        rows = Image.select().where(Image.profile_id == profile_id).dicts()
        return {row["name"]: {field: row[field] for field in fields} for row in rows}


def test_a_hand_over_brings_what_a_sync_brings(run, script, client, work, world, config):
    (part,) = run(script)
    document = json.loads(part.read_bytes())
    assert document["account"]["email"] == world.google.email
    page = client.post(
        "/handover", data={"parts": (part.open("rb"), part.name)}, content_type="multipart/form-data"
    )
    assert page.status_code == 200, page.text
    with store.connection():
        (handed,) = {image.profile_id for image in Image.select()}
        assert Project.select().where(Project.read_at.is_null()).count() == 0
        from_parts = rows_of(handed)
        work.remove_profile(handed)
        synced = work.accounts.add("Ada", world.google.cookie_header()).id
        work.syncs.wait(work.syncs.start(synced).id)
    by_sync = rows_of(synced)
    for rows in (from_parts, by_sync):
        for row in rows.values():
            row["fife_url"] = (row["fife_url"] or "").partition("?")[0]  # signed at another moment
    assert from_parts == by_sync


def test_parts_are_saved_as_they_fill_up_and_a_second_run_goes_on(run, script, client, world, flow):
    assert "PART_BYTES = 16 * 1024 * 1024" in script
    small = script.replace("PART_BYTES = 16 * 1024 * 1024", "PART_BYTES = 3000")
    parts = run(small)
    assert len(parts) > 1
    documents = [json.loads(path.read_bytes()) for path in parts]
    assert {document["account"]["email"] for document in documents} == {world.google.email}
    ids = [project["card"][0] for document in documents for project in document["projects"]]
    assert len(ids) == len(set(ids)) > 4
    flow.reset()
    assert run(small) == [], "what was saved is not read again in the same tab"
    assert {request.kind for request in flow.log} <= {"projects"}


def test_a_project_that_flow_refuses_is_left_out(run, script, flow):
    flow.call_error_next("project", 5, count=1)
    (part,) = run(script.replace("MAX_TRIES = 4", "MAX_TRIES = 1"))
    flow.reset()
    (rest,) = run(script)
    assert len(json.loads(rest.read_bytes())["projects"]) == 1
    assert json.loads(part.read_bytes())["projects"]
