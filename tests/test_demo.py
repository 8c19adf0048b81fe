"""The simulated Flow, asked over real sockets: the behaviour that the other tests rely on."""

import io
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
import requests
from PIL import Image, ImageStat

from webapp import create_app, store
from webapp.cli.demo import FAILED_COUNT, LATENCY_SECONDS, demo_config, fill, simulated_flow
from webapp.config import Config
from webapp.database.states import RunKind, RunState, SyncMode
from webapp.demo import FlowServer, World, pictures
from webapp.demo.account.labs_sign_in import COOKIE
from webapp.demo.entries import Kind
from webapp.store import runs
from webapp.store.gallery.counts import count_profile
from webapp.store.profiles import list_profiles
from webapp.web.services import background_of

HISTORY = "/fx/api/trpc/media.fetchUserHistoryDirectly?input="
CURSOR_UNDEFINED = {"values": {"cursor": ["undefined"]}}
FAILURES = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


@pytest.fixture
def world():
    return World(uploaded=40, generated=25, videos=3, tiny_pictures=True)


@pytest.fixture
def flow(world):
    """Without the check for violations in conftest.py: some tests here provoke them."""
    with FlowServer(world) as server:
        yield server


class Client:
    """Sends correct requests; tests replace single headers and parameters."""

    def __init__(self, flow):
        self.flow, self.world = flow, flow.world

    def get(self, path, **headers):
        sent = {name: value for name, value in headers.items() if value is not None}
        return requests.get(self.flow.url + path, headers=sent, timeout=10)

    def history(self, cursor=None, history="ASSET_MANAGER", size=18, meta=None, text=None, **headers):
        note = {"meta": meta} if meta else {}
        query = json.dumps({"json": {"type": history, "pageSize": size, "cursor": cursor}} | note)
        usual = {"cookie": self.world.cookie_header(), "content-type": "application/json"}
        usual |= {"referer": f"{self.flow.url}/fx/tools/flow"}
        return self.get(HISTORY + quote(query if text is None else text), **usual | headers)

    def page(self, cursor=None, **changed):
        """The rows and the next cursor of one history page."""
        result = self.history(cursor, **changed).json()["result"]["data"]["json"]["result"]
        return result.get("userWorkflows", []), result.get("nextPageToken")

    def session(self):
        return self.get("/fx/api/auth/session", cookie=self.world.cookie_header())

    def media(self, name=None, query="", key=None, **headers):
        path = (
            f"/v1/media/{quote(name or self.world.names()[0])}?key={self.world.key if key is None else key}"
        )
        usual = {"authorization": f"Bearer {self.session().json()['access_token']}"}
        usual |= {"origin": self.flow.url, "referer": f"{self.flow.url}/"}
        return self.get(path + query, **usual | headers)


@pytest.fixture
def client(flow):
    return Client(flow)


def names_of(rows):
    return [row["name"] for row in rows]


def test_history_lists_every_image_once_newest_first(client, world):
    rows, cursor = client.page()
    while cursor:
        more, cursor = client.page(cursor)
        rows += more
    times = [row["createTime"] for row in rows]
    assert names_of(rows) == world.names()
    assert times == sorted(times, key=datetime.fromisoformat, reverse=True)
    assert {"." in time for time in times} == {True, False}  # as recorded: a fraction of zero is left out


def test_rows_have_exactly_the_recorded_fields(client):
    row, generated = client.page()[0][0], client.page(history="PINHOLE", size=28)[0]
    assert set(row) == {"name", "createTime", "media"}
    assert set(row["media"]) == {"name", "userUploadedImage", "mediaGenerationId"}
    assert set(row["media"]["userUploadedImage"]) == {"aspectRatio"}
    ids = {"mediaType", "workflowId", "workflowStepId", "mediaKey"}
    assert set(row["media"]["mediaGenerationId"]) == ids
    image = next(row["media"] for row in generated if "image" in row["media"])
    assert {"prompt", "modelNameType", "seed", "fifeUrl"} <= set(image["image"])
    assert set(image["mediaGenerationId"]) == ids | {"projectId"}


def test_names_and_cursors_have_the_recorded_shapes(client, world):
    shapes = {Kind.UPLOADED: ("CAMaJ", 111), Kind.GENERATED: ("CAMSJ", 162), Kind.VIDEO: ("CAUSJ", 162)}
    for kind, shape in shapes.items():
        names = world.names("ASSET_MANAGER", kind) + world.names("PINHOLE", kind)
        assert {(name[:5], len(name)) for name in names} == {shape}
    assert re.fullmatch(r"qgGSA[\w-]{195}", client.page(size=39)[1])
    assert client.page(size=40)[1] is None  # the last page has no cursor, even when it is full


def test_a_cursor_continues_after_its_image_while_others_are_added_and_deleted(client, world):
    expected = world.names()
    rows, cursor = client.page()
    world.add_uploaded(5)
    world.delete(rows[-1]["name"])
    world.delete(expected[20])
    assert names_of(client.page(cursor)[0]) == [*expected[18:20], *expected[21:37]]


def test_a_cursor_that_is_marked_as_undefined_brings_page_1_again(client):
    first, cursor = client.page(meta=CURSOR_UNDEFINED)
    assert client.page(cursor, meta=CURSOR_UNDEFINED) == (first, cursor)


def test_invented_foreign_and_expired_cursors_are_refused(client, world):
    cursor = client.page()[1]
    for invented in ("nonsense", "ä", "qgGSA" + "A" * 195, cursor[:-1] + "!"):
        error = client.history(invented).json()["error"]["json"]["data"]
        assert (error["httpStatus"], error["code"]) == (400, "BAD_REQUEST")
    assert client.history(cursor, history="PINHOLE").status_code == 400
    world.expire_cursors()
    assert client.history(cursor).status_code == 400


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"cookie": None}, 401),
        ({"cookie": f"{COOKIE}=eyJ.invented"}, 401),
        ({"cookie": "SID=" + "x" * 9000}, 431),
        ({"referer": None}, 403),
        ({"referer": "https://elsewhere.example/fx/tools/flow"}, 403),
        ({"content-type": None}, 415),
        ({"text": ""}, 400),
        ({"text": "[]"}, 400),
        ({"text": "{}"}, 400),
        ({"text": '{"json":{"type":"ASSET_MANAGER","pageSize":"18"}}'}, 400),
        ({"history": "NO_SUCH"}, 400),
    ],
)
def test_history_validates_headers_and_input(client, changed, status):
    assert client.history(**changed).status_code == status


@pytest.mark.parametrize(
    ("changed", "status", "word"),
    [
        ({"key": ""}, 400, "API_KEY_INVALID"),
        ({"key": "AIzaSyInvented"}, 400, "API_KEY_INVALID"),
        ({"authorization": None}, 401, "UNAUTHENTICATED"),
        ({"authorization": "Bearer ya29.invented"}, 401, "UNAUTHENTICATED"),
        ({"referer": None}, 403, "PERMISSION_DENIED"),
        ({"origin": "https://elsewhere.example"}, 403, "PERMISSION_DENIED"),
        ({"name": "CAMaInvented"}, 400, "INVALID_ARGUMENT"),
    ],
)
def test_the_media_service_validates_key_token_headers_and_name(client, changed, status, word):
    response = client.media(**changed)
    assert (response.status_code, word in response.text) == (status, True)


def test_secrets_sent_to_the_wrong_service_are_recorded(client, flow, world):
    cookies, picture = world.cookie_header(), flow.picture_url(world.names()[0]).removeprefix(flow.url)
    client.media(cookie=cookies)
    assert client.history(authorization="Bearer x").status_code == 400
    assert client.get(picture, cookie="SID=x").status_code == 400
    # A browser sends the dashboard's own cookie to every port of the host: only Flow's cookie is a leak.
    assert client.get(picture, cookie="shelf=x", **{"sec-fetch-mode": "no-cors"}).status_code == 200
    assert client.get(picture, cookie=cookies, **{"sec-fetch-mode": "no-cors"}).status_code == 400
    carried = ["media request carried cookie", "history request carried authorization"]
    assert flow.violations == [f"the {what}" for what in carried + ["picture request carried cookie"] * 2]


def test_errors_have_the_format_of_their_service(client, flow, world):
    flow.fail_next(503, "history")
    assert client.history().json()["error"]["json"]["data"]["httpStatus"] == 503
    flow.fail_next(429, "media", retry_after=7)
    response = client.media()
    assert response.headers["retry-after"] == "7"
    assert response.json()["error"]["status"] == "RESOURCE_EXHAUSTED"
    flow.fail_next(500, "picture")
    assert requests.get(flow.picture_url(world.names()[0]), timeout=10).text.startswith("<?xml")


def test_faults_happen_in_order_and_to_requests_of_their_kind_only(client, flow):
    flow.fail_next(500, "history", count=2)
    flow.respond_next("history", {"result": {}}, status=203, headers={"x-odd": "1"})
    flow.cut_next("history", at_bytes=100)
    flow.drop_next("history")
    assert client.session().status_code == 200
    assert [client.history().status_code for _ in range(2)] == [500, 500]
    response = client.history()
    assert (response.status_code, response.json(), response.headers["x-odd"]) == (203, {"result": {}}, "1")
    for _ in range(2):
        with pytest.raises(FAILURES):
            client.history()
    assert client.history().status_code == 200


def test_a_gate_holds_requests_which_then_see_the_world_as_it_is_at_release(client, flow, world):
    flow.limit_parallel("history", 1, retry_after=3)
    with ThreadPoolExecutor(1) as pool, flow.holding("history", at=2) as gate:
        client.page()
        assert not gate.reached.is_set()
        waiting = pool.submit(client.page)
        assert gate.reached.wait(5)
        refused = client.history()  # above the limit, while the other one waits
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "3")
        (name,) = world.add_uploaded()
        assert not waiting.done()
        gate.release()
        assert waiting.result(5)[0][0]["name"] == name
    assert flow.max_parallel("history") == 2


def test_stopping_ends_everything_that_waits_and_keeps_the_port(client, flow):
    threads, url = threading.active_count(), flow.url
    flow.slow_next("session", 60)
    with ThreadPoolExecutor(2) as pool, flow.holding("history") as gate:
        held, slow = pool.submit(client.history), pool.submit(client.session)
        assert gate.reached.wait(5)
        flow.stop()
        flow.stop()
        for waiting in (held, slow):
            assert isinstance(waiting.exception(5), requests.ConnectionError)
    assert threading.active_count() < threads
    assert flow.start() is flow.start()
    assert (flow.url, client.history().status_code) == (url, 200)


def test_the_log_records_requests_until_reset_which_keeps_the_world(client, flow, world):
    cursor = client.page()[1]
    client.page(cursor)
    client.media(query="&returnUriOnly=true")
    assert [request.cursor for request in flow.asked("history")] == [None, cursor]
    assert flow.asked("history")[0].input["pageSize"] == 18
    assert (flow.count("media"), flow.count("media", returnUriOnly="true"), flow.count("page")) == (1, 1, 0)
    assert flow.log[0].cookies == world.cookies()
    flow.fail_next(500, "history", count=9)
    flow.limit_parallel("history", 0)
    flow.reset()
    assert (flow.log, flow.violations, flow.max_parallel("history")) == ([], [], 0)
    assert client.page(cursor)[0]


def test_a_seed_makes_the_same_world_and_its_pictures_all_differ(world):
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    first, second, other = (World(seed, 5, 5, now=moment) for seed in (1, 1, 2))
    assert [first.entry(name) for name in first.names()] == [second.entry(name) for name in second.names()]
    assert first.names() != other.names()
    assert first.cookies() == second.cookies() != other.cookies()
    assert pictures.encoded(5, long_side=96) == pictures.encoded.__wrapped__(5, long_side=96)
    assert len({world.content(name) for name in world.names()}) == 40


def test_a_prompt_says_what_its_picture_shows():
    brightness = {"sun": [], "moon": []}
    for number in range(36):
        with Image.open(io.BytesIO(pictures.encoded(number, long_side=160))) as image:
            shown = ImageStat.Stat(image.convert("L")).mean[0]
        for word in brightness.keys() & pictures.prompt(number).split():
            brightness[word].append(shown)
    assert max(brightness["moon"]) < min(brightness["sun"])


def test_pictures_of_all_motifs_and_shapes_can_be_drawn_and_differ():
    drawn = set()
    for number in range(34):
        aspect = list(pictures.ASPECTS)[number % 3]
        content = pictures.encoded(number, aspect=aspect, long_side=160)
        with Image.open(io.BytesIO(content)) as image:
            wide, tall = pictures.ASPECTS[aspect]
            assert abs(image.width / image.height - wide / tall) < 0.05
        drawn.add(content)
    assert len(drawn) == 34


@pytest.fixture
def opened(tmp_path):
    """The background work and the simulated Flow of `flowshelf demo`, as its first page finds them."""
    with simulated_flow() as (flow, accounts):
        accounts.ada.tiny_pictures = accounts.studio.tiny_pictures = True  # drawing them takes longest
        config = demo_config(Config(data_dir=tmp_path / "data", port=0), flow)
        work = background_of(create_app(config))
        work.start()
        try:
            fill(work, accounts)
            with store.connection():
                yield work, flow
            assert flow.violations == []
        finally:
            work.stop()


def test_the_demo_opens_on_a_synced_and_partly_downloaded_shelf(opened):
    assert [profile.name for profile in list_profiles()] == ["Ada", "Studio"]
    for profile in list_profiles():
        for kind in RunKind:
            assert runs.find_last_run(profile.id, kind).state == RunState.DONE
        shown = count_profile(profile.id)
        assert 0.3 < shown.downloaded / shown.total < 0.4
    ada = list_profiles()[0].id
    assert runs.find_last_run(ada, RunKind.DOWNLOAD).failed_count == FAILED_COUNT


@pytest.mark.parametrize(("account", "kind"), [(0, "history"), (1, "project")])
def test_a_sync_in_the_demo_finds_something_new_also_when_it_was_paused(opened, account, kind):
    work, flow = opened
    profile = list_profiles()[account]
    before = count_profile(profile.id).total
    with flow.holding(kind, at=3) as gate:
        paused = work.syncs.start(profile.id)
        assert gate.reached.wait(15)
        work.syncs.pause(profile.id)
    assert runs.get_run(paused.id).state == RunState.PAUSED
    for mode in (SyncMode.RESUME, SyncMode.NEW):
        assert work.syncs.wait(work.syncs.start(profile.id, mode=mode).id).state == RunState.DONE
    assert count_profile(profile.id).total > before + 15


def test_a_sync_of_either_account_of_the_demo_takes_about_five_seconds(opened):
    work, flow = opened
    for profile in list_profiles():
        flow.reset()
        assert work.syncs.wait(work.syncs.start(profile.id).id).state == RunState.DONE
        # One request at a time: the simulated Flow waits so long before it responds to them.
        assert 3 < sum(LATENCY_SECONDS.get(request.kind, 0) for request in flow.log) < 7
