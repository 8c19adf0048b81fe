"""Cookies that die, renew themselves and end: who waits, what is said, and how all of it goes on."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from bs4 import BeautifulSoup

from webapp import store, times
from webapp.database.models import Download, Image
from webapp.database.states import DownloadState, Health, RunKind, RunState
from webapp.demo import World
from webapp.errors import OtherAccount
from webapp.store import profiles, runs


def ahead(**given):
    return datetime.now(UTC) + timedelta(**given)


def pasted(world, end):
    """The session cookie as an extension exports it, with its end."""
    ((name, value),) = world.cookies().items()
    cookie = {"domain": "127.0.0.1", "name": name, "value": value, "expirationDate": end.timestamp()}
    return json.dumps([cookie])


@pytest.fixture
def end_of(profile_id):
    return lambda: profiles.get_profile(profile_id).cookies_expire_at


def banners(page):
    return [
        banner for banner in BeautifulSoup(page, "html.parser").select(".banner") if "cookies" in banner.text
    ]


@pytest.fixture
def waiting(work, profile_id, world, flow):
    """A profile whose cookies died while it synced and downloaded."""
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


def test_when_cookies_die_all_waits_under_one_banner_and_nothing_is_failed(waiting, client, profile_id):
    assert profiles.get_profile(profile_id).health == Health.WAITING_FOR_COOKIES
    assert not Download.select().where(Download.state == DownloadState.FAILED).exists()
    assert [run.failed_count for run in waiting] == [0, 0]
    page = client.get("/").text
    assert len(banners(page)) == 1
    assert "Waiting for the same new cookies as the sync." in page
    soup = BeautifulSoup(page, "html.parser")  # good cookies may come from another tab
    assert len(soup.select("#sync-panel[hx-get], #download-panel[hx-get]")) == 2


def test_a_good_paste_lets_sync_and_downloads_go_on_by_themselves(
    waiting, work, profile_id, world, wait_until
):
    world.sign_in()
    work.replace_cookies(profile_id, world.cookie_header())
    sync, download = waiting
    wait_until(lambda: runs.get_run(sync.id).state == runs.get_run(download.id).state == RunState.DONE)
    assert Image.select().where(Image.local_path.is_null(False)).count() == 40
    assert Image.select().count() == 70


def test_cookies_of_another_account_are_refused_and_the_old_ones_stay(waiting, work, profile_id, world, flow):
    other = World(seed=7, email="bob@example.com")
    flow.add_world(other)
    before = profiles.get_cookies(profile_id)
    with pytest.raises(OtherAccount, match="old cookies were kept"):
        work.replace_cookies(profile_id, other.cookie_header())
    assert profiles.get_cookies(profile_id) == before
    assert runs.find_open_run(profile_id, RunKind.SYNC).state == RunState.WAITING


@pytest.mark.parametrize("is_split", [False, True], ids=["whole", "split"])
def test_a_session_that_renews_its_cookie_is_kept_up_to_date_with_its_end(
    work, profile_id, world, end_of, is_split
):
    with store.connection():
        assert end_of() is None
        world.renew_cookie(split=is_split)
        work.check(profile_id)
        assert "".join(profiles.get_cookies(profile_id).values()) == "".join(world.cookies().values())
        left = times.parsed(end_of()) - datetime.now(UTC)
        assert timedelta(days=29, hours=23) < left <= timedelta(days=30)
        work.check(profile_id)
        assert profiles.get_profile(profile_id).health == Health.WELL


def test_time_left_is_that_of_the_cookie_and_not_of_the_token(work, client, profile_id, world, end_of):
    with store.connection():
        work.replace_cookies(profile_id, pasted(world, ahead(days=11, hours=1)))
        assert "(11 days left)" in client.get(f"/profiles/{profile_id}").text
        assert "The cookies expire" not in client.get("/").text
        work.replace_cookies(profile_id, pasted(world, ahead(hours=30, minutes=5)))
        for path in ("/", f"/profiles/{profile_id}"):
            assert "The cookies expire in 30 h" in client.get(path).text
        world.session_expires = "2026-01-01T00:00:00.000Z"  # the token's end says nothing
        work.check(profile_id)
        assert end_of() is not None
        assert "expire in 30 h" in client.get("/").text


def test_a_renewal_at_the_paste_itself_counts(work, profile_id, world, end_of):
    with store.connection():
        text = pasted(world, ahead(hours=2))
        world.renew_cookie()
        work.replace_cookies(profile_id, text)
        assert times.parsed(end_of()) > ahead(days=29)
