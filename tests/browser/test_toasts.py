"""Toasts: where they stand, how long, and what they offer."""

import pytest
from parts import button, long_shelf
from playwright.sync_api import expect
from test_every_page import axe, violations  # noqa: F401  # axe is a fixture

from webapp import store

pytestmark = pytest.mark.browser

SIZES = [{"width": 390, "height": 844}, {"width": 1440, "height": 900}]
# The selectors of what a toast covers.
COVERED = """(selectors) => {
    const box = document.querySelector("#toasts > .toast").getBoundingClientRect();
    const meets = (each) => {
        const { left, right, top, bottom, width } = each.getBoundingClientRect();
        return width && left < box.right && right > box.left && top < box.bottom && bottom > box.top;
    };
    return selectors.filter((selector) => [...document.querySelectorAll(selector)].some(meets));
}"""
PAUSE = "toast => toast.getAnimations()[0].pause()"
TIME_LEFT = "toast => toast.getAnimations()[0].playState"
TOAST = "#toasts > .toast[data-arranged]:first-child"


@pytest.fixture
def world():
    return long_shelf()


def hide(page, image_id):
    page.check(f"#card-{image_id} input[name=image_id]")
    if not button(page, "Hide").is_visible():
        page.click("#more")
    button(page, "Hide").click()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: size["width"])
def test_a_toast_covers_neither_filters_nor_cards_nor_the_bar_of_the_selection(shelf, open_page, axe, size):  # noqa: F811
    page = open_page(viewport=size)
    hide(page, shelf[0])
    page.locator(TOAST).evaluate(PAUSE)
    page.check(f"#card-{shelf[2]} input[name=image_id]")
    page.evaluate("scrollTo(0, 0)")
    assert page.evaluate(COVERED, [".filter", "#filter input", ".card", ".toolbar", "main"]) == []
    assert violations(page, axe) == []
    page.evaluate("scrollTo(0, 700)")
    toast, masthead = (page.locator(part).bounding_box() for part in (TOAST, ".masthead"))
    assert masthead["y"] == 0  # it has not been scrolled away
    assert toast["y"] + toast["height"] <= masthead["y"] + masthead["height"]


def test_a_toast_waits_while_it_is_looked_at_and_then_leaves(shelf, open_page):
    page = open_page()
    hide(page, shelf[0])
    toast = page.locator(TOAST)
    toast.hover()
    assert toast.evaluate(TIME_LEFT) == "paused"
    page.mouse.move(5, 500)
    assert toast.evaluate(TIME_LEFT) == "running"
    toast.get_by_role("button", name="Undo").focus()
    assert toast.evaluate(TIME_LEFT) == "paused"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    toast.evaluate("toast => toast.getAnimations()[0].finish()")
    expect(toast).to_have_count(0)


def test_a_toast_is_announced_and_dismissed_by_the_keyboard(shelf, open_page):
    page = open_page()
    hide(page, shelf[0])
    expect(page.locator("#announcement")).to_have_text("1 image hidden. The key u undoes it.")
    assert page.evaluate("document.activeElement.id") == f"look-{shelf[1]}"
    button(page.locator(TOAST), "Undo").focus()
    page.keyboard.press("Escape")
    expect(page.locator(TOAST)).to_have_count(0)
    assert page.evaluate("document.activeElement.id") == f"look-{shelf[1]}"


def test_the_ends_of_two_syncs_are_one_toast(synced, open_page, work):
    page = open_page("/profiles")
    expect(page.locator("#messenger")).not_to_have_attribute("hx-trigger", "load, look")
    with store.connection():
        for _ in range(2):
            work.syncs.wait(work.syncs.start(synced).id)
    page.evaluate("htmx.trigger('#messenger', 'look')")
    expect(page.locator("#toasts .toast")).to_have_count(1)
    expect(page.locator(TOAST)).to_contain_text("2 syncs finished.")
    expect(page.locator(f"{TOAST} a")).to_have_attribute("href", "/messages")


def test_the_end_of_a_sync_waits_behind_an_offer_of_undo(synced, shelf, open_page, work):
    page = open_page()
    expect(page.locator("#messenger")).not_to_have_attribute("hx-trigger", "load, look")
    hide(page, shelf[0])
    page.locator(TOAST).evaluate(PAUSE)
    with store.connection():
        work.syncs.wait(work.syncs.start(synced).id)
    page.evaluate("htmx.trigger('#messenger', 'look')")
    expect(page.locator("#toasts .toast")).to_have_count(2)
    expect(page.locator("#toasts .toast").last).to_be_hidden()
    button(page.locator(TOAST), "Undo").click()
    expect(page.locator(TOAST)).to_contain_text("“Ada” is synced")
    expect(page.locator(TOAST)).to_be_visible()
