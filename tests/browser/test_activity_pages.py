"""Activity, overview and automatic sync in a real browser."""

import re
import sqlite3

import pytest
from parts import button, status_line, sync_panel
from playwright.sync_api import expect

from webapp import store
from webapp.database.states import DownloadState
from webapp.store.gallery import images

pytestmark = pytest.mark.browser
WAIT_SECONDS = 10


def test_the_message_of_a_sync_is_shown_in_one_page_and_kept_on_the_activity_page(
    profile_id, open_page, watch
):
    page = open_page("/activity")
    other = page.context.new_page()
    watch.follow(other)
    other.goto("/activity")
    for one in (other, page):
        one.wait_for_function("localStorage['flowshelf-last-message'] !== undefined")
    page.bring_to_front()
    button(sync_panel(page), "Sync").click()
    toast = page.locator("#toasts .toast")
    expect(toast).to_contain_text("“Ada” is synced: 30 new images.")
    expect(page.locator("#runs li")).to_contain_text("30 new")
    toast.get_by_role("button", name="Dismiss").click()
    expect(toast).to_have_count(0)
    with other.expect_response("**/messages/new?since=*"):
        other.goto("/profiles")
    expect(other.locator("#messenger")).not_to_have_attribute("hx-trigger", "load")
    expect(other.locator("#toasts .toast")).to_have_count(0)
    other.goto("/activity")
    expect(other.locator("#runs li")).to_contain_text("30 new")


@pytest.mark.proof
def test_an_idle_page_shows_downloads_started_elsewhere_and_keeps_its_state(
    shelf, synced, open_page, work, flow
):
    """A later page of the gallery, the page of an image, and a page without panels."""
    older, image, profiles = [
        open_page(path) for path in (f"/?before={shelf[9]}", f"/images/{shelf[0]}", "/profiles")
    ]
    pages = (older, image, profiles)
    older.locator("#q").focus()
    older.evaluate("scrollTo(0, 200)")
    image.locator("#get-file").focus()
    with flow.holding("media", at=3), store.connection():
        run = work.downloads.request(synced, shelf[:5])
        expect(profiles.locator("#download-strip")).to_contain_text("Ada: downloading")
        expect(image.locator("#download-strip")).to_contain_text("Ada: downloading")
        expect(button(status_line(older), "Pause downloads")).to_be_visible()
    with store.connection():
        work.downloads.wait_for_run(run.id)
    for page in pages:
        expect(page.locator("#toasts")).to_contain_text("5 images of “Ada” downloaded.")
        expect(page.locator("#download-strip a")).to_have_count(0)
    expect(status_line(older)).to_contain_text("25 not downloaded")
    expect(older.locator("#q")).to_be_focused()
    expect(image.locator("#get-file")).to_be_focused()
    assert older.evaluate("scrollY") == 200


def test_the_page_of_a_queued_image_stops_polling_while_its_run_is_paused(
    shelf, synced, open_page, work, flow
):
    with flow.holding("media", at=3) as gate, store.connection():
        run = work.downloads.request(synced, shelf)
        assert gate.reached.wait(WAIT_SECONDS)
        queued = next(
            each for each in shelf if images.get_image(each).latest_download.state == DownloadState.QUEUED
        )
        page = open_page(f"/images/{queued}")
        expect(page.locator("#image")).to_have_attribute("hx-trigger", re.compile("every 1s"))
        work.downloads.pause(synced)
        expect(page.locator("#image")).to_have_attribute("hx-trigger", "runs-changed from:body")
    with store.connection():
        work.downloads.resume(synced)
        work.downloads.wait_for_run(run.id)
    expect(page.get_by_role("link", name="Download to this device")).to_be_visible()


def test_a_column_of_a_chart_opens_the_gallery_with_its_images(synced, open_page):
    page = open_page("/overview")
    column = page.get_by_role("link", name="images, 0 downloaded").first
    name = column.locator("title").text_content()
    count = int(name.partition(": ")[2].partition(" ")[0])
    column.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#grid li.card")).to_have_count(count)
    expect(page.locator("#filter input[name=from]")).to_have_value(page.url.partition("from=")[2][:10])


def test_typing_hours_selects_an_hourly_automatic_sync(profile_id, open_page):
    page = open_page(f"/profiles/{profile_id}")
    page.get_by_label("Hours between syncs").fill("12")
    button(page, "Save").click()
    expect(page.get_by_label("Every")).to_be_checked()
    expect(page.get_by_label("Hours between syncs")).to_have_value("12")


def test_a_page_that_is_open_shows_a_trouble_and_takes_it_away(synced, open_page, work):
    page = open_page("/profiles")
    banner = page.locator("#trouble .banner")
    expect(page.locator("#trouble")).to_have_attribute("data-version", "none")
    work.troubles.note("run", "sync", sqlite3.OperationalError("database or disk is full"))
    expect(page.locator("#messenger")).not_to_have_attribute("hx-trigger", "load, look")
    page.evaluate("htmx.trigger('#messenger', 'look')")
    expect(banner).to_contain_text("is full")
    expect(page.locator("#trouble")).to_have_count(1)
    work.troubles.clear("run")
    page.evaluate("htmx.trigger('#messenger', 'look')")
    expect(banner).to_have_count(0)
