"""Takes screenshots of every page in every state, at phone and desktop width, light and dark.

    python tests/browser/screenshots.py [FOLDER]     page-state-width-theme.png, by default in the temp folder
    python tests/browser/screenshots.py --readme     the README's picture, beside this file

Uses the sample images of the simulated Flow and a temporary data folder.
"""

import faulthandler
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from flask import Flask
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from states import states

from webapp import create_app, store
from webapp.cli.server import listen
from webapp.config import Config
from webapp.database.states import Role
from webapp.demo import FlowServer
from webapp.demo.samples import sample_world
from webapp.store import runs
from webapp.web.services import background_of

README_PICTURE = Path(__file__).parent / "dashboard.png"
SIZES = {390: 844, 1440: 900}
ENDS = {360: 780, 3840: 2160}
THEMES = ("light", "dark")
MAX_SECONDS = 600
DRAWN = """() => Promise.all(
    [...document.images]
        .filter((image) => image.getBoundingClientRect().top < innerHeight)
        .map((image) => image.decode().catch(() => {}))
).then(() => {})"""


def main(arguments: list[str]) -> None:
    faulthandler.dump_traceback_later(MAX_SECONDS, exit=True)
    if arguments == ["--readme"]:
        take_readme_picture()
    else:
        default = Path(tempfile.gettempdir()) / "flowshelf-screenshots"
        take_all(Path(arguments[0]) if arguments else default)


def take_all(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with dashboard(FlowServer(sample_world())) as (flow, app, url), chromium() as browser:
        desks = {(width, theme): desk(browser, url, width, theme) for width in SIZES for theme in THEMES}
        for state, pages in states(flow, background_of(app)):
            for name, look in pages.items():
                for (width, theme), page in desks.items():
                    look.show(page)
                    drawn(page).save(folder / f"{name}-{state}-{width}-{theme}.png")
        take_gallery_at_its_ends(folder, browser, url)
    flow = FlowServer(sample_world())
    with dashboard(flow, share=True) as (_, app, url), chromium() as browser:
        take_shared(folder, flow, app, url, browser)
    print(f"{len(list(folder.glob('*.png')))} screenshots in {folder}")


def take_gallery_at_its_ends(folder: Path, browser: Browser, url: str) -> None:
    """At the narrowest and the widest supported width."""
    for width in ENDS:
        page = desk(browser, url, width, "light")
        page.goto("/")
        drawn(page).save(folder / f"gallery-waiting-{width}-light.png")
        page.context.close()


def take_shared(folder: Path, flow: FlowServer, app: Flask, url: str, browser: Browser) -> None:
    """Pages of a shared Flowshelf: sign-in, guest, owner."""
    work, codes = background_of(app), app.extensions["flowshelf.sharing"].codes
    guest, owner = (f"/enter?code={codes.code_of(role)}" for role in (Role.GUEST, Role.OWNER))
    pages = {"sign-in": "/", "guest": guest, "share": f"{owner}&next=/share"}
    with store.connection():
        profile_id = work.accounts.add("Ada", flow.world.cookie_header()).id
        work.syncs.wait(work.syncs.start(profile_id).id)
        work.downloads.wait_for_run(work.downloads.request_pending(profile_id, limit=9).id)
    for width in SIZES:
        for theme in THEMES:
            page = desk(browser, url, width, theme)
            for name, path in pages.items():
                page.goto(path)
                drawn(page).save(folder / f"{name}-shared-{width}-{theme}.png")
            page.context.close()


def take_readme_picture() -> None:
    """The gallery while about half of the images are downloaded."""
    flow = FlowServer(sample_world(), latency_seconds={"media": 0.3})
    with dashboard(flow) as (flow, app, url), chromium() as browser, store.connection():
        work, page = background_of(app), desk(browser, url, 1440, "light")
        profile_id = work.accounts.add("Ada", flow.world.cookie_header()).id
        work.syncs.wait(work.syncs.start(profile_id).id)
        run = work.downloads.request_pending(profile_id)
        wait_for_downloads(run.id, run.download_count // 2)
        page.goto("/")
        drawn(page).save(README_PICTURE, optimize=True)
    print(f"{README_PICTURE}: {README_PICTURE.stat().st_size / 1000:.0f} kB")


def wait_for_downloads(run_id: str, count: int) -> None:
    pause = threading.Event()
    while runs.get_run(run_id).done_count < count:
        pause.wait(0.1)


def desk(browser: Browser, url: str, width: int, theme: str) -> Page:
    size = {"width": width, "height": (SIZES | ENDS)[width]}
    return browser.new_page(base_url=url, viewport=size, color_scheme=theme, reduced_motion="reduce")


def drawn(page: Page) -> Image.Image:
    """A screenshot after the images in view have loaded."""
    page.evaluate(DRAWN)
    return Image.open(BytesIO(page.screenshot())).convert("RGB")


@contextmanager
def dashboard(flow: FlowServer, share: bool = False) -> Iterator[tuple[FlowServer, Flask, str]]:
    with tempfile.TemporaryDirectory(prefix="flowshelf-") as folder, flow:
        config = Config(
            data_dir=Path(folder),
            labs_url=flow.url,
            media_url=flow.url,
            picture_hosts=frozenset({flow.picture_host}),
            port=0,
            page_delay_seconds=0.0,
            retry_pauses_seconds=(0.1,) * 4,
            share=share,
            host="127.0.0.1",
        )
        app = create_app(config)
        work = background_of(app)
        server = listen(app, config)
        threading.Thread(target=server.run, daemon=True).start()
        work.start()
        try:
            yield flow, app, f"http://127.0.0.1:{server.effective_port}"
        finally:
            work.stop()


@contextmanager
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        sys.exit("no Chromium on this machine (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
