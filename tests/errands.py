"""What else a person does while the chaos script kills the program: imports, removals, ZIPs, thumbnails.

Each errand is begun between two kills, so a kill ends it anywhere. `finish` does what a person would do at
the end, and `mistakes` says what is wrong then.
"""

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
        errand = self._rng.choice((self._download_or_remove, self._delete_some, self._zip_some, self._look))
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

    def finish_offline(self) -> None:
        """Import to the end."""
        process = self._begin_import()
        printed = process.communicate(timeout=120)
        assert process.returncode == 0, printed

    def finish(self) -> None:
        """Remove the second profile with its files, and ask again for the files that were deleted."""
        if zelda_id := self._zelda_id():
            self._post(f"/profiles/{zelda_id}/remove", [("with_files", "yes")])
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
        yield from (f"of no profile: {folder}" for folder in folders if folder.name not in profiles)
        yield from (f"not carried on: {row}" for row in self._rows("SELECT local_path FROM removal"))
        yield from self._broken_derived()

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
