"""Pages that open in a dialog over the current page."""

import re

import pytest
from parts import open_sheet, status_line
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

SHEET = "#dialog.sheet"
BUTTON = """([action, method, dialog]) => {
    const form = Object.assign(document.createElement("form"), { action, method, id: "test" });
    form.innerHTML = `<input name="q" value="a b"><button id="opener" name="verb" value="try">Open</button>`;
    form.querySelector("button").dataset.dialog = dialog;
    document.querySelector("main").prepend(form);
}"""


# After the last control the focus goes to the browser itself.
IS_INSIDE = "document.activeElement === document.body || !!document.activeElement.closest('dialog')"


def add_button(page: Page, action: str, method: str = "get", dialog: str = "dialog") -> None:
    page.evaluate(BUTTON, [action, method, dialog])


def test_a_sheet_takes_the_focus_and_gives_it_back(synced, page):
    dialog = open_sheet(page)
    expect(dialog.get_by_role("heading", name="Sync and downloads")).to_be_focused()
    for _ in range(20):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        )
    page.keyboard.press("Escape")
    expect(page.locator("#dialog")).to_be_hidden()
    expect(page.locator("#status-details")).to_be_focused()
    expect(page.locator("#dialog #sync-panel")).to_have_count(0)  # it would go on asking for news


@pytest.mark.parametrize("closes", ["close button", "backdrop", "event"])
def test_a_sheet_closes_by_its_button_its_backdrop_and_an_event_of_the_server(synced, page, closes):
    open_sheet(page)
    if closes == "close button":
        page.get_by_role("button", name="Close", exact=True).click()
    elif closes == "backdrop":
        page.mouse.click(20, 400)
    else:
        page.evaluate("htmx.trigger(document.body, 'dialog-close')")
    expect(page.locator("#dialog")).to_be_hidden()
    expect(page.locator("#status-details")).to_be_focused()


def test_a_press_that_ends_on_the_backdrop_does_not_close_it(synced, page):
    dialog = open_sheet(page)
    dialog.get_by_role("heading", name="Sync and downloads").hover()
    page.mouse.down()
    page.mouse.move(20, 400)
    page.mouse.up()
    expect(dialog).to_be_visible()


def test_the_focus_returns_to_a_link_that_was_replaced_meanwhile(synced, page):
    open_sheet(page)
    with page.expect_response("**/panels/status"):
        page.evaluate("htmx.trigger('#status', 'again')")
    page.keyboard.press("Escape")
    expect(page.locator("#status-details")).to_be_focused()


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_button_sends_its_form_and_shows_the_part_of_the_response(profile_id, page, method):
    sent = []

    def respond(route) -> None:
        sent.append(f"{route.request.url} {route.request.post_data or ''}")
        body = (
            "<!doctype html><p>around</p><div data-dialog-part><h2>Sure?</h2><input autofocus id=field></div>"
        )
        route.fulfill(body=body, content_type="text/html")

    page.route("**/ask**", respond)
    add_button(page, "/ask", method)
    page.locator("#opener").click()
    dialog = page.get_by_role("dialog", name="Sure?")
    expect(dialog.locator("#field")).to_be_focused()
    expect(dialog).not_to_contain_text("around")
    assert "q=a+b&verb=try" in sent[0]
    page.keyboard.press("Escape")
    expect(page.locator("#opener")).to_be_focused()


def test_a_page_without_a_part_opens_as_a_page(profile_id, page):
    add_button(page, "/help/search")
    page.locator("#opener").click()
    expect(page).to_have_url(re.compile(r"/help/search\?q=a\+b&verb=try"))
    page.go_back()
    page.reload()
    page.evaluate("document.getElementById('status-details').href = '/help'")
    page.locator("#status-details").click()
    expect(page).to_have_url(re.compile("/help$"))


def test_an_error_is_shown_over_the_page_and_in_an_open_dialog(synced, page, watch):
    watch.expect_status(404)
    add_button(page, "/images/none")
    page.locator("#opener").click()
    expect(page.locator("#problem")).to_contain_text("no such image")
    expect(page.locator("#dialog")).to_be_hidden()
    open_sheet(page)
    page.evaluate("htmx.ajax('GET', '/images/none', '#problem')")
    expect(page.locator("#dialog #problem")).to_contain_text("no such image")
    page.keyboard.press("Escape")
    expect(page.locator("body > #problem")).to_have_count(1)


def test_a_lost_server_is_reported_instead_of_a_dialog(synced, page, watch):
    watch.expect_no_network()
    open_sheet(page)  # loads the module
    page.keyboard.press("Escape")
    page.context.set_offline(True)
    page.locator("#status-details").click()
    expect(page.locator("#problem")).to_contain_text("Flowshelf does not respond")
    page.context.set_offline(False)
    expect(page.locator("#problem")).to_have_text("")
    open_sheet(page)


def test_with_a_modifier_key_the_page_opens_in_another_tab(synced, page, watch):
    with page.context.expect_page() as opened:
        page.locator("#status-details").click(modifiers=["ControlOrMeta"])
    watch.follow(opened.value)
    expect(opened.value.get_by_role("heading", name="Sync and downloads")).to_be_visible()
    expect(page.locator("#dialog")).to_have_count(0)


def test_the_keys_are_listed_over_a_dialog_too(synced, page):
    open_sheet(page)
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(status_line(page)).to_be_visible()
    expect(page.locator("body > #keys")).to_have_count(1)
