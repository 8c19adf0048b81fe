"""The simulated flow.google.com validates requests like the real one; its payloads have captured shapes."""

import json
from pathlib import Path
from urllib.parse import urlencode

import pytest
import requests

from webapp.demo import FlowServer
from webapp.demo.account.google_sign_in import OWN, ROTATING
from webapp.demo.samples import moved_sample_world

CALL = "/_/AiSandboxAngularFrontend/data/batchexecute"
LISTING = ["projects/*", 20, None, None, None, None, [1]]
FIXTURES = Path(__file__).parent.parent / "fixtures" / "flow-google"
RECORDED = [json.loads(path.read_text()) for path in FIXTURES.glob("project*.json")]


@pytest.fixture
def world():
    return moved_sample_world(tiny_pictures=True)


@pytest.fixture
def flow(world):
    """Does not check for violations, because these tests cause them."""
    with FlowServer(world) as server:
        yield server


@pytest.fixture
def send(flow):
    """Sends a call as a page of Flow would, except for what a test changes."""
    session = flow.world.google

    def send(rpc, arguments, *, query=(), method="POST", **changed):
        fields = {"f.req": json.dumps([[[rpc, json.dumps(arguments), None, "generic"]]]), "at": session.token}
        page = {"bl": session.build, "f.sid": session.session_id}
        asked = {"rpcids": rpc, "source-path": "/", "_reqid": "100000", "rt": "c"} | page | dict(query)
        headers = {"content-type": "application/x-www-form-urlencoded", "x-same-domain": "1"}
        headers |= {"origin": flow.url, "referer": f"{flow.url}/", "cookie": session.cookie_header()}
        headers = {name: value for name, value in (headers | changed).items() if value is not None}
        url = f"{flow.url}{CALL}?{urlencode(asked)}"
        return requests.request(method, url, data=urlencode(fields), headers=headers, timeout=10)

    return send


def row_of(response):
    """The first row of a response; the simulation writes each list on a line of its own."""
    return json.loads(response.text.split("\n")[3])[0]


def payload_of(response):
    return json.loads(row_of(response)[2] or "null")


def contents_of(project_id):
    return "Zzl0ze", [f"projects/{project_id}", None, None, None, [1]]


def places(value, *path):
    """The path and the type of every text, number and flag in nested lists."""
    if isinstance(value, list):
        return {place for index, inner in enumerate(value) for place in places(inner, *path, index)}
    return {(path, type(value))} if value is not None else set()


def descriptors_in(payloads):
    return [descriptor for payload in payloads for descriptor in (payload[1:] and payload[1]) or []]


def records_in(payloads):
    ingredients = [one for payload in payloads for one in (payload[3:] and payload[3]) or []]
    records = [one for payload in payloads for one in (payload[2:] and payload[2]) or []]
    return records + [ingredient[3] for ingredient in ingredients]


BREACHES = [{"x-same-domain": None}, {"origin": None}, {"origin": "https://evil.example"}, {"referer": None}]
BREACHES += [{"content-type": "application/json"}, {"query": {"rt": "b"}}, {"query": {"_reqid": "x"}}]
STALE = [{"query": {"bl": "old"}}, {"query": {"f.sid": "-1"}}, {"query": {"rpcids": "Zzl0ze"}}]


@pytest.mark.parametrize("changed", [*BREACHES, {"method": "GET"}, *STALE])
def test_a_call_that_no_page_of_flow_would_send_is_refused_and_recorded(send, flow, changed):
    assert send("UpteDb", LISTING, **changed).status_code == 400
    assert len(flow.violations) == (0 if changed in STALE else 1)


INVALID = [("UpteDb", []), ("UpteDb", ["projects/*", 20, "no token", None, None, None, [1]])]
INVALID += [("Zzl0ze", ["p-1"]), ("as29s", []), ("as29s", [7]), ("o30O0e", ["me"])]


@pytest.mark.parametrize(("rpc", "arguments"), INVALID)
def test_invalid_arguments_are_an_error_of_the_call(send, rpc, arguments):
    error = row_of(send(rpc, arguments))[5]
    assert (error[0], error[2][0][1]) == (3, ["PUBLIC_ERROR_INVALID_ARGUMENT"])


def test_cookies_of_one_service_sent_to_another_are_recorded(flow, world):
    both = f"{world.google.cookie_header()}; {world.cookie_header()}"
    for url, cookies in ((f"{flow.url}/", both), (f"{flow.url}/fx", world.google.cookie_header())):
        requests.get(url, headers={"cookie": cookies}, timeout=10)
    url = flow.picture_url(world.names("PINHOLE")[0])
    requests.get(url, headers={"cookie": "OSID=x", "sec-fetch-mode": "no-cors"}, timeout=10)
    assert len(flow.violations) == 3


def test_payloads_have_captured_shapes(send, world):
    payloads = [payload_of(send(*contents_of(project_id))) or [] for project_id in world.projects.ids()]
    recorded = [one["payload"] for one in RECORDED if one["rpc"] == "Zzl0ze"]
    for part in (descriptors_in, records_in):
        found = set().union(*map(places, part(payloads)))
        assert found
        assert found - set().union(*map(places, part(recorded))) == set()
    cards = [card for one in RECORDED if one["rpc"] == "UpteDb" for card in one["payload"][0]]
    found = set().union(*map(places, payload_of(send("UpteDb", LISTING))[0]))
    assert found - set().union(*map(places, cards)) == set()


def test_only_videos_have_a_status_and_urls_are_escaped(send, world):
    entries = [entry for project_id in world.projects.ids() for entry in world.entries_in(project_id)]
    for entry in {entry.kind: entry for entry in entries}.values():
        response = send("as29s", [entry.media_key])
        assert payload_of(response)[5][8] == ([3] if entry.kind == "video" else None)
        assert "Signature\\\\u003d" in response.text


def test_what_is_empty_or_missing_has_several_forms(send, world):
    projects = {row_of(send(*contents_of(world.add_project())))[2] for _ in range(40)}
    assert {None, "[]", "[null]"} < projects
    assert {row_of(send("as29s", [key]))[2] for key in "abcdefgh"} == {None, "[]"}


@pytest.mark.parametrize("slot", [5, 6])
def test_failures_and_dead_cookies_have_their_status_in_one_of_two_slots(send, flow, world, slot):
    world.google.error_slot = slot
    flow.fail_next(503, kind="project")
    assert row_of(send(*contents_of("x")))[slot] == 503
    world.google.sign_out()
    response = send("UpteDb", LISTING)
    assert (response.status_code, row_of(response)[slot]) == (401, 401)


@pytest.fixture
def rotate(flow):
    """Sends the request that renews a session as public clients do, except for what a test changes."""

    def rotate(cookies=None, *, method="POST", body='[000,"-0000000000000000000"]', kind="application/json"):
        sent = {name: value for name, value in flow.world.google.cookies().items() if name != OWN}
        header = "; ".join(f"{name}={value}" for name, value in (cookies or sent).items())
        headers = {"content-type": kind, "cookie": header}
        return requests.request(method, f"{flow.url}/RotateCookies", data=body, headers=headers, timeout=10)

    return rotate


@pytest.fixture
def is_signed_in(flow):
    """Whether cookies sign in to the simulated Flow."""
    return flow.world.google.is_owner


def test_a_renewal_brings_new_rotating_cookies_at_most_once_a_minute(rotate, flow):
    old = flow.world.google.cookies()
    lines = rotate().headers["set-cookie"]
    new = flow.world.google.cookies()
    assert {name for name in new if new[name] != old[name]} == set(ROTATING)
    assert all(f"{name}={new[name]}; Domain=.google.com" in lines for name in ROTATING)
    assert rotate().status_code == 429
    flow.world.google.pass_time(60)
    assert rotate().status_code == 200
    flow.world.google.rotation_pause_seconds = 0
    assert [rotate().status_code, rotate().status_code] == [200, 200]
    assert flow.violations == []


def test_the_old_cookies_sign_in_until_the_new_ones_are_used(rotate, flow, is_signed_in):
    old = flow.world.google.cookies()
    rotate()
    assert is_signed_in(old)
    assert is_signed_in(flow.world.google.cookies())
    assert not is_signed_in(old)


@pytest.mark.parametrize(
    "changed",
    [
        {"method": "GET"},
        {"body": "[0]"},
        {"body": ""},
        {"kind": "application/x-www-form-urlencoded"},
        {"cookies": {OWN: "x"}},
        {"cookies": {f"__Secure-{OWN}": "x"}},
    ],
)
def test_a_renewal_in_another_form_is_refused_and_noted(rotate, flow, changed):
    assert rotate(**changed).status_code == 400
    assert flow.violations


@pytest.mark.parametrize("missing", ["SID", *ROTATING])
def test_a_renewal_without_a_cookie_of_the_session_is_refused(rotate, flow, missing):
    cookies = {name: value for name, value in flow.world.google.cookies().items() if name != OWN}
    cookies.pop(missing)
    assert rotate(cookies).status_code == 401


def test_a_renewal_of_a_session_that_is_over_is_refused(rotate, flow):
    flow.world.google.sign_out()
    assert rotate().status_code == 401


def test_rotating_cookies_expire_unless_they_are_renewed_in_time(rotate, flow, is_signed_in):
    google = flow.world.google
    google.rotating_lifetime_seconds = 1200
    google.pass_time(1100)
    rotate()
    google.pass_time(1100)
    assert is_signed_in(google.cookies())
    google.pass_time(101)
    assert not is_signed_in(google.cookies())
    assert rotate().status_code == 401
    google.renews_expired = True
    assert rotate().status_code == 200
    assert is_signed_in(google.cookies())


@pytest.mark.parametrize("status", [200, 401])
def test_a_bound_session_is_not_renewed_and_its_copies_end_when_the_browser_renews_it(
    rotate, flow, is_signed_in, status
):
    google = flow.world.google
    google.bound_status = status
    copy = google.cookies()
    response = rotate()
    assert (response.status_code, "set-cookie" in response.headers) == (status, False)
    assert is_signed_in(copy)
    google.end_copies()
    assert not is_signed_in(copy)
    assert is_signed_in(google.cookies())
