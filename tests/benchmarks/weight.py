"""Page weight: what Chromium fetches for the gallery's first page, on a first visit and on the next."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.measuring import Row, Scale, at_most, in_own_process
from tests.benchmarks.serving import flowshelf
from tests.benchmarks.shelves import give_files, make_shelf

PAGE = 60
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
LOOK = """() => new Promise(resolve => {
  let shift = 0;
  new PerformanceObserver(list => list.getEntries().forEach(each => { shift += each.value; }))
    .observe({type: "layout-shift", buffered: true});
  setTimeout(() => resolve({
    shift,
    paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? -1,
    fetched: [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
      .map(each => [each.name, each.initiatorType, each.transferSize]),
  }), 1000);
})"""


def measure(scale: Scale) -> Iterator[Row]:
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        path = None
    if path is None:
        yield Row("weight of the gallery's first page", "skipped: no Chromium, or no playwright")
        return
    with tempfile.TemporaryDirectory(prefix="flowshelf-bench-") as folder, sync_playwright() as playwright:
        in_own_process(make_shelf, Path(folder, "data"), scale.of(10_000, 1_000))
        give_files(Path(folder, "data"), PAGE)
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        with flowshelf(Path(folder, "data")) as (url, _):
            page = browser.new_page()
            for visit in ("first visit", "second visit"):
                page.goto("about:blank")
                page.goto(url)
                yield from _rows(visit, page.evaluate(LOOK))
        browser.close()


def _rows(visit: str, seen: dict) -> Iterator[Row]:
    own = [(name, size) for name, kind, size in seen["fetched"] if kind != "img"]
    over_the_wire = [size for _, size in own if size]
    is_first = visit == "first visit"
    yield at_most(
        f"{visit}: bytes beside pictures", sum(over_the_wire) / 1000, "KB", 60 if is_first else None
    )
    yield at_most(f"{visit}: requests beside pictures", len(over_the_wire), "", 7 if is_first else None)
    yield at_most(f"{visit}: first contentful paint", seen["paint"], "ms")
    yield at_most(f"{visit}: layout shift", seen["shift"], "", 0)
