"""Activity: runs, failures by reason, toasts, and sentences about histories."""

import json
import re

import pytest
from bs4 import BeautifulSoup

from webapp import store
from webapp.database.models import Gap, History, Message, Run
from webapp.database.states import RunKind, RunState, SyncMode
from webapp.demo import World
from webapp.store import runs
from webapp.store.gallery import images
from webapp.store.runs import downloads, failures, messages
from webapp.web.views.labels import history_sentence


@pytest.fixture
def failed(shelf, profile_id, world):
    """A download run in which three of five images failed."""
    names = world.names()[:5]
    for name in names[:3]:
        world.delete(name)
    ids = images.find_ids(profile_id, names)
    run = shelf.downloads.wait_for_run(shelf.downloads.request(profile_id, list(ids.values())).id)
    assert (run.done_count, run.failed_count) == (2, 3)
    return run


def sentences():
    """Newest first."""
    return [message.sentence for message in messages.list_messages_since(0, 50)][::-1]


# Messages


def test_a_finished_sync_leaves_a_message_with_its_count(shelf):
    assert sentences() == ["“Ada” is synced: 40 new images."]


def test_the_message_of_a_sync_without_new_images_says_so(shelf, profile_id):
    shelf.syncs.wait(shelf.syncs.start(profile_id, histories=("ASSET_MANAGER",)).id)
    assert sentences()[0] == "“Ada” is synced: nothing new."


def test_the_message_of_a_failed_sync_has_its_error(shelf, profile_id, flow):
    flow.respond_next("history", {"unexpected": True})
    run = shelf.syncs.wait(shelf.syncs.start(profile_id, mode=SyncMode.FULL).id)
    assert run.state == RunState.FAILED
    assert sentences()[0] == f"The sync of “Ada” stopped. {run.error}"


def test_the_message_of_a_download_counts_failures(failed):
    assert sentences()[0] == "2 images of “Ada” downloaded, 3 failed."


def test_a_requested_pause_leaves_no_message(shelf, profile_id, flow, wait_until):
    with flow.holding("history") as gate:
        run = shelf.syncs.start(profile_id)
        gate.reached.wait(5)
        shelf.syncs.pause(profile_id)
    wait_until(lambda: runs.get_run(run.id).state == RunState.PAUSED)
    assert len(sentences()) == 1


def test_a_run_that_waits_for_cookies_leaves_one_message(shelf, profile_id, world, wait_until):
    world.sign_out()
    run = shelf.syncs.wait(shelf.syncs.start(profile_id).id)
    assert run.state == RunState.WAITING
    assert sentences()[0].startswith("The sync of “Ada” waits for new cookies.")
    assert len(sentences()) == 2


def test_only_the_newest_five_hundred_messages_are_kept(shelf, profile_id):
    run = runs.find_last_run(profile_id, RunKind.SYNC)
    with store.transaction():
        for _ in range(messages.MAX_STORED + 20):
            messages.add_message(run)
    assert Message.select().count() == messages.MAX_STORED
    assert messages.list_messages_since(0, 1)[0].id == messages.newest_message_id()


def test_a_browser_gets_each_message_once(failed, client):
    response = client.get("/messages/new?since=0")
    assert response.text.count('class="toast') == 2
    newest = json.loads(response.headers["HX-Trigger"])["messages-shown"]["newest"]
    assert 'class="toast' not in client.get(f"/messages/new?since={newest}").text


def test_a_new_browser_gets_no_old_messages(failed, client):
    response = client.get("/messages/new")
    assert 'class="toast' not in response.text
    assert (
        json.loads(response.headers["HX-Trigger"])["messages-shown"]["newest"] == messages.newest_message_id()
    )


def test_a_page_that_has_the_newest_message_is_not_sent_its_id(failed, client):
    """A slow response would set the id back that another page of the browser has moved on."""
    response = client.get(f"/messages/new?since={messages.newest_message_id()}&runs=others")
    assert json.loads(response.headers["HX-Trigger"]) == {"runs-changed": {}}


def test_polling_returns_204_until_a_run_begins_or_ends(shelf, profile_id, flow, client):
    response = client.get("/messages/new")
    poll_url = BeautifulSoup(response.text, "html.parser").find(id="messenger")["hx-get"]
    assert "runs-changed" not in json.loads(response.headers["HX-Trigger"])
    assert client.get(poll_url).status_code == 204
    with flow.holding("history") as gate:
        run = shelf.syncs.start(profile_id)
        gate.reached.wait(5)
        assert "runs-changed" in json.loads(client.get(poll_url).headers["HX-Trigger"])
    shelf.syncs.wait(run.id)
    assert "runs-changed" in json.loads(client.get(poll_url).headers["HX-Trigger"])


@pytest.mark.parametrize("since", ["-5", "99999999999999999999999", "many", ""])
def test_an_invalid_message_id_is_ignored(failed, client, since):
    assert client.get(f"/messages/new?since={since}").status_code == 200
    assert client.get(f"/messages?before={since}").location == "/activity"


def test_a_page_polls_more_often_while_a_run_is_active(shelf, profile_id, flow, client):
    assert "every 20s" in client.get("/messages/new").text
    with flow.holding("history") as gate:
        shelf.syncs.start(profile_id)
        gate.reached.wait(5)
        assert "every 3s" in client.get("/messages/new").text


def test_the_page_of_messages_leads_to_activity_with_its_profile(shelf, profile_id, client):
    response = client.get(f"/messages?profile={profile_id}&before=7")
    assert (response.status_code, response.location) == (301, f"/activity?profile={profile_id}")


# Runs


def test_runs_are_listed_newest_first_with_their_counts(failed, client):
    page = client.get("/activity").text
    assert page.index("2 done, 3 failed") < page.index("40 new, 0 already listed")


def test_pages_of_runs_show_every_run_exactly_once(shelf, profile_id, client):
    first = runs.find_last_run(profile_id, RunKind.SYNC)
    for number in range(25):
        Run.create(
            id=f"old{number:02}",
            profile=profile_id,
            kind="sync",
            state="done",
            mode="new",
            histories="PINHOLE",
            started_at=f"2026-01-01T00:00:{number:02}.000000Z",
            finished_at="2026-01-01T01:00:00.000000Z",
        )
    pages = [client.get("/activity").text]
    while older := re.search(r'href="(/activity\?before=\w+)"', pages[-1]):
        pages.append(client.get(older[1]).text)
    found = [run for page in pages for run in re.findall(r'<h3>.*?href="/runs/(\w+)"', page)]
    assert found == [first.id, *(f"old{number:02}" for number in reversed(range(25)))]


def listed(client, **parameters):
    """The titles of the runs on the page Activity, and on the part of it that refreshes itself."""
    pages = [client.get(path, query_string=parameters).text for path in ("/activity", "/activity/runs")]
    shown = [re.findall(r'href="/runs/\w+">([^<]+)<span', page) for page in pages]
    assert shown[0] == shown[1]
    return shown[0]


def test_runs_are_filtered_by_kind_result_and_profile(failed, shelf, profile_id, world, flow, client):
    grace = World(seed=2, uploaded=3, email="grace@example.com", tiny_pictures=True)
    flow.add_world(grace)
    other = shelf.accounts.add("Grace", grace.cookie_header()).id
    flow.respond_next("history", {"unexpected": True})
    shelf.syncs.wait(shelf.syncs.start(other).id)
    world.sign_out()
    shelf.syncs.wait(shelf.syncs.start(profile_id).id)
    assert listed(client) == ["Sync", "Sync", "Download", "Sync"]
    assert listed(client, kind="sync") == ["Sync", "Sync", "Sync"]
    assert listed(client, kind="download") == ["Download"]
    assert listed(client, outcome="failed") == ["Sync", "Download"]
    assert listed(client, outcome="waiting") == ["Sync"]
    assert listed(client, outcome="failed", kind="sync") == ["Sync"]
    assert listed(client, outcome="failed", profile=profile_id) == ["Download"]
    assert listed(client, outcome="waiting", kind="download") == []
    assert "None of these" in client.get("/activity?outcome=waiting&kind=download").text
    assert listed(client, outcome="imaginary", kind="0") == listed(client)
    tabs = BeautifulSoup(client.get("/activity?kind=sync&outcome=failed").text, "html.parser")
    assert f"/activity?profile={other}&kind=sync&outcome=failed" in [
        link["href"] for link in tabs.select("[aria-label=Profiles] a")
    ]


def test_a_sync_that_an_error_paused_counts_as_failed(shelf, profile_id, client):
    state = {"state": RunState.PAUSED, "error": "The database is damaged."}
    Run.update(state).where(Run.profile == profile_id).execute()
    assert listed(client, outcome="failed") == ["Sync"]
    Run.update(error=None).where(Run.profile == profile_id).execute()
    assert listed(client, outcome="failed") == []


def test_pages_of_filtered_runs_keep_the_filter(failed, profile_id, client):
    for number in range(25):
        Run.create(
            id=f"old{number:02}",
            profile=profile_id,
            kind=("sync", "download")[number % 5 == 0],
            state="failed",
            mode="new",
            histories="PINHOLE",
            started_at=f"2026-01-01T00:00:{number:02}.000000Z",
            finished_at="2026-01-01T01:00:00.000000Z",
        )
    url, found = f"/activity?profile={profile_id}&kind=sync&outcome=failed", []
    while url:
        page = BeautifulSoup(client.get(url).text, "html.parser")
        found += [link["href"] for link in page.select("#runs h3 a")]
        older = page.select_one("#runs .pager a[rel=next]")
        url = older and older["href"]
    assert found == [f"/runs/old{number:02}" for number in reversed(range(25)) if number % 5]


def test_the_page_of_a_failed_run_shows_its_error_and_the_response_of_flow(shelf, profile_id, flow, client):
    flow.respond_next("history", {"unexpected": True})
    run = shelf.syncs.wait(shelf.syncs.start(profile_id).id)
    assert run.state == RunState.FAILED
    page = client.get(f"/runs/{run.id}").text
    assert all(words in page for words in ("Response of Flow", run.id, run.error_code, run.error))


def test_an_unknown_run_is_a_404_with_a_sentence(client):
    response = client.get("/runs/nothing")
    assert response.status_code == 404
    assert "There is no such run." in response.text


# Failures


def test_failures_are_grouped_by_reason_and_a_group_can_be_retried(failed, shelf, profile_id, world, client):
    (group,) = failures.list_groups(profile_id)
    assert group.count == 3
    response = client.post(
        f"/profiles/{profile_id}/failures/retry",
        data={"reason": group.reason, "run": failed.id, "here": "/activity"},
    )
    assert (response.status_code, response.location) == (303, "/activity")
    run = shelf.downloads.wait_for_run(runs.find_last_run(profile_id, RunKind.DOWNLOAD).id)
    assert run.id != failed.id
    assert run.download_count == 3
    assert "have been tried again" in client.get(f"/runs/{failed.id}").text


def test_retrying_another_reason_starts_no_run(failed, profile_id, client):
    client.post(f"/profiles/{profile_id}/failures/retry", data={"reason": "Something else."})
    assert runs.find_last_run(profile_id, RunKind.DOWNLOAD).id == failed.id


def test_the_activity_page_can_retry_all_failures_or_one(failed, client, profile_id):
    page = client.get("/activity").text
    assert "Retry these 3" in page
    assert page.count('action="/images/') == 3


# Sentences about histories


def gap(after=None):
    return Gap(history="ASSET_MANAGER", cursor="x", after_created_at=after)


HISTORY = History(name="ASSET_MANAGER", responded_at="2026-11-03T10:00:00.000000Z")


def test_an_incomplete_history_says_when_and_where_it_stopped_and_what_is_missing():
    run = Run(
        state="paused",
        history_page_count=12,
        started_at=HISTORY.responded_at,
        finished_at="2025-11-03T10:00:00.000000Z",
    )
    places = [gap("2025-10-01T00:00:00.000000Z"), gap()]
    assert history_sentence(HISTORY, places, run) == (
        "Uploads: incomplete (2 gaps), stopped on 3 November 2025 at page 12. "
        "Images older than 1 October 2025 are still missing."
    )


def test_a_history_without_gaps_is_complete():
    history = History(
        name="PINHOLE", responded_at="2025-11-03T10:00:00.000000Z", synced_at="2025-11-03T10:00:00.000000Z"
    )
    sentence = history_sentence(history, [gap()], None)
    assert sentence == "Generated images: complete, last synced on 3 November 2025."


def test_without_a_profile_the_activity_page_says_what_to_do_next(client):
    assert "Add a profile" in client.get("/activity").text


def test_the_last_refresh_of_a_panel_shows_the_final_counts(
    client, shelf, profile_id, monkeypatch, flow, wait_until
):
    """The last download may finish between the queries of a panel."""
    count_left = downloads.count_left
    with flow.holding("media", at=3) as gate:
        run = shelf.downloads.request_pending(profile_id, limit=3)
        assert gate.reached.wait(5)
        shelf.downloads.cancel(profile_id)

        def count_after_the_last_download(run_id):
            gate.release()
            wait_until(lambda: count_left(run_id) == 0)
            return 0

        monkeypatch.setattr(downloads, "count_left", count_after_the_last_download)
        panel = client.get("/panels/download").text
    assert runs.get_run(run.id).done_count == 3
    assert "Cancelled just now: 3 images" in panel
