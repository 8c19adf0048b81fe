"""Choosing a Firefox of this machine in the dashboard, with and without JavaScript."""

from pathlib import Path

import axe_playwright_python
import pytest
from firefox_files import rows_of, write_profile
from parts import button
from playwright.sync_api import expect

from webapp.demo import World

pytestmark = pytest.mark.browser

AXE = """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations
    .filter(({impact}) => ["serious", "critical"].includes(impact)).map(({id}) => id)"""


@pytest.fixture
def world():
    world = World(uploaded=3, generated=3, tiny_pictures=True)
    world.migrate()
    return world


@pytest.fixture
def app(running, tmp_path, world):
    root = tmp_path / "firefox"
    write_profile(root / "abc.default", rows_of(world.google.cookies()))
    return running(firefox_roots=(root,))


@pytest.mark.parametrize("has_script", [True, False])
def test_a_person_comes_from_the_welcome_page_to_their_images(open_page, has_script):
    page = open_page(java_script_enabled=has_script)
    page.get_by_role("main").get_by_role("link", name="Use Firefox’s sign-in").first.click()
    button(page, "Look into default").click()
    expect(page.get_by_role("heading", name="ada@example.com")).to_be_visible()
    page.get_by_label("Name of the profile").fill("Ada")
    button(page, "Add this account ada@example.com").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ada")
    page.goto("/firefox")
    expect(page.get_by_text("In use")).to_be_visible()
    page.get_by_role("link", name="Ada", exact=True).click()
    expect(page.get_by_text("Firefox on this computer, profile “default”")).to_be_visible()


@pytest.mark.parametrize("width", [320, 390, 1440])
def test_the_page_fits_and_is_accessible(open_page, width):
    page = open_page("/firefox", viewport={"width": width, "height": 844})
    button(page, "Look into default").click()
    expect(page.get_by_role("heading", name="ada@example.com")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate((Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text())
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        assert page.evaluate(AXE) == []
