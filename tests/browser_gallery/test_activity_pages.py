"""Activity and overview in a real browser: what is said once, and bars that lead into the gallery."""

import pytest
from playwright.sync_api import expect

from webapp import store

pytestmark = pytest.mark.browser


@pytest.fixture
def context(chromium, live_url):
    """No script may fail and nothing may be refused by the content policy."""
    context = chromium.new_context(viewport={"width": 1200, "height": 800})
    problems = []
    context.on("weberror", lambda error: problems.append(str(error.error)))
    context.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    yield context
    context.close()
    assert problems == []


def test_the_end_of_a_sync_is_said_once_in_all_pages_and_can_be_read_again(context, live_url, profile_id):
    page, other = context.new_page(), context.new_page()
    for one in (other, page):
        one.goto(f"{live_url}/activity")
        one.wait_for_function("localStorage['flowshelf-told'] !== undefined")
    page.click("#sync-panel button:has-text('Sync')")
    toast = page.locator("#toasts .toast")
    expect(toast).to_contain_text("“Ada” is synced: 70 new images.")
    expect(page.locator("#runs li")).to_contain_text("70 new")
    toast.get_by_role("button", name="Dismiss").click()
    expect(toast).to_have_count(0)
    with other.expect_response("**/messages/new?since=*"):
        other.goto(f"{live_url}/profiles")
    expect(other.locator("#messenger")).not_to_have_attribute("hx-trigger", "load")
    expect(other.locator("#toasts .toast")).to_have_count(0)
    other.goto(f"{live_url}/activity")
    expect(other.locator(".messages li")).to_contain_text("“Ada” is synced: 70 new images.")


def test_a_column_of_the_chart_opens_the_gallery_with_its_images(context, live_url, work, profile_id):
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id).id)
    page = context.new_page()
    page.goto(f"{live_url}/overview")
    column = page.get_by_role("link", name="images, 0 downloaded").first
    name = column.locator("title").text_content()
    count = int(name.partition(": ")[2].partition(" ")[0])
    column.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#grid li.card")).to_have_count(count)
    expect(page.locator("#filter input[name=from]")).to_have_value(page.url.partition("from=")[2][:10])
