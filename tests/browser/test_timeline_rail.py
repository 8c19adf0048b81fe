"""The timeline in a real browser: drag, click, keys, a phone, and no JavaScript."""

import re

import pytest
from parts import choose_filter
from playwright.sync_api import Locator, Page, expect
from test_every_page import axe, violations

from webapp import store
from webapp.database.models import Image
from webapp.demo import World
from webapp.demo.entries import Kind

__all__ = ["axe"]
pytestmark = pytest.mark.browser

MONTHS = ("2023-11", "2024-02", "2025-12", "2026-03")
NAMES = ("November 2023", "February 2024", "December 2025", "March 2026")


@pytest.fixture
def world() -> World:
    return World(uploaded=144, generated=0, videos=0, tiny_pictures=True, fife_url_kinds=Kind)


@pytest.fixture
def app(running):
    return running(page_size=50)


@pytest.fixture
def shelf(synced) -> None:
    """36 images in each of four months."""
    with store.connection(), store.transaction():
        for number, image in enumerate(Image.select()):
            image.created_at = f"{MONTHS[number % 4]}-{1 + number % 28:02}T12:00:00.{number:06}Z"
            image.save()


@pytest.fixture
def page(shelf, open_page) -> Page:
    return open_page(timezone_id="UTC")


def approach(page: Page) -> None:
    """Comes near the rail, and waits until its script is there."""
    page.locator("#timeline").hover()
    expect(page.locator("#timeline [aria-current]")).to_have_count(1)


def tick(page: Page, month: str) -> Locator:
    return page.locator("#timeline a", has_text=month)


def cards_of(page: Page, name: str) -> Locator:
    month = MONTHS[NAMES.index(name)]
    return page.locator(f".card:has(.words[title^='{month}'])")


def expect_month(page: Page, name: str) -> None:
    expect(tick(page, name)).to_have_attribute("aria-current", "true")
    expect(page.locator("#announcement")).to_have_text(f"{name} · 36 images")
    expect(cards_of(page, name).first).to_be_in_viewport()


def drag(page: Page, name: str) -> None:
    rail, there = page.locator("#timeline").bounding_box(), tick(page, name).bounding_box()
    page.mouse.move(rail["x"] + 10, rail["y"] + 30)
    page.mouse.down()
    for x in (-20, -100):  # the hand need not stay on the rail
        page.mouse.move(rail["x"] + x, there["y"] + there["height"] / 2)
    expect(tick(page, name).locator("span")).to_have_css("opacity", "1")
    page.mouse.up()


def test_dragging_shows_the_month_and_letting_go_shows_its_images(page):
    approach(page)
    drag(page, "February 2024")
    expect_month(page, "February 2024")
    assert page.evaluate("new URL(location).search") != ""
    drag(page, "March 2026")
    expect_month(page, "March 2026")


def test_a_click_goes_to_a_month_and_a_reload_shows_the_same(page):
    approach(page)
    tick(page, "December 2025").click()
    expect_month(page, "December 2025")
    page.reload()
    expect(cards_of(page, "December 2025").first).to_be_in_viewport()


def test_the_script_comes_only_when_somebody_scrolls_or_touches_the_rail(page, watch):
    page.wait_for_load_state("networkidle")
    assert not [url for url in watch.urls if "timeline.js" in url]
    with page.expect_response("**/timeline.js"):
        page.mouse.wheel(0, 300)


def test_scrolling_marks_the_month_in_view(page):
    page.locator(".card").nth(50).scroll_into_view_if_needed()
    page.mouse.wheel(0, 600)
    expect(tick(page, "December 2025")).to_have_attribute("aria-current", "true")
    expect(page.locator("#timeline [aria-current]")).to_have_count(1)


def test_the_rail_is_one_stop_for_tab_with_arrow_keys_in_it(page):
    page.locator("#timeline a").first.focus()
    expect(page.locator("#timeline a[tabindex='0']")).to_have_count(1)
    for key, name in (("ArrowDown", NAMES[2]), ("End", NAMES[0]), ("ArrowUp", NAMES[1])):
        page.keyboard.press(key)
        expect(tick(page, name)).to_be_focused()
    expect(tick(page, NAMES[1]).locator("span")).to_have_css("opacity", "1")
    page.keyboard.press("Enter")
    expect_month(page, NAMES[1])
    expect(tick(page, NAMES[1])).to_be_focused()
    page.keyboard.press("Home")
    expect(tick(page, NAMES[3])).to_be_focused()
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("!document.activeElement.closest('#timeline')")


def test_the_rail_follows_the_filter(page):
    choose_filter(page, "sort", "oldest")
    expect(page.locator("#timeline a").first).to_have_text("November 2023 · 36 images")
    approach(page)
    tick(page, "December 2025").click()
    expect_month(page, "December 2025")
    assert "sort=oldest" in page.url
    choose_filter(page, "sort", "downloaded")
    expect(page.locator("#timeline")).to_be_hidden()


def test_on_a_phone_a_thumb_drags_the_rail_and_it_covers_no_card(shelf, open_page, axe):
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    page = open_page(**phone, timezone_id="UTC")
    page.locator(".card").nth(8).scroll_into_view_if_needed()
    expect(page.locator("#timeline [aria-current]")).to_have_count(1)
    rail, there = page.locator("#timeline").bounding_box(), tick(page, NAMES[0]).bounding_box()
    right = "cards => Math.max(...cards.map(card => card.getBoundingClientRect().right))"
    assert page.locator(".card").evaluate_all(right) <= rail["x"]
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    touch = page.context.new_cdp_session(page)
    middle, height = rail["x"] + rail["width"] / 2, there["y"] + there["height"] / 2
    was = page.evaluate("scrollY")
    for kind, y in (("touchStart", rail["y"] + 60), ("touchMove", rail["y"] + 90), ("touchMove", height)):
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": middle, "y": y}]})
    expect(tick(page, NAMES[0]).locator("span")).to_have_css("opacity", "1")
    assert page.evaluate("scrollY") == was
    assert violations(page, axe) == []
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect_month(page, NAMES[0])


def test_without_javascript_the_months_are_links(shelf, open_page, axe):
    page = open_page(java_script_enabled=False)
    tick(page, "February 2024").click()
    expect(page).to_have_url("/?at=2024-02")
    expect(page.locator("#cards .words").first).to_have_attribute("title", re.compile("2024-02"))
    page.get_by_role("link", name="Newer").click()
    expect(page.locator("#cards .words").last).to_have_attribute("title", re.compile("2025-12"))
