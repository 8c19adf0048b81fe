"""Selections in a real browser."""

import json
import threading
import zipfile

import pytest
from parts import button, choose_filter, long_shelf
from playwright.sync_api import expect

from webapp import store
from webapp.background.archive import archive
from webapp.database.states import RunState
from webapp.store.gallery import selections

pytestmark = pytest.mark.browser

IDS = "cards => cards.map(card => card.id)"


@pytest.fixture
def world():
    return long_shelf()


@pytest.fixture
def ids(shelf, work, synced):
    """The ids of all images, newest first. The first four are downloaded."""
    with store.connection():
        run = work.downloads.request(synced, shelf[:4])
        assert work.downloads.wait_for_run(run.id).state == RunState.DONE
    return shelf


@pytest.fixture
def page(open_page, ids):
    permissions = ["clipboard-read", "clipboard-write"]
    return open_page(viewport={"width": 1200, "height": 700}, permissions=permissions)


def test_a_zip_of_everything_except_one_includes_images_loaded_later(page, ids, tmp_path):
    cards = page.locator("#grid li.card")
    assert cards.count() < len(ids)
    page.check("#everything")
    page.uncheck(f"#card-{ids[1]} input[name=image_id]")
    page.wait_for_selector(f"text={len(ids) - 1} selected")
    page.wait_for_selector("text=in 3 files")
    page.mouse.wheel(0, 100_000)
    page.wait_for_selector(f"#card-{ids[-1]}")
    assert page.locator("#grid input[name=image_id]:checked").count() == len(ids) - 1
    assert page.locator("#selected-count").inner_text() == f"{len(ids) - 1} selected"
    page.click(".toolbar button:has-text('ZIP')")
    with page.expect_download() as download:
        page.locator("#dialog").get_by_role("link", name="Download ZIP").click()
    download.value.save_as(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as zipped:
        manifest = json.loads(zipped.read("manifest.json"))
    assert (manifest["count"], manifest["leftOut"]) == (3, len(ids) - 4)


def hide(page, *ids):
    for image_id in ids:
        page.check(f"#card-{image_id} input[name=image_id]")
    page.click("#hide-selected")


def toast(page):
    return page.locator("#toasts > .toast[data-arranged]:first-child")


def shown_ids(page):
    return [name.removeprefix("card-") for name in page.locator("#cards .card").evaluate_all(IDS)]


def test_what_is_hidden_leaves_at_once_and_undo_brings_all_of_it_back_to_its_places(page, ids):
    before = shown_ids(page)
    page.evaluate("document.querySelector('#cards').dataset.same = ''")
    hide(page, *ids[1:3])
    expect(toast(page)).to_contain_text("2 images hidden.")
    expect(page.locator("#totals")).to_contain_text(f"{len(ids) - 2} images")
    expect(page.locator("#selected-count")).to_be_empty()
    assert shown_ids(page) == [before[0], *before[3:]]
    hide(page, ids[4])
    expect(page.locator("#toasts .toast")).to_have_count(1)
    expect(toast(page)).to_contain_text("3 images hidden.")
    button(toast(page), "Undo").click()
    expect(toast(page)).to_have_count(0)
    expect(page.locator("#totals")).to_contain_text(f"{len(ids)} images")
    assert shown_ids(page) == before
    assert page.locator("#cards[data-same]").count() == 1  # the grid was not loaded again


def test_the_count_follows_a_change_that_comes_while_it_is_requested(page, ids):
    held = []

    def hold(route):
        held.append(route)

    page.route("**/grid/totals*", hold, times=1)
    with page.expect_request("**/grid/totals*"):
        hide(page, ids[1])
    with page.expect_response("**/grid/totals*"):
        button(toast(page), "Undo").click()
    expect(page.locator("#totals")).to_contain_text(f"{len(ids)} images")


def test_all_that_match_are_hidden_without_a_question_and_come_back_by_a_key(page, ids):
    choose_filter(page, "state", "done")
    expect(page.locator("#grid li.card")).to_have_count(4)
    page.check("#everything")
    page.uncheck(f"#card-{ids[1]} input[name=image_id]")
    page.click("#hide-selected")
    expect(toast(page)).to_contain_text("3 images hidden.")
    expect(page.locator("#grid li.card")).to_have_count(1)
    assert "state=done" in page.url
    page.keyboard.press("u")
    expect(page.locator("#grid li.card")).to_have_count(4)


def test_cards_come_back_if_the_server_cannot_hide_them(page, ids, watch):
    watch.expect_no_network()
    before = shown_ids(page)
    hide(page, ids[1])  # loads what hides
    expect(toast(page)).to_contain_text("1 image hidden.")
    page.wait_for_load_state("networkidle")
    page.context.set_offline(True)
    with page.expect_event("requestfailed", lambda request: request.url.endswith("/selection/hide")):
        hide(page, ids[2])
    expect(page.get_by_text("does not respond")).to_be_visible()
    expect(page.locator(f"#card-{ids[2]}")).to_be_visible()
    page.context.set_offline(False)
    assert shown_ids(page) == [before[0], *before[2:]]


def test_names_are_copied_and_the_menu_closes_with_escape(page, ids):
    boxes = page.locator("#grid input[name=image_id]")
    boxes.nth(1).click()
    boxes.nth(3).click(modifiers=["Shift"])
    page.click("#more")
    page.click("#copy-names")
    page.wait_for_selector("text=names copied")
    with store.connection():
        names = [image.name for image in selections.list_in_order(ids[1:4])]
    assert page.evaluate("navigator.clipboard.readText()").split() == names
    page.click("#more")
    page.keyboard.press("Escape")
    assert page.locator("#more-actions:popover-open").count() == 0
    assert page.locator("#selected-count").inner_text() == "3 selected"


def tick(page, *ids):
    for image_id in ids:
        page.check(f"#card-{image_id} input[name=image_id]")


def test_deleting_asks_in_a_dialog_that_shows_the_images_and_the_cards_stay(page, ids, watch):
    watch.expect_status(404)  # of a thumbnail that is asked for while its file goes
    tick(page, *ids[:3], ids[6])
    page.click("#delete-selected")
    dialog = page.get_by_role("dialog", name="Delete 3 files?")
    expect(button(dialog, "Cancel").or_(dialog.get_by_role("link", name="Cancel"))).to_be_focused()
    expect(dialog.get_by_role("listitem")).to_have_count(3)
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    page.click("#delete-selected")
    button(dialog, "Delete").click()
    expect(dialog).to_be_hidden()
    expect(toast(page)).to_contain_text("3 files were moved to the trash.")
    expect(page.locator(f"#state-{ids[2]}")).to_have_attribute("data-state", "pending")
    expect(page.locator(f"#state-{ids[3]}")).to_have_attribute("data-state", "done")
    expect(page.locator("#selected-summary")).to_have_text("none downloaded")
    assert page.url.endswith("/")


def test_a_dialog_shows_twelve_images_and_counts_the_rest(page, ids, work, synced):
    with store.connection():
        work.downloads.wait_for_run(work.downloads.request(synced, ids).id)
    page.check("#everything")
    page.click("#delete-selected")
    dialog = page.locator("#dialog")
    expect(dialog.get_by_role("listitem")).to_have_count(12)
    expect(dialog.get_by_text(f"and {len(ids) - 12} more")).to_be_visible()


def test_a_zip_is_saved_by_itself_and_leads_back_to_the_gallery(page, ids):
    tick(page, *ids[:2])
    with page.expect_download() as download:
        page.click(".toolbar button:has-text('ZIP')")
    assert download.value.suggested_filename.endswith("-2-images.zip")
    dialog = page.get_by_role("dialog", name="ZIP of 2 images")
    expect(dialog.get_by_role("listitem")).to_have_count(2)
    expect(dialog.get_by_role("link", name="Download ZIP")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert page.url.endswith("/")
    assert page.locator("#grid input[name=image_id]:checked").count() == 2


def test_a_zip_whose_dialog_was_closed_is_offered_in_a_toast(page, ids, monkeypatch):
    may_end = threading.Event()

    def hold_back(*args):
        may_end.wait(20)
        return archive(*args)

    monkeypatch.setattr("webapp.background.exports.archive", hold_back)
    tick(page, *ids[:2])
    page.click(".toolbar button:has-text('ZIP')")
    expect(page.locator("#dialog [role=progressbar]")).to_be_visible()
    page.keyboard.press("Escape")
    may_end.set()
    expect(toast(page)).to_contain_text("The ZIP of 2 images is ready.")
    with page.expect_download():
        toast(page).get_by_role("link", name="Download ZIP").click()
