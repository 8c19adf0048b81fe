"""What else a person does while the chaos script kills the program: imports, removals, ZIPs, thumbnails.

Each errand is begun between two kills, so a kill ends it anywhere. `finish` does what a person would do at
the end, and `mistakes` says what is wrong then.
"""

import hashlib
import io
import sqlite3
import threading
import urllib.parse
import urllib.request
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

from bs4 import BeautifulSoup
from PIL import Image
from test_process import Shelf

from webapp.demo import FlowServer, World
from webapp.storage import TRASH_FOLDER

BATCH = "/api/image-veo3/download-batch"
SYNC = "/api/image-veo3/sync-metadata"
IMPORTED_COUNT = 60
_TABLE = """CREATE TABLE veo3_image_generations (id TEXT PRIMARY KEY, profile_id TEXT NOT NULL,
    name TEXT NOT NULL UNIQUE, aspect_ratio TEXT, workflow_id TEXT NOT NULL, media_key TEXT NOT NULL,
    local_path TEXT, fife_url TEXT, created_at TEXT NOT NULL)"""


class Errands:
    """Knows the pictures to import, and the account whose profile is added and removed again and again."""

    def __init__(self, shelf: Shelf, flow: FlowServer, profile_id: str, folder: Path, rng: Random) -> None:
        self.done: Counter[str] = Counter()
        self._shelf, self._rng, self._profile_id = shelf, rng, profile_id
        self._zelda = World(77, uploaded=40, generated=20, tiny_pictures=True)
        self._zelda.email = "zelda@example.com"
        flow.add_world(self._zelda)
        folder.mkdir()
        self._old_database = folder / "app.db"
        self.pictures = dict(_write_old_database(self._old_database))

    def run(self) -> None:
        """Begin one errand with the running server."""
        of_files = (self._download_or_remove, self._delete_some, self._delete_some, self._undo)
        of_trash = (self._restore_some, self._empty_trash)
        errand = self._rng.choice((*of_files, *of_trash, self._zip_some, self._look))
        try:
            errand()
        except (OSError, AssertionError):  # a fault of Flow, or a request that is not possible right now
            self.done[f"{errand.__name__} refused"] += 1
        else:
            self.done[errand.__name__] += 1

    def run_offline(self, seconds: float) -> None:
        """Begin an import while no server runs, and kill it after `seconds`."""
        process = self._begin_import()
        threading.Event().wait(seconds)
        process.kill()
        process.communicate()
        self.done["import killed"] += 1

    def age_trash(self) -> None:
        """Let some deletions have been long ago, so that the next start may empty them."""
        long_ago = "UPDATE trashed_file SET trashed_at = '2020-01-01T00:00:00.000000Z' WHERE id % 3 = 0"
        path = self._shelf.data_dir / "flowshelf.sqlite3"
        with closing(sqlite3.connect(path, timeout=30)) as connection, connection:
            connection.execute(long_ago)

    def finish_offline(self) -> None:
        """Import to the end."""
        process = self._begin_import()
        printed = process.communicate(timeout=120)
        assert process.returncode == 0, printed

    def finish(self) -> None:
        """Remove the second profile with its files, restore some deleted files, and ask for the others."""
        if zelda_id := self._zelda_id():
            self._post(f"/profiles/{zelda_id}/remove", [("with_files", "yes")])
        self._restore_some()
        rows = self._rows("SELECT name FROM veo3_image_generations WHERE not_wanted_at IS NOT NULL")
        names = [name for (name,) in rows]
        if names:
            self._shelf.ask(BATCH, {"profileId": self._profile_id, "imageNames": names, "wait": False})
        self.done["asked for again"] += len(names)

    def mistakes(self) -> Iterator[str]:
        images = self._shelf.data_dir / "images"
        rows = dict(self._rows("SELECT name, local_path FROM veo3_image_generations"))
        for name, content in self.pictures.items():
            path = images / (rows.get(name) or "nowhere")
            if not path.is_file() or path.read_bytes() != content:
                yield f"imported wrongly: {name} at {path}"
        profiles = {profile_id for (profile_id,) in self._rows("SELECT id FROM profile")}
        folders = [folder for kind in ("images", "thumbnails") for folder in (images.parent / kind).iterdir()]
        known = profiles | {TRASH_FOLDER}
        yield from (f"of no profile: {folder}" for folder in folders if folder.name not in known)
        yield from self._mistakes_of_trash(images)
        yield from (f"not carried on: {row}" for row in self._rows("SELECT local_path FROM removal"))
        yield from self._broken_derived()

    def _mistakes_of_trash(self, images: Path) -> Iterator[str]:
        """Each row has its file, as it was, and each file in the trash has a row."""
        known = set()
        for state, path, sha256 in self._rows("SELECT state, trash_path, sha256 FROM trashed_file"):
            known.add(images / path)
            if state != "kept":
                yield f"not carried on: {path} is {state}"
            elif not (images / path).is_file():
                yield f"not in the trash: {path}"
            elif hashlib.sha256((images / path).read_bytes()).hexdigest() != sha256:
                yield f"not byte for byte in the trash: {path}"
        acts = {path.parent for path in known}
        for path in (images / TRASH_FOLDER).rglob("*"):
            is_known = path in known if path.is_file() and path.name != "about.json" else True
            if not is_known or (path.name == "about.json" and path.parent not in acts):
                yield f"an orphan in the trash: {path}"

    def _broken_derived(self) -> Iterator[str]:
        data_dir = self._shelf.data_dir
        for path in (data_dir / "thumbnails").rglob("*.webp"):
            with Image.open(path) as thumbnail:
                thumbnail.load()
        states = dict(self._rows("SELECT id, state FROM export"))
        for path in (data_dir / "exports").iterdir():
            if states.get(path.stem) != "done" or path.suffix != ".zip":
                yield f"of no ZIP: {path}"
            elif zipfile.ZipFile(path).testzip():
                yield f"a broken ZIP: {path}"
        yield from (f"the ZIP {id_} is {state}" for id_, state in states.items() if state == "running")

    # The errands

    def _add(self) -> None:
        added = {"name": "Zelda", "cookies": self._zelda.cookie_header()}
        zelda_id = self._shelf.ask("/api/profiles", added)["profileId"]
        self._shelf.ask(SYNC, {"profileId": zelda_id, "mode": "new", "histories": [], "wait": False})

    def _download_or_remove(self) -> None:
        """What becomes of the second profile: files that it still downloads go with it."""
        if not (zelda_id := self._zelda_id()):
            return self._add()
        if self._rng.random() < 0.5:
            self._post(f"/profiles/{zelda_id}/remove", [("with_files", "yes")], may_break=True)
        else:
            self._shelf.ask(BATCH, {"profileId": zelda_id, "pending": True, "wait": False})

    def _delete_some(self) -> None:
        """Delete files that Flow still has: the imported ones exist here only."""
        found = self._rows(
            "SELECT id FROM veo3_image_generations WHERE local_path IS NOT NULL AND profile_id = ?"
            " AND name NOT LIKE 'imported-%' ORDER BY random() LIMIT 25",
            self._profile_id,
        )
        if found:
            ids = [("image_id", id_) for (id_,) in found]
            page = BeautifulSoup(self._post("/selection/ask/delete", ids), "html.parser")
            form = page.select_one("form[action$='/selection/delete']")
            fields = [(each["name"], each["value"]) for each in form.select("input[type=hidden]")]
            self._post("/selection/delete", fields, may_break=True)

    def _undo(self) -> None:
        acts = self._rows(
            "SELECT act FROM trashed_file WHERE profile_id = ? ORDER BY id DESC LIMIT 1", self._profile_id
        )
        for (act,) in acts:
            self._post("/trash/undo", [("undo", act)], may_break=True)

    def _restore_some(self) -> None:
        """Not those of the second profile: without it they would be files that no image knows."""
        found = self._rows(
            "SELECT id FROM trashed_file WHERE profile_id = ? ORDER BY random() LIMIT 20", self._profile_id
        )
        if found:
            self._post("/trash/restore", [("file", str(id_)) for (id_,) in found], may_break=True)

    def _empty_trash(self) -> None:
        """Empty what a person has read about: Flow still has all of it."""
        page = BeautifulSoup(_get(f"{self._shelf.url}/trash/empty"), "html.parser")
        fields = [(each["name"], each["value"]) for each in page.select("main form input[type=hidden]")]
        if fields:
            self._post("/trash/empty", fields, may_break=True)

    def _zip_some(self) -> None:
        self._post("/exports", [("everything", "1"), ("state", "done")])

    def _look(self) -> None:
        found = self._rows(
            "SELECT id FROM veo3_image_generations WHERE local_path IS NOT NULL ORDER BY random() LIMIT 8"
        )
        for (id_,) in found:
            url = f"{self._shelf.url}/images/{id_}/thumbnail/320"
            threading.Thread(target=_fetch, args=(url,), daemon=True).start()

    def _zelda_id(self) -> str | None:
        found = self._rows("SELECT id FROM profile WHERE name = 'Zelda'")
        return found[0][0] if found else None

    def _begin_import(self):
        options = ("--profile", self._profile_id, "--json")
        return Shelf.popen(self._shelf, "import", str(self._old_database), *options)

    def _post(self, path: str, fields: list[tuple[str, str]], *, may_break: bool = False) -> str:
        """Send a form. `may_break`: in a thread that nobody waits for, so that a kill comes in between."""
        url, body = self._shelf.url + path, urllib.parse.urlencode(fields).encode()
        if may_break:
            threading.Thread(target=_fetch, args=(url, body), daemon=True).start()
            return ""
        with urllib.request.urlopen(url, body, timeout=30) as response:
            return response.read().decode()

    def _rows(self, query: str, *values: str) -> list[tuple]:
        with closing(sqlite3.connect(self._shelf.data_dir / "flowshelf.sqlite3", timeout=30)) as connection:
            return connection.execute(query, values).fetchall()


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as response:
        return response.read().decode()


def _fetch(url: str, body: bytes | None = None) -> None:
    try:
        with urllib.request.urlopen(url, body, timeout=30) as response:
            response.read()
    except OSError:
        pass  # the server was killed, or refused


def _write_old_database(path: Path) -> Iterator[tuple[str, bytes]]:
    """Write a database of the Electron predecessor with pictures next to it. Yields names and contents."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(_TABLE)
        for number in range(IMPORTED_COUNT):
            name, file = f"imported-{number}", path.with_name(f"{number}.png")
            content = io.BytesIO()
            Image.new("RGB", (40, 30), (number, 90, 120)).save(content, "PNG")
            file.write_bytes(content.getvalue())
            moment = f"2024-05-01T10:00:{number:02}.000Z"
            values = (f"old-{number}", "owner", name, f"card{number}", f"key{number}", str(file), moment)
            connection.execute(
                "INSERT INTO veo3_image_generations"
                " (id, profile_id, name, workflow_id, media_key, local_path, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                values,
            )
            yield name, content.getvalue()
