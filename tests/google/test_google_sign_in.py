"""The page that everything begins with, the token against forgery, and cookies that answers renew."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from webapp.errors import FlowChanged, FlowUnavailable, SignedOut, SlowDown, SourceClosed
from webapp.sources import Account
from webapp.sources.credentials.renewal import google_renewal, renewed_google_cookies
from webapp.sources.flow_google import FlowGoogleSource
from webapp.sources.flow_google.start_page import Start
from webapp.sources.signed_in import SignedInRequests

PROJECTS = "PROJECTS"


def listing(source):
    return source.history_page(PROJECTS, None, lambda project: True)


@pytest.fixture
def start(config, credentials, http, clock):
    requests = SignedInRequests(credentials, http, google_renewal)
    return Start(requests, config.flow_url, clock)


def test_a_check_says_whom_the_cookies_sign_in_and_always_asks_anew(source, flow):
    assert source.check() == source.check() == Account("ada@example.com", "")
    assert flow.count("start") == 2


def test_the_page_is_asked_for_once_and_used_for_every_call(source, flow):
    listing(source)
    listing(source)
    assert flow.count("start") == 1


def test_the_page_is_kept_for_ten_minutes(start, clock, flow):
    page = start.page()
    clock.seconds += 599
    assert start.page() is page
    clock.seconds += 2
    assert start.page() is not page
    assert flow.count("start") == 2


def test_many_threads_share_one_page(source, flow):
    with flow.holding("start") as gate, ThreadPoolExecutor(6) as pool:
        walks = [pool.submit(listing, source) for _ in range(6)]
        assert gate.reached.wait(5)
        gate.release()
        assert len({walk.result().names for walk in walks}) == 1
    assert flow.count("start") == 1


def test_the_page_belongs_to_the_cookies_of_its_moment(source, flow, world, credentials):
    listing(source)
    credentials.kept = world.google.sign_in()
    listing(source)
    assert flow.count("start") == 2


@pytest.mark.parametrize("handshake_status", [400, 200, 403, 500])
def test_a_stale_token_is_replaced_by_the_one_that_the_refusal_carries(source, flow, world, handshake_status):
    flow.service.google.handshake_status = handshake_status
    listing(source)
    asked_count = flow.count("projects")
    world.google.change_token()
    listing(source)
    assert flow.count("projects") == asked_count + 1 + asked_count
    assert flow.count("start") == 1


def test_a_page_without_a_token_asks_without_one_and_learns_it(source, flow, world):
    world.google.hides_token = True
    assert listing(source).names
    assert b"&at=" not in flow.asked("projects")[0].body
    assert b"&at=" in flow.asked("projects")[1].body


def test_a_token_that_is_refused_again_is_signed_out(source, flow, failure):
    refusal = (
        ")]}'\n\n9\n"
        + '[["er",null,null,null,null,400,null,null,null,3,[{"4":["xsrf","AIQ-secret-one",[]]}]]]'
    )
    flow.answer_next("projects", refusal, status=400, count=2)
    assert "AIQ" not in str(failure(SignedOut, listing, source))
    assert flow.count("projects") == 2


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_page_is_asked_for_anew_once(source, flow, status):
    flow.fail_next(status, "projects")
    assert listing(source).names
    assert flow.count("start") == 2


def test_error_16_means_the_same(source, flow, failure):
    flow.call_error_next("projects", 16, "PUBLIC_ERROR_UNAUTHENTICATED")
    assert listing(source).names
    flow.call_error_next("projects", 16, count=2)
    failure(SignedOut, listing, source)


def test_a_new_release_is_met_with_a_new_page(source, flow, world):
    listing(source)
    world.google.release()
    flow.fail_next(401, "projects")
    assert listing(source).names


def test_a_page_that_is_refused_again_needs_new_cookies_and_is_not_asked_for_again_for_a_minute(
    source, flow, failure
):
    flow.fail_next(403, "projects", count=3)
    failure(SignedOut, listing, source)
    failure(SignedOut, listing, source)
    assert flow.count("start") == 2


def test_a_stranger_asks_no_more_than_once_a_minute(start, clock, flow, world, failure):
    world.google.sign_out()
    for _ in range(3):
        failure(SignedOut, start.page)
    assert flow.count("start") == 1
    clock.seconds += 61
    failure(SignedOut, start.page)
    assert flow.count("start") == 2


def test_other_cookies_are_tried_at_once(source, world, credentials, failure):
    world.google.sign_out()
    failure(SignedOut, listing, source)
    credentials.kept = world.google.sign_in()
    assert listing(source).names


@pytest.mark.parametrize("lost", [("SID", "HSID", "APISID"), ("OSID",)])
def test_an_incomplete_set_of_cookies_is_signed_out(source, credentials, failure, lost):
    for name in lost:
        del credentials.kept[name]
    assert "flow.google.com" in str(failure(SignedOut, source.check))


@pytest.mark.parametrize("location", ["/about", "/about/", "https://accounts.google.com/ServiceLogin?x"])
def test_a_page_that_leads_to_the_one_for_strangers_is_signed_out(source, flow, failure, location):
    flow.answer_next("start", "", "text/html", status=302, headers={"Location": location})
    failure(SignedOut, source.check)


def test_a_page_may_lie_at_another_address_of_the_same_site(source, flow):
    flow.answer_next("start", "", "text/html", status=302, headers={"Location": "/?pli=1"})
    assert source.check().email


def test_a_page_that_leads_on_and_on_is_a_change(source, flow, failure):
    flow.answer_next("start", "", "text/html", status=302, headers={"Location": "/"}, count=9)
    failure(FlowChanged, source.check)
    assert flow.count("start") == 4


@pytest.mark.parametrize(
    ("body", "status"),
    [('"oPEP7c":"ada@example.com"', 200), ('"oPEP7c":"ada@example.com","cfb2h":"b"', 200), ("gone", 404)],
)
def test_a_page_that_lacks_what_calls_need_is_a_change_that_quotes_nothing(
    source, flow, failure, body, status
):
    flow.answer_next("start", body, "text/html", status=status)
    error = failure(FlowChanged, source.check)
    assert '"oPEP7c"' in error.sample
    assert "ada" not in error.sample


def test_escapes_in_the_page_are_undone(source, flow, world):
    page = '{"cfb2h":"b","FdrFJe":"-1","oPEP7c":"ada\\u0040example.com","SNlM0e":"a\\u003d"}'
    flow.answer_next("start", page, "text/html")
    assert source.check().email == "ada@example.com"


@pytest.mark.parametrize(
    ("code", "expected"), [(8, SlowDown), (14, FlowUnavailable), (13, FlowUnavailable), (9, FlowChanged)]
)
def test_errors_of_a_call_mean_what_the_fact_sheet_says(source, flow, failure, code, expected):
    flow.call_error_next("project", code, "PUBLIC_ERROR_SOMETHING")
    error = failure(expected, source.history_page, PROJECTS, None)
    assert expected is not FlowChanged or "PUBLIC_ERROR_SOMETHING" in str(error)


def test_rotated_cookies_are_kept_beside_the_others(source, flow, world, credentials):
    old = dict(credentials.kept)
    world.google.rotate()
    source.check()
    assert credentials.kept == world.google.cookies()
    assert credentials.kept != old
    assert listing(source).names
    assert flow.count("start") == 1, "renewed cookies are no other ones"


def test_a_rotation_that_came_too_late_changes_nothing(source, flow, world, credentials):
    other = {**world.google.cookies(), "SID": "pasted-meanwhile"}
    with flow.holding("start") as gate, ThreadPoolExecutor(1) as pool:
        world.google.rotate()
        checked = pool.submit(source.check)
        assert gate.reached.wait(5)
        credentials.kept = other
        gate.release()
        checked.result()
    assert credentials.kept == other


@pytest.mark.parametrize(
    ("lines", "changed"),
    [
        ([], {}),
        (["SIDCC=new; Path=/; Domain=.google.com"], {"SIDCC": "new"}),
        (["__Secure-1PSIDTS=a=b==; Secure; HttpOnly"], {"__Secure-1PSIDTS": "a=b=="}),
        (["SID=deleted; Max-Age=0"], {}),
        (["SID=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], {}),
        (["SID=EXPIRED; expires=Mon, 01-Jan-1990 00:00:00 GMT"], {}),
        (["SID=a b", "HSID=a\x00", "SSID=" + "x" * 5000, "theme=dark", "=x", "SID"], {}),
    ],
)
def test_set_cookie_lines_renew_the_family_and_delete_nothing(lines, changed):
    kept = {"SID": "old", "OSID": "old"}
    assert renewed_google_cookies(lines, kept) == kept | changed


def test_renewals_of_requests_that_were_under_way_together_are_all_kept(
    config, world, flow, http, credentials
):
    requests = SignedInRequests(credentials, http, google_renewal)
    for name in ("SIDCC", "__Secure-1PSIDCC"):
        flow.answer_next("start", "", "text/html", headers={"Set-Cookie": f"{name}=new; Path=/"})
    with flow.holding("start", at=2) as gate, ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(requests.get, f"{config.flow_url}/", {}, 1000) for _ in range(2)]
        assert gate.reached.wait(5)
        gate.release()
        [one.result() for one in asked]
    assert {"SIDCC", "__Secure-1PSIDCC"} <= credentials.kept.keys()
    assert requests.generation() == 1


def test_a_source_told_to_stop_asks_nothing(config, credentials, flow, failure):
    stopping = threading.Event()
    stopping.set()
    with closing(FlowGoogleSource(config, credentials, stopping)) as source:
        failure(SourceClosed, source.check)
    assert flow.log == []
