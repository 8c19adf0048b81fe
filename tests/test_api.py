"""The JSON API: the channels of the Electron predecessor, and every refusal."""

import json
import threading
from pathlib import Path

import pytest

from webapp.demo import World

SYNC = "/api/image-veo3/sync-metadata"
SINGLE = "/api/image-veo3/download-single"
BATCH = "/api/image-veo3/download-batch"
LOCAL = "/api/image-veo3/get-local-images"


@pytest.fixture
def ask(client, profile_id):
    """Posts to a channel; returns the value after checking the status."""

    def post(path, status=200, **body):
        response = client.post(path, json={"profileId": profile_id} | body)
        assert response.status_code == status, response.get_json()
        value = response.get_json()
        assert value["success"] is (status < 400)
        if status >= 400:
            assert value["error"].endswith((".", ")"))
            return value
        return value["data"]

    return post


NOTHING_IGNORED = {
    "ignored": 0,
    "ignoredByReason": dict.fromkeys(("video", "sound", "not_ready", "failed", "unrecognised"), 0),
}


def test_a_sync_reads_all_pages_of_the_default_history(ask, world):
    data = ask(SYNC)
    assert data == {"synced": 40, "skipped": 0, **NOTHING_IGNORED, "hasMore": False}
    assert ask(SYNC) == {"synced": 0, "skipped": 40, **NOTHING_IGNORED, "hasMore": False}


def test_max_pages_stops_a_sync_and_last_cursor_continues_it(ask, flow):
    flow.reset()
    first = ask(SYNC, maxPages=1)
    assert first["synced"] == 18
    assert first["hasMore"] is True
    second = ask(SYNC, maxPages=1, startCursor=first["lastCursor"])
    assert second["synced"] == 18
    third = ask(SYNC, maxPages=1, startCursor=second["lastCursor"])
    assert third == {"synced": 4, "skipped": 0, **NOTHING_IGNORED, "hasMore": False}
    assert flow.count("history") == 3


def test_a_sync_requests_only_history_pages(ask, flow):
    flow.reset()
    ask(SYNC, histories=["ASSET_MANAGER", "PINHOLE"])
    assert {request.kind for request in flow.log} == {"history"}


def test_resume_continues_the_newest_gap(ask):
    ask(SYNC, maxPages=1)
    assert ask(SYNC, mode="resume")["synced"] == 22


def test_a_start_cursor_that_flow_refuses_is_a_400(ask, client, profile_id):
    assert ask(SYNC, 400, startCursor="made-up")["code"] == "cursor_refused"
    ask(SYNC)
    state = client.get("/api/profiles").get_json()["data"][0]
    assert state["hasMore"] is True  # PINHOLE was not synced yet; the invalid cursor left no gap
    assert state["lastCursor"] is None


def test_a_downloaded_file_is_named_after_its_media_key(ask, world):
    ask(SYNC)
    name = world.names()[3]
    path = Path(ask(SINGLE, imageName=name)["localPath"])
    assert path.name == f"{world.entry(name).media_key}.jpg"
    assert path.read_bytes() == world.content(name)


def test_a_downloaded_image_is_not_downloaded_again(ask, world, flow):
    ask(SYNC)
    name = world.names()[0]
    first = ask(SINGLE, imageName=name)
    flow.reset()
    assert ask(SINGLE, imageName=f" {name[:50]}\n{name[50:]}\u200b") == first
    assert flow.log == []


def test_an_image_that_was_not_synced_is_a_404(ask):
    response = ask(SINGLE, 404, imageName="CAMaNEVER")
    assert response["code"] == "unknown_image"
    assert "sync metadata first" in response["error"]


def test_a_file_that_was_deleted_by_hand_is_downloaded_again(ask, world):
    ask(SYNC)
    name = world.names()[0]
    path = Path(ask(SINGLE, imageName=name)["localPath"])
    path.unlink()
    assert Path(ask(SINGLE, imageName=name)["localPath"]).read_bytes() == world.content(name)


def test_a_batch_reports_which_images_failed_and_why(ask, world, tmp_path):
    ask(SYNC)
    names = world.names()[:6]
    world.delete(names[2])
    data = ask(BATCH, imageNames=[*names, names[0], "CAMaNEVER"])
    assert data["downloaded"] == 5
    assert data["failed"] == 2
    assert set(data["failedNames"]) == {names[2], "CAMaNEVER"}
    codes = {failure["name"]: failure["code"] for failure in data["failures"]}
    assert codes == {names[2]: "gone_upstream", "CAMaNEVER": "unknown_image"}


def test_an_empty_batch_succeeds_with_zero_counts(ask):
    assert ask(BATCH, imageNames=[]) == {"downloaded": 0, "failed": 0, "failedNames": [], "failures": []}


def test_a_download_folder_must_be_under_a_storage_root(running, world, tmp_path):
    root = tmp_path / "pictures"
    root.mkdir()
    client = running(storage_roots=(root,)).test_client()
    profile = client.post("/api/profiles", json={"name": "Ada", "cookies": world.cookie_header()})
    body = {"profileId": profile.get_json()["data"]["profileId"], "imageName": world.names()[0]}
    client.post(SYNC, json=body)
    inside = client.post(SINGLE, json=body | {"localStoragePath": str(root / "ada")}).get_json()
    assert Path(inside["data"]["localPath"]).parent == root / "ada"
    pending = body | {"pending": 2}
    client.post(BATCH, json=pending | {"localStoragePath": str(root / "two")})
    assert len(list((root / "two").iterdir())) == 2
    for path in ("relative", str(tmp_path), str(root / ".." / "x")):
        for channel, asked in ((SINGLE, body), (BATCH, pending)):
            response = client.post(channel, json=asked | {"localStoragePath": path})
            assert (response.status_code, response.get_json()["code"]) == (400, "bad_path")


def test_local_images_are_listed_newest_first_without_null_fields(ask, world):
    ask(SYNC)
    images = ask(LOCAL)
    assert [image["name"] for image in images] == world.names()
    assert None not in images[0].values()
    assert "localPath" not in images[0]
    assert len(images[0]["createdAt"]) == 27
    some = ask(LOCAL, limit=3)
    assert some == images[:3]
    assert ask(LOCAL, limit=3, before=some[-1]["id"]) == images[3:6]


def test_without_wait_the_response_names_a_run_to_poll(ask, client, wait_until):
    run_id = ask(SYNC, 202, wait=False)["runId"]
    wait_until(lambda: client.get(f"/api/runs/{run_id}").get_json()["data"]["state"] == "done")
    run = client.get(f"/api/runs/{run_id}").get_json()["data"]
    assert run["counts"] == {"pages": 3, "synced": 40, "skipped": 0, **NOTHING_IGNORED}
    assert run["result"]["hasMore"] is False


def test_commands_for_an_ended_run_do_not_affect_the_next_run(ask, flow, client, world, wait_until):
    ask(SYNC)
    ended = ask(BATCH, 202, imageNames=world.names()[:1], wait=False)["runId"]
    wait_until(lambda: client.get(f"/api/runs/{ended}").get_json()["data"]["state"] == "done")
    with flow.holding("media") as gate:
        run_id = ask(BATCH, 202, pending=True, wait=False)["runId"]
        assert gate.reached.wait(5)
        for verb in ("pause", "cancel"):
            response = client.post(f"/api/runs/{ended}/{verb}").get_json()
            assert response["data"]["state"] == "done"
            assert client.get(f"/api/runs/{run_id}").get_json()["data"]["state"] == "running"
        gate.release()
    assert ask(BATCH, imageNames=world.names())["downloaded"] == 40


def test_an_identical_sync_joins_the_run_and_a_different_one_is_busy(ask, flow, profile_id):
    with flow.holding("history") as gate:
        run_id = ask(SYNC, 202, wait=False)["runId"]
        assert gate.reached.wait(5)
        assert ask(SYNC, 202, wait=False)["runId"] == run_id
        busy = ask(SYNC, 409, mode="full")
        assert (busy["code"], busy["runId"]) == ("busy", run_id)
        gate.release()
    joined = ask(SYNC)
    assert joined["synced"] + joined["skipped"] == 40


def test_a_second_batch_joins_the_run_and_reports_only_its_own_images(ask, flow, world):
    ask(SYNC)
    names = world.names()
    with flow.holding("media") as gate:
        first = ask(BATCH, 202, imageNames=names[:5], wait=False)["runId"]
        assert gate.reached.wait(5)
        assert ask(BATCH, 202, imageNames=names[3:9], wait=False)["runId"] == first
        gate.release()
    assert ask(BATCH, imageNames=names[7:9])["downloaded"] == 2
    assert ask(BATCH, imageNames=names[:9])["downloaded"] == 9
    assert max(flow.count("media", name=name) for name in names[:9]) <= 1


def test_a_waiting_call_ends_when_its_run_is_paused(ask, flow, world, client):
    ask(SYNC)
    responses = []
    with flow.holding("media") as gate:
        waiter = threading.Thread(
            target=lambda: responses.append(ask(BATCH, 409, imageNames=world.names()[:20]))
        )
        waiter.start()
        assert gate.reached.wait(5)
        profile_id = client.get("/api/profiles").get_json()["data"][0]["profileId"]
        client.post(f"/profiles/{profile_id}/downloads/pause")
        waiter.join(5)
        gate.release()
    assert responses[0]["code"] == "paused"


def test_too_many_waiting_calls_get_503_with_retry_after(app, flow, profile_id, wait_until):
    responses = []

    def call():
        responses.append(app.test_client().post(SYNC, json={"profileId": profile_id}))

    with flow.holding("history") as gate:
        threads = [threading.Thread(target=call) for _ in range(7)]
        for thread in threads:
            thread.start()
        wait_until(lambda: responses)
        gate.release()
    for thread in threads:
        thread.join(10)
    assert [response.status_code for response in responses] == [503, *[200] * 6]
    assert responses[0].get_json()["code"] == "busy"
    assert int(responses[0].headers["Retry-After"]) > 0


def test_downloads_wait_for_new_cookies_and_do_not_fail(ask, client, world, profile_id, wait_until):
    ask(SYNC)
    world.sign_out()
    assert ask(BATCH, 409, imageNames=world.names()[:4])["code"] == "waiting_for_cookies"
    state = client.get("/api/profiles").get_json()["data"][0]
    assert state["health"] == "waiting_for_cookies"
    world.sign_in()
    put = client.put(f"/api/profiles/{profile_id}/cookies", json={"cookies": world.cookie_header()})
    assert put.get_json()["data"]["health"] == "well"
    assert ask(BATCH, imageNames=world.names()[:4])["downloaded"] == 4


def test_cookies_of_another_account_are_refused_and_the_old_ones_kept(ask, client, flow, profile_id):
    other = World(seed=2, email="bob@example.com", owner="Bob")
    flow.add_world(other)
    response = client.put(f"/api/profiles/{profile_id}/cookies", json={"cookies": other.cookie_header()})
    assert (response.status_code, response.get_json()["code"]) == (409, "other_account")
    assert ask(SYNC)["synced"] == 40
    again = client.post("/api/profiles", json={"name": "Twin", "cookies": _of(flow)})
    assert (again.status_code, again.get_json()["code"]) == (409, "account_exists")


def _of(flow):
    return flow.world.cookie_header()


def test_removing_a_profile_keeps_its_files(ask, client, world, profile_id):
    ask(SYNC)
    path = Path(ask(SINGLE, imageName=world.names()[0])["localPath"])
    listed = client.get("/api/profiles").get_json()["data"]
    assert [profile["profileId"] for profile in listed] == [profile_id]
    assert listed[0]["accountEmail"] == "ada@example.com"
    assert client.delete(f"/api/profiles/{profile_id}").status_code == 200
    assert client.get("/api/profiles").get_json()["data"] == []
    assert path.exists()


def test_no_response_contains_a_secret(ask, client, world, profile_id):
    ask(SYNC)
    ask(SINGLE, imageName=world.names()[0])
    texts = [client.get(path).text for path in ("/", "/profiles", f"/profiles/{profile_id}", "/api/profiles")]
    values = [*world.cookies().values(), world.key]
    assert not [value for value in values for text in texts if value in text]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (SYNC, {"maxPages": 0}),
        (SYNC, {"maxPages": "3"}),
        (SYNC, {"maxPages": True}),
        (SYNC, {"maxPages": 1.5}),
        (SYNC, {"startCursor": 7}),
        (SYNC, {"mode": "everything"}),
        (SYNC, {"mode": ["new"]}),
        (SYNC, {"history": "VIDEOS"}),
        (SYNC, {"wait": "no"}),
        (SYNC, {"mode": "full", "startCursor": "x"}),
        (SINGLE, {}),
        (SINGLE, {"imageName": ""}),
        (SINGLE, {"imageName": ["a"]}),
        (BATCH, {}),
        (BATCH, {"imageNames": "CAMa"}),
        (BATCH, {"imageNames": [1]}),
        (BATCH, {"pending": -1}),
        (LOCAL, {"limit": "all"}),
    ],
)
def test_an_invalid_field_is_a_400_with_a_sentence(ask, path, body):
    assert ask(path, 400, **body)["code"] == "bad_request"


@pytest.mark.parametrize(
    ("path", "field"),
    [(SYNC, "startCursor"), (SINGLE, "imageName"), (LOCAL, "before")],
)
@pytest.mark.parametrize("text", ["\ud800", "a\x00b"])
def test_text_that_the_database_cannot_store_is_a_400(ask, path, field, text):
    assert ask(path, 400, **({"imageName": "x"} | {field: text}))["code"] == "bad_request"


def test_malformed_urls_headers_and_bodies_are_4xx(client, profile_id):
    deep = b"[" * 100_000
    assert client.post(SYNC, data=deep, content_type="application/json").status_code == 400
    assert client.post("/profiles", headers={"Origin": "http://["}).status_code == 403
    assert client.post(f"/walks/{2**70}/answer").status_code == 404
    pending = f"/profiles/{profile_id}/downloads/pending"
    assert client.post(pending, data={"limit": "9" * 5000}).status_code == 400
    for here in ("/\r\nX: y", "/\t/evil.example", "//evil.example", "https://evil.example"):
        response = client.post(f"/profiles/{profile_id}/sync/pause", data={"here": here})
        assert response.location == "/"


def test_a_folder_that_cannot_be_created_is_a_400(ask, world, config):
    ask(SYNC)
    file = config.images_dir / "a-file"
    file.write_bytes(b"")
    response = ask(SINGLE, 400, imageName=world.names()[0], localStoragePath=str(file / "below"))
    assert response["code"] == "bad_path"


@pytest.mark.parametrize("path", [SYNC, SINGLE, BATCH, LOCAL])
def test_an_unknown_profile_is_a_404(client, path):
    response = client.post(path, json={"profileId": "profile_none", "imageName": "a", "imageNames": []})
    assert (response.status_code, response.get_json()["code"]) == (404, "unknown_profile")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"text"', b"null", b"\xff\xfe"])
def test_a_body_that_is_not_a_json_object_is_a_400(client, content):
    response = client.post(SYNC, data=content, content_type="application/json")
    assert (response.status_code, response.get_json()["code"]) == (400, "bad_request")


def test_a_form_instead_of_json_is_a_415(client):
    assert client.post(SYNC, data={"profileId": "x"}).status_code == 415


def test_an_unknown_run_and_an_unknown_url_are_404s_in_json(client):
    assert client.get("/api/runs/none").get_json()["code"] == "unknown_run"
    response = client.get("/api/nothing")
    assert response.status_code == 404
    assert response.get_json()["success"] is False


def test_the_error_for_bad_cookies_names_the_missing_cookie(client):
    response = client.post("/api/profiles", json={"name": "Ada", "cookies": "SID=abc; HSID=def"})
    assert (response.status_code, response.get_json()["code"]) == (400, "bad_cookies")
    assert "OSID is missing" in response.get_json()["error"]


def test_a_list_of_thousands_of_images_is_complete(client, running, tmp_path, flow):
    large = World(seed=3, uploaded=1300, tiny_pictures=True, email="big@example.com")
    flow.add_world(large)
    profile = client.post("/api/profiles", json={"name": "Big", "cookies": large.cookie_header()})
    body = {"profileId": profile.get_json()["data"]["profileId"]}
    assert client.post(SYNC, json=body).get_json()["data"]["synced"] == 1300
    images = json.loads(client.post(LOCAL, json=body).data)["data"]
    assert [image["name"] for image in images] == large.names()
    assert len(json.loads(client.post(LOCAL, json=body | {"limit": 1201}).data)["data"]) == 1201
