"""Where things stand on the dashboard, as a person names them, and what a card promises."""

import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from webapp import store
from webapp.database.models import Image
from webapp.demo import World
from webapp.demo.entries import Kind
from webapp.store.gallery import images

expect.set_options(timeout=8000)


def long_shelf() -> World:
    """More pictures than one page of the gallery shows; all rows carry a preview."""
    return World(uploaded=40, generated=30, videos=3, tiny_pictures=True, fife_url_kinds=Kind)


def button(place: Page | Locator, name: str) -> Locator:
    return place.get_by_role("button", name=name, exact=True)


def sync_panel(page: Page) -> Locator:
    return page.get_by_role("region", name="Sync")


def download_panel(page: Page) -> Locator:
    return page.get_by_role("region", name="Downloads")


def cards(page: Page, state: str = "") -> Locator:
    """All cards, or those with a chip of exactly this text."""
    if not state:
        return page.locator(".card")
    return page.locator(".card").filter(has=page.locator(".chip", has_text=re.compile(f"^{state}$")))


def add_profile(page: Page, name: str, cookies: str) -> None:
    page.get_by_label("Name of the profile").fill(name)
    page.get_by_label("Flow cookies").fill(cookies)
    button(page, "Check and add").click()


def name_of(card: Locator) -> str:
    """The name in Flow of the image that a card shows."""
    with store.connection():
        return images.get_image(card.get_attribute("id").removeprefix("card-")).name


def expect_picture(card: Locator) -> None:
    """The card shows the thumbnail of its file, and the browser could draw it."""
    picture = card.locator("img")
    expect(picture).to_have_attribute("src", re.compile("/thumbnail"))
    # Its natural width may be 0: pictures here have four pixels, divided by the density of the screen.
    assert picture.evaluate("async image => (await image.decode(), image.complete)")


def expect_file(world: World, name: str) -> None:
    with store.connection():
        path = Image.get(Image.name == name).local_path
    assert Path(path).read_bytes() == world.content(name)
