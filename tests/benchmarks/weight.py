"""Page weight: what Chromium fetches for the gallery's first page, on a first visit and on the next. And how
long the lightbox takes to open, and to show the next image with its picture."""

from collections.abc import Iterator

from playwright.sync_api import Page

from tests.conftest import launched_chromium

from .measuring import Row, p95
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

STEP = """async (act) => {
  const shown = document.querySelector("#image")?.dataset.image;
  const began = performance.now();
  document.querySelector(act).click();
  for (;;) {
    await new Promise(requestAnimationFrame);
    const image = document.querySelector("#lightbox #image");
    if (image && image.dataset.image !== shown && image.querySelector(".stage img").complete)
      return performance.now() - began;
  }
}"""
STEPS = 20


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
            yield from _steps(page)


def _steps(page: Page) -> Iterator[Row]:
    opened, following = [], []
    for _ in range(STEPS):
        page.hover("#grid .look")  # a pointer comes before the click, and the script of the lightbox with it
        page.wait_for_timeout(100)
        opened.append(page.evaluate(STEP, "#grid .look"))
        page.wait_for_timeout(300)  # a person looks at the picture
        following.append(page.evaluate(STEP, "#to-next"))
        page.keyboard.press("Escape")
        page.wait_for_selector("#lightbox", state="hidden")
    yield Row("lightbox: opens with its picture, p95", p95(opened), "ms", "<= 150 ms")
    yield Row("lightbox: the next image, p95", p95(following), "ms", "<= 50 ms")
