"""The simulated flow.google.com, asked as no client of ours asks: it is as strict as the true one."""

import json
import re
from urllib.parse import urlencode

import pytest
import requests

from webapp.demo import FlowServer, World
from webapp.demo.entries import Kind

CALL = "/_/AiSandboxAngularFrontend/data/batchexecute"
LISTING = ["projects/*", 20, None, None, None, None, [1]]


@pytest.fixture
def world():
    """An account that has moved, with five projects on two pages."""
    world = World(tiny_pictures=True)
    for _ in range(5):
        world.add_generated()
    world.projects.page_size = 3
    world.migrate()
    return world


@pytest.fixture
def flow(world):
    """Violations are what these tests are about."""
    with FlowServer(world) as server:
        yield server


class Client:
    """Asks as a client should; every part of a question can be changed."""

    def __init__(self, flow):
        self.flow, self.session = flow, flow.world.google

    def page(self, cookies=None):
        header = self.session.cookie_header() if cookies is None else cookies
        return requests.get(f"{self.flow.url}/", headers={"cookie": header}, timeout=10)

    def ask(self, rpc, arguments, *, token=None, query=None, method="POST", **changed):
        fields = {"f.req": json.dumps([[[rpc, json.dumps(arguments), None, "generic"]]])}
        token = self.session.token if token is None else token
        fields |= {"at": token} if token else {}
        asked = {
            "rpcids": rpc,
            "source-path": "/",
            "bl": self.session.build,
            "f.sid": self.session.session_id,
        }
        asked |= {"hl": "en", "_reqid": "100000", "rt": "c"} | (query or {})
        headers = {
            "content-type": "application/x-www-form-urlencoded;charset=UTF-8",
            "x-same-domain": "1",
            "origin": self.flow.url,
            "referer": f"{self.flow.url}/",
            "cookie": self.session.cookie_header(),
        }
        headers = {name: value for name, value in (headers | changed).items() if value is not None}
        url = f"{self.flow.url}{CALL}?{urlencode(asked)}"
        return requests.request(method, url, data=urlencode(fields), headers=headers, timeout=10)

    def payload(self, rpc, arguments):
        row = row_of(self.ask(rpc, arguments))
        return row[2] and json.loads(row[2])


@pytest.fixture
def client(flow):
    return Client(flow)


def row_of(answer):
    """The first row, read by lines: the simulation writes a list to a line."""
    return json.loads(answer.text.split("\n")[3])[0]


def test_the_page_carries_what_calls_need_and_whom_it_is_for(client, world):
    page = client.page().text
    said = {key: re.search(rf'"{key}":"([^"]+)"', page)[1] for key in ("SNlM0e", "cfb2h", "FdrFJe", "oPEP7c")}
    google = world.google
    assert list(said.values()) == [google.token, google.build, google.session_id, world.email]


@pytest.mark.parametrize("lost", ["SID", "OSID", "__Secure-1PSIDTS", None])
def test_a_stranger_gets_a_page_without_token_and_name(client, world, lost):
    kept = {name: value for name, value in world.google.cookies().items() if name != lost}
    page = client.page("; ".join(f"{name}={value}" for name, value in kept.items()) if lost else "").text
    assert "SNlM0e" not in page
    assert "oPEP7c" not in page


def test_the_listing_comes_in_pages_whose_token_goes_into_slot_2(client, world):
    cards, token = client.payload("UpteDb", LISTING)
    assert [card[0] for card in cards] == world.projects.ids()[:3]
    more = client.payload("UpteDb", ["projects/*", 20, token, None, None, None, [1]])
    assert [card[0] for card in more[0]] == world.projects.ids()[3:]
    assert len(more) == 1
    again = client.payload("UpteDb", ["projects/*", 20, None, token, None, None, [1]])
    assert again[0] == cards, "in slot 3 it is ignored"


def test_an_account_that_has_not_moved_has_no_projects(client, world):
    world.moved = False
    assert client.payload("UpteDb", LISTING) == []


def test_an_empty_project_has_neither_descriptors_nor_records(client, world):
    assert client.payload("Zzl0ze", [f"projects/{world.add_project()}", None, None, None, [1]]) == [None] * 3


def test_records_and_descriptors_are_joined_by_the_asset_and_versions_share_a_card(client, world):
    name = world.names("PINHOLE", Kind.GENERATED)[0]
    world.change(name, is_archived=True)
    entry = world.entry(name)
    version = world.entry(world.add_version(name))
    world.add_videos(1, entry.project_id)
    _, cards, records, *_ = client.payload("Zzl0ze", [f"projects/{entry.project_id}", None, None, None, [1]])
    shown = {card[0]: card[3] for card in cards}[entry.workflow_id]
    assert (shown[2], shown[4]) == (True, entry.media_key)
    assert len(cards) == 2
    assert [(one[0], one[2], one[3]) for one in records[:2]] == [
        (entry.media_key, entry.workflow_id, "CAE"),
        (version.media_key, entry.workflow_id, "CAI"),
    ]
    assert [len(one) for one in records] == [7, 7, 8]


def test_a_signed_url_is_escaped_in_the_raw_text_and_opens(client, world):
    entry = world.entry(world.names("PINHOLE", Kind.GENERATED)[0])
    answer = client.ask("as29s", [entry.media_key])
    assert "\\\\u003d" in answer.text
    assert "Signature=" not in answer.text
    url = json.loads(row_of(answer)[2])[-1][1][0]
    assert requests.get(url, timeout=10).content == world.content(entry.name)
    assert requests.get(url.replace("Signature=", "Signature=x"), timeout=10).status_code == 403


def test_what_is_unknown_or_unfinished_has_a_null_payload(client, world):
    name = world.names("PINHOLE", Kind.GENERATED)[0]
    world.change(name, state=2)
    assert client.payload("as29s", [world.entry(name).media_key]) is None
    assert client.payload("as29s", ["unknown"]) is None


@pytest.mark.parametrize("token", ["", "AIQ-stale:1"])
def test_a_call_without_the_right_token_is_refused_with_that_token(client, world, token):
    answer = client.ask("UpteDb", LISTING, token=token)
    assert answer.status_code == 400
    assert f'["xsrf","{world.google.token}"' in answer.text


@pytest.mark.parametrize(
    "changed",
    [
        {"x-same-domain": None},
        {"origin": None},
        {"origin": "https://evil.example"},
        {"referer": None},
        {"content-type": "application/json"},
        {"query": {"rt": "b"}},
        {"query": {"_reqid": "x"}},
        {"method": "GET"},
    ],
)
def test_a_call_that_no_page_of_flow_would_send_is_refused_and_blamed(client, flow, changed):
    assert client.ask("UpteDb", LISTING, **changed).status_code == 400
    assert len(flow.violations) == 1


@pytest.mark.parametrize("query", [{"bl": "old"}, {"f.sid": "-1"}, {"rpcids": "Zzl0ze"}])
def test_a_call_with_another_pages_numbers_is_refused(client, query):
    assert client.ask("UpteDb", LISTING, query=query).status_code == 400


@pytest.mark.parametrize(
    ("rpc", "arguments"),
    [
        ("UpteDb", []),
        ("UpteDb", ["projects/*", 0, None, None, None, None, [1]]),
        ("UpteDb", ["projects/*", 20, "no token", None, None, None, [1]]),
        ("Zzl0ze", ["p-1"]),
        ("as29s", []),
        ("as29s", [7]),
    ],
)
def test_arguments_that_make_no_sense_are_error_3(client, rpc, arguments):
    row = row_of(client.ask(rpc, arguments))
    assert (row[2], row[5][0]) == (None, 3)


def test_an_unknown_project_is_error_5(client):
    assert row_of(client.ask("Zzl0ze", ["projects/unknown", None, None, None, [1]]))[5][0] == 5


def test_dead_cookies_are_401(client, world):
    world.google.sign_out()
    assert client.ask("UpteDb", LISTING).status_code == 401


def test_rotated_cookies_end_their_predecessors_by_being_used(client, world):
    old = world.google.cookie_header()
    world.google.rotate()
    assert "__Secure-1PSIDTS" in client.page().headers["set-cookie"]
    assert "oPEP7c" in client.page(old).text
    assert "oPEP7c" in client.page(world.google.cookie_header()).text
    assert "oPEP7c" not in client.page(old).text


def test_cookies_of_one_service_at_the_other_are_a_leak(client, flow, world):
    client.page(f"{world.google.cookie_header()}; {world.cookie_header()}")
    requests.get(f"{flow.url}/fx", headers={"cookie": world.google.cookie_header()}, timeout=10)
    url = flow.picture_url(world.names("PINHOLE")[0])
    requests.get(url, headers={"cookie": "OSID=x", "sec-fetch-mode": "no-cors"}, timeout=10)
    assert len(flow.violations) == 3


def test_the_sample_of_a_moved_account_has_all_that_can_stand_there():
    world = World.moved_sample(tiny_pictures=True)
    entries = [entry for project_id in world.projects.ids() for entry in world.entries_in(project_id)]
    assert world.moved
    assert {entry.version for entry in entries} == {"CAE", "CAI"}
    assert {entry.is_archived for entry in entries} == {True, False}
    assert {Kind.UPLOADED, Kind.GENERATED, Kind.VIDEO} == {entry.kind for entry in entries}
    assert len(world.projects.ids()) > 20
    assert not all(world.entries_in(project_id) for project_id in world.projects.ids())
