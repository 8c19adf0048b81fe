"""Selections in a real browser."""

import json
import zipfile

import pytest
from parts import choose_filter, long_shelf
from playwright.sync_api import expect

from webapp import store
from webapp.database.states import RunState
from webapp.store.gallery import selections

pytestmark = pytest.mark.browser


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
        page.click("text=Download ZIP")
    download.value.save_as(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as zipped:
        manifest = json.loads(zipped.read("manifest.json"))
    assert (manifest["count"], manifest["leftOut"]) == (3, len(ids) - 4)


def test_hiding_returns_to_its_filter_and_can_be_undone(page, ids):
    page.check("#everything")
    choose_filter(page, "state", "done")
    expect(page.locator("#grid li.card")).to_have_count(4)
    page.wait_for_selector(".toolbar", state="hidden")  # a new filter clears the selection
    page.check(f"#card-{ids[0]} input[name=image_id]")
    page.click("#hide-selected")
    page.click("main button:has-text('Hide')")
    page.wait_for_selector("text=1 image is hidden now")
    assert "state=done" in page.url
    assert page.locator("#grid li.card").count() == 3
    page.click("text=Undo")
    expect(page.locator("#grid li.card")).to_have_count(4)


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
