"""The gallery with a thousand, a hundred thousand and a million images, over HTTP from `flowshelf serve`.

sqlite-web and datasette show a page of the same table, sorted by the same column, from the same file.
"""

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from tests.benchmarks.measuring import Row, Scale, faster_than, in_own_process, median, number, p95
from tests.benchmarks.serving import Browser, beside, flowshelf, free_port, running
from tests.benchmarks.shelves import COMMON_WORD, PEOPLE, RARE_WORD, TWO_LETTERS, make_shelf

TABLE = "veo3_image_generations"
PAGE = 60
MANY = 1_000_000  # what is aimed at is aimed at with so many

# What is asked, and in how many milliseconds it should be answered at a million images.
FILTERS = {
    "kind": {"kind": "uploaded"},
    "model": {"model": "NARWHAL"},
    "shape": {"aspect": "IMAGE_ASPECT_RATIO_SQUARE"},
    "days": {"from": "2022-03-01", "to": "2022-03-31"},
    "oldest first": {"sort": "oldest"},
    "by download": {"sort": "downloaded"},
    "profile, kind, model and days": {"kind": "generated", "model": "GEM_PIX", "from": "2022-01-01"},
    **{
        f"state {state}": {"state": state}
        for state in ("pending", "active", "done", "failed", "gone", "damaged", "hidden")
    },
}
SEARCHES = {
    "a common word": {"q": COMMON_WORD},
    "a rare word": {"q": RARE_WORD},
    "two letters without spaces": {"q": TWO_LETTERS},
    "three words": {"q": "red kite dunes"},
    "a rare word of one profile": {"q": RARE_WORD},
    "the beginning of a name": {"q": "CAMaJ0001"},
}


def measure(scale: Scale) -> Iterator[Row]:
    at = {}
    for count in (1_000, 100_000) if scale.is_quick else (1_000, 100_000, MANY):
        with tempfile.TemporaryDirectory(prefix="flowshelf-bench-") as folder:
            data_dir = Path(folder, "data")
            in_own_process(make_shelf, data_dir, count)
            at[count] = asked(data_dir, scale.of(40, 8))
            if count >= 100_000:
                yield from peers(data_dir, scale.of(9, 3), count)
    few, many = at[min(at)], at[max(at)]
    for what, (milliseconds, most) in many.items():
        yield _row(what, f"{max(at):,} images", milliseconds, most, few[what][0])


def _row(what: str, where: str, milliseconds: float, most: float, at_few: float) -> Row:
    shown, beside_it = f"{number(milliseconds)} ms", f"at 1,000: {number(at_few)} ms"
    ratio = f"{milliseconds / at_few:.2f}x"
    return Row(f"{what}, {where}, p95", shown, beside_it, ratio, f"<= {most} ms", milliseconds <= most)


def asked(data_dir: Path, times: int) -> dict[str, tuple[float, float]]:
    """The 95th percentile in milliseconds of each question, and what is aimed at."""
    profile, edge = _of_database(data_dir)
    with flowshelf(data_dir) as (url, _), Browser(url) as browser:
        return {
            what: (p95(_milliseconds(lambda ask=ask: ask(browser), times)), most)
            for what, (ask, most) in _questions(profile, edge).items()
        }


def _questions(profile: str, edge: str) -> dict[str, tuple[Callable[[Browser], bytes], float]]:
    def page(**words: str):
        return lambda browser: browser.get(f"/grid?{urlencode(words)}")

    questions = {
        "gallery, first page whole": (lambda browser: browser.get("/"), 25),
        "first page": (page(), 25),
        "page 1,000 by cursor": (page(before=edge), 25),
        "profile": (page(profile=profile), 25),
    }
    for what, words in FILTERS.items():
        own = {"profile": profile} if what.startswith("profile") else {}
        questions[what] = page(**words, **own), 25
    for what, words in SEARCHES.items():
        own = {"profile": profile} if what.endswith("profile") else {}
        questions[f"search: {what}"] = page(**words, **own), 50
    for what, words in {"all": {}, "a filter": {"kind": "uploaded"}, "pending": {"state": "pending"}}.items():
        questions[f"counts: {what}"] = (page(**words), 100)
    return questions | {
        "overview": (lambda browser: browser.get("/overview"), 100),
        "select all that match": (lambda browser: browser.post("/selection", everything="1"), 100),
        "select all of a search": (
            lambda browser: browser.post("/selection", everything="1", q=RARE_WORD),
            100,
        ),
        "panels that poll": (
            lambda browser: browser.get("/panels/sync") + browser.get("/panels/download"),
            25,
        ),
    }


def _of_database(data_dir: Path) -> tuple[str, str]:
    """The first profile, and the image after which page 1,000 begins, or the last page of a small shelf."""
    with sqlite3.connect(data_dir / "flowshelf.sqlite3") as database:
        (profile,) = database.execute("SELECT id FROM profile WHERE name = ?", PEOPLE[:1]).fetchone()
        (count,) = database.execute(f"SELECT COUNT(*) FROM {TABLE}").fetchone()
        skipped = min(PAGE * 1000, count - PAGE)
        place = f"SELECT id FROM {TABLE} ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET ?"
        (edge,) = database.execute(place, (skipped,)).fetchone()
    database.close()
    return profile, edge


def _milliseconds(ask: Callable[[], object], times: int) -> list[float]:
    ask()
    values = []
    for _ in range(times):
        began = time.perf_counter()
        ask()
        values.append((time.perf_counter() - began) * 1000)
    return values


def peers(data_dir: Path, times: int, count: int) -> Iterator[Row]:
    """The first page of us and of others, in turns."""
    file = data_dir / "flowshelf.sqlite3"
    with flowshelf(data_dir) as (url, _), Browser(url) as ours:
        for name, least, served, path in (
            ("sqlite-web", 3, _sqlite_web, f"/{TABLE}/content/?ordering=-created_at"),
            ("datasette", 20, _datasette, f"/flowshelf/{TABLE}?_sort_desc=created_at&_size={PAGE}"),
        ):
            with served(file) as peer_url:
                if peer_url is None:
                    yield Row(f"a sorted page, {count:,} images", "", f"{name}: skipped, not installed")
                    continue
                with Browser(peer_url) as theirs:
                    mine = _milliseconds(lambda: ours.get("/grid"), times)
                    others = _milliseconds(lambda browser=theirs, path=path: browser.get(path), times)
            rates = 1000 / median(mine), 1000 / median(others)
            aim = least if count == MANY else None
            yield faster_than(f"a sorted page, {count:,} images", rates[0], name, rates[1], aim)


@contextmanager
def _sqlite_web(file: Path) -> Iterator[str | None]:
    yield from _served("sqlite_web", lambda port: ["-p", str(port), "-x", "-r", str(file)])


@contextmanager
def _datasette(file: Path) -> Iterator[str | None]:
    yield from _served("datasette", lambda port: ["serve", str(file), "-p", str(port)])


def _served(program: str, options: Callable[[int], list[str]]) -> Iterator[str | None]:
    path, port = beside(program), free_port()
    if path is None:
        yield None
        return
    with running([path, *options(port)], port):
        yield f"http://127.0.0.1:{port}"
