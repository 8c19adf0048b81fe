"""The simulated Flow, tested alone over real sockets: this is what the rest may rely on."""

import base64
import io
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import requests
from PIL import Image, ImageStat

from webapp.demo import FlowServer, World, pictures
from webapp.demo.account.labs_sign_in import COOKIE
from webapp.demo.broken_rows import BREAKAGES
from webapp.demo.entries import Kind
from webapp.demo.samples import sample_world

HISTORY = "/fx/api/trpc/media.fetchUserHistoryDirectly"
FIRST = {"values": {"cursor": ["undefined"]}}


@pytest.fixture
def world():
    return World(uploaded=40, generated=25, videos=3)


@pytest.fixture
def flow(world):
    with FlowServer(world) as server:
        yield server


class Client:
    """Asks as Flowshelf should ask; every part of a question can be changed."""

    def __init__(self, flow):
        self.flow, self.world = flow, flow.world

    def get(self, path, headers=None, **options):
        return requests.get(f"{self.flow.url}{path}", headers=headers, timeout=10, **options)

    def history(self, cursor=None, history="ASSET_MANAGER", size=18, meta="fitting", **changed):
        asked = {
            "type": history,
            "pageSize": size,
            "responseScope": "RESPONSE_SCOPE_UNSPECIFIED",
            "cursor": cursor,
        }
        note = (FIRST if cursor is None else None) if meta == "fitting" else meta
        whole = {"json": asked} | ({"meta": note} if note else {})
        headers = {
            "cookie": self.world.cookie_header(),
            "content-type": "application/json",
            "referer": f"{self.flow.url}/fx/tools/flow",
        }
        headers = {name: value for name, value in (headers | changed).items() if value is not None}
        return self.get(f"{HISTORY}?input={quote(json.dumps(whole))}", headers)

    def page(self, cursor=None, **asked):
        """Rows and next token of one page."""
        response = self.history(cursor, **asked)
        assert response.status_code == 200, response.text
        result = response.json()["result"]["data"]["json"]["result"]
        return result.get("userWorkflows", []), result.get("nextPageToken")

    def walk(self, **asked):
        rows, cursor = self.page(**asked)
        while cursor:
            more, cursor = self.page(cursor, **asked)
            rows += more
        return rows

    def session(self, cookies=None):
        return self.get("/fx/api/auth/session", {"cookie": cookies or self.world.cookie_header()})

    def token(self):
        return self.session().json()["access_token"]

    def media(self, name, query="", **changed):
        headers = {
            "authorization": f"Bearer {self.token()}",
            "origin": self.flow.url,
            "referer": f"{self.flow.url}/",
        }
        key = changed.pop("key", self.world.key)
        headers = {name: value for name, value in (headers | changed).items() if value is not None}
        address = f"/v1/media/{quote(name, safe='')}?key={key}&clientContext.tool=PINHOLE{query}"
        return self.get(address, headers)


@pytest.fixture
def client(flow):
    return Client(flow)


def names_of(rows):
    return [row["name"] for row in rows]


def reason_of(response):
    return response.json()["error"]["details"][0]["reason"]


def test_history_lists_every_upload_once_newest_first(client, world):
    rows = client.walk()
    assert names_of(rows) == world.names()
    assert len(set(names_of(rows))) == 40
    moments = [datetime.fromisoformat(row["createTime"]) for row in rows]
    assert moments == sorted(moments, reverse=True)


def test_pinhole_lists_what_was_generated_with_prompts_and_preview_urls(client, world):
    rows = client.walk(history="PINHOLE")
    images = [row for row in rows if "image" in row["media"]]
    assert (len(images), len(rows)) == (25, 28)
    shown = images[0]["media"]["image"]
    assert {type(shown[name]) for name in ("prompt", "modelNameType")} == {str}
    assert isinstance(shown["seed"], int)
    assert shown["fifeUrl"].startswith(client.flow.url)
    assert images[0]["media"]["mediaGenerationId"]["projectId"]


def test_generated_images_stand_in_the_drawer_too_when_the_world_is_so():
    with FlowServer(World(uploaded=2, generated=3, generated_in_drawer=True)) as flow:
        assert len(Client(flow).walk()) == 5


def test_an_uploaded_row_has_exactly_the_captured_fields(client):
    row = client.page()[0][0]
    media = row["media"]
    assert set(row) == {"name", "createTime", "media"}
    assert set(media) == {"name", "userUploadedImage", "mediaGenerationId"}
    assert set(media["userUploadedImage"]) == {"aspectRatio"}
    assert set(media["mediaGenerationId"]) == {"mediaType", "workflowId", "workflowStepId", "mediaKey"}


def test_names_and_tokens_have_the_shapes_of_the_service(client, world):
    shapes = {Kind.UPLOADED: ("CAMaJ", 111), Kind.GENERATED: ("CAMSJ", 162), Kind.VIDEO: ("CAUSJ", 162)}
    for kind, (start, length) in shapes.items():
        names = world.names("ASSET_MANAGER", kind) + world.names("PINHOLE", kind)
        assert {(name[:5], len(name)) for name in names} == {(start, length)}
    assert re.fullmatch(r"qgGSA[\w-]{195}", client.page()[1])


def test_some_times_have_whole_seconds_and_some_have_fractions(client):
    times = [row["createTime"] for row in client.walk()]
    assert {"." in time for time in times} == {True, False}


def test_the_last_page_has_no_token_even_when_it_is_full(client):
    assert client.page(size=40)[1] is None
    assert client.page(size=39)[1] is not None


def test_an_account_without_images_answers_an_empty_result():
    with FlowServer(World()) as flow:
        assert Client(flow).history().json()["result"]["data"]["json"]["result"] == {}


def test_pages_continue_strictly_while_images_arrive_and_go(client, world):
    expected = world.names()
    rows, cursor = client.page()
    world.add_uploaded(5)
    world.delete(rows[-1]["name"])
    world.delete(expected[20])
    more, _ = client.page(cursor)
    assert names_of(more) == [name for name in expected[18:37] if name != expected[20]]


def test_new_images_stand_at_the_head(client, world):
    names = world.add_uploaded(3)
    assert names_of(client.page()[0])[:3] == names[::-1]


def test_the_note_sent_with_a_real_cursor_brings_page_one_again(client):
    first, cursor = client.page()
    again, same_cursor = client.page(cursor, meta=FIRST)
    assert (names_of(again), same_cursor) == (names_of(first), cursor)


def test_the_first_page_needs_no_note(client):
    assert client.page(meta=None)[0] == client.page()[0]


def test_an_invented_cursor_is_refused(client):
    for cursor in ("nonsense", "ä", "qgGSA" + "A" * 195, client.page()[1][:-1] + "!"):
        response = client.history(cursor)
        assert (response.status_code, response.json()["error"]["json"]["data"]["code"]) == (
            400,
            "BAD_REQUEST",
        )


def test_cursors_belong_to_one_history(client):
    assert client.history(client.page()[1], history="PINHOLE").status_code == 400


def test_expired_cursors_are_refused_and_new_ones_work(client, world):
    cursor = client.page()[1]
    world.expire_cursors()
    assert client.history(cursor).status_code == 400
    assert client.history(client.page()[1]).status_code == 200


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"cookie": None}, 401),
        ({"cookie": f"{COOKIE}=eyJ.invented"}, 401),
        ({"referer": None}, 403),
        ({"referer": "https://elsewhere.example/fx/tools/flow"}, 403),
        ({"content-type": None}, 415),
        ({"cookie": "SID=" + "x" * 9000}, 431),
    ],
)
def test_history_is_strict_about_its_headers(client, changed, status):
    assert client.history(**changed).status_code == status


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"json":{"type":"ASSET_MANAGER","pageSize":"18"}}', "{"])
def test_history_is_strict_about_its_input(client, text):
    headers = {"cookie": client.world.cookie_header(), "content-type": "application/json"}
    headers["referer"] = f"{client.flow.url}/fx/tools/flow"
    assert client.get(f"{HISTORY}?input={quote(text)}", headers).status_code == 400


def test_a_token_or_a_key_on_the_history_request_is_refused_and_recorded(client, flow):
    assert client.history(authorization="Bearer x").status_code == 400
    assert client.history(**{"x-goog-api-key": "x"}).status_code == 400
    assert len(flow.violations) == 2


def test_a_refused_history_does_not_touch_the_other(client, world):
    world.refuse_history("PINHOLE")
    assert client.history(history="PINHOLE").status_code == 400
    assert client.history(history="NO_SUCH").status_code == 400
    assert client.history().status_code == 200


def test_a_migrated_account_is_told_so(client, world):
    world.migrate()
    response = client.history()
    assert (response.status_code, "migrated" in response.json()["error"]["json"]["message"]) == (404, True)
    page = client.get("/fx", {"cookie": world.cookie_header()}, allow_redirects=False)
    assert (page.status_code, page.headers["location"]) == (308, "https://flow.google.com/")


def test_entries_that_are_no_use_come_in_many_shapes(client, world):
    for breakage in BREAKAGES:
        world.add_broken_entry(breakage)
    rows = client.page()[0][: len(BREAKAGES)][::-1]
    shown = dict(zip(BREAKAGES, rows, strict=True))
    assert "media" not in shown["without media"]
    assert "mediaGenerationId" not in shown["without mediaGenerationId"]["media"]
    assert shown["null"] is None
    with pytest.raises(ValueError, match="none of"):
        world.add_broken_entry("no such breakage")


def test_an_entry_can_be_told_otherwise_than_it_is(client, world):
    name = world.names()[0]
    world.change(
        name, media_key="../../evil", name_in_history=f"{name[:9]}\n\u200b{name[9:]}", created_at=None
    )
    row = client.page()[0][0]
    assert row["media"]["mediaGenerationId"]["mediaKey"] == "../../evil"
    assert row["name"] == row["media"]["name"] == f"{name[:9]}\n\u200b{name[9:]}"
    assert "createTime" not in row
    assert client.media(name).status_code == 200


def test_uploaded_rows_carry_preview_urls_when_asked(client, world):
    name = world.names()[0]
    world.change(name, fife_url_in_history=True)
    url = client.page()[0][0]["media"]["userUploadedImage"]["fifeUrl"]
    assert requests.get(url, timeout=10).content == world.content(name)


def test_the_session_answers_whom_the_cookies_sign_in(client, world):
    body = client.session().json()
    assert body["user"]["email"] == world.email
    assert body["access_token"].startswith("ya29.")
    assert datetime.fromisoformat(body["expires"]) > datetime.now(UTC)


def test_strangers_get_an_empty_session(client, world):
    cookies = world.cookie_header()
    world.sign_out()
    response = client.session(cookies)
    assert (response.status_code, response.json()) == (200, {})
    world.sign_in()
    assert client.session(cookies).json() == {}
    assert client.session().json() != {}


def test_the_token_stays_the_same_until_it_is_refused(client, world):
    token = client.token()
    assert client.token() == token
    world.expire_tokens()
    assert client.media(world.names()[0], authorization=f"Bearer {token}").status_code == 401
    assert client.token() != token


def test_a_token_lives_as_long_as_the_world_says(client, world):
    world.token_lifetime_seconds = -1
    assert client.media(world.names()[0]).status_code == 401


def test_a_session_error_comes_with_a_dead_token(client, world):
    world.session_error = "ACCESS_TOKEN_REFRESH_NEEDED"
    body = client.session().json()
    assert body["error"] == "ACCESS_TOKEN_REFRESH_NEEDED"
    token = f"Bearer {body['access_token']}"
    assert client.media(world.names()[0], authorization=token).status_code == 401


def test_a_renewed_cookie_ends_the_old_one_when_it_is_first_used(client, world):
    old = world.cookie_header()
    world.renew_cookie()
    set_cookie = client.session(old).headers["set-cookie"]
    new = set_cookie.partition(";")[0]
    assert (new, new != old) == (world.cookie_header(), True)
    assert client.session(old).json() != {}
    assert "set-cookie" not in client.session(new).headers
    assert client.session(old).json() == {}


def test_a_split_cookie_counts_whole_only(client, world):
    old = world.cookie_header()
    world.renew_cookie(split=True)
    deleted = client.session(old).headers["set-cookie"]
    assert f"{COOKIE}=; " in deleted
    assert "Max-Age=0" in deleted
    first, second = (f"{name}={value}" for name, value in world.cookies().items())
    assert (first.partition("=")[0], second.partition("=")[0]) == (f"{COOKIE}.0", f"{COOKIE}.1")
    assert client.session(f"{second}; {first}").json() != {}
    assert client.session(first).json() == {}
    assert client.session(f"{old}; {first}; {second}").json() == {}


def key_in(text):
    keys = re.findall(r"AIzaSy[A-Za-z0-9_-]{33}", text)
    return max(set(keys), key=keys.count), keys


def script_of(client):
    source = re.search(r'[^"]*_next/static/chunks/pages/_app-[a-f0-9]+\.js', client.get("/fx").text)[0]
    return source if source.startswith("/") else urlsplit(source).path


def test_the_page_leads_to_a_script_in_which_the_right_key_is_the_most_frequent(client, world):
    key, keys = key_in(client.get(script_of(client)).text)
    assert key == world.key
    assert keys[0] == world.decoy_key


def test_the_address_of_the_script_may_be_absolute(client, flow):
    flow.service.labs.script_is_absolute = True
    assert f'"{flow.url}/fx/_next/' in client.get("/fx").text


def test_a_changed_key_stands_in_another_script(client, world):
    old_key, old_script = world.key, script_of(client)
    world.change_key()
    assert client.get(old_script).status_code == 404
    assert reason_of(client.media(world.names()[0], key=old_key)) == "API_KEY_INVALID"
    assert key_in(client.get(script_of(client)).text)[0] == world.key


def test_the_media_service_hands_out_the_very_bytes(client, world):
    uploaded, generated = world.names()[0], world.names("PINHOLE", Kind.GENERATED)[0]
    body = client.media(uploaded).json()
    assert base64.b64decode(body["userUploadedImage"]["image"], validate=True) == world.content(uploaded)
    body = client.media(generated).json()
    assert base64.b64decode(body["image"]["encodedImage"], validate=True) == world.content(generated)
    assert world.content(uploaded)[:3] == b"\xff\xd8\xff"


def test_uri_only_answers_hold_a_url_and_no_bytes(client, world):
    shown = client.media(world.names()[0], "&returnUriOnly=true").json()["userUploadedImage"]
    assert "image" not in shown
    assert requests.get(shown["fifeUrl"], timeout=10).content == world.content(world.names()[0])


def test_bytes_may_be_missing_or_come_as_a_data_uri(client, world):
    first, second = world.names()[:2]
    world.change(first, inline=False)
    world.change(second, data_uri=True)
    assert "image" not in client.media(first).json()["userUploadedImage"]
    assert client.media(second).json()["userUploadedImage"]["image"].startswith("data:image/jpeg;base64,")


@pytest.mark.parametrize("picture_format", ["PNG", "WEBP"])
def test_a_picture_may_have_another_format(world, picture_format):
    name = world.names()[0]
    world.change(name, picture_format=picture_format)
    with Image.open(io.BytesIO(world.content(name))) as image:
        assert image.format == picture_format


def test_a_picture_may_be_any_bytes(client, world):
    name = world.names()[0]
    world.change(name, content=b"no picture")
    shown = client.media(name).json()["userUploadedImage"]
    assert base64.b64decode(shown["image"]) == b"no picture"


@pytest.mark.parametrize(
    ("changed", "status", "word"),
    [
        ({"key": ""}, 400, "API_KEY_INVALID"),
        ({"key": "AIzaSyInvented"}, 400, "API_KEY_INVALID"),
        ({"authorization": None}, 401, "UNAUTHENTICATED"),
        ({"authorization": "Bearer ya29.invented"}, 401, "UNAUTHENTICATED"),
        ({"referer": None}, 403, "PERMISSION_DENIED"),
        ({"origin": "https://elsewhere.example"}, 403, "PERMISSION_DENIED"),
    ],
)
def test_the_media_service_is_strict(client, world, changed, status, word):
    response = client.media(world.names()[0], **changed)
    assert response.status_code == status
    assert word in response.text


def test_unknown_deleted_and_spaced_names_fail_each_in_its_way(client, world):
    name = world.names()[0]
    world.delete(name)
    assert client.media(name).status_code == 404
    assert client.media("CAMaInvented").json()["error"]["status"] == "INVALID_ARGUMENT"
    assert client.media(f"{world.names()[0]}\u200b").status_code == 400


def test_a_cookie_sent_to_the_media_service_is_recorded(client, flow, world):
    client.media(world.names()[0], cookie=world.cookie_header())
    assert flow.violations == ["the media request carried cookie"]


def test_several_accounts_may_live_at_one_flow(client, flow, world):
    other = World(uploaded=4, email="bob@example.com")
    flow.add_world(other)
    assert len(client.page(cookie=other.cookie_header())[0]) == 4
    assert client.session(other.cookie_header()).json()["user"]["email"] == "bob@example.com"
    assert client.media(other.names()[0]).status_code == 403


def test_a_signed_url_works_without_signing_in_and_holds_escaped_characters(flow, world):
    name = world.names()[0]
    url = flow.picture_url(name)
    response = requests.get(url, timeout=10)
    assert (response.content, response.headers["content-type"]) == (world.content(name), "image/jpeg")
    assert len(parse_qs(urlsplit(url).query)["Signature"][0]) == 44


def test_expired_and_forged_urls_are_refused_in_xml(flow, world):
    name = world.names()[0]
    forged = flow.picture_url(name).replace("Expires=1", "Expires=2")
    world.picture_url_lifetime_seconds = -1
    for url in (flow.picture_url(name), forged):
        response = requests.get(url, timeout=10)
        assert (response.status_code, response.text[:5]) == (403, "<?xml")


def test_a_secret_sent_to_the_storage_is_refused_and_recorded(flow, world):
    url = flow.picture_url(world.names()[0])
    for headers in ({"cookie": "SID=x"}, {"authorization": "Bearer x"}):
        assert requests.get(url, headers=headers, timeout=10).status_code == 400
    assert len(flow.violations) == 2


def test_a_browser_may_send_the_dashboards_cookie_but_not_flows(flow, world):
    url = flow.picture_url(world.names()[0])
    browser = {"sec-fetch-mode": "no-cors", "cookie": "shelf=x"}
    assert requests.get(url, headers=browser, timeout=10).status_code == 200
    browser["cookie"] = world.cookie_header()
    assert requests.get(url, headers=browser, timeout=10).status_code == 400


def test_a_deleted_picture_is_gone_from_the_storage(flow, world):
    url = flow.picture_url(world.names()[0])
    world.delete(world.names()[0])
    assert requests.get(url, timeout=10).status_code == 404


def test_failures_have_the_shape_of_their_kind(client, flow, world):
    flow.fail_next(503, "history")
    assert client.history().json()["error"]["json"]["data"]["httpStatus"] == 503
    flow.fail_next(429, "media", retry_after=7)
    response = client.media(world.names()[0])
    assert response.headers["retry-after"] == "7"
    assert response.json()["error"]["status"] == "RESOURCE_EXHAUSTED"
    flow.fail_next(403, reason="API_KEY_SERVICE_BLOCKED")
    assert reason_of(client.media(world.names()[0])) == "API_KEY_SERVICE_BLOCKED"
    flow.fail_next(500, "picture")
    assert requests.get(flow.picture_url(world.names()[0]), timeout=10).text.startswith("<?xml")


def test_faults_meet_the_next_requests_of_their_kind_in_order(client, flow):
    flow.fail_next(500, "history", count=2)
    flow.fail_next(502, "history")
    assert client.session().status_code == 200
    assert [client.history().status_code for _ in range(4)] == [500, 500, 502, 200]


def test_a_cut_answer_promises_more_than_it_sends(client, flow):
    flow.cut_next("history", at_bytes=100)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        client.history()
    assert client.history().status_code == 200


def test_a_dropped_connection_brings_no_answer(client, flow):
    flow.drop_next("session")
    with pytest.raises(requests.ConnectionError):
        client.session()
    assert client.session().status_code == 200


def test_any_answer_can_be_put_in_place_of_the_true_one(client, flow):
    flow.respond_next("history", "<html>Sign in</html>", "text/html", headers={"x-odd": "1"})
    flow.respond_next("history", {"result": {}}, status=203)
    response = client.history()
    assert (response.text, response.headers["content-type"], response.headers["x-odd"]) == (
        "<html>Sign in</html>",
        "text/html",
        "1",
    )
    assert (client.history().json(), client.history().status_code) == ({"result": {}}, 200)


def test_a_media_answer_can_be_bent(client, flow, world):
    bent = flow.media_response(world.names()[0])
    bent["userUploadedImage"]["image"] = "*not base64*"
    flow.respond_next("media", bent)
    assert client.media(world.names()[0]).json() == bent


def test_page_one_can_be_repeated_whatever_the_cursor(client, flow):
    first, cursor = client.page()
    flow.repeat_page_next()
    assert client.page(cursor) == (first, cursor)
    assert client.page(cursor)[0] != first


def test_a_gate_holds_requests_until_it_is_released(client, flow):
    with ThreadPoolExecutor(2) as pool, flow.holding("history", at=2) as gate:
        assert client.history().status_code == 200
        assert not gate.reached.is_set()
        waiting = pool.submit(client.history)
        assert gate.reached.wait(5)
        assert not waiting.done()
        gate.release()
        assert waiting.result(5).status_code == 200
        assert client.history().status_code == 200


def test_a_held_request_is_answered_as_the_world_is_when_it_goes_on(client, flow, world):
    with ThreadPoolExecutor(1) as pool, flow.holding("history") as gate:
        waiting = pool.submit(client.page)
        assert gate.reached.wait(5)
        name = world.add_uploaded()[0]
        gate.release()
        assert waiting.result(5)[0][0]["name"] == name


def test_stopping_lets_go_of_everything_that_waits(client, flow):
    flow.slow_next("session", 60)
    with ThreadPoolExecutor(2) as pool, flow.holding("history") as gate:
        held, slow = pool.submit(client.history), pool.submit(client.session)
        assert gate.reached.wait(5)
        flow.stop()
        for waiting in (held, slow):
            assert isinstance(waiting.exception(5), requests.ConnectionError)


def test_requests_above_a_limit_are_told_to_slow_down(client, flow):
    flow.limit_parallel("history", 1, retry_after=3)
    with ThreadPoolExecutor(1) as pool, flow.holding("history") as gate:
        first = pool.submit(client.history)
        assert gate.reached.wait(5)
        refused = client.history()
        gate.release()
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "3")
        assert first.result(5).status_code == 200
    assert flow.max_parallel("history") == 2


def test_latency_may_differ_by_kind(client, flow):
    flow.latency_seconds = {"session": 0.05}
    assert client.session().elapsed.total_seconds() >= 0.05


def test_the_log_says_what_was_asked(client, flow, world):
    cursor = client.page()[1]
    client.page(cursor, history="ASSET_MANAGER")
    client.media(world.names()[0], "&returnUriOnly=true")
    assert [request.cursor for request in flow.asked("history")] == [None, cursor]
    assert flow.asked("history")[0].input["pageSize"] == 18
    assert (flow.count("media"), flow.count("media", returnUriOnly="true"), flow.count("page")) == (1, 1, 0)
    assert flow.log[0].cookies == world.cookies()
    assert flow.log[0].at <= flow.log[-1].at
    assert flow.violations == []


def test_reset_forgets_faults_limits_and_log_but_not_the_world(client, flow, world):
    client.history(authorization="Bearer x")
    flow.fail_next(500, "history", count=9)
    flow.limit_parallel("history", 0)
    flow.reset()
    assert (flow.log, flow.violations, flow.max_parallel("history")) == ([], [], 0)
    assert client.history().status_code == 200
    assert len(world.names()) == 40


def test_start_and_stop_are_idempotent_and_keep_the_port(world):
    before = threading.active_count()
    flow = FlowServer(world)
    assert flow.start() is flow.start()
    url = flow.url
    with requests.Session() as session:
        session.get(f"{url}/fx", timeout=10)
        flow.stop()
        flow.stop()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/fx", timeout=10)
    with flow:
        assert flow.url == url
        assert requests.get(f"{url}/fx", timeout=10).status_code == 200
    assert threading.active_count() == before


def test_unknown_addresses_and_methods_are_refused(flow):
    assert requests.get(f"{flow.url}/elsewhere", timeout=10).status_code == 404
    assert requests.post(f"{flow.url}/fx", b"x" * 100, timeout=10).status_code == 405


def test_many_connections_at_once_are_served(flow, world):
    urls = [flow.picture_url(name) for name in world.names()[:8]] * 5
    with ThreadPoolExecutor(40) as pool:
        statuses = set(pool.map(lambda url: requests.get(url, timeout=10).status_code, urls))
    assert statuses == {200}


def test_the_sample_is_a_good_year_of_pictures_spread_over_many_days():
    world = sample_world()
    images = world.names("ASSET_MANAGER", Kind.UPLOADED) + world.names("PINHOLE", Kind.GENERATED)
    assert (len(images), len(world.names("PINHOLE", Kind.VIDEO))) == (348, 12)
    assert len(world.names("PINHOLE", Kind.BROKEN) + world.names("ASSET_MANAGER", Kind.BROKEN)) == 2
    times = [datetime.fromisoformat(world.entry(name).created_at) for name in images]
    assert 300 < (max(times) - min(times)).days < 440
    assert len({time.date() for time in times}) > 60
    assert {world.entry(name).aspect for name in images} == {"LANDSCAPE", "PORTRAIT", "SQUARE"}


def test_the_same_seed_makes_the_same_world():
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    first, second, other = (World(seed, 5, 5, now=moment) for seed in (1, 1, 2))
    assert [first.entry(name) for name in first.names()] == [second.entry(name) for name in second.names()]
    assert first.names() != other.names()
    assert first.cookies() == second.cookies() != other.cookies()


def test_a_number_always_gives_the_same_picture_and_prompt():
    assert pictures.encoded(5, long_side=96) == pictures.encoded.__wrapped__(5, long_side=96)
    assert pictures.prompt(5) == pictures.prompt(5)
    assert pictures.encoded(5, 1, long_side=96) != pictures.encoded(5, 2, long_side=96)


def test_pictures_of_all_kinds_and_shapes_can_be_drawn_and_differ():
    drawn = {}
    for number in range(34):
        aspect = list(pictures.ASPECTS)[number % 3]
        drawn[number] = pictures.encoded(number, aspect=aspect, long_side=160)
        with Image.open(io.BytesIO(drawn[number])) as image:
            image.load()
            wide, tall = pictures.ASPECTS[aspect]
            assert abs(image.width / image.height - wide / tall) < 0.05
    assert len(set(drawn.values())) == 34
    assert len({pictures.prompt(number).split(",")[0] for number in drawn}) > 25


def test_a_prompt_says_what_its_picture_shows():
    brightness = {"sun": [], "moon": []}
    for number in range(36):
        with Image.open(io.BytesIO(pictures.encoded(number, long_side=160))) as image:
            shown = ImageStat.Stat(image.convert("L")).mean[0]
        for word in brightness.keys() & pictures.prompt(number).split():
            brightness[word].append(shown)
    assert max(brightness["moon"]) < min(brightness["sun"])


def test_tiny_pictures_differ_and_are_whole():
    world = World(uploaded=30, tiny_pictures=True)
    contents = {world.content(name) for name in world.names()}
    assert len(contents) == 30
    assert max(map(len, contents)) < 1000
