"""The status line: what it says in each state, and what its buttons do."""

import re

import pytest
from bs4 import BeautifulSoup

from webapp import store
from webapp.database.models import Run
from webapp.database.states import RunKind, RunState, SyncMode
from webapp.demo import World
from webapp.store import profiles, runs
from webapp.store.gallery import counts
from webapp.store.history import walks

HTMX = {"HX-Request": "true", "HX-Target": "status"}
WAIT_SECONDS = 10
LONG_REASON = "The disk is full. " + "Flowshelf needs more free space there. " * 5


@pytest.fixture
def grace(flow) -> World:
    world = World(seed=2, uploaded=20, email="grace@example.com", owner="Grace Example", tiny_pictures=True)
    flow.add_world(world)
    return world


@pytest.fixture(autouse=True)
def connection(profile_id):
    """A database connection for the test, after the profile was added in one of its own."""
    with store.connection():
        yield


@pytest.fixture
def shelf(work, profile_id, connection):
    """The background after a whole sync."""
    assert work.syncs.wait(work.syncs.start(profile_id).id).synced_count == 70
    return work


@pytest.fixture
def studio(work, grace, connection) -> str:
    """A second profile, which is not synced yet."""
    return work.accounts.add("Studio", grace.cookie_header()).id


def words(part) -> str:
    return " ".join(part.get_text().split())


def parsed(response) -> BeautifulSoup:
    assert response.status_code == 200, response.text
    return BeautifulSoup(response.text, "html.parser").select_one("#status")


@pytest.fixture
def line(client):
    """The sentences and the buttons of the line, as the gallery shows it."""

    def line(path: str = "/") -> list[tuple[str, list[str]]]:
        rows = parsed(client.get(path)).select("li")
        return [
            (words(row.select_one("p")), [words(each) for each in row.select(".acts .button")])
            for row in rows
        ]

    return line


# What it says


def test_before_the_first_sync_the_line_offers_it(profile_id, line, client):
    assert line() == [("Not synced yet", ["Sync"])]
    assert "main" in parsed(client.get("/")).select_one(".acts .button")["class"]


def test_when_all_is_well_the_line_says_when_it_was_synced_and_what_is_not_downloaded(shelf, line):
    assert line() == [("Synced just now 70 not downloaded", ["Sync", "Download everything70"])]


def test_when_everything_is_downloaded_the_line_says_so(shelf, profile_id, line):
    shelf.downloads.wait_for_run(shelf.downloads.request_pending(profile_id).id)
    assert line() == [("Synced just now everything downloaded", ["Sync"])]


def test_a_sync_under_way_shows_what_it_reads_and_how_many_are_new(work, profile_id, flow, line, client):
    with flow.holding("history", at=3) as gate:
        run = work.syncs.start(profile_id)
        assert gate.reached.wait(WAIT_SECONDS)
        assert line() == [("Reading uploads, page 3 36 new", ["Pause"])]
        status = parsed(client.get("/panels/status"))
        assert "data-active" in status.attrs
        assert "every 1s" in status["hx-trigger"]
        assert status["data-count"] == "36"
    work.syncs.wait(run.id)


def test_a_paused_sync_offers_resume_first_as_the_main_button(work, profile_id, flow, line, client):
    with flow.holding("history", at=3) as gate:
        work.syncs.start(profile_id)
        assert gate.reached.wait(WAIT_SECONDS)
        work.syncs.pause(profile_id)
        ((sentence, buttons),) = line()
        assert sentence == "Paused just now 36 new 36 not downloaded"
        assert buttons == ["Resume", "Sync", "Download everything36"]
        mains = parsed(client.get("/")).select(".acts .main")
        assert [words(each) for each in mains] == ["Resume"]


def test_a_failed_sync_says_the_start_of_the_reason_and_the_sheet_all_of_it(shelf, profile_id, line, client):
    last = runs.find_last_run(profile_id, RunKind.SYNC)
    Run.update(state=RunState.FAILED, error=LONG_REASON.strip()).where(Run.id == last.id).execute()
    ((sentence, buttons),) = line()
    assert sentence.startswith("The sync failed. The disk is full.")
    assert len(sentence) < 160 < len(LONG_REASON)
    assert buttons[0] == "Sync"
    assert LONG_REASON.strip() in client.get("/status").text


def test_paused_downloads_say_why_and_how_far_they_came(shelf, profile_id, flow, line, wait_until):
    with flow.holding("media", at=8) as gate:
        run = shelf.downloads.request_pending(profile_id)
        assert gate.reached.wait(WAIT_SECONDS)
        wait_until(lambda: line()[0][0].startswith("7 of 70 downloaded "))
        ((_, buttons),) = line()
        assert buttons == ["Pause downloads", "Cancel downloads"]
        shelf.downloads.pause(profile_id)
        assert line() == [("Downloads paused 7 of 70 downloaded", ["Resume downloads", "Cancel downloads"])]
        Run.update(error=LONG_REASON).where(Run.id == run.id).execute()
        ((sentence, _),) = line()
        assert sentence.startswith("Downloads paused. The disk is full.")


def test_failed_downloads_are_counted_in_the_line(shelf, profile_id, world, line):
    world.delete(world.names()[0])
    shelf.downloads.wait_for_run(shelf.downloads.request_pending(profile_id).id)
    assert line() == [("Synced just now 1 failed", ["Sync"])]


def test_a_question_of_a_full_sync_leads_to_the_sheet(shelf, profile_id, world, line, client):
    for name in world.names()[:20]:
        world.delete(name)
    shelf.syncs.wait(shelf.syncs.start(profile_id, mode=SyncMode.FULL).id)
    ((sentence, buttons),) = line()
    assert sentence.startswith("20 images were not found in Flow any more")
    assert buttons[0].startswith("Answer the question")
    answer = parsed(client.get("/")).select_one(".acts a")
    assert answer["data-dialog"] == "sheet"
    assert "Mark them" in client.get(answer["href"]).text
    (walk,) = walks.list_walks_with_question(profile_id)
    client.post(f"/walks/{walk.id}/answer", data={"mark": "no"})
    assert line()[0][0].startswith("Synced just now")


def test_a_pause_that_flow_asked_for_is_in_the_line(work, profile_id, flow, line, wait_until):
    flow.fail_next(429, "history", count=50, retry_after=60)
    work.syncs.start(profile_id)
    wait_until(lambda: work.connections.cooldown(profile_id))
    assert "Flow asked for fewer requests, continues in" in line()[0][0]
    work.syncs.pause(profile_id)


def test_an_unchecked_profile_offers_another_check(work, profile_id, line):
    profiles.note_unchecked(profile_id, "Flow was out of reach.")
    assert line() == [("Not checked yet", ["Check again"])]


# Several profiles


def test_profiles_where_all_is_well_share_one_line(shelf, studio, line):
    assert line() == [("Studio: not synced yet 70 not downloaded", ["Sync", "Download everything70"])]
    shelf.syncs.wait(shelf.syncs.start(studio).id)
    assert line() == [("Synced just now 90 not downloaded", ["Sync", "Download everything90"])]


def test_a_profile_has_a_line_of_its_own_where_something_is_wrong(shelf, studio, grace, line):
    grace.sign_out()
    grace.expire_tokens()
    shelf.syncs.wait(shelf.syncs.start(studio).id)
    assert line() == [
        ("Studio Waiting for new cookies", ["Paste cookies of Studio", "Retry of Studio"]),
        ("Ada Synced just now 70 not downloaded", ["Sync of Ada", "Download everything70 of Ada"]),
    ]
    assert len(line(f"/?profile={studio}")) == 1


# What its buttons do


def test_sync_of_all_images_syncs_every_profile(profile_id, studio, client, work):
    status = parsed(client.post("/sync", headers=HTMX))
    assert len(status.select("li.active")) == 2
    ended = [work.syncs.wait(runs.find_last_run(each, RunKind.SYNC).id) for each in (profile_id, studio)]
    assert [(run.state, run.synced_count) for run in ended] == [(RunState.DONE, 70), (RunState.DONE, 20)]


def test_a_profile_that_cannot_be_synced_does_not_stop_the_others(
    shelf, profile_id, studio, client, flow, wait_until
):
    with flow.holding("history") as gate:
        busy = shelf.syncs.start(profile_id, mode=SyncMode.FULL)
        assert gate.reached.wait(WAIT_SECONDS)
        status = parsed(client.post("/sync", headers=HTMX))
        assert len(status.select("li.active")) == 2
        assert runs.find_last_run(profile_id, RunKind.SYNC).id == busy.id
        assert client.post(f"/profiles/{profile_id}/sync", headers=HTMX).status_code == 409
    for each in (profile_id, studio):
        assert shelf.syncs.wait(runs.find_last_run(each, RunKind.SYNC).id).state == RunState.DONE


def test_everything_of_every_profile_is_downloaded_at_one_press(shelf, profile_id, studio, client):
    shelf.syncs.wait(shelf.syncs.start(studio).id)
    assert parsed(client.post("/downloads/pending", headers=HTMX)).select("li")
    for each in (profile_id, studio):
        shelf.downloads.wait_for_run(runs.find_last_run(each, RunKind.DOWNLOAD).id)
    totals = counts.count_profile(None)
    assert (totals.total, totals.downloaded) == (90, 90)


def test_pause_and_resume_are_shown_by_their_responses_while_a_request_to_flow_hangs(
    work, profile_id, flow, client
):
    with flow.holding("history", at=2) as gate, flow.holding("media", at=3) as media:
        work.syncs.start(profile_id)
        assert gate.reached.wait(WAIT_SECONDS)
        pause = client.post(f"/profiles/{profile_id}/sync/pause", headers=HTMX)
        assert "Paused just now" in words(parsed(pause))
        client.post(f"/profiles/{profile_id}/downloads/pending", headers=HTMX)
        assert media.reached.wait(WAIT_SECONDS)
        pause = client.post(f"/profiles/{profile_id}/downloads/pause", headers=HTMX)
        assert re.search(r"Downloads paused \d of 18 downloaded", words(parsed(pause)))
        resume = client.post(f"/profiles/{profile_id}/downloads/resume", headers=HTMX)
        assert "Pause downloads" in words(parsed(resume))
        resume = client.post(f"/profiles/{profile_id}/sync", data={"mode": "resume"}, headers=HTMX)
        assert "Reading uploads" in words(parsed(resume)) or "Signing in" in words(parsed(resume))


def test_a_button_gets_the_region_that_it_is_to_replace(shelf, profile_id, client):
    for target, selector in (("status", "#status"), ("sync-panel", "#sync-panel")):
        headers = HTMX | {"HX-Target": target}
        response = client.post(f"/profiles/{profile_id}/sync/pause", headers=headers)
        assert BeautifulSoup(response.text, "html.parser").select_one(selector)
    assert client.post("/sync", data={"here": "/status"}).headers["Location"] == "/status"


def test_the_page_behind_the_line_has_both_panels_in_the_part_for_the_sheet(shelf, client):
    page = BeautifulSoup(client.get("/status").text, "html.parser")
    part = page.select_one("main [data-dialog-part]")
    assert part.select_one("#sync-panel")
    assert part.select_one("#download-panel")
    assert part.select_one("h1").text == "Sync and downloads"
    assert {field["value"] for field in part.select("[name=here]")} == {"/status"}


def test_the_gallery_no_longer_weighs_as_much_as_both_panels(shelf, client):
    assert not BeautifulSoup(client.get("/").text, "html.parser").select("#sync-panel, #download-panel")
