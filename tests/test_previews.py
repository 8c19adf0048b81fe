"""Previews: what a card shows, and how it gets a URL that Flow did not list."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from bs4 import BeautifulSoup

from webapp import store
from webapp.database.base import db
from webapp.database.models import Image
from webapp.database.states import Role, RunState
from webapp.store.gallery import images
from webapp.web.access import set_role
from webapp.web.views.image_display import preview_url

TOMORROW = int((datetime.now(UTC) + timedelta(days=1)).timestamp())
URL = f"https://storage.googleapis.com/a?Expires={TOMORROW}&Signature=x"


@pytest.fixture
def ids(work, profile_id, world, flow):
    """The ids of the uploads, whose rows came without a preview, newest first."""
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id).id)
        by_name = images.find_ids(profile_id, world.names())
    flow.reset()
    return [by_name[name] for name in world.names()]


@pytest.fixture
def look(client):
    """The picture URLs that these cards show now."""

    def look(ids):
        fragment = BeautifulSoup(client.get("/cards", query_string={"id": ids}).text, "html.parser")
        return [look.img and look.img["src"] for look in fragment.select(".look")]

    return look


def test_a_card_in_view_gets_a_fresh_url_and_no_bytes(client, ids, look, flow, wait_until):
    assert look(ids[:5]) == [None] * 5
    assert client.post("/previews", data={"id": ids[:5]}, headers={"HX-Request": "true"}).status_code == 204
    wait_until(lambda: None not in look(ids[:5]))
    assert flow.count("media", returnUriOnly="true") == flow.count("media") == 5
    assert all(url.startswith(f"{flow.url}/pictures/") for url in look(ids[:5]))
    assert look(ids[5:7]) == [None, None]


def test_a_url_that_is_valid_or_being_fetched_is_not_fetched_again(client, ids, look, flow, wait_until):
    with flow.holding("media") as gate:
        for _ in range(3):
            client.post("/previews", data={"id": ids[:2]})
        assert gate.reached.wait(5)
        under_way = client.get("/cards", query_string={"id": ids[:3]}).headers["HX-Trigger"]
        assert set(json.loads(under_way)["previews-under-way"]["ids"]) <= set(ids[:2])
        gate.release()
    wait_until(lambda: None not in look(ids[:2]))
    client.post("/previews", data={"id": ids[:2]})
    assert flow.count("media") == 2


def test_at_most_three_urls_are_fetched_at_a_time(client, ids, look, flow, wait_until):
    client.post("/previews", data={"id": ids})
    wait_until(lambda: None not in look(ids[:40]))
    assert flow.max_parallel("media") <= 3


def test_an_image_that_flow_refuses_keeps_its_placeholder_and_is_requested_once(
    client, ids, look, world, flow, work, wait_until
):
    world.delete(world.names()[0])
    for _ in range(3):
        client.post("/previews", data={"id": ids[:1]})
        wait_until(lambda: not work.previews.list_under_way(ids[:1]))
    assert look(ids[:1]) == [None]
    assert flow.count("media") == 1


def test_a_url_that_a_browser_could_not_load_is_renewed(client, ids, look, flow, wait_until):
    with store.connection():
        Image.update(fife_url=URL).where(Image.id == ids[0]).execute()
    client.post("/previews", data={"id": ids[:1]})
    assert flow.log == []
    client.post("/previews", data={"id": ids[:1], "again": "yes"})
    wait_until(lambda: look(ids[:1])[0].startswith(flow.url))


def test_a_downloaded_image_gets_no_preview(client, ids, flow, work, profile_id):
    with store.connection():
        run = work.downloads.request(profile_id, ids[:1])
        assert work.downloads.wait_for_run(run.id).state == RunState.DONE
    flow.reset()
    client.post("/previews", data={"id": ids[:1], "again": "yes"})
    assert flow.log == []


def test_expired_cookies_leave_the_placeholders(client, ids, look, world, flow, work, wait_until):
    world.sign_out()
    world.expire_tokens()
    client.post("/previews", data={"id": ids[:3]})
    wait_until(lambda: not work.previews.list_under_way(ids[:3]))
    assert look(ids[:3]) == [None, None, None]


def test_a_card_whose_url_could_not_be_stored_is_not_pending_forever(client, ids, look, work, wait_until):
    with store.connection():
        full = "BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
        on = "BEFORE UPDATE OF fife_url ON veo3_image_generations"
        db.execute_sql(f"CREATE TRIGGER disk_is_full {on} {full}")
    client.post("/previews", data={"id": ids[:1]})
    wait_until(lambda: not work.previews.list_under_way(ids[:1]))
    with store.connection():
        db.execute_sql("DROP TRIGGER disk_is_full")
    client.post("/previews", data={"id": ids[:1]})
    wait_until(lambda: None not in look(ids[:1]))


def test_without_javascript_a_button_requests_previews_and_returns_to_the_page(client, ids, profile_id):
    page = BeautifulSoup(client.get("/?kind=uploaded").text, "html.parser")
    asked = [one["value"] for one in page.select("#selection noscript input[name=id]")]
    assert asked == ids
    brought = client.get("/?kind=uploaded", headers={"HX-Request": "true"}).text
    assert 'name="id"' not in brought  # HTMX would send them as fields with every command
    response = client.post("/previews", data={"id": asked, "here": "/?kind=uploaded"})
    assert (response.status_code, response.location) == (303, "/?kind=uploaded")


@pytest.mark.parametrize(
    "url",
    [
        "http://storage.googleapis.com/a",
        "https://evil.example/a.jpg",
        "https://storage.googleapis.com.evil.example/a",
        "https://192.168.1.1/a",
        "http://127.0.0.1:1/a",
        "file:///etc/passwd",
        "javascript:alert(1)",
        URL.replace(str(TOMORROW), "1700000000"),
        URL.replace(str(TOMORROW), "soon"),
        "",
    ],
)
def test_a_url_on_another_host_or_expired_is_not_shown(app, url):
    with app.test_request_context():
        set_role(Role.OWNER)
        assert preview_url(Image(fife_url=url)) is None
        assert preview_url(Image(fife_url=URL)) == URL
