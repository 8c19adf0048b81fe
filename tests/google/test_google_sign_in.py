"""The start page, the token, the account, and renewed cookies."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from webapp.demo.entries import Kind
from webapp.errors import FlowChanged, FlowUnavailable, SignedOut, SlowDown, UnusualActivity
from webapp.sources import RemoteProject
from webapp.sources.cookies.renewal import google_renewal, renewed_google_cookies
from webapp.sources.flow_google.calls import Calls
from webapp.sources.flow_google.cookie_transport import CookieTransport
from webapp.sources.flow_google.start_page_cache import StartPageCache
from webapp.sources.signed_in import SignedInRequests

PROJECTS = "PROJECTS"


def listing(source):
    return source.history_page(PROJECTS, None, lambda project: True)


@pytest.fixture
def start(config, credentials, http, clock):
    requests = SignedInRequests(credentials, http, google_renewal)
    transport = CookieTransport(requests, config.flow_url)
    return StartPageCache(transport, lambda: transport.start_page(None), clock)


def test_check_returns_a_hash_of_the_account_number(source, flow):
    assert source.check() == source.check()
    assert (source.check().email, len(source.check().key)) == ("ada@example.com", 32)
    assert flow.count("start") == 4


def test_the_number_of_an_account_is_never_kept_itself(source, world):
    assert world.google.account_number not in repr(source.check())


def test_the_email_may_come_from_a_call(source, world):
    whole = source.check()
    world.google.hides_email = world.google.hides_token = True
    account = source.check()
    assert (account.email, account.key) == (whole.email, whole.key)
    assert set(account.project_ids) <= set(world.projects.ids())


def test_an_account_without_an_email_is_known_by_its_number(source, world):
    key = source.check().key
    world.google.hides_email = world.google.hides_person = True
    assert (source.check().email, source.check().key) == ("", key)


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_a_failed_call_for_the_email_is_ignored(source, flow, world, status):
    world.google.hides_email = True
    flow.fail_next(status, "person", count=4)
    assert source.check().email == ""


def test_a_failed_call_for_the_number_is_ignored(source, flow):
    flow.fail_next(500, "projects")
    assert (source.check().email, source.check().key != "") == ("ada@example.com", True)


@pytest.mark.parametrize("code", [8, 7, 3])
def test_unusual_activity_with_any_code_asks_for_an_hours_pause(source, world, failure, code):
    world.unusual_activity, world.unusual_activity_code = True, code
    error = failure(UnusualActivity, source.history_page, PROJECTS, None)
    assert error.retry_after_seconds == 3600
    assert "Use Flow in the browser" in str(error)


def test_unusual_activity_may_be_in_a_payload_or_an_error_page(source, flow, world, failure):
    flow.payload_next("projects", [None, [["PUBLIC_ERROR_UNUSUAL_ACTIVITY"]]])
    failure(UnusualActivity, source.history_page, PROJECTS, None)
    flow.respond_next("projects", '{"reason": "PUBLIC_ERROR_UNUSUAL_ACTIVITY"}', status=429)
    failure(UnusualActivity, source.history_page, PROJECTS, None)


def test_a_prompt_about_unusual_activity_is_a_prompt(source, world):
    name = world.names("PINHOLE", Kind.GENERATED)[0]
    world.change(name, prompt="PUBLIC_ERROR_UNUSUAL_ACTIVITY")
    entry = world.entry(name)
    page = source.project_page(RemoteProject(entry.project_id, "", None))
    assert "PUBLIC_ERROR_UNUSUAL_ACTIVITY" in [image.prompt for image in page.images]


def test_the_start_page_is_cached_for_ten_minutes(start, clock, flow):
    page = start.page()
    clock.seconds += 599
    assert start.page() is page
    clock.seconds += 2
    assert start.page() is not page
    assert flow.count("start") == 2


def test_other_cookies_need_another_start_page(source, flow, world, credentials):
    listing(source)
    credentials.kept = world.google.sign_in()
    listing(source)
    assert flow.count("start") == 2


@pytest.mark.parametrize("handshake_status", [400, 200, 403, 500])
def test_a_stale_token_is_replaced_by_the_one_in_the_refusal(source, flow, world, handshake_status):
    flow.service.google.handshake_status = handshake_status
    listing(source)
    asked_count = flow.count("projects")
    world.google.change_token()
    listing(source)
    assert flow.count("projects") == asked_count + 1 + asked_count
    assert flow.count("start") == 1


def test_a_start_page_without_a_token_gets_one_from_a_refusal(source, flow, world):
    world.google.hides_token = True
    assert listing(source).names
    assert b"&at=" not in flow.asked("projects")[0].body
    assert b"&at=" in flow.asked("projects")[1].body


def test_a_token_that_is_refused_twice_is_signed_out(source, flow, failure):
    refusal = (
        ")]}'\n\n9\n"
        + '[["er",null,null,null,null,400,null,null,null,3,[{"4":["xsrf","AIQ-secret-one",[]]}]]]'
    )
    flow.respond_next("projects", refusal, status=400, count=2)
    assert "AIQ" not in str(failure(SignedOut, listing, source))
    assert flow.count("projects") == 2


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_start_page_is_fetched_again_once(source, flow, status):
    flow.fail_next(status, "projects")
    assert listing(source).names
    assert flow.count("start") == 2


def test_error_16_is_unauthenticated_too(source, flow, failure):
    flow.call_error_next("projects", 16, "PUBLIC_ERROR_UNAUTHENTICATED")
    assert listing(source).names
    flow.call_error_next("projects", 16, count=2)
    failure(SignedOut, listing, source)


def test_a_new_release_needs_a_new_start_page(source, flow, world):
    listing(source)
    world.google.release()
    flow.fail_next(401, "projects")
    assert listing(source).names


def test_a_start_page_that_is_refused_twice_is_signed_out_for_a_minute(source, flow, failure):
    flow.fail_next(403, "projects", count=3)
    failure(SignedOut, listing, source)
    failure(SignedOut, listing, source)
    assert flow.count("start") == 2


def test_dead_cookies_are_tried_every_ten_seconds(start, clock, flow, config, credentials, http):
    flow.respond_next("start", "", "text/html", status=401, count=9)
    with pytest.raises(SignedOut):
        start.page()
    clock.seconds += 9
    with pytest.raises(SignedOut):
        start.page()
    assert flow.count("start") == 1
    clock.seconds += 2
    with pytest.raises(SignedOut):
        start.page()
    assert flow.count("start") == 2


def test_refused_calls_are_tried_every_ten_seconds(config, flow, world, credentials, http, clock):
    requests = SignedInRequests(credentials, http, google_renewal)
    transport = CookieTransport(requests, config.flow_url)
    start = StartPageCache(transport, lambda: transport.start_page(None), clock)
    calls = Calls(config.flow_url, transport, start)
    world.google.sign_out()
    for seconds, asked_count in ((0, 2), (5, 2), (6, 3), (5, 3), (6, 4)):
        clock.seconds += seconds
        with pytest.raises(SignedOut):
            calls.call("UpteDb", ["projects/*", 20, None, None, None, None, [1]], 10**6)
        assert flow.count("projects") == asked_count


@pytest.mark.parametrize("lost", [("SID", "HSID", "APISID"), ("OSID",)])
def test_an_incomplete_set_of_cookies_is_signed_out(source, credentials, failure, lost):
    for name in lost:
        del credentials.kept[name]
    assert "flow.google.com" in str(failure(SignedOut, source.check))


@pytest.mark.parametrize("location", ["/about", "/about/", "https://accounts.google.com/ServiceLogin?x"])
def test_a_redirect_to_the_page_for_visitors_is_signed_out(source, flow, failure, location):
    flow.respond_next("start", "", "text/html", status=302, headers={"Location": location})
    failure(SignedOut, source.check)


def test_a_redirect_within_the_site_leads_to_the_start_page(source, flow):
    flow.respond_next("start", "", "text/html", status=302, headers={"Location": "/?pli=1"})
    assert source.check().email


def test_endless_redirects_are_a_change(source, flow, failure):
    flow.respond_next("start", "", "text/html", status=302, headers={"Location": "/"}, count=9)
    failure(FlowChanged, source.check)
    assert flow.count("start") == 4


@pytest.mark.parametrize(
    ("body", "status"),
    [('"oPEP7c":"ada@example.com"', 200), ('"oPEP7c":"ada@example.com","cfb2h":"b"', 200), ("gone", 404)],
)
def test_a_start_page_without_its_fields_is_a_change_that_quotes_nothing(source, flow, failure, body, status):
    flow.respond_next("start", body, "text/html", status=status)
    error = failure(FlowChanged, source.check)
    assert '"oPEP7c"' in error.sample
    assert "ada" not in error.sample


def test_escapes_in_the_start_page_are_decoded(source, flow, world):
    page = '{"cfb2h":"b","FdrFJe":"-1","oPEP7c":"ada\\u0040example.com","SNlM0e":"a\\u003d"}'
    flow.respond_next("start", page, "text/html")
    assert source.check().email == "ada@example.com"


@pytest.mark.parametrize(
    ("code", "expected"), [(8, SlowDown), (14, FlowUnavailable), (13, FlowUnavailable), (9, FlowChanged)]
)
def test_error_codes_of_the_listing_mean_what_the_protocol_says(source, flow, failure, code, expected):
    flow.call_error_next("projects", code, "PUBLIC_ERROR_SOMETHING")
    error = failure(expected, source.history_page, PROJECTS, None)
    assert expected is not FlowChanged or "PUBLIC_ERROR_SOMETHING" in str(error)


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
def test_set_cookie_lines_renew_google_cookies_and_delete_nothing(lines, changed):
    kept = {"SID": "old", "OSID": "old"}
    assert renewed_google_cookies(lines, kept) == kept | changed


def test_parallel_renewals_are_all_stored(config, world, flow, http, credentials):
    requests = SignedInRequests(credentials, http, google_renewal)
    for name in ("SIDCC", "__Secure-1PSIDCC"):
        flow.respond_next("start", "", "text/html", headers={"Set-Cookie": f"{name}=new; Path=/"})
    with flow.holding("start", at=2) as gate, ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(requests.get, f"{config.flow_url}/", {}, 1000) for _ in range(2)]
        assert gate.reached.wait(5)
        gate.release()
        [one.result() for one in asked]
    assert {"SIDCC", "__Secure-1PSIDCC"} <= credentials.kept.keys()
    assert requests.generation() == 1


def test_a_redirect_of_the_identifying_call_is_signed_out(source, flow, world, failure):
    world.google.hides_email = True
    location = {"Location": "https://accounts.google.com/ServiceLogin?x"}
    flow.respond_next("projects", "", "text/html", status=302, headers=location)
    failure(SignedOut, source.check)


def test_cookies_that_a_browser_keeps_are_not_renewed(world, open_source, credentials):
    credentials.is_live = True
    before = dict(credentials.kept)
    world.google.rotate()
    open_source().check()
    assert world.google.cookies() != before, "the response renewed them"
    assert credentials.kept == before
