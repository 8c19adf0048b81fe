"""The gallery with a thousand, a hundred thousand and a million images, over HTTP from `flowshelf serve`.

sqlite-web and datasette show a page of the same table from the same file, sorted by the same column.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median
from urllib.parse import parse_qsl, quote

from .measuring import Row, milliseconds, p95
from .servers import FLOWSHELF, PEERS, TABLE, Browser, serving
from .shelves import COMMON_WORD, RARE_WORD, TWO_LETTERS, shelf_of

MANY = 1_000_000
RATIOS = {"sqlite-web": ">= 3x", "datasette": ">= 20x"}  # aimed at with a million images
# Milliseconds aimed at with a million images, a name, and what is asked for (after `select`, a form).
QUESTIONS = f"""
25  gallery, first page whole       | /
25  first page                      | /grid
25  page 1,000 by cursor            | /grid?before=%(cursor)s
25  profile                         | /grid?profile=%(profile)s
25  kind                            | /grid?kind=uploaded
25  model                           | /grid?model=NARWHAL
25  shape                           | /grid?aspect=IMAGE_ASPECT_RATIO_SQUARE
25  days                            | /grid?from=2022-03-01&to=2022-03-31
25  from a month                    | /grid?at=2022-03
25  from a month, oldest first      | /grid?at=2022-03&sort=oldest
25  from a month, kind and model    | /grid?at=2022-03&kind=generated&model=GEM_PIX
50  from a month, a rare word       | /grid?at=2022-03&q={RARE_WORD}
25  timeline                        | /timeline
25  oldest first                    | /grid?sort=oldest
25  by download                     | /grid?sort=downloaded
25  profile, kind, model and days   | /grid?profile=%(profile)s&kind=generated&model=GEM_PIX&from=2022-01-01
25  state pending                   | /grid?state=pending
25  state active                    | /grid?state=active
25  state done                      | /grid?state=done
25  state failed                    | /grid?state=failed
25  state gone                      | /grid?state=gone
25  state damaged                   | /grid?state=damaged
25  state hidden                    | /grid?state=hidden
50  search: a common word           | /grid?q={COMMON_WORD}
50  search: a rare word             | /grid?q={RARE_WORD}
50  search: two letters without spaces | /grid?q=%(two_letters)s
50  search: three words             | /grid?q=red+kite+dunes
50  search: a rare word of one profile | /grid?q={RARE_WORD}&profile=%(profile)s
50  search: the beginning of a name | /grid?q=CAMaJ0001
50  search: without accents         | /grid?q=z%%C3%%A9ppelin
50  search: a phrase                | /grid?q=%%22red+kite%%22
50  search: one word, not another   | /grid?q=kite+-night
50  search: not a common word       | /grid?q=-{COMMON_WORD}
50  search: one of two words        | /grid?q={RARE_WORD}+OR+{COMMON_WORD}
50  search: fields of the filter    | /grid?q=model:banana-2+is:downloaded+after:2022
50  search: several models          | /grid?q=model:banana
50  search: several projects        | /grid?q=project:fables
50  search: a seed                  | /grid?q=seed:123456
50  search: a word or a field       | /grid?q={RARE_WORD}+OR+seed:123456
50  search: nothing, and why        | /grid?q=red+kite+airship
100 counts: all                     | /grid/totals
100 counts: a filter                | /grid/totals?kind=uploaded
100 counts: pending                 | /grid/totals?state=pending
100 overview                        | /overview
100 select all that match           | select everything=1
100 select all of a search          | select everything=1&q={RARE_WORD}
25  page of an image                | /images/%(cursor)s
100 position in all                 | /images/%(cursor)s/position
100 position in a filter            | /images/%(cursor)s/position?kind=generated&sort=oldest
1000 position in a search           | /images/%(cursor)s/position?q={COMMON_WORD}
25  status line, which polls        | /panels/status
"""


def measure(quick: bool) -> Iterator[Row]:
    at: dict[int, dict[str, tuple[str, float]]] = {}
    for count in (1_000, 100_000) if quick else (1_000, 100_000, MANY):
        with shelf_of(count) as data_dir:
            at[count] = times(data_dir, 8 if quick else 40)
            if count >= 100_000:
                yield from peers(data_dir, 3 if quick else 9, count)
    few, many = min(at), max(at)
    for what, (limit, ours) in at[many].items():
        yield Row(
            f"{what}, {many:,} images, p95", ours, "ms", f"<= {limit} ms", f"at {few:,}", at[few][what][1]
        )


def times(data_dir: Path, count: int) -> dict[str, tuple[str, float]]:
    """The target and the 95th percentile of each question, in milliseconds."""
    questions = [line.partition("|") for line in (QUESTIONS % _places(data_dir)).strip().splitlines()]
    found = {}
    with serving(FLOWSHELF, data_dir) as (url, _), Browser(url) as browser:
        for start, _, asked in questions:
            limit, what = start.split(maxsplit=1)
            ask = partial(_ask, browser, asked.split())
            found[what.strip()] = limit, p95(milliseconds(ask, count))
    return found


def _ask(browser: Browser, words: list[str]) -> None:
    if words[0] == "select":
        browser.post("/selection", **dict(parse_qsl(words[1])))
    else:
        for path in words:
            browser.get(path)


def _places(data_dir: Path) -> dict[str, str]:
    """The larger profile, and the image before page 1,000, or before the last page of a small shelf."""
    place = f"SELECT id FROM {TABLE} ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET ?"
    with closing(sqlite3.connect(data_dir / "flowshelf.sqlite3")) as database:
        (profile,) = database.execute("SELECT id FROM profile WHERE name = 'Ada'").fetchone()
        (count,) = database.execute(f"SELECT count(*) FROM {TABLE}").fetchone()
        (cursor,) = database.execute(place, (min(60_000, count - 60),)).fetchone()
    return {"profile": profile, "cursor": cursor, "two_letters": quote(TWO_LETTERS)}


def peers(data_dir: Path, count: int, images: int) -> Iterator[Row]:
    """A sorted page of Flowshelf and of each peer, one after the other."""
    with serving(FLOWSHELF, data_dir) as ours:
        for peer in PEERS:
            with serving(peer, data_dir) as theirs:
                rates = _rate(ours, FLOWSHELF.page, count), _rate(theirs, peer.page, count)
            target = RATIOS[peer.name] if images == MANY else ""
            yield Row(f"a sorted page, {images:,} images", rates[0], "/s", target, peer.name, rates[1])


def _rate(served: tuple[str, int] | None, path: str, count: int) -> float | None:
    if served is None:
        return None
    with Browser(served[0]) as browser:
        return 1000 / median(milliseconds(lambda: browser.get(path), count))
