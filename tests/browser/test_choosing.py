"""Favourites and collections in a real browser, by pointer and by key, with and without JavaScript."""

import re

import pytest
from parts import button, choose_filter, long_shelf
from playwright.sync_api import expect

from webapp import store
from webapp.database.models import Favourite
from webapp.store.choices import collections, favourites
from webapp.store.gallery.filters import Selection

pytestmark = pytest.mark.browser


@pytest.fixture
def world():
    return long_shelf()


@pytest.fixture
def page(open_page, shelf):
    return open_page(viewport={"width": 1200, "height": 700})


def heart(page, image_id):
    return page.locator(f"#heart-{image_id}")


def expect_marked(page, *image_ids, is_marked=True):
    for image_id in image_ids:
        expect(heart(page, image_id)).to_have_attribute("aria-pressed", "true" if is_marked else "false")


def marked_count(page):
    """As the server says it; asking the page lets its requests go on."""
    assert page.evaluate("true")
    with store.connection():
        return Favourite.select().count()


def toast(page):
    return page.locator("#toasts > .toast[data-arranged]:first-child")


def collection_of(title, image_ids):
    with store.connection():
        found = collections.add_collection(title)
        collections.add_images(found, Selection(tuple(image_ids)))
    return found


def titles_of(image_id):
    with store.connection():
        return collections.titles_of([image_id]).get(image_id, [])


def test_a_heart_marks_its_image_and_takes_the_mark_away(page, shelf):
    page.hover(f"#card-{shelf[2]}")
    heart(page, shelf[2]).click()
    expect_marked(page, shelf[2])
    page.reload()
    expect_marked(page, shelf[2])
    expect_marked(page, shelf[1], shelf[3], is_marked=False)
    page.focus(f"#look-{shelf[2]}")
    page.keyboard.press("f")
    expect_marked(page, shelf[2], is_marked=False)
    expect(page.locator(".toolbar.is-shown")).to_have_count(0)


def test_a_selection_is_marked_at_once_and_undo_unmarks_only_what_was_marked(page, shelf):
    with store.connection():
        favourites.mark(Selection((shelf[1],)))
    page.reload()
    for image_id in shelf[1:4]:
        page.check(f"#card-{image_id} input[name=image_id]")
    page.keyboard.press("f")
    expect(toast(page)).to_contain_text("2 images marked as favourites.")
    expect_marked(page, *shelf[1:4])
    page.keyboard.press("u")
    expect_marked(page, *shelf[2:4], is_marked=False)
    expect_marked(page, shelf[1])


def test_f_unmarks_a_selection_in_which_all_are_favourites_and_undo_marks_them_again(page, shelf):
    with store.connection():
        favourites.mark(Selection(tuple(shelf[1:3])))
    page.reload()
    for image_id in shelf[1:3]:
        page.check(f"#card-{image_id} input[name=image_id]")
    page.keyboard.press("f")
    expect(toast(page)).to_contain_text("2 images are no longer favourites.")
    expect_marked(page, *shelf[1:3], is_marked=False)
    page.keyboard.press("u")
    expect_marked(page, *shelf[1:3])
    page.reload()
    expect_marked(page, *shelf[1:3])


def test_hearts_change_before_the_server_responds_and_none_of_them_is_lost(page, shelf, wait_until):
    held = []

    def hold(route):
        held.append(route)

    page.route("**/selection/favourite", hold, times=1)
    for image_id in shelf[1:4]:
        page.focus(f"#look-{image_id}")
        page.keyboard.press("f")
    expect_marked(page, *shelf[1:4])
    held[0].continue_()
    wait_until(lambda: marked_count(page) == 3)
    page.reload()
    expect_marked(page, *shelf[1:4])


def test_a_heart_changes_back_if_the_server_cannot_be_reached(page, shelf, watch):
    watch.expect_no_network()
    heart(page, shelf[2]).click()
    expect_marked(page, shelf[2])
    page.wait_for_load_state("networkidle")
    held = []

    def hold(route):
        held.append(route)

    page.route("**/selection/favourite", hold, times=1)
    heart(page, shelf[1]).click()
    expect_marked(page, shelf[1])
    page.context.set_offline(True)
    held[0].continue_()
    expect(page.get_by_text("does not respond")).to_be_visible()
    expect_marked(page, shelf[1], is_marked=False)
    page.context.set_offline(False)
    heart(page, shelf[1]).click()
    expect_marked(page, shelf[1])
    page.reload()
    expect_marked(page, shelf[1])


def test_the_heart_of_a_card_follows_that_of_the_open_image(page, shelf):
    page.click(f"#look-{shelf[1]}")
    favourite = page.locator("#lightbox #favourite")
    expect(favourite).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("f")
    expect(favourite).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    expect_marked(page, shelf[1])


def test_images_go_into_a_new_collection_by_the_keyboard_alone(page, shelf):
    page.focus(f"#look-{shelf[1]}")
    page.keyboard.press("c")
    dialog = page.get_by_role("dialog", name="Add 1 image to a collection")
    expect(dialog.get_by_label("Collection")).to_be_focused()
    page.keyboard.type("Kites")
    page.keyboard.press("Enter")
    expect(toast(page)).to_contain_text("1 image added to “Kites”.")
    expect(dialog).to_be_hidden()
    assert titles_of(shelf[1]) == ["Kites"]
    page.keyboard.press("u")
    expect(page.locator("#toasts .toast")).to_have_count(0)
    assert titles_of(shelf[1]) == []


def test_all_that_match_are_added_and_the_collection_has_an_address_and_a_count(page, shelf):
    page.check("#everything")
    page.uncheck(f"#card-{shelf[0]} input[name=image_id]")
    page.click("#collect-selected")
    page.get_by_role("combobox", name="Collection").fill("Most")
    button(page.locator("#dialog"), "Add").click()
    expect(toast(page)).to_contain_text(f"{len(shelf) - 1} images added to “Most”.")
    toast(page).get_by_role("link", name="Open").click()
    expect(page.locator("#totals")).to_contain_text(f"{len(shelf) - 1} images of {len(shelf)}")
    expect(page.locator(f"#card-{shelf[0]}")).to_have_count(0)


def test_images_are_taken_out_of_the_collection_that_is_shown(page, shelf):
    kites = collection_of("Kites", shelf[:3])
    choose_filter(page, "collection", kites.id)
    expect(page.locator("#grid li.card")).to_have_count(3)
    page.check(f"#card-{shelf[1]} input[name=image_id]")
    page.click("#menu")
    page.click("#take-out")
    expect(page.locator("#grid li.card")).to_have_count(2)
    expect(toast(page)).to_contain_text("1 image taken out of “Kites”.")
    expect(page.locator("#totals")).to_contain_text("2 images")
    assert (titles_of(shelf[0]), titles_of(shelf[1])) == (["Kites"], [])
    page.keyboard.press("u")
    expect(page.locator("#totals")).to_contain_text("3 images")
    assert [card.get_attribute("id") for card in page.locator("#grid li.card").all()] == [
        f"card-{image_id}" for image_id in shelf[:3]
    ]
    assert titles_of(shelf[1]) == ["Kites"]


def test_all_images_are_taken_out_of_a_collection_and_put_back(page, shelf):
    kites = collection_of("Kites", shelf[:3])
    choose_filter(page, "collection", kites.id)
    expect(page.locator("#grid li.card")).to_have_count(3)
    page.check("#everything")
    page.click("#menu")
    page.click("#take-out")
    expect(toast(page)).to_contain_text("3 images taken out of “Kites”.")
    expect(page.locator("#grid li.card")).to_have_count(0)
    button(toast(page), "Undo").click()
    expect(page.locator("#grid li.card")).to_have_count(3)


def test_the_gallery_is_headed_by_the_collection_that_it_shows(page, shelf):
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("All images")
    choose_filter(page, "collection", collection_of("Kites", shelf[:3]).id)
    expect(heading).to_have_text("Kites")
    expect(page).to_have_title(re.compile("^Kites"))
    choose_filter(page, "collection", "")
    expect(heading).to_have_text("All images")
    expect(page).to_have_title(re.compile("^All images"))


def test_the_list_of_a_collection_is_exported_from_its_page(page, shelf):
    kites = collection_of("Kites", shelf[:3])
    page.goto(f"/collections/{kites.id}/edit")
    for form, lines in (("CSV", 4), ("JSON", 5)):
        with page.expect_download() as download:
            page.get_by_role("link", name=form).click()
        assert len(download.value.path().read_text().splitlines()) == lines


def test_c_leaves_the_card_in_focus_unticked_whether_it_is_added_or_not(page, shelf):
    page.focus(f"#look-{shelf[1]}")
    for end in ("Escape", "Enter"):
        page.keyboard.press("c")
        expect(page.get_by_role("combobox", name="Collection")).to_be_focused()
        page.keyboard.type("Kites")
        page.keyboard.press(end)
        expect(page.locator("#dialog[open]")).to_have_count(0)
        expect(page.locator(f"#look-{shelf[1]}")).to_be_focused()
        expect(page.locator("#grid input:checked")).to_have_count(0)
    assert titles_of(shelf[1]) == ["Kites"]


def test_escape_leaves_the_dialog_and_nothing_is_added(page, shelf):
    page.click(f"#look-{shelf[1]}")
    expect(page.locator("#lightbox #collect")).to_be_visible()
    page.keyboard.press("c")
    expect(page.locator("#dialog[open]")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#dialog[open]")).to_have_count(0)
    expect(page.locator("#lightbox #collect")).to_be_focused()
    with store.connection():
        assert collections.list_collections() == []


def test_h_hides_the_image_in_focus(page, shelf):
    page.focus(f"#look-{shelf[1]}")
    page.keyboard.press("h")
    expect(toast(page)).to_contain_text("1 image hidden.")
    expect(page.locator(f"#card-{shelf[1]}")).to_have_count(0)


def test_d_downloads_nothing_and_marks_nothing_where_the_file_is_there(page, shelf, work, synced):
    with store.connection():
        work.downloads.wait_for_run(work.downloads.request(synced, [shelf[1]]).id)
    page.reload()
    page.focus(f"#look-{shelf[1]}")
    page.keyboard.press("d")
    page.keyboard.press("ArrowRight")
    expect(page.locator(f"#look-{shelf[2]}")).to_be_focused()
    expect_marked(page, shelf[1], is_marked=False)


def test_choices_are_made_without_javascript(open_page, shelf):
    page = open_page(java_script_enabled=False)
    page.locator(f"#heart-{shelf[1]}").click()
    expect_marked(page, shelf[1])
    page.check(f"#card-{shelf[2]} input[name=image_id]")
    page.click("#collect-selected")
    page.fill("input[name=title]", "Kites")
    page.locator("main").get_by_role("button", name="Add").click()
    expect(page.locator(".outcome")).to_contain_text("1 image added to “Kites”.")
    page.goto(re.sub(r"(//[^/]+).*", r"\1/collections", page.url))
    page.get_by_role("link", name="Edit").click()
    page.fill("input[name=title]", "Red kites")
    button(page, "Rename").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Red kites")
    page.get_by_text("Delete this collection").click()
    button(page, "Delete “Red kites”").click()
    expect(page.get_by_role("heading", name="No collections yet")).to_be_visible()
