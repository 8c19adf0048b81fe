"""An account that Google moves from labs.google to flow.google.com, and what a person then has to do."""

import json
import os
from datetime import UTC, datetime, timedelta

import pytest
from bs4 import BeautifulSoup

from webapp import store
from webapp.database.models import Image
from webapp.database.states import Health, RunKind, RunState
from webapp.demo import World
from webapp.demo.entries import Kind
from webapp.errors import AccountMoved, OtherAccount
from webapp.store import profiles, runs


@pytest.fixture
def world() -> World:
    return World(uploaded=8, generated=12, videos=2, tiny_pictures=True)


@pytest.fixture
def shelf(work, profile_id):
    """Everything of an account at the old Flow, synced and downloaded. Maps media keys to ids and files."""
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id).id)
        work.downloads.wait_for_run(work.downloads.request_pending(profile_id).id)
        yield {row.media_key: (row.id, row.name, row.file_path, row.sha256) for row in Image.select()}


@pytest.fixture
def paste(client, profile_id, work):
    """Paste cookies on the profile's page. Returns the page that follows."""

    def paste(cookies):
        address = f"/profiles/{profile_id}/cookies"
        response = client.post(address, data={"cookies": cookies}, follow_redirects=True)
        return BeautifulSoup(response.text, "html.parser")

    return paste


def stored():
    rows = Image.select().where(Image.local_path.is_null(False))
    return {row.media_key: (row.id, row.name, row.file_path, row.sha256) for row in rows}


def last_sync(work, profile_id):
    run = runs.find_last_run(profile_id, RunKind.SYNC)
    return work.syncs.wait(run.id)


def panel(client, profile_id):
    page = BeautifulSoup(client.get(f"/panels/sync?profile={profile_id}").text, "html.parser")
    return " ".join(page.text.split())


def test_an_account_that_moves_keeps_its_rows_and_files_and_syncs_at_the_new_flow(
    work, client, flow, world, profile_id, shelf, paste
):
    world.migrate()
    moved = work.syncs.wait(work.syncs.start(profile_id).id)
    assert (moved.state, moved.error_code) == (RunState.FAILED, "moved")
    assert "has moved this account to flow.google.com" in panel(client, profile_id)
    assert "type flow.google.com in the address bar" in panel(client, profile_id)
    written = {path: os.stat(path).st_mtime_ns for _, _, path, _ in shelf.values()}
    flow.reset()

    page = paste(world.google.cookie_header())
    assert "flow.google.com" in page.select_one("#account + p ~ dl").text
    run = last_sync(work, profile_id)
    assert (run.state, run.histories, run.synced_count) == (RunState.DONE, "PROJECTS", 0)
    assert run.skipped_count == len(shelf) == 20
    assert stored() == shelf
    assert {path: os.stat(path).st_mtime_ns for path in written} == written

    added = world.add_generated(3)
    work.syncs.wait(work.syncs.start(profile_id).id)
    done = work.downloads.wait_for_run(work.downloads.request_pending(profile_id).id)
    assert (done.done_count, done.failed_count) == (3, 0)
    assert stored().items() >= shelf.items()
    assert stored().keys() - shelf.keys() == {world.entry(name).media_key for name in added}
    assert (flow.count("media"), flow.count("address"), flow.count("history")) == (0, 3, 0)


def test_a_check_finds_that_an_account_moved_although_it_still_signs_in_to_the_old_flow(
    client, world, profile_id
):
    world.migrate()
    page = client.post(f"/profiles/{profile_id}/check", follow_redirects=True).text
    assert "type flow.google.com in the address bar" in page
    with store.connection():
        profile = profiles.get_profile(profile_id)
    assert profile.health == Health.MOVED
    assert "the request named flow.google.com" in profile.health_reason


def test_an_account_that_opens_again_at_the_old_flow_is_well(work, world, profile_id):
    world.migrate()
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id).id)
        world.moved = False
        work.check(profile_id)
        assert profiles.get_profile(profile_id).health == Health.WELL


def test_old_cookies_of_a_moved_account_add_no_profile_and_are_told_where_to_go(work, client, world):
    world.migrate()
    response = client.post("/profiles", data={"name": "Ada", "cookies": world.cookie_header()})
    said = BeautifulSoup(response.text, "html.parser").select_one("#form-problem").text
    assert response.status_code == 422
    assert "has moved this account to flow.google.com" in said
    assert "the request named flow.google.com and choose “Copy as cURL”" in said
    assert "labs.google" not in said
    with store.connection():
        assert profiles.list_profiles() == []


def test_old_cookies_of_a_moved_account_replace_no_cookies(work, world, profile_id):
    world.migrate()
    with store.connection():
        before = profiles.get_cookies(profile_id)
        with pytest.raises(AccountMoved, match=r"type flow\.google\.com in the address bar"):
            work.replace_cookies(profile_id, "; ".join(f"{k}={v}" for k, v in world.sign_in().items()))
        assert profiles.get_cookies(profile_id) == before


def test_cookies_are_stored_unchecked_while_the_history_is_unavailable(work, flow, world):
    flow.fail_next(502, "history")
    with store.connection():
        profile = work.accounts.add("Ada", world.cookie_header())
        assert (profile.health, profile.account_email) == (Health.UNCHECKED, None)
        assert profiles.get_cookies(profile.id) == world.cookies()


@pytest.mark.parametrize("status", [400, 403])
def test_cookies_that_sign_in_are_stored_although_the_history_is_refused(work, flow, world, status):
    flow.fail_next(status, "history")
    with store.connection():
        profile = work.accounts.add("Ada", world.cookie_header())
    assert (profile.health, profile.account_email) == (Health.WELL, "ada@example.com")


def test_histories_of_the_old_flow_are_hidden_after_a_move(
    work, client, world, profile_id, shelf, paste, ask_profile
):
    world.migrate()
    work.syncs.wait(work.syncs.start(profile_id, max_pages=1).id)
    paste(world.google.cookie_header())
    last_sync(work, profile_id)
    said = panel(client, profile_id)
    assert "Projects: last synced just now." in said
    assert "Uploads" not in said
    assert "Generated" not in said
    assert ask_profile() == ("well", False)
    run = BeautifulSoup(client.get(f"/runs/{last_sync(work, profile_id).id}").text, "html.parser")
    (known,) = [each.text for each in run.select("ul.plain li")]
    assert known == "Projects: last synced just now. All projects have been read."


@pytest.fixture
def ask_profile(client):
    def ask():
        value = client.get("/api/profiles").json["data"][0]
        return value["health"], value["hasMore"]

    return ask


def test_downloads_paused_by_a_move_resume_at_the_new_flow(work, world, profile_id, flow, paste):
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id).id)
        world.migrate()
        flow.respond_next("media", "", status=308, headers={"Location": "https://flow.google.com/"}, count=9)
        halted = work.downloads.wait_for_run(work.downloads.request_pending(profile_id).id)
        assert (halted.state, halted.error_code) == (RunState.PAUSED, "moved")
        assert profiles.get_profile(profile_id).health == Health.MOVED
        paste(world.google.cookie_header())
        done = work.downloads.wait_for_run(halted.id)
        assert (done.state, done.done_count, done.failed_count) == (RunState.DONE, 20, 0)
        last_sync(work, profile_id)


def test_a_run_that_waits_for_cookies_resumes_with_those_of_the_other_service(work, world, profile_id, paste):
    with store.connection():
        world.sign_out()
        waiting = work.syncs.wait(work.syncs.start(profile_id).id)
        assert waiting.state == RunState.WAITING
        world.migrate()
        paste(world.google.cookie_header())
        run = work.syncs.wait(waiting.id)
        assert (run.state, run.histories, run.synced_count) == (RunState.DONE, "PROJECTS", 20)


def test_cookies_of_another_account_at_the_new_flow_are_refused(work, world, flow, profile_id, shelf):
    other = World(generated=1, tiny_pictures=True, email="grace@example.com", seed=2)
    other.migrate()
    flow.add_world(other)
    world.migrate()
    with pytest.raises(OtherAccount, match=r"belongs to ada@example\.com\..* The old cookies were kept"):
        work.replace_cookies(profile_id, other.google.cookie_header())
    assert profiles.get_profile(profile_id).service == "labs.google"
    assert profiles.get_cookies(profile_id) == world.cookies()


def test_an_account_that_was_not_moved_is_told_so_and_can_go_back(
    work, client, world, profile_id, shelf, paste, ask_profile
):
    paste(world.google.cookie_header())
    assert last_sync(work, profile_id).note.startswith("flow.google.com lists no projects for this account.")
    assert "Google has not moved it yet: paste the cookies of labs.google" in panel(client, profile_id)
    world.add_uploaded(2)
    page = paste(world.cookie_header())
    assert "labs.google" in page.select_one("#account + p ~ dl").text
    run = last_sync(work, profile_id)
    assert (run.state, run.synced_count) == (RunState.DONE, 2)
    said = panel(client, profile_id)
    assert "Uploads: complete" in said
    assert "Projects" not in said
    assert stored() == shelf


@pytest.mark.parametrize("days", [1, 40])
def test_the_expiry_of_google_cookies_is_shown_and_warned_of(work, client, world, profile_id, days):
    """It is the earliest expiry of the lasting cookies: the rotating ones are renewed all the time."""
    world.migrate()
    end = datetime.now(UTC) + timedelta(days=days, hours=5)
    ends = {"SID": end, "__Secure-1PSIDTS": datetime.now(UTC) + timedelta(minutes=10)}
    cookies = [
        {"name": name, "value": value, "domain": ".google.com"}
        | {"expirationDate": ends.get(name, end + timedelta(days=300)).timestamp()}
        for name, value in world.google.cookies().items()
    ]
    with store.connection():
        work.replace_cookies(profile_id, json.dumps(cookies))
        last_sync(work, profile_id)
        assert profiles.get_profile(profile_id).cookies_expire_at[:16] == f"{end:%Y-%m-%dT%H:%M}"
    page = client.get(f"/profiles/{profile_id}").text
    assert (f"{days} days left" if days > 2 else "28 h left") in page.replace("29 h", "28 h")
    assert ("The cookies expire in" in panel(client, profile_id)) == (days < 3)
    world.google.rotate()
    client.post(f"/api/profiles/{profile_id}/check")
    with store.connection():
        assert profiles.get_cookies(profile_id) == world.google.cookies()
        assert profiles.get_profile(profile_id).cookies_expire_at[:16] == f"{end:%Y-%m-%dT%H:%M}"


def test_a_session_that_google_ended_asks_for_cookies_of_the_new_flow(work, client, world, profile_id, paste):
    world.migrate()
    with store.connection():
        paste(world.google.cookie_header())
        last_sync(work, profile_id)
        world.google.sign_out()
        waiting = work.syncs.wait(work.syncs.start(profile_id).id)
        assert waiting.state == RunState.WAITING
        assert "Sign in at https://flow.google.com and paste the cookies again" in panel(client, profile_id)
        world.google.sign_in()
        paste(world.google.cookie_header())
        assert work.syncs.wait(waiting.id).state == RunState.DONE


def test_the_page_shows_how_to_copy_the_cookies_of_todays_flow_first(work, client, world, profile_id):
    def shown_open():
        page = BeautifulSoup(client.get(f"/profiles/{profile_id}").text, "html.parser")
        (steps,) = page.select("#cookies .steps")
        assert steps.text.index("type flow.google.com in the address bar") < steps.text.index(old)
        return [each.summary.text for each in page.select("#cookies details[open]")]

    old = "If your images are still at labs.google/fx"
    assert shown_open() == [old]
    world.migrate()
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id).id)
    assert shown_open() == ["How to copy the cookies"]


def test_images_stored_at_the_new_flow_are_known_at_the_old_one(work, world, profile_id, shelf, paste):
    world.migrate()
    paste(world.google.cookie_header())
    last_sync(work, profile_id)
    world.add_generated(2)
    assert work.syncs.wait(work.syncs.start(profile_id).id).synced_count == 2
    world.moved = False
    paste(world.cookie_header())
    assert last_sync(work, profile_id).synced_count == 0
    keys = [row.media_key for row in Image.select()]
    true = world.names("ASSET_MANAGER", Kind.UPLOADED) + world.names("PINHOLE", Kind.GENERATED)
    assert sorted(keys) == sorted(world.entry(name).media_key for name in true)
