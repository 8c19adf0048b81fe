"""Data folders with very many images, made quickly: first the rows, then everything derived from them."""

import atexit
import hashlib
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path

from PIL import Image

from webapp import store
from webapp.database.base import db
from webapp.database.models import Project
from webapp.database.triggers import REBUILD, STATEMENTS
from webapp.store import profiles

from .measuring import in_own_process
from .servers import TABLE, temporary_folder

COMMON_WORD, RARE_WORD, TWO_LETTERS = "red", "zeppelin", "夜の"
WORDS = """red kite dunes fox night forest silver river mountain castle portrait of a woman in soft light
    with city neon rain dog cat robot garden flower sea storm old man child painting oil watercolor cinematic
    wide shot macro""".split()  # noqa: SIM905
WITHOUT_SPACES = ("夜の海", "赤い凧", "砂丘", "森の狐", "東京の雨", "静かな川")
PROJECT_COUNT = 400
MANY, FEWER = 1_000_000, 100_000
PICTURE_SIZE, PICTURE_BYTES = (1376, 768), 465_000
# Six years of images, one every few minutes; a fifth are uploads, and three in five name a file.
# MATERIALIZED: otherwise SQLite calls `chosen` again for every column that uses its result.
ROWS = f"""
WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :count),
rows AS MATERIALIZED (
    SELECT n, n % 5 = 0 AS is_upload, chosen(10) < 6 AS has_file, chosen(3) AS shape, chosen(3) AS model,
    strftime('%Y-%m-%dT%H:%M:%S', 1600000000 + n * 198676800 / :count, 'unixepoch')
    || printf('.%06dZ', n % 1000000) AS moment FROM numbers)
INSERT INTO {TABLE} (id, profile_id, name, workflow_id, media_key, created_at, kind, prompt, model_name,
    aspect_ratio, local_path, size_bytes, sha256, downloaded_at, history, hidden_at, gone_upstream_at,
    stored_at, seed, project_id, file_time_at, width, height)
SELECT identifier(), iif(n % 4, :ada, :bob), 'CAMaJ' || identifier(), identifier(), identifier(), moment,
    iif(is_upload, 'uploaded', 'generated'), iif(is_upload, NULL, prompt(n)),
    iif(is_upload, NULL, iif(model = 0, 'GEM_PIX', iif(model = 1, 'IMAGEN_3_5', 'NARWHAL'))),
    'IMAGE_ASPECT_RATIO_' || iif(shape = 0, 'LANDSCAPE', iif(shape = 1, 'PORTRAIT', 'SQUARE')),
    iif(has_file, 'nowhere/' || n || '.jpg', NULL), iif(has_file, 465000, NULL),
    iif(has_file, '{"ab" * 32}', NULL), iif(has_file, moment, NULL), 'ASSET_MANAGER',
    iif(n % 5003, NULL, moment), iif(n % 4999, NULL, moment), moment, iif(is_upload, NULL, n),
    'project' || n % {PROJECT_COUNT}, iif(has_file, moment, NULL),
    iif(has_file, iif(shape = 1, 768, 1376), NULL), iif(has_file, iif(shape = 1, 1376, 768), NULL)
FROM rows"""
# Favourites, and collections of a million images: 200 and 300,000 of all times, and the oldest 20,000.
COLLECTIONS = {"small": "rowid % 5000 = 2", "middle": "rowid <= :count / 50", "large": "rowid % 10 < 3"}
CHOICES = (
    f"INSERT INTO favourite SELECT name, created_at FROM {TABLE} WHERE rowid % 307 = 0",
    *(
        statement
        for name, members in COLLECTIONS.items()
        for statement in (
            f"INSERT INTO collection (id, title, created_at) VALUES ('{name}', '{name}', '2026')",
            f"""INSERT INTO collection_image (collection_id, name, added_at)
            SELECT '{name}', name, created_at FROM {TABLE} WHERE {members}""",
        )
    ),
)


@contextmanager
def shelf_of(count: int) -> Iterator[Path]:
    """A temporary data folder with `count` images of two profiles, without the files that they name."""
    with temporary_folder() as folder:
        in_own_process(_make_shelf, folder / "data", count)
        yield folder / "data"


@cache
def kept_shelf(count: int) -> Path:
    """One that is made once for all benchmarks of a run: nobody changes it."""
    kept = ExitStack()
    atexit.register(kept.close)
    return kept.enter_context(shelf_of(count))


def _make_shelf(data_dir: Path, count: int) -> None:
    rng = random.Random(7)
    data_dir.mkdir(mode=0o700)
    store.open_database(data_dir / "flowshelf.sqlite3")
    with store.connection(), store.transaction():
        ada, bob = (profiles.add_profile(name, ("ASSET_MANAGER",)).id for name in ("Ada", "Bob"))
        for (name,) in db.execute_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute_sql(f"DROP TRIGGER {name}")
        connection = db.connection()
        connection.create_function("identifier", 0, lambda: f"{rng.getrandbits(128):032x}")
        connection.create_function("chosen", 1, rng.randrange)
        connection.create_function("prompt", 1, lambda n: _prompt(rng, n))
        connection.execute(ROWS, {"count": count, "ada": ada, "bob": bob})
        for statement in CHOICES:
            connection.execute(statement, {"count": count})
        for number in range(PROJECT_COUNT):
            projects = Project.insert(profile=ada, remote_id=f"project{number}", title=f"Fables {number}")
            projects.execute()
        for statement in (*STATEMENTS, *REBUILD):
            db.execute_sql(statement)
    with store.connection():
        store.refresh_statistics()


def _prompt(rng: random.Random, number: int) -> str:
    words = rng.choices(WORDS, k=14)
    words += [rng.choice(WITHOUT_SPACES)] if number % 50 == 1 else []
    words += [RARE_WORD] if number % 20_011 == 1 else []
    return " ".join(words)


def give_files(data_dir: Path, count: int) -> dict[str, Path]:
    """Write real files for the newest images, as if downloaded now; their paths by image id."""
    content, paths = jpeg(), {}
    now, sha256 = (
        time.strftime("%Y-%m-%dT%H:%M:%S.999999Z", time.gmtime()),
        hashlib.sha256(content).hexdigest(),
    )
    newest = f"SELECT id, profile_id FROM {TABLE} ORDER BY created_at DESC LIMIT ?"
    update = f"UPDATE {TABLE} SET local_path = ?, size_bytes = ?, sha256 = ?, downloaded_at = ? WHERE id = ?"
    with closing(sqlite3.connect(data_dir / "flowshelf.sqlite3")) as database, database:
        database.create_function("mentions", 3, lambda *_: False)  # the triggers call it
        for image_id, profile_id in database.execute(newest, (count,)).fetchall():
            place = f"{profile_id}/{image_id}.jpg"
            path = paths[image_id] = data_dir / "images" / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            database.execute(update, (place, len(content), sha256, now, image_id))
    return paths


def jpeg(max_bytes: int = PICTURE_BYTES) -> bytes:
    """A JPEG of Flow's usual size in pixels, with the best quality that fits into `max_bytes`."""
    noise = Image.merge("RGB", [Image.effect_noise(PICTURE_SIZE, 40) for _ in range(3)])
    for quality in range(95, 0, -1):
        encoded = BytesIO()
        noise.save(encoded, "JPEG", quality=quality)
        if encoded.tell() <= max_bytes:
            return encoded.getvalue()
    raise ValueError(f"no JPEG of {PICTURE_SIZE} pixels fits into {max_bytes} bytes")
