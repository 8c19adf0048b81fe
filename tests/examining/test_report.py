"""A report on a service reveals nothing of the account, whatever the service sends."""

import json
import re
from collections.abc import Iterator
from urllib.parse import unquote

import pytest

from webapp import store
from webapp.demo import World
from webapp.storage.lock import DataFolderLock

NUMBER = "100000000004711081512"
UUID = "7d3f9a52-6c1e-4b8a-9f27-c05e81d4ab36"
EMAIL, OWNER = "zorvath.quillon@xylomail.example", "Zorvath Quillon"
PROMPTS = (
    "kestrel quoll over tundra",
    "secretFieldName",
    "kestrelword",
    "SECRET_UPPERCASE_WORD",
    "PUBLIC_ERROR_KESTREL",
    UUID,
    NUMBER,
    "https://flow-content.google/image/kestrelpath?Expires=1789&Signature=QuollSignature",
    "zorvath.quillon@xylomail.example",
    '["xsrf","AIQ-kestreltoken:1789700000000",["100000000004711081512"]]',
)
TITLE = "Quagmire of Zorvath"
LONG = " ".join(PROMPTS) * 40
ODD = {
    "kestrelword": 4711081512345,
    "secretFieldName": {UUID: NUMBER, NUMBER: [UUID, 4711081512345.5]},
    EMAIL: PROMPTS,
    "https://kestrelhost.example/x": TITLE,
}
PAGE = f"<!doctype html><title>{LONG}</title><a href='https://kestrelhost.example/{UUID}'>{EMAIL}</a>"
OWN_WORDS = ("pictures", "signature")  # of paths and pages alike
KINDS = ("start", "projects", "project", "address", "picture", "person")
LABS_KINDS = ("session", "history", "page", "script", "media", "picture")


@pytest.fixture
def world() -> World:
    """The images have the prompts in turn, and all have a title."""
    world = World(uploaded=12, generated=12, videos=1, tiny_pictures=True, email=EMAIL, owner=OWNER)
    for index, name in enumerate([*world.names("PINHOLE"), *world.names("ASSET_MANAGER")]):
        world.change(name, prompt=PROMPTS[index % len(PROMPTS)], title=TITLE, caption=PROMPTS[index % 7])
    return world


@pytest.fixture
def moved(world: World) -> World:
    """The same account at flow.google.com, with odd records of every kind in its newest project."""
    world.migrate()
    newest = world.add_project(TITLE, f"{UUID}_kestrel")
    world.add_generated(2, newest)
    for record in (
        ODD,
        LONG,
        4711081512345,
        [UUID, newest, "kestrelcard", "KESTREL", LONG, [[1, ODD]], [LONG, 4711081512345]],
        [NUMBER, *[None] * 4, [None] * 8 + [[4711081512345]], [[None] * 15]],
        [NUMBER, *[None] * 9, None, ODD, PROMPTS, None, *PROMPTS],
    ):
        world.odd_record(newest, record)
    return world


def chunks_of(text: str) -> Iterator[str]:
    """A text, and its parts of eight characters or more, without words of our own."""
    for part in {text, unquote(text), *re.split(r"[^\w]+|_", unquote(text))}:
        if len(part) >= 8 and part.lower() not in OWN_WORDS:
            yield part


def secrets_of(world: World, flow) -> set[str]:
    """All secrets of the simulated account, and those in the requests to it."""
    google = world.google
    secrets = {EMAIL, OWNER, TITLE, NUMBER, UUID, "kestrel", "quoll", "zorvath", "xylomail", "4711081512345"}
    secrets |= {google.token, google.session_id, google.build, google.account_number, world.key}
    secrets |= {*google.cookies().values(), *world.cookies().values(), *PROMPTS, *ODD, LONG}
    for name in [*world.names(), *world.names("PINHOLE")]:
        entry = world.entry(name)
        secrets |= {name, entry.media_key, entry.workflow_id, entry.project_id, entry.picture_id}
        secrets |= {world.picture_path(entry), world.asset_path(entry), str(entry.seed * 1000)}
    for request in flow.log:
        secrets |= {
            request.headers.get("authorization", "").removeprefix("Bearer "),
            *request.cookies.values(),
        }
        secrets |= {value for name, value in request.query.items() if name not in ("input", "source-path")}
    own = {"rpcids", "PINHOLE", "generic"}
    return {chunk for text in secrets if text not in own for chunk in chunks_of(text)} | {"kestrel", "quoll"}


@pytest.fixture
def everything_shown(client, command, flow):
    """Everything that an examination shows: in the API, the page, the report, the terminal and the log."""

    def everything_shown(profile_id: str, caplog) -> str:
        caplog.set_level("INFO")
        response = client.post(f"/api/profiles/{profile_id}/examine", json={})
        page = client.get(f"/profiles/{profile_id}/examination").text
        report = client.get(f"/profiles/{profile_id}/examination/report.json")
        assert response.get_json()["data"]["report"] == report.get_json()
        shown = json.dumps(response.get_json(), ensure_ascii=False)
        return "\n".join([shown, page, report.text, command("--flow", profile_id)[1], caplog.text])

    return everything_shown


@pytest.fixture
def running_server(live_url, config):
    """Makes commands use the running server."""
    lock = DataFolderLock(config.data_dir)
    assert lock.take()
    lock.write_url(live_url)
    yield
    lock.release()


def add(work, cookies: str) -> str:
    with store.connection():
        return work.accounts.add("Ada", cookies).id


def expect_no_secret(shown: str, world: World, flow) -> None:
    lower = shown.lower()
    found = [secret for secret in secrets_of(world, flow) if secret.lower() in lower]
    assert found == []


def test_a_successful_examination_of_the_new_flow_reveals_no_secret(
    work, moved, flow, everything_shown, running_server, caplog
):
    profile_id = add(work, moved.google.cookie_header())
    shown = everything_shown(profile_id, caplog)
    assert "record: status &lt;number&gt;" in shown
    assert "WRONG  a project (Zzl0ze)" in shown
    expect_no_secret(shown, moved, flow)


def test_a_successful_examination_of_labs_reveals_no_secret(
    work, world, flow, everything_shown, running_server, caplog
):
    world.add_broken_entry("without any kind")
    profile_id = add(work, world.cookie_header())
    shown = everything_shown(profile_id, caplog)
    assert "1 entry of no known kind" in shown
    expect_no_secret(shown, world, flow)


def wrong_responses(kind: str):
    """Wrong responses to a call, each full of secrets."""
    google_error = {
        "error": {
            "code": 4711081512345,
            "message": LONG,
            "status": "PUBLIC_ERROR_KESTREL",
            "details": [{"reason": "PUBLIC_ERROR_KESTREL", UUID: NUMBER}],
        }
    }
    elsewhere = {"Location": f"https://kestrelhost.example/{UUID}?at=AIQ-kestreltoken"}
    rows = [["wrb.fr", "kestrel", LONG], ["er", *PROMPTS], ["e", 4711081512345]]
    yield PAGE, {"content_type": "text/html"}
    yield PAGE, {"content_type": "text/html", "status": 404}
    yield LONG, {"content_type": "text/plain"}
    yield ODD, {}
    yield [ODD, *PROMPTS], {"status": 400}
    yield google_error, {"status": 403}
    yield google_error, {"status": 404}
    yield {"error": {"json": {"message": LONG, "data": {"httpStatus": 400, "path": UUID}}}}, {"status": 400}
    yield ")]}'\n\n17\n" + json.dumps(rows), {}
    yield ")]}'\n\n17\n" + json.dumps([["er", None, None, None, None, 4711081512345, None, *PROMPTS]]), {}
    yield "", {"status": 302, "headers": elsewhere}
    yield {"error": LONG, "access_token": "kestreltoken", "user": ODD}, {}


@pytest.mark.proof
@pytest.mark.parametrize("kind", KINDS)
def test_no_wrong_response_of_the_new_flow_reveals_a_secret(
    work, moved, flow, everything_shown, running_server, caplog, kind
):
    profile_id = add(work, moved.google.cookie_header())
    for body, more in wrong_responses(kind):
        with store.connection():
            work.accounts.replace_cookies(profile_id, moved.google.sign_in() and moved.google.cookie_header())
        flow.respond_next(kind, body, count=9, **{"content_type": "application/json"} | more)
        expect_no_secret(everything_shown(profile_id, caplog), moved, flow)
        flow.reset()


@pytest.mark.proof
@pytest.mark.parametrize("kind", LABS_KINDS)
def test_no_wrong_response_of_labs_reveals_a_secret(
    work, world, flow, everything_shown, running_server, caplog, kind
):
    for name in world.names():
        world.change(name, inline=kind != "picture")
    profile_id = add(work, world.cookie_header())
    for body, more in wrong_responses(kind):
        with store.connection():
            work.accounts.replace_cookies(profile_id, world.sign_in() and world.cookie_header())
        flow.respond_next(kind, body, count=9, **{"content_type": "application/json"} | more)
        expect_no_secret(everything_shown(profile_id, caplog), world, flow)
        flow.reset()


@pytest.mark.proof
@pytest.mark.parametrize("kind", ["projects", "project", "address", "person"])
@pytest.mark.parametrize(
    "payload",
    [ODD, LONG, 4711081512345, [ODD], [PROMPTS, LONG], [[[LONG, ODD]]], [None, [LONG], LONG]],
    ids=["object", "text", "number", "objects", "texts", "nested", "slots"],
)
def test_no_payload_reveals_a_secret(
    work, moved, flow, everything_shown, running_server, caplog, kind, payload
):
    profile_id = add(work, moved.google.cookie_header())
    flow.payload_next(kind, payload, count=9)
    expect_no_secret(everything_shown(profile_id, caplog), moved, flow)


@pytest.mark.parametrize("code", [3, 5, 7, 8, 13, 16, 99, 4711081512345])
def test_no_refusal_reveals_a_secret(work, moved, flow, everything_shown, running_server, caplog, code):
    profile_id = add(work, moved.google.cookie_header())
    flow.call_error_next("project", code, "PUBLIC_ERROR_KESTREL", count=3)
    shown = everything_shown(profile_id, caplog)
    expect_no_secret(shown, moved, flow)
