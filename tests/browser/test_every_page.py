"""Every page in every state fits a phone and is accessible."""

from pathlib import Path

import axe_playwright_python
import pytest
from parts import button, cards, status_line, sync_panel
from playwright.sync_api import Locator, Page, expect
from states import states

from webapp.demo import World

pytestmark = pytest.mark.browser

NARROW = (390, 320)
SERIOUS = ("serious", "critical")
AXE = """async (options) => (await axe.run(document, {resultTypes: ["violations"], ...options})).violations
    .map(({id, impact, nodes}) => ({id, impact, where: nodes.map(({html}) => html)}))"""
SHIFTS = """() => {
    const observer = new PerformanceObserver(() => {});
    observer.observe({type: "layout-shift", buffered: true});
    const seen = observer.takeRecords().filter((one) => one.value > 0.01 && !one.hadRecentInput);
    return seen.flatMap(({sources}) => sources.map(({node}) => node?.id || node?.className || String(node)));
}"""
AT_REST = ("empty", "full")  # in other states the page may refresh while we look
COLOURS = ["color-contrast", "link-in-text-block"]  # the rules that depend on the theme
GROUND = "getComputedStyle(document.documentElement).backgroundColor"
SCHEME = "getComputedStyle(document.documentElement).colorScheme"
MAX_TABS = 40
OUTLINE = """element => {
    const {outlineStyle, outlineWidth} = getComputedStyle(element);
    return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
}"""


@pytest.fixture
def world() -> World:
    """Three history pages, but few cards, because every state is checked."""
    return World(uploaded=11, generated=3, tiny_pictures=True)


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe, the accessibility checker. Our content security policy forbids a script tag."""
    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()


def shifts(page: Page) -> list[str]:
    """The elements that caused layout shifts while the page loaded."""
    return page.evaluate(SHIFTS)


def overflow(page: Page) -> dict[int, int]:
    """By how many pixels the page is too wide, for each narrow window width."""
    found = {}
    for width in NARROW:
        page.set_viewport_size({"width": width, "height": 844})
        wide = page.evaluate("document.documentElement.scrollWidth")
        found[width] = max(0, wide - width)  # negative where a lightbox reserves space for a scroll bar
    return found


def violations(page: Page, axe: str) -> list:
    """Serious violations that axe finds in the light theme, and colour violations in the dark theme."""
    page.evaluate(axe)
    found = page.evaluate(AXE, {})
    page.emulate_media(color_scheme="dark")
    found += page.evaluate(AXE, {"runOnly": COLOURS})
    page.emulate_media(color_scheme="light")
    return [violation for violation in found if violation["impact"] in SERIOUS]


def choose_theme(page: Page, label: str) -> None:
    """Chooses a theme and waits for the page in it."""
    button(page, label).click()
    expect(button(page, label)).to_have_attribute("aria-pressed", "true")


def tab_to(page: Page, target: Locator, key: str = "Tab") -> None:
    """Presses Tab until `target` has the focus, and asserts that the focus is visible."""
    for _ in range(MAX_TABS):
        page.keyboard.press(key)
        if target.evaluate("element => element === document.activeElement"):
            assert target.evaluate(OUTLINE)
            return
    raise AssertionError(f"{MAX_TABS} times {key} did not reach it")


@pytest.mark.proof
def test_every_page_in_every_state_fits_a_phone_and_is_accessible(open_page, watch, flow, work, world, axe):
    watch.expect_status(404)
    page = open_page()
    for name in world.names()[:2]:
        world.change(name, prompt="Donaudampfschifffahrt" * 15)
    for state, pages in states(flow, work, name="W" * 80):
        for name, look in pages.items():
            look.show(page)
            if state in AT_REST:
                assert shifts(page) == [], (state, name)
            assert overflow(page) == dict.fromkeys(NARROW, 0), (state, name)
            assert violations(page, axe) == [], (state, name)
            if (state, name) == ("failing", "gallery"):
                page.set_viewport_size({"width": 390, "height": 844})
                expect(cards(page).first.locator(".picture")).to_be_in_viewport()


def test_nothing_moves_while_the_rest_of_a_page_loads(profile_id, open_page):
    page = open_page(viewport={"width": 390, "height": 844})
    tops = "['#status', '#filter'].map((part) => document.querySelector(part).getBoundingClientRect().top)"
    places, text = page.evaluate(tops), page.request.get("/").text()
    begun = text[: text.index('<form id="selection"')]
    page.route("**/", lambda route: route.fulfill(body=begun, content_type="text/html"))
    page.reload()
    assert page.evaluate(tops) == places


def test_the_chosen_theme_overrides_the_system_and_is_remembered(profile_id, open_page, axe):
    for chosen, system in (("Dark", "light"), ("Light", "dark")):
        page = open_page("/overview", color_scheme=system)
        was, pale = page.evaluate(GROUND), page.evaluate(SCHEME)
        choose_theme(page, chosen)
        assert page.url.endswith("/overview")
        assert page.evaluate(SCHEME) == chosen.lower() != pale
        assert page.evaluate(GROUND) != was
        page.evaluate(axe)
        assert page.evaluate(AXE, {"runOnly": COLOURS}) == []
        choose_theme(page, "System")
        assert page.evaluate(GROUND) == was


def test_everything_works_by_keyboard_with_a_visible_focus(profile_id, page):
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    tab_to(page, button(status_line(page), "Sync"))
    page.keyboard.press("Enter")
    expect(status_line(page)).to_contain_text("Synced just now")
    expect(status_line(page)).to_be_focused()
    tab_to(page, page.locator("#status-details"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Sync and downloads")).to_be_focused()
    expect(sync_panel(page)).to_contain_text("Synced just now")
    page.keyboard.press("Escape")
    expect(page.locator("#status-details")).to_be_focused()
    tab_to(page, cards(page).first.get_by_role("checkbox"))
    page.keyboard.press("Space")
    expect(page.locator("#selected-count")).to_have_text("1 selected")
    tab_to(page, page.locator("#download-selected"), key="Shift+Tab")
    page.keyboard.press("Enter")
    expect(cards(page, "Downloaded")).to_have_count(1)
    expect(status_line(page)).to_contain_text("13 not downloaded")
    expect(status_line(page)).to_be_focused()
