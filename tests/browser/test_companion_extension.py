"""The companion in a real Chromium, against a simulated Flow that demands the session of that very browser.

No copy of cookies works there: only requests of the browser itself are signed in.
"""

import io
import json
import os
import threading
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from extension_host import EXTENSION_ID, POPUP, WAIT_SECONDS, ExtensionHost, Tab, eventually, find_chromium
from flask import Flask

from webapp import store
from webapp.background import Background
from webapp.database.models import Image, Pairing, Profile, Secret
from webapp.database.states import Health, RunKind, RunState, Way
from webapp.demo import FlowServer, World
from webapp.demo.faults import Fault
from webapp.demo.journal import Request
from webapp.demo.responses import Response
from webapp.demo.samples import moved_sample_world
from webapp.errors import FlowChanged
from webapp.store import runs
from webapp.web.services import background_of

pytestmark = pytest.mark.browser

SIGN_IN_ELSEWHERE = Response(302, b"", headers=(("Location", "https://accounts.google.com/ServiceLogin"),))
CONNECT = "document.querySelector('#unpaired button').click()"
PAIRED = "!document.querySelector('#paired').hidden"
# What the companion may be asked for, and what not: a free value in its place, and nothing else that differs.
READING_CALLS = (
    ("UpteDb", ["projects/*", 20, None, None, None, None, [1]]),
    ("UpteDb", ["projects/*", 20, "cursor", None, None, None, [1]]),
    ("Zzl0ze", ["projects/8822142b-ca75_backfill", None, None, None, [1]]),
    ("as29s", ["8822142b-ca75_upsampled"]),
)
OTHER_CALLS = (
    ("UpteDb", ["projects/*", 21, None, None, None, None, [1]]),
    ("UpteDb", ["projects/*", 20, ["cursor"], None, None, None, [1]]),
    ("UpteDb", ["projects/*", 20, None, None, None, None, [1], "more"]),
    ("Zzl0ze", ["projects/a/media/b", None, None, None, [1]]),
    ("Zzl0ze", ["accounts/a", None, None, None, [1]]),
    ("as29s", ["a", "b"]),
    ("as29s", [{"a": 1}]),
    ("as29s", "a"),
    ("o30O0e", [["you"]]),
    ("DeleteIt", ["a"]),
    ("constructor", []),
)
CHECK = """import("/calls.js").then(({checkedArguments}) => CALLS.map(([rpc, given]) => {
  try {
    return JSON.stringify(checkedArguments(rpc, given)) === JSON.stringify(given) ? "built" : "changed";
  } catch (refusal) {
    return refusal.code;
  }
}))"""
# What a page of the web may try with a code that is valid; an entry is true if it got somewhere.
HOSTILE = """(async () => {
  const reached = (act) => act().then(Boolean, () => false);
  const post = async (path, type) => {
    const options = {method: "POST", headers: {"Content-Type": type}, body: JSON.stringify({code: "CODE"})};
    return (await fetch(`DASHBOARD/companion/${path}`, options)).ok;
  };
  const load = () => new Promise((done, fail) => {
    Object.assign(new Image(), {onload: done, onerror: fail, src: "chrome-extension://EXTENSION/icon.png"});
  }).then(() => true);
  return {
    reads: await reached(() => fetch("chrome-extension://EXTENSION/addresses.js")),
    shows: await reached(load),
    talks: typeof chrome?.runtime?.sendMessage === "function",
    pairs: await reached(() => post("pairing", "application/json")),
    pairsPlainly: await reached(() => post("pairing", "text/plain")),
    asks: await reached(() => post("poll", "text/plain")),
  };
})()"""


@pytest.fixture
def world() -> World:
    return moved_sample_world(uploaded=8, generated=16, videos=1, tiny_pictures=True)


@pytest.fixture
def grace(flow: FlowServer) -> World:
    world = moved_sample_world(
        2, uploaded=6, generated=10, videos=1, email="grace@example.com", owner="Grace", tiny_pictures=True
    )
    flow.add_world(world)
    return world


@dataclass
class Dashboard:
    """Flowshelf on a port that it keeps when it is started again."""

    running: Callable[..., Flask]
    serving: Callable[..., AbstractContextManager[str]]
    port: int = 0
    url: str = ""
    work: Background = field(init=False)
    _stack: ExitStack = field(default_factory=ExitStack)

    def start(self) -> None:
        app = self.running()
        self.work = background_of(app)
        self._stack.enter_context(store.connection())
        self.url = self._stack.enter_context(self.serving(app, port=self.port))
        self.port = urlsplit(self.url).port or 0

    def stop(self) -> None:
        self._stack.close()
        self.work.stop()


@pytest.fixture
def dashboard(
    running: Callable[..., Flask], serving: Callable[..., AbstractContextManager[str]]
) -> Iterator[Dashboard]:
    dashboard = Dashboard(running, serving)
    dashboard.start()
    yield dashboard
    dashboard.stop()


@pytest.fixture
def extension(dashboard: Dashboard, tmp_path: Path) -> Path:
    """The folder that a person unpacks the dashboard's ZIP into."""
    return unpack(dashboard, tmp_path / "unpacked")


def unpack(dashboard: Dashboard, folder: Path) -> Path:
    with urllib.request.urlopen(
        f"{dashboard.url}/profiles/connect/flowshelf-companion.zip", timeout=10
    ) as response:
        zipfile.ZipFile(io.BytesIO(response.read())).extractall(folder)
    return folder / "flowshelf-companion"


@pytest.fixture
def launch(extension: Path, tmp_path: Path) -> Iterator[Callable[[], ExtensionHost]]:
    """Starts the browser, again and again on the same profile. Skips without Chromium, or fails in CI."""
    program = find_chromium()
    if program is None:
        (pytest.fail if os.environ.get("FLOWSHELF_REQUIRE_BROWSER") else pytest.skip)("no Chromium here")
    hosts: list[ExtensionHost] = []

    def launch() -> ExtensionHost:
        hosts.append(ExtensionHost(program, tmp_path / "profile", extension))
        return hosts[-1]

    yield launch
    for host in hosts:
        host.close()


def sign_in(host: ExtensionHost, flow: FlowServer, *emails: str) -> None:
    for email in emails:
        tab = host.open(f"{flow.url}/browser?in={email}")
        tab.wait_for(f"document.body.innerText.includes('{email}: signed in')")
        tab.close()


def pair(host: ExtensionHost) -> Tab:
    """Presses Connect in the popup, which reads the code from the open page."""
    popup = host.open(POPUP)
    popup.wait_for("document.querySelector('#found').textContent")
    popup.evaluate(CONNECT)
    popup.wait_for(PAIRED)
    return popup


def open_connect(host: ExtensionHost, dashboard: Dashboard) -> Tab:
    page = host.open(f"{dashboard.url}/profiles/connect")
    page.wait_for("document.querySelector('[data-pairing-code]')")
    return page


def choose(page: Tab, email: str) -> str:
    """Picks an account on the page “Connect this browser”. Returns the id of its profile."""
    rows = "[...document.querySelectorAll('.accounts li')]"
    button = f"{rows}.find((row) => row.innerText.includes('{email}')).querySelector('button')"
    page.show()
    page.wait_for(button)
    page.evaluate(f"{button}.click()")
    return str(page.wait_for("new URLSearchParams(location.search).get('profile')"))


def connect(host: ExtensionHost, dashboard: Dashboard, email: str) -> tuple[str, Tab]:
    """Pairs the browser and picks an account. Returns the id of its profile, and the popup."""
    page = open_connect(host, dashboard)
    popup = pair(host)
    return choose(page, email), popup


def sync(dashboard: Dashboard, profile_id: str, seconds: float = WAIT_SECONDS) -> None:
    """Syncs to the end. The run may have to wait for the browser first."""
    dashboard.work.syncs.start(profile_id)
    eventually(lambda: state_of(profile_id) == RunState.DONE, "the sync is done", seconds)


def state_of(profile_id: str, kind: RunKind = RunKind.SYNC) -> str:
    return runs.find_last_run(profile_id, kind).state


def belongs_to(world: World, profile_id: str) -> bool:
    """Whether a profile has images, all of this account."""
    keys = [image.media_key for image in Image.select().where(Image.profile_id == profile_id)]
    return bool(keys) and all(world.find_picture(key) for key in keys)


def download_one(dashboard: Dashboard, profile_id: str) -> Image:
    image = Image.select().where(Image.profile_id == profile_id, Image.gone_upstream_at.is_null()).first()
    dashboard.work.downloads.wait_for_run(dashboard.work.downloads.request(profile_id, [image.id]).id)
    return Image.get_by_id(image.id)


def test_from_the_zip_to_a_downloaded_picture_without_any_cookie_of_flow(launch, dashboard, flow, world):
    began = time.monotonic()
    host = launch()
    sign_in(host, flow, world.email)
    profile_id, popup = connect(host, dashboard, world.email)
    sync(dashboard, profile_id)
    image = download_one(dashboard, profile_id)
    print(f"from nothing to a picture: {time.monotonic() - began:.1f} s")
    assert Path(image.file_path).read_bytes() == world.content_of(world.find_picture(image.media_key))
    profile = Profile.get_by_id(profile_id)
    assert (profile.way, profile.account_email, profile.health) == (Way.COMPANION, world.email, Health.WELL)
    assert Secret.select().count() == 0
    carried = [one for one in flow.log if one.kind in ("projects", "project", "address")]
    assert carried
    assert {one.headers["sec-fetch-site"] for one in carried} == {"same-origin"}
    assert flow.service.browsers.find_world(carried[0]) is world
    popup.wait_for("Number(document.querySelector('#calls').textContent) > 3")
    # A start page that nobody knows does not mean that nobody is signed in.
    flow.fail_next(404, "start", count=4)
    with pytest.raises(FlowChanged):
        dashboard.work.check(profile_id)
    assert Profile.get_by_id(profile_id).health == Health.WELL


def test_a_browser_that_is_closed_in_the_middle_goes_on_when_it_is_open_again(launch, dashboard, flow, world):
    host = launch()
    sign_in(host, flow, world.email)
    profile_id, _ = connect(host, dashboard, world.email)
    with flow.holding("project", at=3) as gate:
        run = dashboard.work.syncs.start(profile_id)
        assert gate.reached.wait(30)
        host.close()
    assert state_of(profile_id) == RunState.RUNNING
    host = launch()
    assert dashboard.work.syncs.wait(run.id).state == RunState.DONE
    assert belongs_to(world, profile_id)


@pytest.mark.proof
def test_a_worker_that_the_browser_ends_loses_no_call(launch, dashboard, flow, world):
    host = launch()
    sign_in(host, flow, world.email)
    profile_id, popup = connect(host, dashboard, world.email)
    with flow.holding("project", at=2) as gate:
        run = dashboard.work.syncs.start(profile_id)
        assert gate.reached.wait(30)
        eventually(lambda: stopped(host, popup), "the worker has ended")
    host.open(f"{flow.url}/")  # any event wakes the worker: here a tab that loads
    assert dashboard.work.syncs.wait(run.id).state == RunState.DONE


def test_signing_out_in_the_browser_lets_everything_wait_until_somebody_signs_in_again(
    launch, dashboard, flow, world
):
    host = launch()
    sign_in(host, flow, world.email)
    profile_id, _ = connect(host, dashboard, world.email)
    host.open(f"{flow.url}/browser?out=").wait_for("document.querySelector('a[href*=\"in=\"]')")
    run = dashboard.work.syncs.start(profile_id)
    eventually(lambda: state_of(profile_id) == RunState.WAITING, "the run waits")
    profile = Profile.get_by_id(profile_id)
    assert profile.health == Health.WAITING_FOR_BROWSER
    assert f"Sign in to {world.email}" in (profile.health_reason or "")
    sign_in(host, flow, world.email)
    host.open(f"{flow.url}/")
    eventually(lambda: state_of(profile_id) == RunState.DONE, "the run goes on")
    assert runs.find_last_run(profile_id, RunKind.SYNC).id == run.id


@pytest.mark.proof
def test_a_browser_serves_its_second_account_and_then_its_first_as_well(
    launch, dashboard, flow, world, grace
):
    host = launch()
    sign_in(host, flow, world.email, grace.email)
    grace_id, popup = connect(host, dashboard, grace.email)
    sync(dashboard, grace_id)
    assert {one.account_index for one in flow.log if one.kind == "project"} == {1}
    assert belongs_to(grace, grace_id)
    page = open_connect(host, dashboard)
    popup.evaluate("document.querySelector('#another').click()")
    popup.wait_for("document.querySelector('#found').textContent")
    popup.evaluate(CONNECT)
    ada_id = choose(page, world.email)
    flow.reset()
    sync(dashboard, ada_id)
    assert {one.account_index for one in flow.log if one.kind == "project"} == {0}
    assert Pairing.select().where(Pairing.profile.is_null(False)).count() == 2


@pytest.mark.proof
def test_flowshelf_restarted_and_the_companion_updated_go_on_as_before(
    launch, dashboard, flow, world, extension
):
    host = launch()
    sign_in(host, flow, world.email)
    profile_id, popup = connect(host, dashboard, world.email)
    dashboard.stop()
    popup.wait_for("document.body.innerText.includes('does not respond')")
    dashboard.start()
    sync(dashboard, profile_id)
    manifest = extension / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"version": "9.9.9"}))
    host.send("Extensions.loadUnpacked", path=str(extension))  # like the round arrow on the extensions' page
    popup = host.open(POPUP)
    popup.wait_for("document.body.innerText.includes('Version 9.9.9')")
    popup.wait_for(f"document.querySelector('#pairings').innerText.includes('{world.email}')")
    sync(dashboard, profile_id)


@pytest.mark.proof
def test_where_the_browser_keeps_the_worker_from_the_cookies_a_tab_reads_the_start_page(
    launch, dashboard, flow, world
):
    def lead_workers_away(request: Request) -> Fault:
        is_worker = (
            request.headers.get("sec-fetch-mode") == "cors" and request.headers["sec-fetch-site"] == "none"
        )
        return Fault(response=SIGN_IN_ELSEWHERE if request.kind == "start" and is_worker else None)

    host = launch()
    sign_in(host, flow, world.email)
    flow.leave_faults_to(lead_workers_away)
    profile_id, _ = connect(host, dashboard, world.email)
    sync(dashboard, profile_id)
    assert belongs_to(world, profile_id)


def stopped(host: ExtensionHost, popup: Tab) -> bool:
    """Ends the worker, which a late event of a tab may wake again. Returns whether it has ended."""
    popup.stop_workers()
    return not host.targets("service_worker")


@pytest.mark.proof
def test_with_only_the_browser_open_work_begins_within_a_minute_and_no_tab_stays(
    launch, dashboard, flow, world
):
    host = launch()
    sign_in(host, flow, world.email)
    profile_id, popup = connect(host, dashboard, world.email)
    for tab in [one for one in host.tabs if one is not popup]:
        tab.close()
    eventually(lambda: stopped(host, popup), "the worker has ended")
    popup.close()
    began = time.monotonic()
    sync(dashboard, profile_id, 75)
    print(f"work of a browser without a tab took {time.monotonic() - began:.1f} s")
    assert time.monotonic() - began < 60
    eventually(lambda: not any(flow.url in url for url in host.targets("page")), "its tab is closed", 90)


class Impostor(BaseHTTPRequestHandler):
    """Another program at Flowshelf's address: it wants all projects, and has no key to sign with."""

    asked: list[str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append(body.decode())
        arguments = ["projects/*", 20, None, None, None, None, [1]]
        call = {"id": "0" * 32, "operation": "call", "index": 0, "rpc": "UpteDb", "arguments": arguments}
        answer = {
            "calls": [call],
            "again": 0.1,
            "isPaired": True,
            "isYours": True,
            "profile": None,
            "status": None,
        }
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Flowshelf-Signature", "0" * 64)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        content = (
            b'<!doctype html><title>x</title><p data-pairing-code="'
            + b"a" * 32
            + b'">Connect this browser</p>'
        )
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@contextmanager
def impostor(port: int = 0) -> Iterator[tuple[str, list[str]]]:
    """Its URL, and what it was asked."""
    asked: list[str] = []
    ThreadingHTTPServer.allow_reuse_address = True
    server = ThreadingHTTPServer(("127.0.0.1", port), type("Handler", (Impostor,), {"asked": asked}))
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def test_the_companion_builds_reading_calls_of_known_shapes_and_no_others(launch):
    popup = launch().open(POPUP)
    popup.wait_for("!document.querySelector('#unpaired').hidden")
    for calls, outcome in ((READING_CALLS, "built"), (OTHER_CALLS, "odd")):
        found = popup.evaluate(CHECK.replace("CALLS", json.dumps(calls)))
        assert found == [outcome] * len(calls)


def test_a_hostile_page_and_another_program_on_the_port_get_nowhere(launch, dashboard, flow, world):
    host = launch()
    sign_in(host, flow, world.email)
    with impostor() as (url, _):
        page = host.open(f"{url}/profiles/connect")
        page.wait_for("document.querySelector('[data-pairing-code]')")
        code = dashboard.work.companion.new_code()
        script = HOSTILE.replace("EXTENSION", EXTENSION_ID).replace("DASHBOARD", dashboard.url)
        script = script.replace("CODE", code)
        assert not any(page.evaluate(script).values())
        popup = host.open(POPUP)
        popup.wait_for(
            "!document.querySelector('#unpaired').hidden && !document.querySelector('#typed').hidden"
        )
        assert popup.evaluate("document.querySelector('#found').textContent") == ""
    assert Pairing.select().count() == 0
    # The code that the page has tried in vain is still valid for the person, who types it.
    popup.evaluate(f"document.querySelector('#code').value = ' {code[:16]} {code[16:].upper()} '")
    popup.evaluate(CONNECT)
    popup.wait_for(PAIRED)
    choose(open_connect(host, dashboard), world.email)
    dashboard.stop()
    flow.reset()
    with impostor(dashboard.port) as (_, asked):
        popup.wait_for("document.body.innerText.includes('another program uses its address')")
        assert asked
        key = popup.evaluate("chrome.storage.local.get('pairings').then(({pairings}) => pairings[0].key)")
        assert not any(str(key) in text for text in asked)
    assert flow.log == []
    dashboard.start()
    popup.wait_for("document.body.innerText.includes('Nothing to do')")
