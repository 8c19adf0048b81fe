"""Profiles whose calls a paired browser makes: sync, downloads, waiting, and going on."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from bs4 import BeautifulSoup
from extension import Browser, Channel, Refused

from webapp.database.models import Download, Image
from webapp.database.states import DownloadState, Health, RunKind, RunState, Way
from webapp.demo import World
from webapp.errors import AccountExists, BadRequest, WaitingForBrowser
from webapp.store import pairings, profiles, runs
from webapp.store.history import walks
from webapp.store.profile_names import owner_name
from webapp.web.services import background_of


def synced(work, profile_id, **choice):
    return work.syncs.wait(work.syncs.start(profile_id, **choice).id)


def state_of(run):
    return runs.find_state(run.id)


class WorkerDied(Exception):
    """Chromium has ended the extension's worker."""


@pytest.fixture
def dies_once():
    """A `before_call` that ends the worker at its first call."""
    calls = []

    def before_call(call):
        calls.append(call["id"])
        if len(calls) == 1:
            raise WorkerDied

    before_call.calls = calls
    return before_call


@pytest.fixture
def hasty(work):
    """A relay clock that a test advances: its limits are minutes."""
    real, relay = work.companion.relay._clock, work.companion.relay
    ahead = [0.0]
    relay._clock = lambda: real() + ahead[0]

    def pass_time(seconds):
        ahead[0] += seconds

    return pass_time


def test_a_profile_syncs_and_downloads_through_its_browser(work, ada, world, flow):
    assert synced(work, ada).state == RunState.DONE
    assert Image.select().count() == 29
    run = work.downloads.wait_for_run(work.downloads.request_pending(ada).id)
    assert (run.state, run.done_count, run.failed_count) == (RunState.DONE, 29, 0)
    profile = profiles.get_profile(ada)
    assert (profile.way, profile.health) == (Way.COMPANION, Health.WELL)
    assert (profile.name, owner_name(profile)) == ("", "ada@example.com")
    assert profiles.get_cookies(ada) == {}
    assert all("cookie" not in request.headers for request in flow.asked("picture"))
    assert {request.headers["sec-fetch-mode"] for request in flow.asked("project")} == {"cors"}


def test_a_sync_that_waits_for_the_browser_ends_at_once_when_it_is_paused(work, ada, browser, flow):
    with flow.holding("project") as gate:
        run = work.syncs.start(ada)
        assert gate.reached.wait(5)
        work.syncs.pause(ada)
        for thread, _ in list(work.syncs._threads.values()):
            thread.join(2)
        assert not work.syncs.has_thread(run.id)
        gate.release()
    assert state_of(run) == RunState.PAUSED
    assert synced(work, ada, mode="resume").state == RunState.DONE
    assert Image.select().count() == 29


def test_what_a_worker_that_died_had_taken_is_handed_out_again(
    work, ada, browser, hasty, dies_once, wait_until
):
    browser.before_call = dies_once
    run = work.syncs.start(ada)
    wait_until(lambda: dies_once.calls)
    hasty(61)
    wait_until(lambda: state_of(run) == RunState.DONE)
    assert dies_once.calls[0] in dies_once.calls[1:], "the id stays"
    assert Image.select().count() == 29


def test_what_was_handed_out_and_not_taken_is_handed_out_again(
    work, ada, browser, channel, hasty, wait_until
):
    browser.close()
    channel.poll()
    run = work.syncs.start(ada)
    lost = channel.poll()["calls"]
    assert len(lost) == 1
    assert channel.poll()["calls"] == []
    hasty(11)
    assert channel.poll()["calls"] == lost
    browser.open()
    hasty(11)
    wait_until(lambda: state_of(run) == RunState.DONE)


def test_a_call_that_is_answered_twice_counts_once(work, ada, browser, channel, wait_until):
    browser.close()
    channel.poll()
    run = work.syncs.start(ada)
    (call,) = channel.poll()["calls"]
    assert channel.send("taken", id=call["id"]) == {"isYours": True}
    result = browser.result_of(call) | {"id": call["id"], "part": 0, "isLast": True}
    assert channel.send("result", **result) == {"isYours": True}
    assert channel.send("result", **result) == {"isYours": False}
    assert channel.send("taken", id=call["id"]) == {"isYours": False}
    browser.open()
    wait_until(lambda: state_of(run) == RunState.DONE)


def test_a_browser_that_is_closed_in_the_middle_lets_everything_wait_and_go_on(
    work, ada, browser, world, flow, hasty, wait_until, client
):
    synced(work, ada)
    world.add_generated(4)
    with flow.holding("address", at=3) as gate:
        download = work.downloads.request_pending(ada)
        assert gate.reached.wait(5)
        threading.Thread(target=browser.close, daemon=True).start()
        wait_until(browser._stop.is_set)
        gate.release()
    browser.close()
    sync = work.syncs.start(ada)
    hasty(80)
    wait_until(lambda: {state_of(sync), state_of(download)} == {RunState.WAITING})
    profile = profiles.get_profile(ada)
    assert profile.health == Health.WAITING_FOR_BROWSER
    assert "Waiting for the browser (Chrome on Linux)" in profile.health_reason
    assert not Download.select().where(Download.state == DownloadState.FAILED).exists()
    page = BeautifulSoup(client.get("/status").text, "html.parser")
    assert "Waiting for the browser (Chrome on Linux)" in page.select_one("#sync-panel .banner").text
    assert "Waiting for the browser" in client.get(f"/profiles/{ada}").text
    browser.open()
    wait_until(lambda: {state_of(sync), state_of(download)} == {RunState.DONE})
    assert profiles.get_profile(ada).health == Health.WELL
    assert Image.select().count() == 33


def test_a_call_of_the_api_ends_at_once_when_the_browser_is_away(ada, browser, hasty, client):
    browser.close()
    hasty(80)
    answer = client.post("/api/image-veo3/sync-metadata", json={"profileId": ada, "history": "PROJECTS"})
    assert (answer.status_code, answer.json["code"]) == (409, "waiting_for_browser")


def test_after_a_restart_of_flowshelf_the_browser_carries_on(
    running, work, ada, browser, flow, serving, wait_until
):
    with flow.holding("project", at=2) as gate:
        run = work.syncs.start(ada)
        assert gate.reached.wait(5)
        with ThreadPoolExecutor(1) as pool:  # opening the database anew would close this thread's connection
            again = pool.submit(running).result()
        gate.release()
    with serving(again) as url:
        browser.channel.url = url
        wait_until(lambda: state_of(run) == RunState.DONE)
    assert Image.select().count() == 29
    assert background_of(again).companion.relay.is_present(browser.channel.pairing_id)


def test_a_browser_that_asks_while_flowshelf_stops_resumes_nothing(work, ada, browser, wait_until):
    browser.close()
    run = work.syncs.start(ada)
    work.companion.relay.drop(browser.channel.pairing_id)
    wait_until(lambda: state_of(run) == RunState.WAITING)
    work.stopping.set()
    with pytest.raises(Refused, match="busy"):
        browser.channel.poll()
    assert state_of(run) == RunState.WAITING


def test_a_sign_out_in_the_browser_waits_for_the_sign_in(work, ada, browser, wait_until):
    browser.sign_out()
    run = work.syncs.start(ada)
    wait_until(lambda: state_of(run) == RunState.WAITING)
    profile = profiles.get_profile(ada)
    assert profile.health == Health.WAITING_FOR_BROWSER
    assert profile.health_reason.startswith("Sign in to ada@example.com at https://flow.google.com in this")
    seen = browser.polls
    wait_until(lambda: browser.polls > seen + 1)
    assert state_of(run) == RunState.WAITING, "a poll alone does not say that somebody signed in"
    browser.sign_in("ada@example.com")
    browser.named = [{"index": 0, "email": "ada@example.com"}]
    wait_until(lambda: state_of(run) == RunState.DONE)


def test_a_run_that_begins_to_wait_while_the_browser_asks_is_not_forgotten(work, ada, browser, wait_until):
    """Its thread sets the health first: a poll that comes then finds no run that waits."""
    browser.close()
    run = work.syncs.start(ada)
    work.companion.relay.drop(browser.channel.pairing_id)
    wait_until(lambda: state_of(run) == RunState.WAITING)
    profiles.note_health(ada, Health.WELL)
    browser.open()
    wait_until(lambda: state_of(run) == RunState.DONE)


def test_a_person_who_presses_sync_after_signing_in_need_not_wait(work, ada, browser, wait_until):
    browser.sign_out()
    run = work.syncs.start(ada)
    wait_until(lambda: state_of(run) == RunState.WAITING)
    browser.sign_in("ada@example.com")
    assert synced(work, ada).state == RunState.DONE


def test_a_paused_companion_is_given_no_call_and_everything_waits(work, ada, browser, wait_until):
    browser.is_paused = True
    wait_until(lambda: not work.companion.relay.is_present(browser.channel.pairing_id))
    run = work.syncs.start(ada)
    wait_until(lambda: state_of(run) == RunState.WAITING)
    assert "paused" in profiles.get_profile(ada).health_reason
    browser.is_paused = False
    wait_until(lambda: state_of(run) == RunState.DONE)


def test_the_poll_says_what_flowshelf_does(work, ada, browser, flow, wait_until):
    profiles.rename_profile(ada, "Ada")
    with flow.holding("project", at=2) as gate:
        run = work.syncs.start(ada)
        assert gate.reached.wait(5)
        assert browser.channel.poll()["status"].startswith("Syncing: ")
        gate.release()
    wait_until(lambda: state_of(run) == RunState.DONE)
    wait_until(lambda: browser.channel.poll()["status"] is None)
    assert browser.channel.poll()["profile"] == "Ada"


def test_a_response_in_many_parts_is_whole_even_where_a_character_was_cut(work, ada, browser, flow, world):
    """JavaScript cuts text between the halves of a character beyond U+FFFF."""
    world.change(world.names("PINHOLE")[0], prompt="\U0001f426" * 400)
    whole = browser.result_of

    def in_small_parts(call):
        found = whole(call)
        if call["operation"] == "call" and "\U0001f426" in found["body"]:
            seen.append(call["rpc"])
        return found

    seen, browser.result_of, browser.part_units = [], in_small_parts, 311
    assert synced(work, ada).state == RunState.DONE
    assert "Zzl0ze" in seen
    assert Image.select().where(Image.prompt.contains("\U0001f426" * 400)).count() == 1


def test_an_unwatched_browser_is_asked_back_within_a_minute_and_a_watched_one_at_once(channel, hasty):
    assert channel.poll(isWatched=False)["again"] == 30
    assert channel.poll(isWatched=True)["again"] == 0


def test_a_command_without_a_dashboard_says_that_it_needs_one(config, ada, browser, work):
    browser.close()
    work.stop()
    environment = os.environ | {"FLOWSHELF_DATA_DIR": str(config.data_dir)}
    command = [sys.executable, "-m", "webapp", "sync", ada]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert "Start the dashboard" in ended.stdout + ended.stderr


# Accounts


@pytest.fixture
def eve(flow):
    world = World(2, generated=3, email="eve@example.com", tiny_pictures=True)
    world.migrate()
    flow.add_world(world)
    return world


def test_a_person_picks_any_of_the_accounts_that_are_signed_in(work, eve, flow, channel, connect, wait_until):
    with Browser(flow.url, channel, "ada@example.com", "eve@example.com"):
        wait_until(lambda: work.companion.accounts_of(channel.pairing_id) is not None)
        listed = work.companion.accounts_of(channel.pairing_id)
        assert [(one.index, one.email) for one in listed] == [(0, "ada@example.com"), (1, "eve@example.com")]
        profile_id = connect(channel, 1, name="Eve")
        assert synced(work, profile_id).state == RunState.DONE
    profile = profiles.get_profile(profile_id)
    assert (profile.name, profile.account_email, profile.account_index) == ("Eve", "eve@example.com", 1)
    assert Image.select().count() == 3


def test_the_account_is_found_when_its_number_changes(work, ada, browser, eve):
    browser.sign_out()
    browser.sign_in("eve@example.com", "ada@example.com")
    assert synced(work, ada).state == RunState.DONE
    assert profiles.get_profile(ada).account_index == 1
    assert Image.select().count() == 29


def test_another_account_alone_is_no_reason_to_fail(work, ada, browser, eve, wait_until):
    browser.sign_out()
    browser.sign_in("eve@example.com")
    run = work.syncs.start(ada)
    wait_until(lambda: state_of(run) == RunState.WAITING)
    assert profiles.get_profile(ada).health_reason.startswith("Sign in to ada@example.com")
    assert Image.select().count() == 0


def test_two_accounts_of_a_browser_have_a_pairing_each(work, ada, browser, eve, flow, live_url, connect):
    browser.sign_in("eve@example.com")
    second = Channel(live_url)
    second.pair(work.companion.new_code())
    with Browser(flow.url, second, "ada@example.com", "eve@example.com"):
        other = connect(second, 1)
        assert synced(work, other).state == RunState.DONE
    assert synced(work, ada).state == RunState.DONE
    assert Image.select().count() == 32


def test_a_browser_takes_over_a_profile_with_all_that_is_there(
    work, world, browser, connect, client, wait_until
):
    profile = work.accounts.add("Ada", world.google.cookie_header())
    synced(work, profile.id)
    world.google.sign_out()
    run = work.syncs.start(profile.id)
    wait_until(lambda: state_of(run) == RunState.WAITING)
    with pytest.raises(AccountExists, match="Ada"):
        connect(browser.channel)
    world.google.sign_in()
    (account,) = work.companion.accounts_of(browser.channel.pairing_id)
    assert account.profile.id == profile.id
    form = {"index": "0", "take_over": "yes"}
    answer = client.post(f"/companion/{browser.channel.pairing_id}/account", data=form)
    assert (answer.status_code, answer.location) == (303, f"/?profile={profile.id}")
    wait_until(lambda: state_of(run) == RunState.DONE)
    taken = profiles.get_profile(profile.id)
    assert (taken.way, taken.cookie_names, profiles.get_cookies(profile.id)) == (Way.COMPANION, "", {})
    assert (taken.name, taken.health) == ("Ada", Health.WELL)
    assert Image.select().count() == 29


def test_an_account_without_an_email_is_picked_by_its_number_and_known_by_its_key(
    work, world, browser, connect, eve
):
    world.google.hides_email = world.google.hides_person = True
    profile_id = connect(browser.channel, name="Ada")
    assert synced(work, profile_id).state == RunState.DONE
    assert profiles.get_profile(profile_id).account_key
    browser.sign_out()
    browser.sign_in("eve@example.com", "ada@example.com")
    work.connections.drop(profile_id)
    assert synced(work, profile_id).state == RunState.DONE
    assert profiles.get_profile(profile_id).account_index == 1
    assert Image.select().count() == 29


def test_a_profile_of_the_old_flow_moves_with_its_browser(work, world, browser, connect, wait_until):
    world.moved = False
    profile = work.accounts.add("Ada", world.cookie_header())
    synced(work, profile.id, histories=("ASSET_MANAGER",))
    known = Image.select().count()
    world.migrate()
    assert connect(browser.channel, takes_over=True) == profile.id
    wait_until(lambda: runs.find_last_run(profile.id, RunKind.SYNC).histories == "PROJECTS")
    wait_until(lambda: runs.find_last_run(profile.id, RunKind.SYNC).state == RunState.DONE)
    assert profiles.get_profile(profile.id).service == "flow.google.com"
    assert Image.select().count() > known > 0


def test_cookies_that_are_pasted_end_the_pairing(work, ada, browser, world, wait_until):
    work.replace_cookies(ada, world.google.cookie_header())
    assert profiles.get_profile(ada).way == Way.PASTE
    with pytest.raises(Refused, match="pairing_refused"):
        browser.channel.poll()
    assert synced(work, ada).state == RunState.DONE


def test_a_browser_that_signs_in_a_profile_is_not_given_another(work, ada, browser):
    with pytest.raises(BadRequest, match="already"):
        work.connect_browser(browser.channel.pairing_id, 0, takes_over=True)


# The end of a pairing


def test_a_pairing_that_is_revoked_on_the_page_ends_at_once(work, ada, browser, client, flow, wait_until):
    page = BeautifulSoup(client.get(f"/profiles/{ada}").text, "html.parser")
    assert "Chrome on Linux" in page.select_one("#browser").text
    with flow.holding("project") as gate:
        run = work.syncs.start(ada)
        assert gate.reached.wait(5)
        assert client.post(page.select_one("#browser form")["action"]).status_code == 303
        wait_until(lambda: state_of(run) == RunState.WAITING)
        gate.release()
    with pytest.raises(Refused, match="pairing_refused"):
        browser.channel.poll()
    assert "No browser is connected" in profiles.get_profile(ada).health_reason
    assert pairings.list_pairings() == []


def test_a_browser_can_unpair_itself(work, ada, browser, wait_until):
    assert browser.channel.send("unpair") == {}
    with pytest.raises(Refused):
        browser.channel.poll()
    run = work.syncs.start(ada)
    wait_until(lambda: state_of(run) == RunState.WAITING)


def test_removing_a_profile_ends_its_pairing(work, ada, browser):
    synced(work, ada)
    work.remove_profile(ada)
    with pytest.raises(Refused, match="pairing_refused"):
        browser.channel.poll()
    assert pairings.list_pairings() == []
    assert Image.select().count() == 0


def test_a_profile_without_a_browser_goes_on_with_the_next_one(
    work, ada, browser, live_url, flow, connect, wait_until
):
    work.companion.unpair(browser.channel.pairing_id)
    run = work.syncs.start(ada)
    wait_until(lambda: state_of(run) == RunState.WAITING)
    second = Channel(live_url)
    second.pair(work.companion.new_code())
    with Browser(flow.url, second, "ada@example.com"):
        assert connect(second, takes_over=True) == ada
        wait_until(lambda: state_of(run) == RunState.DONE)


# What a browser cannot do


def test_nothing_is_marked_as_gone_until_a_person_says_yes(work, ada, world):
    synced(work, ada)
    entry = world.entry(world.names("PINHOLE")[0])
    world.delete(entry.name)
    run = synced(work, ada, mode="full")
    assert run.state == RunState.DONE
    assert Image.get(Image.media_key == entry.media_key).gone_upstream_at is None
    assert "Nothing was marked yet" in run.note
    (question,) = walks.list_walks_with_question(ada)
    work.syncs.answer(question.id, mark=True)
    assert Image.get(Image.media_key == entry.media_key).gone_upstream_at is not None


def test_an_image_that_a_browser_calls_gone_is_not_marked(work, ada, world, flow):
    synced(work, ada)
    flow.call_error_next("address", 5, "PUBLIC_ERROR_NOT_FOUND")
    run = work.downloads.wait_for_run(work.downloads.request_pending(ada).id)
    assert (run.done_count, run.failed_count) == (28, 1)
    assert not Image.select().where(Image.gone_upstream_at.is_null(False)).exists()


def test_a_browser_cannot_change_the_account(work, ada, browser, flow):
    key = profiles.get_profile(ada).account_key
    synced(work, ada)
    work.check(ada)
    assert profiles.get_profile(ada).account_key == key
    assert profiles.get_profile(ada).account_email == "ada@example.com"


def test_an_examination_goes_through_the_browser_too(work, ada):
    steps = work.examine(ada).steps
    assert all(step.is_well for step in steps if step.is_asked)
    assert len([step for step in steps if step.is_asked]) >= 5


def test_an_examination_of_a_browser_that_is_signed_out_names_the_browser(work, ada, browser):
    browser.sign_out()
    work.examine(ada)
    profile = profiles.get_profile(ada)
    assert profile.health == Health.WAITING_FOR_BROWSER
    assert profile.health_reason.startswith("Sign in to ada@example.com")


def test_a_source_without_its_browser_says_so(work, ada, browser, hasty):
    browser.close()
    hasty(80)
    with pytest.raises(WaitingForBrowser, match="Waiting for the browser"):
        work.connections.of(ada).source.check()
