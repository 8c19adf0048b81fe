"""The dashboard without JavaScript."""

import pytest
from parts import (
    add_profile,
    button,
    cards,
    download_panel,
    expect_file,
    expect_picture,
    name_of,
    status_line,
)
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.browser

MAX_RELOADS = 50


@pytest.fixture
def page(open_page):
    return open_page(java_script_enabled=False)


def press(control: Locator) -> None:
    """Clicks a button or link and waits for the next page."""
    with control.page.expect_navigation():
        control.click()


def reload_until(panel: Locator, text: str) -> None:
    """Reloads the page until the panel contains the text."""
    for _ in range(MAX_RELOADS):
        panel.page.reload()
        if text in panel.text_content():
            return
    raise AssertionError(f"{text!r} did not appear: {panel.text_content()}")


def test_without_javascript_a_profile_is_added_synced_and_paused(page, grace, flow):
    add_profile(page, "Grace", grace.cookie_header())
    expect(page.get_by_role("heading", name="Signed in as grace@example.com")).to_be_visible()
    page.get_by_role("link", name="Show images").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Grace")
    with flow.holding("history", at=3):
        press(button(status_line(page), "Sync"))
        reload_until(status_line(page), "Reading uploads, page 3")
        press(button(status_line(page), "Pause"))
        expect(status_line(page)).to_contain_text("Paused just now")
    press(button(status_line(page), "Resume"))
    reload_until(status_line(page), "Synced just now")
    expect(cards(page)).to_have_count(60)
    page.get_by_role("link", name="Older").click()
    expect(cards(page)).to_have_count(10)
    expect(page.get_by_role("heading", level=1)).to_have_text("Grace")
    page.get_by_role("link", name="Newer").click()
    expect(cards(page)).to_have_count(60)


def test_without_javascript_a_profile_is_added_from_a_file_and_synced(page, grace):
    file = {"name": "cookies.txt", "mimeType": "text/plain", "buffer": grace.cookie_header().encode()}
    page.get_by_label("Or a file").set_input_files(file)
    button(page, "Check and add").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("grace@example.com")
    press(button(page, "Sync"))
    reload_until(status_line(page), "Synced just now")


def test_without_javascript_images_are_downloaded_singly_ticked_and_all(synced, page, world, flow, watch):
    line, panel = status_line(page), download_panel(page)
    watch.expect_status(400)
    press(page.locator("#download-selected"))
    expect(page.get_by_text("No image is selected.")).to_be_visible()
    press(page.get_by_role("link", name="Back to the gallery"))
    press(cards(page).nth(0).get_by_role("button", name="Download"))
    reload_until(line, "29 not downloaded")
    cards(page).nth(1).get_by_role("checkbox").check()
    cards(page).nth(3).get_by_role("checkbox").check()
    press(page.locator("#download-selected"))
    reload_until(line, "27 not downloaded")
    for place in (0, 1, 3):
        expect_picture(cards(page).nth(place))
        expect_file(world, name_of(cards(page).nth(place)))
    with flow.holding("media", at=10):
        press(button(page, "Download everything"))
        reload_until(line, "9 of 27 downloaded")
        press(button(line, "Pause downloads"))
        expect(line).to_contain_text("Downloads paused")
    press(button(line, "Resume downloads"))
    reload_until(line, "everything downloaded")
    press(page.get_by_role("link", name="Details of syncs and downloads"))
    expect(panel).to_contain_text("Finished just now: 27 images")
    expect(panel).to_contain_text("Everything is downloaded.")
    press(page.get_by_role("link", name="Back to the gallery"))
    expect(cards(page, "Downloaded")).to_have_count(30)
