"""Thumbnails: compared with Pillow alone on the same picture, and a first screen of sixty new ones."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from webapp import storage

from .measuring import Row, seconds_of
from .servers import FLOWSHELF, Browser, serving
from .shelves import give_files, shelf_of

EDGE, CONNECTIONS = 320, 6  # as many connections as a browser opens to one host


def measure(quick: bool) -> Iterator[Row]:
    count = 12 if quick else 60
    with shelf_of(1_000) as data_dir:
        images = give_files(data_dir, count)
        picture, target = next(iter(images.values())), data_dir / "thumbnail.webp"
        ours = seconds_of(lambda: [storage.make_thumbnail(picture, target, EDGE) for _ in range(count)])
        pillow = seconds_of(lambda: [_by_pillow(picture, target) for _ in range(count)])
        what = f"thumbnails of {EDGE} pixels, one thread"
        yield Row(what, count / ours, "/s", "", "Pillow alone", count / pillow)
        with serving(FLOWSHELF, data_dir) as (url, _):
            first, again = (_screen_seconds(url, list(images)) for _ in range(2))
    yield Row(f"first screen, {count} new thumbnails", first, "s")
    yield Row("the same screen once more", again, "s")


def _by_pillow(path: Path, target: Path) -> None:
    with Image.open(path) as image:
        image.thumbnail((EDGE, EDGE))
        image.convert("RGB").save(target, "WEBP", quality=80)


def _screen_seconds(url: str, ids: list[str]) -> float:
    def fetch(share: list[str]) -> None:
        with Browser(url) as browser:
            for image_id in share:
                browser.get(f"/images/{image_id}/thumbnail/{EDGE}")

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return seconds_of(lambda: list(pool.map(fetch, (ids[n::CONNECTIONS] for n in range(CONNECTIONS)))))
