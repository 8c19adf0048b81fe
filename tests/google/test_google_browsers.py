"""The simulated Flow tells the accounts of one session apart, and the session of a browser from a copy."""

import pytest
import requests

from webapp.demo import FlowServer, World

BROWSER = {"sec-fetch-mode": "navigate"}


@pytest.fixture
def grace(flow: FlowServer) -> World:
    grace = World(seed=2, email="grace@example.com", tiny_pictures=True)
    flow.add_world(grace)
    return grace


@pytest.fixture
def browser(flow: FlowServer) -> requests.Session:
    session = requests.Session()
    session.headers.update(BROWSER)
    return session


def is_start_page_of(response: requests.Response, world: World) -> bool:
    return f'"oPEP7c":"{world.google.email}"' in response.text


def test_a_browser_signs_in_with_one_account_and_with_another(flow, world, grace, browser):
    for email in (world.google.email, grace.google.email):
        assert "signed in as account" in browser.get(f"{flow.url}/browser", params={"in": email}).text
    for path, owner in (("/", world), ("/u/0/", world), ("/u/1/", grace)):
        assert is_start_page_of(browser.get(flow.url + path), owner), path
    assert "oPEP7c" not in browser.get(f"{flow.url}/u/2/").text
    browser.get(f"{flow.url}/browser?out=")
    assert "oPEP7c" not in browser.get(f"{flow.url}/").text


def test_the_cookie_of_a_browser_is_out_of_reach_for_scripts_and_no_program_can_use_a_copy(
    flow, world, browser
):
    sent = browser.get(f"{flow.url}/browser", params={"in": world.google.email}).headers["set-cookie"]
    assert "HttpOnly" in sent
    assert "SameSite=Strict" in sent
    assert is_start_page_of(browser.get(f"{flow.url}/"), world)
    assert "oPEP7c" not in requests.get(f"{flow.url}/", cookies=browser.cookies.get_dict(), timeout=5).text


def test_pasted_cookies_may_hold_several_accounts_too(flow, world, grace):
    flow.service.browsers.share_session(world, grace)
    cookies = {"cookie": world.google.cookie_header()}
    assert is_start_page_of(requests.get(f"{flow.url}/", headers=cookies, timeout=5), world)
    second = {"x-goog-authuser": "1"}
    assert is_start_page_of(requests.get(f"{flow.url}/", headers=cookies | second, timeout=5), grace)
    assert is_start_page_of(requests.get(f"{flow.url}/u/1/", headers=cookies, timeout=5), grace)
    assert "oPEP7c" not in requests.get(f"{flow.url}/u/2/", headers=cookies, timeout=5).text
