"""Locators for the parts of the dashboard, and assertions on cards."""

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
    """More images than one page of the gallery shows; all rows have a preview URL."""
    return World(uploaded=40, generated=30, videos=3, tiny_pictures=True, fife_url_kinds=Kind)


def button(place: Page | Locator, name: str) -> Locator:
    return place.get_by_role("button", name=name, exact=True)


def status_line(page: Page) -> Locator:
    """What goes on, in one line of the gallery."""
    return page.locator("#status")


def open_sheet(page: Page) -> Locator:
    """Opens the sheet with the panels of syncs and downloads."""
    page.locator("#status-details").click()
    sheet = page.get_by_role("dialog", name="Sync and downloads")
    expect(sheet).to_be_visible()
    return sheet


def close_sheet(page: Page) -> None:
    page.keyboard.press("Escape")
    expect(page.locator("#dialog")).to_be_hidden()


def sync_panel(page: Page) -> Locator:
    """On the page Activity, or in the sheet."""
    return page.get_by_role("region", name="Sync")


def download_panel(page: Page) -> Locator:
    return page.get_by_role("region", name="Downloads")


def cards(page: Page, state: str = "") -> Locator:
    """All cards, or those with a chip of exactly this text."""
    if not state:
        return page.locator(".card")
    return page.locator(".card").filter(has=page.locator(".chip", has_text=re.compile(f"^{state}$")))


def choose_filter(page: Page, name: str, value: str) -> None:
    """Sets one field of the filter, which is behind the button Filters, and closes them again."""
    if not page.locator("#filters:popover-open").count():
        page.click("#filter [popovertarget=filters]")
    page.select_option(f"#filters select[name={name}]", value)
    page.keyboard.press("Escape")


def add_profile(page: Page, name: str, cookies: str) -> None:
    """Fills in the form and sends it; the page that follows names the account."""
    name_field(page).fill(name)
    page.get_by_label("Flow cookies").fill(cookies)
    button(page, "Check and add").click()


def name_field(page: Page) -> Locator:
    """The field for the name of a new profile, which is optional and closed at first."""
    field = page.get_by_label("Name of the profile", exact=True)
    if not field.is_visible():
        page.get_by_text("Name it (optional)").click()
    return field


def name_of(card: Locator) -> str:
    """The name in Flow of the image of a card."""
    with store.connection():
        return images.get_image(card.get_attribute("id").removeprefix("card-")).name


def expect_picture(card: Locator) -> None:
    """Asserts that the card shows a thumbnail that the browser can decode."""
    picture = card.locator("img")
    expect(picture).to_have_attribute("src", re.compile("/thumbnail"))
    # Not by naturalWidth, which may be 0: these images have four pixels, divided by the pixel density.
    assert picture.evaluate("async image => (await image.decode(), image.complete)")


def expect_file(world: World, name: str) -> None:
    with store.connection():
        path = Image.get(Image.name == name).file_path
    assert Path(path).read_bytes() == world.content(name)
