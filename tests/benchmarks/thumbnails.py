"""Thumbnails: beside Pillow alone on the same pictures, and the first screen of sixty fresh ones."""

import sqlite3
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

from PIL import Image

from tests.benchmarks.measuring import Row, Scale, at_most, faster_than, in_own_process, seconds_of
from tests.benchmarks.media_server import picture
from tests.benchmarks.serving import Browser, flowshelf
from tests.benchmarks.shelves import make_shelf
from webapp import storage

SCREEN = 60
EDGE = 320
# As many connections as a browser opens to one host.
CONNECTIONS = 6


def measure(scale: Scale) -> Iterator[Row]:
    count = scale.of(SCREEN, 12)
    with tempfile.TemporaryDirectory(prefix="flowshelf-bench-") as folder:
        data_dir = Path(folder, "data")
        in_own_process(make_shelf, data_dir, 1_000)
        images = _give_files(data_dir, count)
        first = next(iter(images.values()))
        pillow = seconds_of(lambda: [_by_pillow(first) for _ in range(count)])
        ours = seconds_of(
            lambda: [storage.make_thumbnail(first, Path(folder, f"{n}.webp"), EDGE) for n in range(count)]
        )
        yield faster_than(
            f"thumbnails of {EDGE} pixels, one thread", count / ours, "Pillow alone", count / pillow
        )
        with flowshelf(data_dir) as (url, _):
            yield at_most(f"first screen, {count} fresh thumbnails", _screen_seconds(url, images), "s")
            yield at_most("the same screen once more", _screen_seconds(url, images), "s")


def _by_pillow(path: Path) -> bytes:
    with Image.open(path) as whole:
        whole.thumbnail((EDGE, EDGE))
        encoded = BytesIO()
        whole.convert("RGB").save(encoded, "WEBP", quality=80)
        return encoded.getvalue()


def _give_files(data_dir: Path, count: int) -> dict[str, Path]:
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


def _screen_seconds(url: str, images: dict[str, Path]) -> float:
    shares = [list(images)[start::CONNECTIONS] for start in range(CONNECTIONS)]

    def fetch(ids: list[str]) -> None:
        with Browser(url) as browser:
            for image_id in ids:
                browser.get(f"/images/{image_id}/thumbnail/{EDGE}")

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return seconds_of(lambda: list(pool.map(fetch, shares)))
