"""The simulated flow.google.com, asked as no client of ours asks: it is as strict as the true one."""

import json
import re
from urllib.parse import urlencode

import pytest
import requests

from webapp.demo import FlowServer, World
from webapp.demo.samples import moved_sample_world

CALL = "/_/AiSandboxAngularFrontend/data/batchexecute"
LISTING = ["projects/*", 20, None, None, None, None, [1]]
PERSON = [["me"], [[["person.photo", "person.name", "person.email", "person.metadata"]], None, [1, 7, 10]]]


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
        return requests.get(f"{self.flow.url}/", headers={"cookie": header}, timeout=10).text

    def ask(self, rpc, arguments, *, token=None, query=None, method="POST", **changed):
        fields = {"f.req": json.dumps([[[rpc, json.dumps(arguments), None, "generic"]]])}
        token = self.session.token if token is None else token
        fields |= {"at": token} if token else {}
        page = {"bl": self.session.build, "f.sid": self.session.session_id}
        asked = {"rpcids": rpc, "source-path": "/", "_reqid": "100000", "rt": "c"} | page | (query or {})
        headers = {"content-type": "application/x-www-form-urlencoded", "x-same-domain": "1"}
        headers |= {"origin": self.flow.url, "referer": f"{self.flow.url}/"}
        headers |= {"cookie": self.session.cookie_header()} | changed
        headers = {name: value for name, value in headers.items() if value is not None}
        url = f"{self.flow.url}{CALL}?{urlencode(asked)}"
        return requests.request(method, url, data=urlencode(fields), headers=headers, timeout=10)

    def payload(self, rpc, arguments):
        row = row_of(self.ask(rpc, arguments))
        return row[2] and json.loads(row[2])

    def project(self, project_id):
        return self.payload("Zzl0ze", contents_of(project_id))

    def error(self, rpc, arguments):
        """Code and reason of a call that fails."""
        row = row_of(self.ask(rpc, arguments))
        return row[5][0], row[5][2][0][1][0]


@pytest.fixture
def client(flow):
    return Client(flow)


def row_of(response):
    """The first row, read by lines: the simulation writes a list to a line."""
    return json.loads(response.text.split("\n")[3])[0]


def contents_of(project_id):
    return [f"projects/{project_id}", None, None, None, [1]]


@pytest.fixture
def entries(world):
    """A generated image, an upload and a video in one project."""
    project_id = world.entry(world.names("PINHOLE")[0]).project_id
    world.add_uploaded(1, project_id)
    world.add_videos(1, project_id)
    return world.entries_in(project_id)


@pytest.mark.parametrize("hidden", ["token", "email", "person"])
def test_the_page_and_the_person_tell_all_but_what_is_hidden(client, world, hidden):
    setattr(world.google, f"hides_{hidden}", True)
    said = dict(re.findall(r'"(SNlM0e|cfb2h|FdrFJe|oPEP7c)":"([^"]+)"', client.page()))
    known = {"cfb2h": world.google.build, "FdrFJe": world.google.session_id}
    known |= {} if hidden == "token" else {"SNlM0e": world.google.token}
    assert said == known | ({} if hidden == "email" else {"oPEP7c": world.email})
    person = client.payload("o30O0e", PERSON)
    assert person == [] if hidden == "person" else person[0][0][2][9][0][1] == world.email


@pytest.mark.parametrize("lost", ["SID", "OSID", "__Secure-1PSIDTS"])
def test_a_stranger_gets_a_page_without_token_and_email(client, world, lost):
    kept = "; ".join(f"{name}={value}" for name, value in world.google.cookies().items() if name != lost)
    assert not re.search("SNlM0e|oPEP7c", client.page(kept))


def shown(cards):
    """Cards without their previews, whose signatures change with time."""
    return [(project_id, fields[:3]) for project_id, fields in cards]


def test_the_listing_comes_in_pages_whose_token_goes_into_slot_2(client, world):
    cards, token = client.payload("UpteDb", LISTING)
    [more] = client.payload("UpteDb", ["projects/*", 20, token, None, None, None, [1]])
    assert [card[0] for card in cards + more] == world.projects.ids()
    again = client.payload("UpteDb", ["projects/*", 20, None, token, None, None, [1]])
    assert shown(again[0]) == shown(cards), "in slot 3 it is ignored"
    world.moved = False
    assert client.payload("UpteDb", LISTING) == []


def test_cards_have_three_to_five_fields_an_archive_an_odd_id_and_growth_changes_none(client, world):
    world.add_generated(12)
    world.add_project("Ingredient Archive", world.archive_id)
    world.projects.page_size = 20
    [cards] = client.payload("UpteDb", LISTING)
    assert cards[0][:1] + cards[0][1][:1] == [world.archive_id, "Ingredient Archive"]
    assert {len(fields) for _, fields in cards} == {3, 4, 5}
    world.add_generated(1, cards[-1][0])
    assert shown(client.payload("UpteDb", LISTING)[0]) == shown(cards)


def test_an_empty_project_is_written_in_several_ways(client, world):
    payloads = [client.project(world.add_project()) for _ in range(40)]
    assert all(one in payloads for one in ([None], [], None, [None] * 5))
    assert not any(one[2] or one[3] for one in payloads if one and one[2:])


def test_versions_share_a_card_that_names_the_original(client, world, entries):
    image = entries[0]
    world.change(image.name, is_archived=True, version="CAE")
    key = world.entry(world.add_version(image.name)).media_key
    _, cards, records, *_ = client.project(image.project_id)
    assert [card[3][2:5] for card in cards if card[0] == image.workflow_id] == [[True, None, image.media_key]]
    made = [one[:4] for one in records if one[2] == image.workflow_id]
    same = [image.project_id, image.workflow_id]
    assert made == [[image.media_key, *same, "CAE"], [key, *same, "CAI"]]


def test_the_arm_tells_the_kind_and_only_videos_say_that_they_are_done(client, world, entries):
    world.change(entries[1].name, caption="A kite")
    made, uploaded, filmed = client.project(entries[0].project_id)[2]
    assert [len(record) for record in (made, uploaded, filmed)] == [7, 7, 8]
    assert [record[5][8] for record in (made, uploaded, filmed)] == [None, None, [3]]
    assert (made[6][0][1], made[6][0][7], made[6][1]) == (entries[0].seed, entries[0].shown_prompt, None)
    assert (uploaded[6][:2], uploaded[3], filmed[6]) == ([None, [None, None, None, None, 0]], None, None)
    assert (uploaded[5][1], uploaded[5][12], uploaded[5][6]) == ("A kite", "A kite", [None] * 4 + [1])
    world.change(entries[0].name, state=2)
    assert client.project(entries[0].project_id)[2][0][5][8] == [2]


def test_model_shape_size_and_references_have_their_places(client, world, entries):
    fields = {"aspect": "PORTRAIT_THREE_FOUR", "references": ("k-1",)}
    for name, number in (("BELUGA", 36), ("47", 47)):
        world.change(entries[0].name, model_name=name, **fields)
        details, (made, _, size) = client.project(entries[0].project_id)[2][0][5:7]
        assert (made[8], made[14], size) == (number, 4, [4, 3])
    words = [[None, [["k-1", "ref.png"]]], [entries[0].shown_prompt]]
    assert details[6][2] == [[None, None, [words]]]


def test_ingredients_are_images_of_other_projects_archived_uploads_and_voices(client, world, entries):
    project_id = world.add_project()
    world.add_ingredient(project_id, entries[0].name)
    key = world.add_archived_ingredient(project_id, "Logo")
    world.add_voice(project_id)
    _, _, records, (image, archived, voice), *_ = client.project(project_id)
    assert records is None
    assert image[3] == client.project(entries[0].project_id)[2][0]
    assert [*archived[:3], archived[3][1]] == [key, 1, "Logo", world.archive_id]
    assert (archived[3][5][6], archived[3][6][0][7:9]) == ([], [None, 0])
    assert [*voice[:3], voice[3][10]] == ["achernar", 3, "Achernar", [["Achernar", "Female", "x"]]]
    assert world.archive_id not in world.projects.ids()


def test_a_project_can_be_unlisted_emptied_refused_and_made_odd(client, world, entries):
    project_id = entries[0].project_id
    whole = client.project(project_id)
    world.empty_project(project_id)
    world.unlist_project(project_id)
    assert not any((client.project(project_id) or [])[1:4])
    world.empty_project(project_id, False)
    world.refuse_project(project_id)
    assert client.error("Zzl0ze", contents_of(project_id)) == (7, "PUBLIC_ERROR_PERMISSION_DENIED")
    world.allow_project(project_id)
    for odd in (7, {"a": None}):
        world.odd_record(project_id, odd)
    ids = [record[0] for record in whole[2]]
    found = [one[0] if isinstance(one, list) else one for one in client.project(project_id)[2]]
    assert found == [ids[0], 7, {"a": None}, *ids[1:]]
    assert project_id not in dict(client.payload("UpteDb", LISTING)[0])
    world.remove_project(project_id)
    assert client.error("Zzl0ze", contents_of(project_id)) == (5, "PUBLIC_ERROR_NOT_FOUND")


def test_the_originals_url_has_a_place_by_kind_and_a_re_encoding_stands_elsewhere(client, world, entries):
    entries.append(world.find_picture(world.add_archived_ingredient(entries[0].project_id, "Logo")))
    made, uploaded, filmed, archived = (client.payload("as29s", [entry.media_key]) for entry in entries)
    urls = [made[6][0][13], uploaded[6][1][3], filmed[7][0][8], archived[6][0][13]]
    assert all(f"/{entry.media_key}?Expires=" in url for entry, url in zip(entries, urls, strict=True))
    assert [made[5][10], uploaded[5][10], archived[5][10]] == [urls[0], urls[1], urls[3]]
    assert all("/asb/" in url for url in (made[5][5], filmed[5][5], filmed[5][10]))
    assert requests.get(urls[0], timeout=10).content == world.content(entries[0].name)
    assert requests.get(urls[0].replace("Signature=", "Signature=x"), timeout=10).status_code == 403
    text = client.ask("as29s", [entries[0].media_key]).text
    assert ("\\\\u003d" in text, "Signature=" in text) == (True, False), "the raw text is escaped"


def test_what_is_unknown_or_unfinished_is_null_or_an_empty_list(client, world, entries):
    world.change(entries[0].name, state=2)
    found = [client.payload("as29s", [key]) for key in (entries[0].media_key, *"abcdefgh")]
    assert [one for one in found if one] == []
    assert {str(one) for one in found} == {"None", "[]"}


@pytest.mark.parametrize("token", ["", "AIQ-stale:1"])
def test_a_call_without_the_right_token_is_refused_with_token_and_account(client, world, token):
    response = client.ask("UpteDb", LISTING, token=token)
    assert response.status_code == 400
    assert len(world.google.account_number) == 21
    assert f'["xsrf","{world.google.token}",["{world.google.account_number}"]]' in response.text


BREACHES = [{"x-same-domain": None}, {"origin": None}, {"origin": "https://evil.example"}, {"referer": None}]
BREACHES += [{"content-type": "application/json"}, {"query": {"rt": "b"}}, {"query": {"_reqid": "x"}}]


@pytest.mark.parametrize("changed", [*BREACHES, {"method": "GET"}])
def test_a_call_that_no_page_of_flow_would_send_is_refused_and_blamed(client, flow, changed):
    assert client.ask("UpteDb", LISTING, **changed).status_code == 400
    assert len(flow.violations) == 1


@pytest.mark.parametrize("query", [{"bl": "old"}, {"f.sid": "-1"}, {"rpcids": "Zzl0ze"}])
def test_a_call_with_another_pages_numbers_is_refused(client, query):
    assert client.ask("UpteDb", LISTING, query=query).status_code == 400


SENSELESS = [("UpteDb", []), ("UpteDb", ["projects/*", 20, "no token", None, None, None, [1]])]
SENSELESS += [("Zzl0ze", ["p-1"]), ("as29s", []), ("as29s", [7]), ("o30O0e", ["me"])]


@pytest.mark.parametrize(("rpc", "arguments"), SENSELESS)
def test_senseless_arguments_and_unusual_activity_are_errors_of_the_call(client, world, rpc, arguments):
    assert client.error(rpc, arguments) == (3, "PUBLIC_ERROR_INVALID_ARGUMENT")
    world.unusual_activity, world.unusual_activity_code = True, 7
    assert client.error(rpc, arguments) == (7, "PUBLIC_ERROR_UNUSUAL_ACTIVITY")


@pytest.mark.parametrize("slot", [5, 6])
def test_dead_cookies_and_failures_have_their_status_in_one_of_two_slots(client, flow, world, slot):
    world.google.error_slot = slot
    flow.fail_next(503, kind="project")
    assert row_of(client.ask("Zzl0ze", contents_of("x")))[slot] == 503
    world.google.sign_out()
    response = client.ask("UpteDb", LISTING)
    assert (response.status_code, row_of(response)[slot]) == (401, 401)


def test_rotated_cookies_end_their_predecessors_by_being_used(client, world):
    old = world.google.cookie_header()
    world.google.rotate()
    pages = [client.page(), client.page(old), client.page(world.google.cookie_header()), client.page(old)]
    assert ["oPEP7c" in page for page in pages] == [True, True, True, False]


def test_cookies_of_one_service_at_the_other_are_a_leak(client, flow, world):
    client.page(f"{world.google.cookie_header()}; {world.cookie_header()}")
    requests.get(f"{flow.url}/fx", headers={"cookie": world.google.cookie_header()}, timeout=10)
    url = flow.picture_url(world.names("PINHOLE")[0])
    requests.get(url, headers={"cookie": "OSID=x", "sec-fetch-mode": "no-cors"}, timeout=10)
    assert len(flow.violations) == 3


def test_the_sample_of_a_moved_account_has_all_that_can_stand_there():
    world = moved_sample_world(tiny_pictures=True)
    ids = world.projects.ids()
    entries = [entry for project_id in ids for entry in world.entries_in(project_id)]
    assert {entry.version for entry in entries} == {"CAE", "CAI", None}
    assert {"BELUGA", "47"} <= {entry.model_name for entry in entries}
    for field in ("caption", "references", "is_old_upload", "is_archived", "has_card"):
        assert {bool(getattr(entry, field)) for entry in entries} == {True, False}
    assert world.projects.find(ids[-1]).title == "Ingredient Archive"
    assert any(one.is_voice for project_id in ids for one in world.ingredients_in(project_id))
    assert not world.entries_in(ids[0])
