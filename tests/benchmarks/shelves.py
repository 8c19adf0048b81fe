"""A data folder with very many images, made at once: the rows first, what is derived of them afterwards."""

import random
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.media_server import picture
from webapp import store
from webapp.database.models import Image, db
from webapp.database.triggers import REBUILD, STATEMENTS
from webapp.store import profiles

BATCH = 20_000
PEOPLE = ("Ada", "Bob")
YEARS = 6.3
COMMON_WORD, RARE_WORD, TWO_LETTERS = "red", "zeppelin", "夜の"
_WORDS = """red kite dunes fox night forest silver river mountain castle portrait of a woman in soft light
    with city neon rain dog cat robot garden flower sea storm old man child painting oil watercolor cinematic
    wide shot macro""".split()  # noqa: SIM905
_WITHOUT_SPACES = ("夜の海", "赤い凧", "砂丘", "森の狐", "東京の雨", "静かな川")


def make_shelf(data_dir: Path, count: int) -> None:
    """Fill the database of a new data folder with `count` images of two profiles, three of five with a file
    that is said to be there."""
    data_dir.mkdir(mode=0o700, parents=True)
    store.open_database(data_dir / "flowshelf.sqlite3")
    with store.connection():
        owners = [profiles.add_profile(name, ("ASSET_MANAGER",)).id for name in PEOPLE]
        for (name,) in db.execute_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute_sql(f"DROP TRIGGER {name}")
        for batch in _batches(owners, count):
            with store.transaction():
                columns = ", ".join(batch[0])
                marks = ", ".join("?" * len(batch[0]))
                insert = f"INSERT INTO {Image._meta.table_name} ({columns}) VALUES ({marks})"
                db.connection().executemany(insert, [tuple(row.values()) for row in batch])
        with store.transaction():
            for statement in (*STATEMENTS, *REBUILD):
                db.execute_sql(statement)
        store.refresh_statistics()


def give_files(data_dir: Path, count: int) -> dict[str, Path]:
    """Let the newest images have real files; their paths by their ids."""
    content, paths = picture(), {}
    with sqlite3.connect(data_dir / "flowshelf.sqlite3") as database:
        database.create_function("mentions", 3, lambda *_: False)
        found = database.execute(
            "SELECT id, profile_id FROM veo3_image_generations ORDER BY created_at DESC LIMIT ?", (count,)
        )
        for image_id, profile_id in found.fetchall():
            path = data_dir / "images" / profile_id / f"{image_id}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            database.execute(
                "UPDATE veo3_image_generations SET local_path = ?, size_bytes = ?, sha256 = ? WHERE id = ?",
                (str(path), len(content), image_id * 2, image_id),
            )
            paths[image_id] = path
    database.close()
    return paths


def _batches(owners: list[str], count: int) -> Iterator[list[dict]]:
    rng = random.Random(7)
    for start in range(0, count, BATCH):
        yield [_row(rng, owners[n % 4 == 0], n, n / count) for n in range(start, min(start + BATCH, count))]


def _row(rng: random.Random, owner: str, number: int, age: float) -> dict:
    seconds = 1_600_000_000 + age * YEARS * 365 * 86_400
    moment = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{number % 1_000_000:06}Z"
    has_file, is_upload = rng.random() < 0.6, number % 5 == 0
    return {
        "id": f"{rng.getrandbits(128):032x}",
        "profile_id": owner,
        "name": f"CAMaJ{rng.getrandbits(120):030x}",
        "workflow_id": f"{rng.getrandbits(128):032x}",
        "media_key": f"{rng.getrandbits(128):032x}",
        "created_at": moment,
        "kind": "uploaded" if is_upload else "generated",
        "prompt": None if is_upload else _prompt(rng, number),
        "model_name": None if is_upload else rng.choice(("GEM_PIX", "IMAGEN_3_5", "NARWHAL")),
        "aspect_ratio": f"IMAGE_ASPECT_RATIO_{rng.choice(('LANDSCAPE', 'PORTRAIT', 'SQUARE'))}",
        "local_path": f"/nowhere/{number}.jpg" if has_file else None,
        "size_bytes": 465_000 if has_file else None,
        "sha256": "ab" * 32 if has_file else None,
        "downloaded_at": moment if has_file else None,
        "history": "ASSET_MANAGER",
        "hidden_at": moment if number % 5003 == 0 else None,
        "gone_upstream_at": moment if number % 4999 == 0 else None,
        "stored_at": moment,
    }


def _prompt(rng: random.Random, number: int) -> str:
    words = rng.choices(_WORDS, k=14)
    words += [rng.choice(_WITHOUT_SPACES)] if number % 50 == 1 else []
    words += [RARE_WORD] if number % 20_011 == 1 else []
    return " ".join(words)
