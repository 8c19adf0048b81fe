"""The gallery with a thousand and a million images, over HTTP from `flowshelf serve`.

sqlite-web and datasette show a page of the same table from the same file, sorted by the same column.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from urllib.parse import parse_qsl, quote

from flask import Flask, Response
from waitress import create_server

from .measuring import Row, in_turns, p95
from .servers import FLOWSHELF, PEERS, TABLE, Browser, serving, spawned
from .shelves import COMMON_WORD, FEWER, MANY, RARE_WORD, TWO_LETTERS, kept_shelf, shelf_of

FEW = 1_000
# Whole pages are kept for those who ask for the same URL, so each of these asks for another one.
NEW = count()
WHOLE = "gallery, first page whole, made anew"
RATIOS = {"sqlite-web": ">= 3x", "datasette": ">= 20x"}  # aimed at with a million images
# Milliseconds aimed at with a million images, a name, and what is asked for (after `select`, a form).
QUESTIONS = f"""
25  {WHOLE} | /?new=%(new)s
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
    turns, images = (8, FEWER) if quick else (40, MANY)
    large = kept_shelf(images)
    with (
        shelf_of(FEW) as small,
        serving(FLOWSHELF, small) as (few_url, _),
        serving(FLOWSHELF, large) as (many_url, _),
        Browser(few_url) as few,
        Browser(many_url) as many,
    ):
        yield _beside_bare_page(many, turns, images)
        for line in QUESTIONS.strip().splitlines():
            limit, _, rest = line.partition(" ")
            what, asked = map(str.strip, rest.split("|"))
            asks = partial(_ask, few, asked, _places(small)), partial(_ask, many, asked, _places(large))
            theirs, ours = map(p95, in_turns(asks, turns))
            ratio = "1.2x" if what == WHOLE else "2x or <= 15 ms" if asked.startswith("/grid?") else ""
            target = f"<= {limit} ms, <= {ratio}".removesuffix(", <= ")
            yield Row(f"{what}, {images:,} images, p95", ours, "ms", target, f"at {FEW:,}", theirs)
    yield from peers(large, 3 if quick else 9, images)


def _beside_bare_page(browser: Browser, turns: int, images: int) -> Row:
    with spawned(_serve_page, browser.get("/")) as url, Browser(url) as bare:
        asks = partial(_ask, browser, "/?new=%(new)s", {}), partial(bare.get, "/")
        ours, theirs = map(p95, in_turns(asks, turns))
    peer = "a bare Flask page of the same bytes behind waitress"
    return Row(f"{WHOLE}, {images:,} images, p95", ours, "ms", "<= 20x", peer, theirs)


def _serve_page(ready, content: bytes) -> None:
    app = Flask(__name__)
    app.get("/")(lambda: Response(content, headers={"Content-Encoding": "gzip"}))
    server = create_server(app, host="127.0.0.1", port=0)
    ready.send(f"http://127.0.0.1:{server.effective_port}")
    server.run()


def _ask(browser: Browser, asked: str, places: dict[str, str]) -> None:
    asked %= places | {"new": next(NEW)}
    if asked.startswith("select "):
        browser.post("/selection", **dict(parse_qsl(asked.removeprefix("select "))))
    else:
        browser.get(asked)


def _places(data_dir: Path) -> dict[str, str]:
    """The larger profile, and the image before page 1,000, or before the last page of a small shelf."""
    place = f"SELECT id FROM {TABLE} ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET ?"
    with closing(sqlite3.connect(data_dir / "flowshelf.sqlite3")) as database:
        (profile,) = database.execute("SELECT id FROM profile WHERE name = 'Ada'").fetchone()
        (count,) = database.execute(f"SELECT count(*) FROM {TABLE}").fetchone()
        (cursor,) = database.execute(place, (min(60_000, count - 60),)).fetchone()
    return {"profile": profile, "cursor": cursor, "two_letters": quote(TWO_LETTERS)}


def peers(data_dir: Path, turns: int, images: int) -> Iterator[Row]:
    """A sorted page of Flowshelf and of each peer, in turns."""
    with serving(FLOWSHELF, data_dir) as (url, _), Browser(url) as browser:
        for peer in PEERS:
            with serving(peer, data_dir) as served, Browser(served[0] if served else url) as other:
                asks = [partial(browser.get, FLOWSHELF.page), partial(other.get, peer.page)]
                ours, *theirs = [1000 / median(times) for times in in_turns(asks[: 1 + bool(served)], turns)]
            target = RATIOS[peer.name] if images == MANY else ""
            yield Row(f"a sorted page, {images:,} images", ours, "/s", target, peer.name, *theirs)
