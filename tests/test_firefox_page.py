"""The page “Use Firefox’s sign-in”, the same requests for scripts, and the command."""

import json

import pytest
from bs4 import BeautifulSoup
from firefox_files import rows_of, write_profile

from webapp import store
from webapp.cli.demo import demo_config
from webapp.config import read_config
from webapp.database.models import Pairing, Profile, Secret
from webapp.database.states import Health, RunState, Way
from webapp.demo import World
from webapp.store import pairings, profiles, runs
from webapp.store.gallery import counts


@pytest.fixture
def world():
    world = World(uploaded=4, generated=6, tiny_pictures=True)
    world.migrate()
    return world


@pytest.fixture
def root(tmp_path):
    return tmp_path / "mozilla" / "firefox"


@pytest.fixture
def profile(root, world):
    """A profile of Firefox that is signed in to Flow."""
    return write_profile(root / "abc.default", rows_of(world.google.cookies()))


@pytest.fixture
def app(running, root, profile):
    return running(firefox_roots=(root,))


@pytest.fixture
def key(work, profile):
    return work.firefox.list_profiles()[0].key


def soup_of(response):
    return BeautifulSoup(response.text, "html.parser")


def text_of(response):
    return " ".join(soup_of(response).select_one("main").get_text(" ").split())


def test_the_page_lists_what_is_there_and_reads_no_cookie_before_it_is_asked(client, key, flow, config):
    page = text_of(client.get("/firefox"))
    assert "default" in page
    assert "Cookies last changed" in page
    assert "ada@example.com" not in page
    assert flow.log == []
    assert not config.firefox_copies_dir.exists()


def test_look_shows_whose_sign_in_it_is_and_add_starts_a_profile(client, key, world, work):
    looked = client.post(f"/firefox/{key}/look")
    assert (looked.status_code, looked.headers["Location"]) == (303, f"/firefox#firefox-{key}")
    page = client.get("/firefox")
    assert "ada@example.com" in text_of(page)
    form = next(form for form in soup_of(page).select("main form") if "use" in form["action"])
    fields = {field["name"]: field.get("value", "") for field in form.select("input")}
    added = client.post(form["action"], data=fields | {"name": "Ada"})
    assert added.status_code == 303
    with store.connection():
        (profile,) = profiles.list_profiles()
        assert (profile.name, profile.account_email) == ("Ada", world.email)
        assert (profile.way, profile.health) == (Way.FIREFOX, Health.WELL)
        assert Secret.select().count() == 0
        assert work.syncs.wait(work.syncs.start(profile.id).id).state == RunState.DONE
    assert "In use Ada reads this sign-in" in text_of(client.get("/firefox"))
    assert "Firefox on this computer, profile “default”" in text_of(client.get(f"/profiles/{profile.id}"))


def test_an_account_on_the_shelf_is_asked_about_and_yes_resumes_what_waits(
    client, key, world, work, wait_until
):
    with store.connection():
        profile_id = work.accounts.add("Ada", world.google.cookie_header()).id
        Secret.update(value=json.dumps({"SID": "old", "OSID": "old"})).execute()
        work.connections.drop(profile_id)
        run = work.syncs.wait(work.syncs.start(profile_id).id)
        assert run.state == RunState.WAITING
    client.post(f"/firefox/{key}/look")
    refused = client.post(f"/firefox/{key}/use", data={"index": "0"})
    assert refused.status_code == 422
    assert "Ada is on this shelf: use this Firefox for it from now on?" in text_of(refused)
    with store.connection():
        assert profiles.get_profile(profile_id).way == Way.PASTE
    form = next(form for form in soup_of(refused).select("main form") if "use" in form["action"])
    fields = {field["name"]: field.get("value", "") for field in form.select("input")}
    assert fields["replaces"] == profile_id
    assert client.post(form["action"], data=fields).status_code == 303
    with store.connection():
        assert profiles.get_profile(profile_id).way == Way.FIREFOX
        assert Secret.select().count() == 0
        wait_until(lambda: runs.get_run(run.id).state == RunState.DONE)


def test_new_pasted_cookies_end_the_use_of_firefox(client, key, world, work):
    client.post(f"/firefox/{key}/look")
    client.post(f"/firefox/{key}/use", data={"name": "Ada"})
    with store.connection():
        profile_id = profiles.list_profiles()[0].id
        work.replace_cookies(profile_id, world.google.cookie_header())
        profile = profiles.get_profile(profile_id)
        assert (profile.way, profile.firefox_folder) == (Way.PASTE, None)
        assert profiles.get_cookies(profile_id)


def test_a_firefox_without_a_sign_in_is_a_sentence(client, key, profile, world):
    write_profile(profile, [])
    client.post(f"/firefox/{key}/look")
    assert "It is not signed in to Google. Open Flow in Firefox and sign in there." in text_of(
        client.get("/firefox")
    )
    write_profile(profile, rows_of({"SID": "only-this"}))
    client.post(f"/firefox/{key}/look")
    page = text_of(client.get("/firefox"))
    assert "has not opened Flow yet" in page
    assert "paste" not in page.lower()
    assert client.post(f"/firefox/{key}/use", data={"name": "Ada"}).status_code == 422


def test_flow_that_does_not_respond_adds_nothing(client, key, flow):
    flow.fail_next(500, kind="start", count=20)
    client.post(f"/firefox/{key}/look")
    page = text_of(client.get("/firefox"))
    assert "flow_unavailable" not in page
    assert "Signed in to Google" in page
    assert client.post(f"/firefox/{key}/use", data={"name": "Ada"}).status_code == 422
    with store.connection():
        assert profiles.list_profiles() == []


def test_without_a_firefox_the_page_says_what_to_do(running, tmp_path):
    client = running(firefox_roots=(tmp_path / "nothing",)).test_client()
    assert "No Firefox was found" in text_of(client.get("/firefox"))


def test_the_demo_lists_no_real_firefox(running, root, profile, flow, config):
    assert read_config({}, data_dir=config.data_dir).firefox_roots != ()
    sealed = demo_config(read_config({}, data_dir=config.data_dir), flow)
    assert sealed.firefox_roots == ()
    client = running(firefox_roots=sealed.firefox_roots).test_client()
    assert "The demo never does" in text_of(client.get("/firefox"))


def test_profiles_and_welcome_page_lead_there(client, key):
    assert soup_of(client.get("/")).select_one("main a[href='/firefox']")
    assert soup_of(client.get("/profiles")).select_one("main a[href='/firefox']")


def test_scripts_list_look_and_use(client, key, world):
    (listed,) = client.get("/api/firefox").json["data"]
    assert (listed["key"], listed["folder"], listed["name"]) == (key, "abc.default", "default")
    assert listed["containers"][1] == {"id": 2, "name": "Work"}
    (found,) = client.post(f"/api/firefox/{key}/look", json={}).json["data"]["found"]
    assert (found["accountEmail"], found["number"], found["container"]) == (world.email, 1, None)
    used = client.post(f"/api/firefox/{key}/use", json={"name": "Ada", "number": 1})
    assert (used.status_code, used.json["data"]["accountEmail"]) == (201, world.email)
    again = client.post(f"/api/firefox/{key}/use", json={"name": "Ada"})
    assert (again.status_code, again.json["code"]) == (409, "account_exists")


@pytest.mark.parametrize("number", [2, 9, 10**12])
def test_a_number_or_container_that_was_not_found_is_unknown(client, key, number):
    client.post(f"/firefox/{key}/look")
    refused = client.post(f"/api/firefox/{key}/use", json={"name": "Ada", "number": number})
    assert refused.json["code"] in ("unknown_firefox", "bad_request")
    refused = client.post(f"/api/firefox/{key}/use", json={"name": "Ada", "container": number})
    assert refused.json["code"] in ("unknown_firefox", "bad_request")


def test_firefox_takes_a_profile_over_from_a_paired_browser_and_from_the_old_flow(
    client, key, work, world, wait_until
):
    with store.connection():
        profile = profiles.add_profile("Ada", ("ASSET_MANAGER",))
        Profile.update(account_email=world.email, service="labs.google", way=Way.COMPANION).execute()
        pairings.add_pairing("p" * 22, b"k" * 32, "Chrome", "1.0")
        Pairing.update(profile=profile.id).execute()
    client.post(f"/firefox/{key}/look")
    assert client.post(f"/firefox/{key}/use", data={"replaces": profile.id}).status_code == 303
    with store.connection():
        assert pairings.find_pairing_of(profile.id) is None
        after = profiles.get_profile(profile.id)
        assert (after.way, after.service, after.name) == (Way.FIREFOX, "flow.google.com", "Ada")
        wait_until(lambda: counts.count_profile(profile.id).total == 10)


def test_during_a_cooldown_firefox_is_not_tried_for_that_account(client, key, work, world, flow):
    with store.connection():
        profile_id = work.accounts.add("Ada", world.google.cookie_header()).id
        client.post(f"/firefox/{key}/look")
        profiles.note_cooldown(profile_id, 3600, "Google noticed unusual activity.")
        flow.reset()
        refused = client.post(f"/firefox/{key}/use", data={"replaces": profile_id})
        assert refused.status_code == 422
        assert "unusual activity" in text_of(refused)
        assert flow.log == []
