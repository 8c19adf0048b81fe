"""Screenshots of every page in every state, on a phone and a desktop, light and dark.

    python -m pytest tests/browser/screenshots.py              page-state-width-theme.png, in the temp folder
    python -m pytest tests/browser/screenshots.py -k readme    only the README's picture, next to this file

They show the sample pictures of the simulated Flow. The suite does not collect this file.
"""

import tempfile
import threading
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from states import states

from webapp import store
from webapp.database.states import Role
from webapp.demo.samples import sample_world
from webapp.store import runs

README_PICTURE = Path(__file__).parent / "dashboard.png"
FOLDER = Path(tempfile.gettempdir()) / "flowshelf-screenshots"
HEIGHTS = {360: 780, 390: 844, 1440: 900, 3840: 2160}
DESKS = [(width, theme) for width in (390, 1440) for theme in ("light", "dark")]
DRAWN = """() => Promise.all(
    [...document.images]
        .filter((image) => image.getBoundingClientRect().top < innerHeight)
        .map((image) => image.decode().catch(() => {}))
).then(() => {})"""


@pytest.fixture
def world():
    return sample_world()


@pytest.fixture
def app(running, request):
    return running(timeout_seconds=(5.0, 60.0), **getattr(request, "param", {}))


@pytest.fixture
def open_desk(open_page):
    """A page in a window of this width; its height belongs to the width."""

    def open_desk(width, theme):
        return open_page(viewport={"width": width, "height": HEIGHTS[width]}, color_scheme=theme)

    return open_desk


def save(page, path):
    """Takes the screenshot when the pictures in view are loaded."""
    path.parent.mkdir(exist_ok=True)
    page.evaluate(DRAWN)
    Image.open(BytesIO(page.screenshot())).convert("RGB").save(path, optimize=path == README_PICTURE)


def test_pages_of_the_owner(open_desk, watch, flow, work):
    watch.expect_status(404)
    desks = {desk: open_desk(*desk) for desk in DESKS}
    for state, pages in states(flow, work):
        for name, look in pages.items():
            for (width, theme), page in desks.items():
                look.show(page)
                save(page, FOLDER / f"{name}-{state}-{width}-{theme}.png")
    for width in (min(HEIGHTS), max(HEIGHTS)):  # the narrowest phone and the widest screen
        save(open_desk(width, "light"), FOLDER / f"gallery-waiting-{width}-light.png")


@pytest.mark.parametrize("app", [{"share": True}], indirect=True)
def test_pages_of_a_shared_shelf(app, open_desk, watch, work, profile_id):
    """As its owner, a guest and somebody who has to sign in see it."""
    codes = app.extensions["flowshelf.sharing"].codes
    guest, owner = (f"/enter?code={codes.code_of(role)}" for role in (Role.GUEST, Role.OWNER))
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id).id)
        work.downloads.wait_for_run(work.downloads.request_pending(profile_id, limit=9).id)
    watch.expect_status(401)
    for width, theme in DESKS:
        page = open_desk(width, theme)
        for name, path in (("sign-in", "/"), ("guest", guest), ("share", f"{owner}&next=/share")):
            page.goto(path)
            save(page, FOLDER / f"{name}-shared-{width}-{theme}.png")


def test_readme(open_desk, flow, work, profile_id):
    """While downloads run, when half of the images are there."""
    flow.latency_seconds = {"media": 0.3}
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id).id)
        run, pause = work.downloads.request_pending(profile_id), threading.Event()
        while runs.get_run(run.id).done_count < run.download_count // 2:
            pause.wait(0.1)
        save(open_desk(1440, "light"), README_PICTURE)
