"""Thumbnails: beside Pillow alone on the same pictures, and the first screen of sixty fresh ones."""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

from PIL import Image

from tests.benchmarks.measuring import Row, Scale, at_most, faster_than, in_own_process, seconds_of
from tests.benchmarks.serving import Browser, flowshelf
from tests.benchmarks.shelves import give_files, make_shelf
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
        images = give_files(data_dir, count)
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


def _screen_seconds(url: str, images: dict[str, Path]) -> float:
    shares = [list(images)[start::CONNECTIONS] for start in range(CONNECTIONS)]

    def fetch(ids: list[str]) -> None:
        with Browser(url) as browser:
            for image_id in ids:
                browser.get(f"/images/{image_id}/thumbnail/{EDGE}")

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return seconds_of(lambda: list(pool.map(fetch, shares)))
