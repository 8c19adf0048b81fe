"""Page weight: what Chromium fetches for the gallery's first page, on a first visit and on the next."""

from collections.abc import Iterator

from tests.conftest import launched_chromium

from .measuring import Row
from .servers import FLOWSHELF, serving
from .shelves import give_files, shelf_of

LOOK = """() => new Promise(resolve => {
  let shift = 0;
  new PerformanceObserver(list => list.getEntries().forEach(each => { shift += each.value; }))
    .observe({type: "layout-shift", buffered: true});
  setTimeout(() => resolve({
    shift,
    paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? -1,
    sizes: [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
      .filter(each => each.initiatorType !== "img" && each.transferSize).map(each => each.transferSize),
  }), 1000);
})"""


def measure(quick: bool) -> Iterator[Row]:
    with shelf_of(1_000 if quick else 10_000) as data_dir, launched_chromium() as browser:
        give_files(data_dir, 60)
        with serving(FLOWSHELF, data_dir) as (url, _):
            page = browser.new_page()
            for visit, limits in (("first visit", ("<= 60 KB", "<= 7")), ("second visit", ("", ""))):
                page.goto("about:blank")
                page.goto(url)
                seen = page.evaluate(LOOK)
                yield Row(f"{visit}: bytes besides pictures", sum(seen["sizes"]) / 1000, "KB", limits[0])
                yield Row(f"{visit}: requests besides pictures", len(seen["sizes"]), "", limits[1])
                yield Row(f"{visit}: first contentful paint", seen["paint"], "ms")
                yield Row(f"{visit}: layout shift", seen["shift"], "", "<= 0")
