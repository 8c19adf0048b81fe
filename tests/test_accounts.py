"""To which account cookies belong: by e-mail, key, projects, or else by a person's confirmation."""

import pytest

from webapp import store
from webapp.database.models import Profile
from webapp.database.states import RunState
from webapp.demo import World
from webapp.errors import AccountExists, OtherAccount
from webapp.store import profiles


@pytest.fixture
def world() -> World:
    world = World(generated=12, tiny_pictures=True)
    world.migrate()
    return world


@pytest.fixture
def other(flow) -> World:
    other = World(seed=2, generated=3, email="grace@example.com", tiny_pictures=True)
    other.migrate()
    flow.add_world(other)
    return other


@pytest.fixture
def shelf(work):
    with store.connection():
        yield work


@pytest.fixture
def profile_id(shelf, world):
    return shelf.accounts.add("Ada", world.google.cookie_header()).id


def hide(world, *, email=True, person=True):
    world.google.hides_email, world.google.hides_person = email, person


def synced(work, profile_id):
    return work.syncs.wait(work.syncs.start(profile_id).id)


def test_email_and_account_key_stay_stored_once_seen(shelf, profile_id, world):
    profile = profiles.get_profile(profile_id)
    assert profile.account_email == "ada@example.com"
    assert world.google.account_number not in (profile.account_key, "")
    hide(world)
    shelf.check(profile_id)
    assert profiles.get_profile(profile_id).account_email == "ada@example.com"


def test_an_account_without_any_email_is_a_profile_that_syncs(shelf, world):
    hide(world)
    profile_id = shelf.accounts.add("Ada", world.google.cookie_header()).id
    assert profiles.get_profile(profile_id).account_email is None
    assert synced(shelf, profile_id).state == RunState.DONE


def test_two_accounts_without_any_email_are_two_profiles(shelf, world, other):
    hide(world)
    hide(other)
    shelf.accounts.add("Ada", world.google.cookie_header())
    assert shelf.accounts.add("Grace", other.google.cookie_header()).account_email is None


def test_an_account_on_the_shelf_is_recognised_by_its_key_alone(shelf, profile_id, world):
    hide(world)
    with pytest.raises(AccountExists):
        shelf.accounts.add("Ada again", world.google.cookie_header())
    shelf.replace_cookies(profile_id, world.google.cookie_header())


@pytest.mark.parametrize("hidden", [False, True])
def test_another_account_is_recognised_by_email_or_key(shelf, profile_id, other, hidden):
    if hidden:
        hide(other)
    with pytest.raises(OtherAccount):
        shelf.replace_cookies(profile_id, other.google.cookie_header())


def test_the_projects_identify_an_account_without_email_and_key(shelf, profile_id, world, other):
    synced(shelf, profile_id)
    Profile.update(
        account_key=None
    ).execute()  # as an earlier Flowshelf left it, which stored the e-mail only
    hide(world)
    hide(other)
    with pytest.raises(OtherAccount, match="does not say whose"):
        shelf.replace_cookies(profile_id, other.google.cookie_header())
    shelf.replace_cookies(profile_id, world.google.cookie_header())
    assert profiles.get_profile(profile_id).account_key


def test_a_person_has_to_confirm_an_account_that_nothing_identifies(shelf, profile_id, other, client):
    synced(shelf, profile_id)
    Profile.update(account_key=None).execute()
    hide(other)
    cookies = other.google.cookie_header()
    page = client.post(f"/profiles/{profile_id}/cookies", data={"cookies": cookies})
    assert page.status_code == 422
    assert "These are the same account" in page.text
    response = client.put(f"/api/profiles/{profile_id}/cookies", json={"cookies": cookies})
    assert (response.status_code, response.json["code"]) == (409, "other_account")
    said = {"cookies": cookies, "same_account": "yes"}
    assert client.post(f"/profiles/{profile_id}/cookies", data=said).status_code == 303


def test_a_confirmation_does_not_override_what_flow_says(shelf, profile_id, other):
    with pytest.raises(OtherAccount):
        shelf.replace_cookies(profile_id, other.google.cookie_header(), is_confirmed=True)


def test_cookies_that_could_not_be_checked_are_checked_before_anything_is_stored(
    shelf, profile_id, other, flow
):
    profiles.set_cookies(profile_id, other.google.cookies(), None)
    profiles.note_unchecked(profile_id, "Flow could not be reached.")
    profiles.note_health(profile_id, "waiting_for_cookies", "Stored meanwhile, as by an earlier process.")
    shelf.connections.drop(profile_id)
    run = synced(shelf, profile_id)
    assert (run.state, run.error_code, run.page_count) == (RunState.FAILED, "other_account", 0)
