"""Several accounts in one browser: which of them a profile's requests are for."""

import pytest

from webapp.demo import World
from webapp.errors import AccountNotSignedIn, SignedOut
from webapp.sources import Account


@pytest.fixture
def other() -> World:
    world = World(2, generated=4, email="eve@example.com", tiny_pictures=True)
    world.migrate()
    return world


@pytest.fixture
def browser(flow, world, other):
    """The accounts that Ada's cookies sign in, in the order of signing in: Ada, Eve."""
    flow.add_world(other)
    flow.service.browsers.share_session(world, other)
    return flow.service.browsers.shared[0]


def test_without_a_number_the_first_account_answers(source, browser, flow):
    assert source.check().email == "ada@example.com"
    assert {request.path for request in flow.asked("start")} == {"/"}


def test_a_number_is_in_every_path_and_names_the_account(source, credentials, browser, flow, other):
    credentials.index = 1
    assert source.check().email == "eve@example.com"
    source.history_page("PROJECTS", None)
    flow_requests = [request for request in flow.log if request.kind in ("start", "projects", "project")]
    assert all(request.path.startswith("/u/1/") for request in flow_requests)
    assert {request.headers["x-goog-authuser"] for request in flow_requests} == {"1"}


def test_an_account_is_found_whichever_number_it_has_by_now(source, credentials, browser, world, other):
    credentials.account, credentials.index = Account("Eve@example.com", ""), 0
    assert source.check().email == "eve@example.com"
    assert credentials.index == 1
    browser.reverse()
    assert source.check().email == "eve@example.com"
    assert credentials.index == 0


def test_an_account_without_an_email_is_found_by_its_number(source, credentials, browser, world, other):
    credentials.index = 1
    key = source.check().key
    for one in (world, other):
        one.google.hides_email = one.google.hides_person = True
    credentials.account, credentials.index = Account("", "", key), 0
    assert source.check().key == key
    assert credentials.index == 1


def test_a_page_without_an_email_is_told_apart_by_the_call_for_it(source, credentials, browser, world, other):
    for one in (world, other):
        one.google.hides_email = True
    credentials.account = Account("eve@example.com", "")
    source.check()
    assert credentials.index == 1


def test_a_number_that_is_gone_is_searched_for(source, credentials, browser, other):
    credentials.account, credentials.index = Account("ada@example.com", ""), 1
    browser.remove(other)
    assert source.check().email == "ada@example.com"
    assert credentials.index == 0


def test_an_account_that_is_not_signed_in_is_named(source, credentials, browser, flow):
    credentials.account = Account("bob@example.com", "")
    with pytest.raises(AccountNotSignedIn, match=r"Sign in to bob@example\.com at https://flow\.google\.com"):
        source.check()
    assert flow.count("start") < 6, "the search ends where the numbers end"


def test_where_nobody_is_signed_in_that_is_said(source, credentials, browser, world):
    credentials.account = Account("ada@example.com", "")
    world.google.sign_out()
    with pytest.raises(SignedOut) as raised:
        source.history_page("PROJECTS", None)
    assert not isinstance(raised.value, AccountNotSignedIn)
