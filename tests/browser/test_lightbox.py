"""The lightbox and the comparison in a real browser."""

import pytest
from parts import button
from playwright.sync_api import expect
from test_every_page import NARROW, axe, overflow, violations  # noqa: F401  # axe is a fixture

from webapp import store
from webapp.database.models import Image
from webapp.demo import World
from webapp.demo.entries import Kind

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}
ZOOMS = "[...document.querySelectorAll('.stage')].map((stage) => stage.dataset.zoom)"
SAME_PART = """() => {
    const parts = [...document.querySelectorAll(".stage")]
        .map(({scrollTop, scrollHeight, clientHeight}) => scrollTop / (scrollHeight - clientHeight));
    return parts[0] > 0.5 && Math.abs(parts[0] - parts[1]) < 0.02;
}"""
NAME_IN_FOCUS = "document.activeElement.ariaLabel ?? document.activeElement.innerText"
LIGHTBOX_CONTROLS = ("Zoom in", "Full screen", "Previous", "Next", "Hide", "Delete file…", "Similar prompt")
LIGHTBOX_CONTROLS += ("Select this image", "Slideshow", "Keyboard shortcuts", "Close")
PROMPT = "a red kite over the dunes"


@pytest.fixture
def world():
    return World(uploaded=12, generated=6, tiny_pictures=True, fife_url_kinds=Kind)


@pytest.fixture
def ids(shelf, work, synced):
    """The ids of all images, newest first. The first four are downloaded; the first three share a prompt."""
    with store.connection():
        work.downloads.wait_for_run(work.downloads.request(synced, shelf[:4]).id)
        Image.update(prompt=PROMPT, kind="generated", workflow_id="card").where(
            Image.id << shelf[:3]
        ).execute()
    return shelf


def look_at(page, image_id):
    page.click(f"#look-{image_id}")
    expect(shown(page, image_id)).to_be_visible()


def shown(page, image_id):
    return page.locator(f"#lightbox[open] #image[data-image='{image_id}']")


def pinch(page, start, end):
    """Moves two fingers on the picture from one distance to another, in pixels."""
    session = page.context.new_cdp_session(page)

    def touch(kind, *xs):
        points = [{"x": x, "y": 150, "id": number} for number, x in enumerate(xs)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 160 - start / 2, 160 + start / 2)
    touch("touchMove", 160 - end / 2, 160 + end / 2)
    touch("touchEnd")


def test_the_next_image_is_shown_from_memory_with_its_place_in_the_filter(ids, open_page, watch):
    watch.expect_no_network()
    page = open_page("/?sort=oldest")
    oldest = ids[::-1]
    with page.expect_response(f"**/images/{oldest[2]}?sort=oldest"):
        look_at(page, oldest[1])
    expect(page.locator(".position")).to_have_text(f"2 of {len(ids)}")
    page.context.set_offline(True)
    page.keyboard.press("ArrowRight")
    expect(shown(page, oldest[2])).to_be_visible()
    expect(page.locator(".position")).to_have_text(f"3 of {len(ids)}")
    assert page.url.endswith(f"/images/{oldest[2]}?sort=oldest")
    page.context.set_offline(False)


def test_a_large_shelf_counts_the_place_after_the_image_is_shown(ids, open_page, monkeypatch):
    monkeypatch.setattr("webapp.store.gallery.positions.MAX_COUNTED", 0)
    page, held = open_page("/?q=in"), []

    def hold(route):
        held.append(route)

    page.route("**/position**", hold)
    first = page.locator(".look").first
    with page.expect_request("**/position**"):
        first.click()
    expect(page.locator("#lightbox #image")).to_be_visible()
    expect(page.locator(".position")).to_have_text("")
    held[0].continue_()
    expect(page.locator(".position")).to_have_text(f"1 of {page.locator('.card').count()}")


def test_an_image_is_ticked_and_hidden_in_the_lightbox_and_undo_brings_it_back(ids, open_page):
    page = open_page()
    look_at(page, ids[1])
    page.keyboard.press(" ")
    expect(page.locator("#lightbox-tick")).to_be_checked()
    expect(page.locator("#selected-count")).to_have_text("1 selected")
    page.keyboard.press("h")
    expect(shown(page, ids[2])).to_be_visible()
    expect(page.locator("#lightbox .toast")).to_contain_text("1 image hidden.")
    expect(page.locator(f"#card-{ids[1]}")).to_have_count(0)
    expect(page.locator("#lightbox-tick")).not_to_be_checked()
    button(page.locator("#lightbox"), "Undo").click()
    expect(shown(page, ids[1])).to_be_visible()
    expect(page.locator("#toasts .toast")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.locator(f"#look-{ids[1]}")).to_be_focused()


def test_a_slideshow_advances_pauses_under_the_pointer_and_ends_with_escape(ids, open_page):
    page = open_page(reduced_motion="no-preference")
    look_at(page, ids[0])
    page.keyboard.press("s")
    expect(page.locator("#lightbox .caption")).to_be_hidden()
    expect(shown(page, ids[1])).to_be_visible()
    box = page.locator("#image .stage .picture").bounding_box()
    page.mouse.move(box["x"] + 9, box["y"] + 9)
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    expect(page.locator("#slideshow-pause")).to_contain_text("Paused while the pointer is on the image")
    at = page.get_attribute("#image", "data-image")
    page.mouse.move(2, 2)
    page.mouse.move(4, 4)
    expect(page.locator("#slideshow-pause")).to_be_empty()
    page.wait_for_function("at => document.querySelector('#image').dataset.image !== at", arg=at)
    page.keyboard.press("Escape")
    expect(page.locator("#lightbox .caption")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#lightbox")).to_be_hidden()


def test_a_slideshow_starts_paused_for_people_who_ask_for_less_motion(ids, open_page):
    page = open_page()
    look_at(page, ids[0])
    page.keyboard.press("s")
    expect(page.locator("#slideshow-pause")).to_contain_text("less motion")
    page.keyboard.press("s")
    expect(shown(page, ids[1])).to_be_visible()


def test_the_picture_zooms_by_buttons_double_tap_and_pinch(ids, open_page):
    page = open_page(has_touch=True, viewport=PHONE)
    look_at(page, ids[0])
    stage = page.locator("#image .stage")
    page.get_by_role("button", name="Zoom in").click()
    expect(stage).to_have_attribute("data-zoom", "1.5")
    expect(page.get_by_role("button", name="Zoom in")).to_be_focused()
    page.get_by_role("button", name="Zoom out").click()
    expect(stage).to_have_attribute("data-zoom", "1")
    page.touchscreen.tap(150, 150)
    expect(stage).to_have_attribute("data-zoom", "1")
    page.touchscreen.tap(150, 150)
    expect(stage).to_have_attribute("data-zoom", "2")
    pinch(page, 20, 30)
    expect(stage).to_have_attribute("data-zoom", "3")
    assert page.evaluate("visualViewport.scale") == 1


def test_full_screen_shows_the_picture_alone(ids, open_page):
    page = open_page()
    look_at(page, ids[0])
    page.keyboard.press("F")
    page.wait_for_function("() => document.fullscreenElement?.className === 'view'")
    expect(page.locator("#lightbox .caption")).to_be_hidden()
    page.keyboard.press("ArrowRight")
    expect(shown(page, ids[1])).to_be_visible()
    page.keyboard.press("F")
    expect(page.locator("#lightbox .caption")).to_be_visible()


def test_a_question_mark_lists_the_keys_in_the_lightbox_too(ids, open_page):
    page = open_page()
    look_at(page, ids[0])
    page.keyboard.press("?")
    expect(page.locator("#keys:popover-open")).to_contain_text("Slideshow")
    expect(button(page.locator("#keys"), "Close")).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    expect(shown(page, ids[0])).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#lightbox")).to_be_hidden()
    page.keyboard.press("?")
    expect(page.locator("#keys:popover-open")).to_be_visible()


def test_two_ticked_images_are_compared_with_a_common_zoom_and_stay_ticked(ids, open_page, axe):  # noqa: F811
    page = open_page(viewport={"width": 1200, "height": 800})
    compare = page.locator("#compare")
    page.check(f"#card-{ids[0]} input")
    expect(compare).to_be_hidden()
    page.check(f"#card-{ids[1]} input")
    compare.press("Enter")
    comparison = page.locator("#lightbox #comparison")
    expect(comparison.locator(".stage")).to_have_count(2)
    assert f"/compare?id={ids[0]}&id={ids[1]}" in page.url
    expect(comparison.get_by_role("row", name=f"Prompt {PROMPT}")).to_be_visible()
    page.keyboard.press("+")
    page.keyboard.press("+")
    assert page.evaluate(ZOOMS) == ["2", "2"]
    page.locator(".stage").first.hover()
    page.mouse.wheel(0, 120)
    page.wait_for_function(SAME_PART)
    assert (overflow(page), violations(page, axe)) == (dict.fromkeys(NARROW, 0), [])
    page.set_viewport_size({"width": 1200, "height": 800})
    page.keyboard.press("Escape")
    expect(page.locator("#lightbox")).to_be_hidden()
    expect(compare).to_be_focused()
    assert page.locator(".card input:checked").count() == 2


def test_the_lightbox_and_the_pages_of_images_fit_a_phone_and_are_accessible(ids, open_page, axe):  # noqa: F811
    page = open_page()
    look_at(page, ids[0])
    assert (overflow(page), violations(page, axe)) == (dict.fromkeys(NARROW, 0), [])
    page.keyboard.press("s")
    assert (overflow(page), violations(page, axe)) == (dict.fromkeys(NARROW, 0), [])
    page.keyboard.press("?")
    assert violations(page, axe) == []
    for path in (f"/images/{ids[0]}", f"/compare?id={ids[0]}&id={ids[9]}"):
        page.goto(path)
        assert (overflow(page), violations(page, axe)) == (dict.fromkeys(NARROW, 0), []), path


def test_everything_in_the_lightbox_is_reached_by_the_tab_key(ids, open_page):
    page = open_page()
    look_at(page, ids[1])
    reached = []
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(NAME_IN_FOCUS))
    assert set(LIGHTBOX_CONTROLS) <= set(reached)
    assert page.evaluate("document.querySelector('#lightbox').contains(document.activeElement)")


def test_the_sample_pictures_of_a_project_open_at_the_simulated_flow(ids, open_page, flow):
    with store.connection():
        Image.update(project_id="p<1>").where(Image.id == ids[0]).execute()
    page = open_page(f"/images/{ids[0]}")
    with page.expect_popup() as opened:
        page.click("#open-in-flow")
    expect(opened.value.get_by_text("This is project p%3C1%3E of the simulated Flow.")).to_be_visible()
    assert opened.value.evaluate("[document.referrer, window.opener]") == ["", None]


def test_the_page_of_a_comparison_zooms_by_keys_and_escape_leads_back(ids, open_page):
    page = open_page(f"/compare?id={ids[0]}&id={ids[1]}&back=/?sort=oldest")
    page.keyboard.press("+")
    assert page.evaluate(ZOOMS) == ["1.5", "1.5"]
    page.keyboard.press("0")
    assert page.evaluate(ZOOMS) == ["1", "1"]
    page.keyboard.press("Escape")
    page.wait_for_url("**/?sort=oldest")


def test_without_javascript_images_are_compared_hidden_and_shown_again(ids, open_page, watch):
    watch.expect_status(400)
    page = open_page("/?sort=newest", java_script_enabled=False)
    for image_id in ids[:3]:
        page.check(f"#card-{image_id} input")
    page.click("#compare")
    expect(page.get_by_text("Tick exactly two")).to_be_visible()
    page.go_back()
    page.uncheck(f"#card-{ids[1]} input")
    page.click("#compare")
    expect(page.locator("#comparison .stage")).to_have_count(2)
    page.get_by_role("link", name="Back").click()
    page.click(f"#look-{ids[0]}")
    expect(page.locator(".position")).to_have_text(f"1 of {len(ids)}")
    page.click("#hide")
    assert page.url.split("?")[0].endswith(f"/images/{ids[1]}")
    button(page, "Undo").click()
    page.click("#to-previous")
    page.click("#delete")
    expect(page.get_by_role("heading", name="Delete 1 file?")).to_be_visible()
    button(page, "Delete").click()
    expect(page.locator(".outcome")).to_contain_text("1 file was moved to the trash")
    page.click("#similar")
    expect(page.locator(".card")).to_have_count(3)


def test_a_file_is_deleted_in_a_dialog_over_the_lightbox_which_shows_the_new_state(ids, open_page):
    page = open_page()
    look_at(page, ids[1])
    page.keyboard.press("Delete")
    dialog = page.get_by_role("dialog", name="Delete 1 file?")
    expect(dialog.get_by_role("listitem")).to_have_count(1)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(shown(page, ids[1])).to_be_visible()
    page.click("#delete")
    button(dialog, "Delete").click()
    expect(dialog).to_be_hidden()
    expect(shown(page, ids[1]).locator(".chip")).to_have_text("Not downloaded")
    expect(page.locator("#lightbox .toast")).to_contain_text("1 file was moved to the trash.")
    page.keyboard.press("Escape")
    expect(page.locator("#lightbox")).to_be_hidden()
    expect(page.locator(f"#state-{ids[1]}")).to_have_attribute("data-state", "pending")
    expect(page.locator(".masthead .toast")).to_be_visible()


def test_the_only_image_of_a_filter_is_hidden_in_the_lightbox_and_comes_back(ids, open_page):
    with store.connection():
        Image.update(prompt="one zebra").where(Image.id == ids[3]).execute()
    page = open_page("/?q=zebra")
    look_at(page, ids[3])
    page.keyboard.press("h")
    expect(page.locator("#lightbox")).to_be_hidden()
    expect(page.get_by_role("heading", name="No images found")).to_be_visible()
    page.keyboard.press("u")
    expect(page.locator(f"#card-{ids[3]}")).to_be_visible()


def test_the_first_click_opens_the_lightbox_although_its_script_comes_later(ids, open_page):
    page, held = open_page(), []

    def hold(route):
        held.append(route)

    page.route("**/lightbox.js*", hold)
    with page.expect_request("**/lightbox.js*"):
        page.click(f"#look-{ids[1]}")
    expect(page.locator("#lightbox")).to_be_hidden()
    assert page.url.endswith("/")
    held[0].continue_()
    expect(shown(page, ids[1])).to_be_visible()


def test_an_image_opens_on_its_page_if_the_script_of_the_lightbox_is_lost(ids, open_page, watch):
    watch.provoked.append("Failed to load resource")
    page = open_page()
    page.route("**/lightbox.js*", lambda route: route.abort())
    page.click(f"#look-{ids[1]}")
    page.wait_for_url(f"**/images/{ids[1]}")


def test_a_slideshow_of_a_selection_plays_only_what_is_ticked(ids, open_page):
    page = open_page(reduced_motion="no-preference")
    page.check(f"#card-{ids[0]} input")
    page.check(f"#card-{ids[3]} input")
    page.click("#menu")
    page.click("#start-slideshow")
    expect(shown(page, ids[0])).to_be_visible()
    expect(page.locator("#lightbox.bare")).to_be_visible()
    expect(shown(page, ids[3])).to_be_visible()
    expect(page.locator("#slideshow")).to_have_attribute("aria-pressed", "false")
