"""Screenshots of every page in every state, on a phone and a desktop, light and dark.

    python -m tests.browser.screenshots [FOLDER]     page-state-width-theme.png, by default in the temp folder
    python -m tests.browser.screenshots --readme     only the README's picture, next to this file

They show the sample pictures of the simulated Flow, on a temporary data folder.
"""

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import click
from PIL import Image
from playwright.sync_api import Browser, Page

from tests.browser.states import states
from tests.conftest import launched_chromium, served
from webapp import create_app, store
from webapp.config import Config
from webapp.database.states import Role
from webapp.demo import FlowServer
from webapp.demo.samples import sample_world
from webapp.store import runs
from webapp.web.services import background_of

README_PICTURE = Path(__file__).parent / "dashboard.png"
DEFAULT_FOLDER = Path(tempfile.gettempdir()) / "flowshelf-screenshots"
HEIGHTS = {360: 780, 390: 844, 1440: 900, 3840: 2160}
DESKS = [(width, theme) for width in (390, 1440) for theme in ("light", "dark")]
DRAWN = """() => Promise.all(
    [...document.images]
        .filter((image) => image.getBoundingClientRect().top < innerHeight)
        .map((image) => image.decode().catch(() => {}))
).then(() => {})"""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=DEFAULT_FOLDER)
@click.option("--readme", is_flag=True)
def main(folder: Path, readme: bool) -> None:
    """Take screenshots of every page in every state, or the README's picture."""
    with launched_chromium() as browser:
        if readme:
            take_readme_picture(browser)
            return
        folder.mkdir(parents=True, exist_ok=True)
        take_all(folder, browser)
        take_shared(folder, browser)
    click.echo(f"{len(list(folder.glob('*.png')))} pictures in {folder}")


def take_all(folder: Path, browser: Browser) -> None:
    with dashboard(FlowServer(sample_world())) as (flow, app, url):
        desks = {desk: open_desk(browser, url, *desk) for desk in DESKS}
        for state, pages in states(flow, background_of(app)):
            for name, look in pages.items():
                for (width, theme), page in desks.items():
                    look.show(page)
                    drawn(page).save(folder / f"{name}-{state}-{width}-{theme}.png")
        for width in (min(HEIGHTS), max(HEIGHTS)):  # the narrowest phone and the widest screen
            page = open_desk(browser, url, width, "light")
            page.goto("/")
            drawn(page).save(folder / f"gallery-waiting-{width}-light.png")


def take_shared(folder: Path, browser: Browser) -> None:
    """A shared shelf as its owner, a guest and somebody who has to sign in see it."""
    with dashboard(FlowServer(sample_world()), share=True) as (flow, app, url):
        work, codes = background_of(app), app.extensions["flowshelf.sharing"].codes
        guest, owner = (f"/enter?code={codes.code_of(role)}" for role in (Role.GUEST, Role.OWNER))
        with store.connection():
            profile_id = work.accounts.add("Ada", flow.world.cookie_header()).id
            work.syncs.wait(work.syncs.start(profile_id).id)
            work.downloads.wait_for_run(work.downloads.request_pending(profile_id, limit=9).id)
        for width, theme in DESKS:
            page = open_desk(browser, url, width, theme)
            for name, path in (("sign-in", "/"), ("guest", guest), ("share", f"{owner}&next=/share")):
                page.goto(path)
                drawn(page).save(folder / f"{name}-shared-{width}-{theme}.png")


def take_readme_picture(browser: Browser) -> None:
    """Taken while downloads run, when half of the images are there."""
    flow = FlowServer(sample_world(), latency_seconds={"media": 0.3})
    with dashboard(flow) as (_, app, url), store.connection():
        work, page = background_of(app), open_desk(browser, url, 1440, "light")
        profile_id = work.accounts.add("Ada", flow.world.cookie_header()).id
        work.syncs.wait(work.syncs.start(profile_id).id)
        run, pause = work.downloads.request_pending(profile_id), threading.Event()
        while runs.get_run(run.id).done_count < run.download_count // 2:
            pause.wait(0.1)
        page.goto("/")
        drawn(page).save(README_PICTURE, optimize=True)
    click.echo(f"{README_PICTURE}: {README_PICTURE.stat().st_size / 1000:.0f} kB")


def open_desk(browser: Browser, url: str, width: int, theme: str) -> Page:
    size = {"width": width, "height": HEIGHTS[width]}
    return browser.new_page(base_url=url, viewport=size, color_scheme=theme, reduced_motion="reduce")


def drawn(page: Page) -> Image.Image:
    """The page, once its pictures in view are loaded."""
    page.evaluate(DRAWN)
    return Image.open(BytesIO(page.screenshot())).convert("RGB")


@contextmanager
def dashboard(flow: FlowServer, *, share: bool = False) -> Iterator[tuple]:
    """The simulated Flow, the app on a new data folder, and the app's URL."""
    with tempfile.TemporaryDirectory(prefix="flowshelf-") as folder, flow:
        config = Config(
            Path(folder),
            labs_url=flow.url,
            media_url=flow.url,
            picture_hosts=frozenset({flow.picture_host}),
            page_delay_seconds=0.0,
            retry_pauses_seconds=(0.1,) * 4,
            share=share,
            host="127.0.0.1",
        )
        app = create_app(config)
        background_of(app).start()
        try:
            with served(app) as url:
                yield flow, app, url
        finally:
            background_of(app).stop()


if __name__ == "__main__":
    main()
