"""Thousands of images from a Flow whose every third response is broken, while the program is killed.

    python tests/chaos.py --images 3000 --kills 40 [--seed 7] [--service google]

A real `flowshelf serve` syncs and downloads from a simulated Flow in this process, so the expected result is
known. It is ended by `kill -9` at random moments, also during its start. Between two kills a simulated user
does what a person would: pastes new cookies, presses Sync, Download and Resume, and runs errands (imports,
removals of files and of a whole profile, Undo, the trash, ZIPs, thumbnails: `errands.py`). At the end
everything must be there, byte for byte, and nothing else: see `mistakes`. Exits with 1 when something is
wrong.

`--serve` is the program itself, with pauses so short that an hour of retries takes a minute.
"""

import argparse
import hashlib
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

from errands import Errands
from test_process import BATCH, SYNC, Shelf

from webapp.cli import dashboard, main
from webapp.config import Config, read_config
from webapp.demo import FlowServer, World
from webapp.demo import responses as wire
from webapp.demo.entries import Kind
from webapp.demo.faults import NO_FAULT, Fault
from webapp.demo.flow_google import frames as flow_google_wire
from webapp.demo.flow_google import records as flow_google_records
from webapp.demo.flow_google.records import Shown
from webapp.demo.flow_google.service import CALL_KINDS
from webapp.demo.journal import Request
from webapp.storage import is_in_trash

BROKEN = {
    "html": wire.text_response(200, "<!DOCTYPE html><title>Sign in</title>"),
    "broken json": wire.text_response(200, '{"result": {"data"', "application/json"),
}
SERVICES = ("labs", "google")
SHORT_PAUSES = (0.01, 0.02, 0.04, 0.08)
# How a response may be broken. Some of these apply to certain requests only.
FAULTS = (
    "429",
    "5xx",
    "dropped",
    "cut",
    "html",
    "broken json",
    "broken base64",
    "slow",
    "wrong picture",
    "401",
    "stale token",
    "rotation",
)


class Dice:
    """Chooses the fault of a request. Every third request has one."""

    def __init__(self, flow: FlowServer, rng: Random) -> None:
        self._flow, self._rng = flow, rng
        self._names = [name for history in ("ASSET_MANAGER", "PINHOLE") for name in flow.world.names(history)]
        self.thrown: Counter[str] = Counter()
        self.asked_count = 0

    def __call__(self, request: Request) -> Fault:
        self.asked_count += 1
        if self._rng.random() >= 1 / 3:
            return NO_FAULT
        word = self._rng.choice(FAULTS)
        fault = self._fault(word, request)
        self.thrown[word if fault else "none of its kind"] += 1
        return fault or NO_FAULT

    def _fault(self, word: str, request: Request) -> Fault | None:
        """The fault of that name for this request; None where it does not apply."""
        if word in BROKEN:
            return Fault(BROKEN[word])
        if word in ("stale token", "rotation"):
            return self._token_fault(word) if request.kind in CALL_KINDS else None
        if word in ("broken base64", "wrong picture"):
            return self._image_fault(word, request)
        if word == "401":
            return Fault(_error_of(request.kind, 401)) if request.kind != "picture" else None
        if word in ("429", "5xx"):
            return self._refusal(request, self._rng.choice((500, 502, 503, 504)) if word == "5xx" else 429)
        return {
            "dropped": Fault(drop=True),
            "cut": Fault(cut_at=self._rng.randrange(2000)),
            "slow": Fault(seconds=self._rng.uniform(0.1, 0.6)),
        }[word]

    def _refusal(self, request: Request, status: int) -> Fault:
        response = _error_of(request.kind, status)
        wait = self._rng.choice((None, None, "0", "1"))
        headers = (("Retry-After", wait),) if wait else ()
        return Fault(wire.Response(response.status, response.body, response.content_type, headers))

    def _image_fault(self, word: str, request: Request) -> Fault | None:
        """A well-formed response about another image, or with bytes that were changed on the way."""
        if request.kind == "address" and word == "wrong picture":
            return Fault(flow_google_wire.result("address", self._record_of_another()))
        if request.kind != "media":
            return None
        if word == "wrong picture":
            return Fault(wire.json_response(self._flow.media_response(self._rng.choice(self._names))))
        response = self._flow.media_response(request.path.removeprefix("/v1/media/"))
        for holder, place in (("image", "encodedImage"), ("userUploadedImage", "image")):
            if text := response.get(holder, {}).get(place):
                at = self._rng.randrange(len(text))
                response[holder][place] = text[:at] + self._rng.choice(("\n", "%", "")) + text[at + 1 :]
        return Fault(wire.json_response(response))

    def _token_fault(self, word: str) -> Fault | None:
        session = self._flow.world.google
        if word == "rotation":
            return session.rotate()
        session.change_token()
        return Fault(flow_google_wire.handshake(session))

    def _record_of_another(self) -> list:
        entry = self._flow.world.entry(self._rng.choice(self._names))
        world = self._flow.world
        url = self._flow.url + world.asset_path(entry)
        return flow_google_records.record(entry, Shown(world.size_of(entry), None, url, url, is_address=True))


def _error_of(kind: str, status: int) -> wire.Response:
    return flow_google_wire.transport_error(status) if kind in CALL_KINDS else wire.error_of(kind, status)


class Server(Shelf):
    """The program, with its log in a file, because nobody would read a pipe."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.log = config.data_dir.with_name("log")

    def popen(self, *arguments: str) -> subprocess.Popen:
        with self.log.open("ab") as log:
            command = [sys.executable, __file__, "--serve", *arguments]
            return subprocess.Popen(command, env=self._environ, stdout=subprocess.PIPE, stderr=log, text=True)

    def kill(self, number: int = signal.SIGKILL) -> None:
        self.process.send_signal(number)
        self.process.wait(15)
        self.process.stdout.close()


@dataclass
class User:
    """Does what a person would do. Each step looks at the state and presses a few buttons at most."""

    shelf: Server
    world: World
    profile_id: str
    errands: Errands
    sync_id: str | None = None
    pastes: int = 0
    presses: Counter[str] = field(default_factory=Counter)

    def act(self) -> bool:
        """Take one step. Returns whether everything is done."""
        state = self.shelf.state()
        if state["health"] == "waiting_for_cookies":
            return self._paste()
        is_synced = self._is_synced(state)
        if not state["isDownloadingImages"]:
            self._download(state)
        return is_synced and state["downloaded"] == state["images"]

    def _paste(self) -> bool:
        self.pastes += 1
        try:
            cookies = {"cookies": cookies_of(self.world)}
            self.shelf.ask(f"/api/profiles/{self.profile_id}/cookies", cookies, "PUT")
        except AssertionError:  # the check of the cookies got a broken response: try again in the next step
            self.presses["paste refused"] += 1
        return False

    def _is_synced(self, state: dict) -> bool:
        if state["isSyncingMetadata"]:
            return False
        run = self.shelf.ask(f"/api/runs/{self.sync_id}") if self.sync_id else {"state": "none"}
        could_read_all = "could not be read" not in run.get("note", "")
        if run["state"] == "done" and could_read_all and not state["hasMore"]:
            return True
        mode = "resume" if self.sync_id and state["hasMore"] else "new"
        asked = {"profileId": self.profile_id, "mode": mode, "histories": [], "wait": False}
        self.sync_id = self.shelf.ask(SYNC, asked)["runId"]
        self.presses[f"sync {mode}"] += 1
        return False

    def _download(self, state: dict) -> None:
        if state["downloaded"] == state["images"]:
            return
        begun = self.shelf.ask(BATCH, {"profileId": self.profile_id, "pending": True, "wait": False})
        self.presses["download"] += 1
        if begun.get("runId") and self.shelf.ask(f"/api/runs/{begun['runId']}")["state"] == "paused":
            self.shelf.ask(f"/api/runs/{begun['runId']}/resume", {})
            self.presses["resume"] += 1


def mistakes(data_dir: Path, world: World, errands: Errands) -> Iterator[str]:
    """Everything that is wrong about rows and files."""
    yield from errands.mistakes()
    database = sqlite3.connect(data_dir / "flowshelf.sqlite3")
    database.row_factory = sqlite3.Row
    yield from (row[0] for row in database.execute("PRAGMA integrity_check") if row[0] != "ok")
    rows = {row["media_key"]: row for row in database.execute("SELECT * FROM veo3_image_generations")}
    names = {*world.names("ASSET_MANAGER"), *world.names("PINHOLE")}
    expected = {world.entry(name).media_key: name for name in names if _is_image(world, name)}
    yield from (f"missing: {key}" for key in expected.keys() - rows.keys())
    others = {key for key, row in rows.items() if row["name"] not in errands.pictures} - expected.keys()
    yield from (f"unknown to Flow: {key}" for key in others)
    for key in expected.keys() & rows.keys():
        yield from _mistakes_of(rows[key], data_dir / "images", world.content(expected[key]))
    kept = {str(data_dir / "images" / row["local_path"]) for row in rows.values() if row["local_path"]}
    found = {
        str(path)
        for path in data_dir.rglob("*")
        if path.is_file() and "flowshelf.sqlite3" not in path.name and path.suffix not in (".zip", ".webp")
        if not is_in_trash(path)  # `Errands.mistakes` looks there
    }
    yield from (f"an orphan: {path}" for path in found - kept if Path(path).suffix not in (".lock", ""))
    yield from (f"a gap was left: {tuple(row)}" for row in database.execute("SELECT * FROM gap"))
    undone = "SELECT state, count(*) FROM download WHERE state != 'done' GROUP BY state"
    yield from (f"{count} downloads are {state}" for state, count in database.execute(undone))
    open_runs = "SELECT kind, state FROM run WHERE state IN ('running', 'waiting_for_cookies')"
    yield from (f"a {row['kind']} is {row['state']}" for row in database.execute(open_runs))
    database.close()


def _is_image(world: World, name: str) -> bool:
    return world.entry(name).kind in ("uploaded", "generated")


def _mistakes_of(row: sqlite3.Row, images: Path, content: bytes) -> Iterator[str]:
    path = images / (row["local_path"] or "nowhere")
    if not path.is_file() or path.read_bytes() != content:
        yield f"not byte for byte: {row['name']} at {path}"
    if (row["size_bytes"], row["sha256"]) != (len(content), hashlib.sha256(content).hexdigest()):
        yield f"the row does not fit the file: {row['name']}"
    if row["gone_upstream_at"] or row["damaged_at"] or row["not_wanted_at"]:
        yield f"marked without a reason: {row['name']}"


def cookies_of(world: World) -> str:
    return world.google.cookie_header() if world.moved else world.cookie_header()


def make_world(images: int, seed: int, service: str) -> World:
    """Uploads and generated pictures in two formats; every seventh is only behind a signed URL."""
    world = World(
        seed,
        uploaded=images * 2 // 3,
        generated=images - images * 2 // 3,
        videos=images // 50,
        tiny_pictures=True,
    )
    for history in ("ASSET_MANAGER", "PINHOLE"):
        for name in world.names(history)[::7]:
            world.change(name, inline=False)
        for name in world.names(history)[::5]:
            world.change(name, picture_format="PNG")
    world.add_broken_entry("wrong types")
    if service == "google":
        world.add_project("Nothing in it")
        for name in world.names("PINHOLE", Kind.GENERATED)[::11]:
            world.add_version(name)
        fill_projects(world)
        world.migrate()
    return world


def fill_projects(world: World) -> None:
    """Add to projects what they contain besides images: references, voices, and an unknown record."""
    first, *others = world.projects.ids()
    for project_id in others[:3]:
        world.add_ingredient(project_id, world.names("PINHOLE", Kind.GENERATED)[0])
        world.add_voice(project_id)
    world.add_archived_ingredient(first, "Old logo")
    world.odd_record(first, ["odd", None, {"new": 1}])


def run(
    folder: Path, *, images: int, kills: int, seed: int, max_seconds: float, service: str = "labs", say=print
) -> list[str]:
    """Run the whole scenario. Returns what is wrong at the end."""
    rng, began = Random(seed), time.monotonic()
    world = make_world(images, seed, service)
    with FlowServer(world) as flow:
        config = Config(
            folder / "data",
            labs_url=flow.url,
            media_url=flow.url,
            flow_url=flow.url,
            picture_hosts=frozenset({flow.picture_host}),
        )
        shelf = Server(config)
        shelf.serve()
        added = shelf.ask("/api/profiles", {"name": "Ada", "cookies": cookies_of(world)})
        errands = Errands(shelf, flow, added["profileId"], folder / "old", Random(seed))
        user, dice = User(shelf, world, added["profileId"], errands), Dice(flow, Random(seed))
        flow.leave_faults_to(dice)
        try:
            survive_kills(user, rng, kills, say)
            recover(user, began + max_seconds, say)
        finally:
            shelf.kill(signal.SIGTERM)
        found = [*mistakes(config.data_dir, world, errands), *flow.violations]
        say_figures(say, user, dice, images=images, kills=kills, seconds=time.monotonic() - began)
        return found


def survive_kills(user: User, rng: Random, kills: int, say) -> None:
    for number in range(1, kills + 1):
        until = time.monotonic() + rng.uniform(0.0, 1.5)
        while time.monotonic() < until:
            user.act()
            pause(0.02)
        state = user.shelf.state()
        user.errands.run()
        pause(rng.choice((0.0, 0.0, rng.uniform(0.0, 0.05), rng.uniform(0.0, 0.5))))
        user.shelf.kill()
        say(f"kill {number}: {state['images']} images known, {state['downloaded']} downloaded")
        while rng.random() < 0.25:  # kill it during its start too
            user.shelf.process = user.shelf.popen()
            pause(rng.uniform(0.0, 1.0))
            user.shelf.kill()
        if rng.random() < 0.2:
            user.errands.run_offline(rng.uniform(0.3, 1.5))
        if rng.random() < 0.3:
            user.errands.age_trash()
        user.shelf.serve()


def recover(user: User, until: float, say) -> None:
    user.shelf.kill()
    user.errands.finish_offline()
    user.shelf.serve()
    user.sync_id = None  # after an import, the next sync reads everything again
    user.errands.finish()
    while not user.act():
        if time.monotonic() > until:
            say(f"Out of time: {user.shelf.state()}")
            return
        pause(0.05)
    # A download run ends a moment after its last image.
    while user.shelf.state()["isDownloadingImages"] and time.monotonic() < until:
        pause(0.05)


def say_figures(say, user: User, dice: Dice, *, images: int, kills: int, seconds: float) -> None:
    say(f"{images} images, {kills} kills, {seconds:.0f} s, {dice.asked_count} requests")
    broken = ", ".join(f"{count} {word}" for word, count in sorted(dice.thrown.items()))
    say(f"broken: {broken}")
    presses = ", ".join(f"{count} times {word}" for word, count in sorted(user.presses.items()))
    say(f"pressed: {presses}; {user.pastes} pastes")
    say(
        "errands: "
        + ", ".join(f"{count} {word.strip('_')}" for word, count in sorted(user.errands.done.items()))
    )


def pause(seconds: float) -> None:
    threading.Event().wait(seconds)


def serve(arguments: list[str]) -> None:
    """`flowshelf serve` with short pauses."""
    dashboard.read_config = partial(
        read_config, retry_pauses_seconds=SHORT_PAUSES, timeout_seconds=(2.0, 5.0)
    )
    main(["serve", *arguments])


def cli() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--minutes", type=float, default=30.0, help="give up after so long")
    parser.add_argument("--service", choices=SERVICES, default=SERVICES[0])
    parser.add_argument("--keep", action="store_true", help="keep the folder")
    asked = parser.parse_args()
    print(f"seed {asked.seed}")
    folder = Path(tempfile.mkdtemp(prefix="flowshelf-chaos-"))
    found = run(
        folder,
        images=asked.images,
        kills=asked.kills,
        seed=asked.seed,
        max_seconds=asked.minutes * 60,
        service=asked.service,
    )
    for mistake in found[:50]:
        print("WRONG:", mistake)
    print("All there, byte for byte." if not found else f"{len(found)} things are wrong.")
    if asked.keep or found:
        print(f"The folder is {folder}")
    else:
        shutil.rmtree(folder)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    serve(sys.argv[2:]) if sys.argv[1:2] == ["--serve"] else cli()
