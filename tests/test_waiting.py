"""Cookies that expire or renew themselves: which runs wait, what the pages say, and how runs resume."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from bs4 import BeautifulSoup

from webapp import store, times
from webapp.database.models import Download, Image
from webapp.database.states import DownloadState, Health, RunKind, RunState
from webapp.demo import World
from webapp.errors import OtherAccount, SignedOut
from webapp.store import profiles, runs


def in_future(**given):
    return datetime.now(UTC) + timedelta(**given)


def exported(world, expire_at):
    """The session cookie as a browser extension exports it, with its expiry."""
    ((name, value),) = world.cookies().items()
    cookie = {"domain": "127.0.0.1", "name": name, "value": value, "expirationDate": expire_at.timestamp()}
    return json.dumps([cookie])


@pytest.fixture
def expiry(profile_id):
    return lambda: profiles.get_profile(profile_id).cookies_expire_at


def banners(page):
    return [
        banner for banner in BeautifulSoup(page, "html.parser").select(".banner") if "cookies" in banner.text
    ]


@pytest.fixture
def waiting(work, profile_id, world, flow):
    """The runs of a profile whose cookies expired while it synced and downloaded."""
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id, histories=("ASSET_MANAGER",)).id)
        with flow.holding("media", at=4) as gate, flow.holding("history") as history:
            download = work.downloads.request_pending(profile_id)
            sync = work.syncs.start(profile_id)
            assert gate.reached.wait(5)
            assert history.reached.wait(5)
            world.sign_out()
            world.expire_tokens()
            gate.release()
            history.release()
        ended = work.syncs.wait(sync.id), work.downloads.wait_for_run(download.id)
        assert [run.state for run in ended] == [RunState.WAITING] * 2
        yield ended


def test_when_cookies_expire_all_runs_wait_under_one_banner_and_no_image_fails(waiting, client, profile_id):
    assert profiles.get_profile(profile_id).health == Health.WAITING_FOR_COOKIES
    assert not Download.select().where(Download.state == DownloadState.FAILED).exists()
    assert [run.failed_count for run in waiting] == [0, 0]
    page = client.get("/status").text
    assert len(banners(page)) == 1
    assert "Waiting for the same new cookies as the sync." in page
    soup = BeautifulSoup(page, "html.parser")  # the panels poll: new cookies may be pasted in another tab
    assert len(soup.select("#sync-panel[hx-get], #download-panel[hx-get]")) == 2
    line = BeautifulSoup(client.get("/").text, "html.parser").select_one("#status")
    (sentence,) = (" ".join(each.text.split()) for each in line.select("li p"))
    assert re.fullmatch(r"Waiting for new cookies \d\d downloads wait too", sentence)
    assert line.select_one("a[href$='#cookies']")
    assert "every 5s" in line["hx-trigger"]


def test_new_cookies_resume_sync_and_downloads(waiting, work, profile_id, world, wait_until):
    world.sign_in()
    work.replace_cookies(profile_id, world.cookie_header())
    sync, download = waiting
    wait_until(lambda: runs.get_run(sync.id).state == runs.get_run(download.id).state == RunState.DONE)
    assert Image.select().where(Image.local_path.is_null(False)).count() == 40
    assert Image.select().count() == 70


def test_cookies_of_another_account_are_refused_and_the_run_keeps_waiting(
    waiting, work, profile_id, world, flow
):
    other = World(seed=7, email="bob@example.com")
    flow.add_world(other)
    before = profiles.get_cookies(profile_id)
    with pytest.raises(OtherAccount, match="old cookies were kept"):
        work.replace_cookies(profile_id, other.cookie_header())
    assert profiles.get_cookies(profile_id) == before
    assert runs.find_open_run(profile_id, RunKind.SYNC).state == RunState.WAITING


def test_a_run_that_found_no_cookies_does_not_wait_if_some_were_stored_meanwhile(work, world):
    with store.connection():
        profile_id = profiles.add_profile("Ada", ("ASSET_MANAGER",)).id
        with pytest.raises(SignedOut):
            work.connections.of(profile_id)
        with work.connections.if_current(profile_id, None) as is_current:
            assert is_current
        profiles.set_cookies(profile_id, world.cookies(), None)
        with work.connections.if_current(profile_id, None) as is_current:
            assert not is_current


def test_a_run_without_cookies_waits_and_the_first_ones_resume_it(work, world):
    with store.connection():
        profile_id = profiles.add_profile("Ada", ("ASSET_MANAGER",)).id
        run = work.syncs.wait(work.syncs.start(profile_id).id)
        assert (run.state, run.error_code) == (RunState.WAITING, "waiting_for_cookies")
        work.replace_cookies(profile_id, world.cookie_header())
        assert work.syncs.wait(run.id).state == RunState.DONE


@pytest.mark.parametrize("is_split", [False, True], ids=["whole", "split"])
def test_a_renewed_session_cookie_and_its_expiry_are_stored(work, profile_id, world, expiry, is_split):
    with store.connection():
        assert expiry() is None
        world.renew_cookie(split=is_split)
        work.check(profile_id)
        assert "".join(profiles.get_cookies(profile_id).values()) == "".join(world.cookies().values())
        left = times.parsed(expiry()) - datetime.now(UTC)
        assert timedelta(days=29, hours=23) < left <= timedelta(days=30)
        work.check(profile_id)
        assert profiles.get_profile(profile_id).health == Health.WELL


def test_the_time_left_is_that_of_the_cookie_and_not_of_the_token(work, client, profile_id, world, expiry):
    with store.connection():
        work.replace_cookies(profile_id, exported(world, in_future(days=11, hours=1)))
        assert "(11 days left)" in client.get(f"/profiles/{profile_id}").text
        for path in ("/", "/status"):
            assert "cookies expire" not in client.get(path).text
        work.replace_cookies(profile_id, exported(world, in_future(hours=30, minutes=5)))
        assert "cookies expire in 30 h" in client.get("/").text
        for path in ("/status", f"/profiles/{profile_id}"):
            assert "The cookies expire in 30 h" in client.get(path).text
        world.session_expires = "2026-01-01T00:00:00.000Z"  # the expiry of the token does not matter
        work.check(profile_id)
        assert expiry() is not None
        assert "expire in 30 h" in client.get("/").text


def test_a_cookie_renewed_by_the_check_of_a_paste_is_stored(work, profile_id, world, expiry):
    with store.connection():
        text = exported(world, in_future(hours=2))
        world.renew_cookie()
        work.replace_cookies(profile_id, text)
        assert times.parsed(expiry()) > in_future(days=29)
