"""The dashboard as a person uses it: a real browser, a real server, a simulated Flow over sockets."""

import re

import pytest
from parts import (
    add_profile,
    button,
    cards,
    close_sheet,
    download_panel,
    expect_file,
    expect_picture,
    name_of,
    open_sheet,
    status_line,
    sync_panel,
)
from playwright.sync_api import TimeoutError as NothingCame
from playwright.sync_api import expect

from webapp import store
from webapp.database.models import Run
from webapp.database.states import RunKind, RunState
from webapp.store import runs

pytestmark = pytest.mark.browser

WAIT_SECONDS = 10
LONGER_THAN_A_POLL = 500
MAX_LAST_POLLS = 3
NO_COLOUR = "rgba(0, 0, 0, 0)"


def curl(flow, cookies: str) -> str:
    """What “Copy as cURL” of Chromium copies for a request to Flow."""
    return (
        f"curl '{flow.url}/fx/api/trpc/media.fetchUserHistoryDirectly?input=%7B%7D' \\\n"
        "  -H 'accept: */*' \\\n  -H 'content-type: application/json' \\\n"
        f"  -b '_ga=GA1.1.1; {cookies}; email=ada%40example.com' \\\n"
        f"  -H 'referer: {flow.url}/fx/tools/flow' \\\n  -H 'user-agent: Mozilla/5.0'"
    )


def polls(page) -> bool:
    try:
        with page.expect_request("**/panels/**", timeout=LONGER_THAN_A_POLL):
            return True
    except NothingCame:
        return False


def expect_no_more_polling(page) -> None:
    """Asserts that the panels stop polling after the end of the run."""
    assert not all(polls(page) for _ in range(MAX_LAST_POLLS))


# Profiles


def test_a_pasted_curl_command_adds_a_profile_and_shows_its_account(page, flow, world):
    expect(page.get_by_role("heading", level=1)).to_have_text("Keep your Google Flow images")
    add_profile(page, "My pictures", curl(flow, world.cookie_header()))
    expect(page.get_by_role("heading", level=1)).to_have_text("My pictures")
    expect(page.get_by_role("heading", name="Signed in as ada@example.com")).to_be_visible()
    page.get_by_role("link", name="Show images").click()
    expect(page.get_by_text("No images yet")).to_be_visible()
    page.get_by_role("link", name="Profiles").click()
    expect(page.get_by_role("listitem").filter(has_text="ada@example.com")).to_contain_text("Signed in")
    page.get_by_role("link", name="My pictures", exact=True).click()
    expect(page.get_by_text("Ada Example")).to_be_visible()
    assert world.cookies().popitem()[1] not in page.content()


DROP = """(target, text) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([text], "cookies.txt", { type: "text/plain" }));
    const options = { bubbles: true, cancelable: true, dataTransfer };
    return ["dragover", "drop"].map((name) => target.dispatchEvent(new DragEvent(name, options)));
}"""


@pytest.mark.parametrize("target", ["#cookies-field", "#cookies-file", "h1"])
def test_a_file_dropped_on_the_form_is_chosen_and_adds_a_profile(page, world, target):
    was_left_to_browser = page.locator(target).evaluate(DROP, world.cookie_header())
    if target == "h1":
        assert was_left_to_browser == [True, True]
        return
    assert was_left_to_browser == [False, False]
    assert page.locator("#cookies-file").evaluate("field => field.files[0].name") == "cookies.txt"
    button(page, "Check and add").click()
    expect(page.get_by_role("heading", name="Signed in as ada@example.com")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("ada@example.com")
    button(page, "Sync").click()
    expect(status_line(page)).to_contain_text("Synced just now")


def test_useless_cookies_get_an_error_and_are_not_shown_again(page, watch):
    watch.expect_status(422)
    cookies = page.get_by_label("Flow cookies")
    dead = "__Secure-next-auth.session-token=eyJhbGciOiJkaXIifQ..dead.dead.dead"
    for pasted, sentence in ((dead, "do not sign in to Flow"), ("my secret diary", "no cookies")):
        add_profile(page, "Ada", pasted)
        expect(page.get_by_role("alert").filter(has_text=sentence)).to_be_visible()
        expect(page.get_by_label("Name of the profile")).to_have_value("Ada")
        expect(cookies).to_have_value("")
        expect(cookies).to_be_focused()
        assert pasted not in page.content()


# Phase 1


def test_a_sync_shows_its_progress_can_be_paused_and_fills_the_gallery(profile_id, page, flow):
    line = status_line(page)
    with flow.holding("history") as first, flow.holding("history", at=3):
        button(line, "Sync").click()
        expect(line.get_by_role("progressbar")).to_be_visible()
        first.release()
        expect(line).to_contain_text("Reading uploads, page 3")
        expect(line).to_contain_text("20 new")
        expect(cards(page)).to_have_count(20)
        button(line, "Pause").click()
        expect(line).to_contain_text("Paused just now")
        expect(line).to_contain_text("20 not downloaded")
        expect(button(line, "Download everything")).to_be_enabled()
    expect(line).to_contain_text("Paused just now")
    expect(line.get_by_role("button")).to_have_text(["Resume", "Sync", re.compile("^Download")])
    button(line, "Resume").click()
    expect(line).to_contain_text("Synced just now")
    expect(line.get_by_role("progressbar")).to_have_count(0)
    expect(page.locator("#toasts")).to_contain_text(re.compile("“Ada” is synced|2 syncs finished"))
    expect(cards(page, "Not downloaded")).to_have_count(30)
    expect(line).to_contain_text("30 not downloaded")
    expect_no_more_polling(page)


def test_images_that_arrive_while_the_grid_loads_are_loaded_after_it(profile_id, page, flow):
    held = []

    def hold(route) -> None:
        if held:
            route.continue_()
        else:
            held.extend((route, route.fetch()))

    page.route("**/grid", hold)
    with flow.holding("history", at=3):
        button(status_line(page), "Sync").click()
        expect(status_line(page)).to_contain_text("page 3")
        expect(status_line(page)).to_contain_text("20 new")
    expect(status_line(page)).to_contain_text("Synced just now")
    route, response = held
    route.fulfill(response=response)
    expect(cards(page)).to_have_count(30)


def test_new_images_wait_behind_a_link_while_images_are_ticked(synced, page, world):
    cards(page).first.get_by_role("checkbox").check()
    newest = world.add_uploaded(2)[-1]
    button(status_line(page), "Sync").click()
    expect(page.get_by_role("link", name="Show new images")).to_be_visible()
    expect(cards(page).first.get_by_role("checkbox")).to_be_checked()
    page.get_by_role("link", name="Show new images").click()
    expect(page.get_by_role("link", name="Show new images")).to_have_count(0)
    expect(cards(page)).to_have_count(32)
    assert name_of(cards(page).first) == newest


def test_a_sync_waits_for_new_cookies_and_then_continues_by_itself(profile_id, page, flow, world):
    with flow.holding("history", at=3) as gate:
        button(status_line(page), "Sync").click()
        assert gate.reached.wait(WAIT_SECONDS)
        world.sign_out()
    expect(status_line(page)).to_contain_text("Waiting for new cookies")
    page.get_by_role("link", name="Paste cookies").click()
    expect(page.get_by_text("Waiting for new cookies")).to_be_visible()
    world.sign_in()
    page.get_by_label("Flow cookies").fill(world.cookie_header())
    button(page, "Check and replace").click()
    expect(page.get_by_text("Signed in", exact=True)).to_be_visible()
    page.get_by_role("link", name="Show images").click()
    expect(status_line(page)).to_contain_text("Synced just now")
    expect(page.locator("#grid")).to_contain_text("30 images")


def test_a_page_reports_a_lost_server_and_recovers_by_itself(profile_id, page, flow, watch):
    watch.expect_no_network()
    with flow.holding("history", at=3) as gate:
        button(status_line(page), "Sync").click()
        assert gate.reached.wait(WAIT_SECONDS)
        page.context.set_offline(True)
        expect(page.locator("#problem")).to_contain_text("Flowshelf does not respond")
        page.context.set_offline(False)
        expect(page.locator("#problem")).to_have_text("")


def test_images_missing_in_a_full_sync_are_marked_after_confirmation(synced, page, world):
    for name in world.names()[:20]:
        world.delete(name)
    open_sheet(page)
    sync_panel(page).get_by_text("Full sync…").click()
    button(sync_panel(page), "Full sync").click()
    expect(sync_panel(page)).to_contain_text("20 images were not found in Flow any more (uploads)")
    expect(status_line(page)).to_contain_text("20 images were not found in Flow any more")
    expect(cards(page, "No longer in Flow")).to_have_count(0)
    button(page, "Mark them").click()
    expect(button(page, "Mark them")).to_have_count(0)
    expect(cards(page, "No longer in Flow")).to_have_count(20)


def test_an_older_panel_does_not_replace_the_response_to_a_command(synced, page, world):
    for name in world.names()[:20]:
        world.delete(name)
    open_sheet(page)
    sync_panel(page).get_by_text("Full sync…").click()
    button(sync_panel(page), "Full sync").click()
    expect(button(page, "Mark them")).to_be_visible()
    page.wait_for_load_state("networkidle")  # a panel that is loading already would not load again
    old = page.request.get("/panels/sync").text()
    held = {}

    def hold(route):
        held[route.request.method] = route

    page.route(re.compile("/panels/sync|/answer"), hold)
    with page.expect_request("**/panels/sync"):
        page.evaluate("htmx.trigger(document.body, 'runs-changed')")
    with page.expect_request("**/answer"):
        button(page, "Mark them").click()
    with page.expect_response("**/panels/sync"):
        held["GET"].fulfill(body=old, content_type="text/html")
    held["POST"].continue_()
    expect(button(page, "Mark them")).to_have_count(0)


# Phase 2


def test_the_button_of_a_card_downloads_it_and_shows_its_picture(synced, page, world):
    card = cards(page).nth(2)
    card.get_by_role("button", name="Download").click()
    expect(card).to_contain_text("Downloaded")
    expect(card.locator(".quick button")).to_have_count(0)
    expect_picture(card)
    expect_file(world, name_of(card))
    expect(cards(page, "Downloaded")).to_have_count(1)
    expect(status_line(page)).to_contain_text("29 not downloaded")
    open_sheet(page)
    expect(download_panel(page)).to_contain_text("Finished just now: 1 image")


def test_only_images_ticked_with_shift_are_downloaded(synced, page, world):
    boxes = page.locator(".card").get_by_role("checkbox")
    expect(page.locator("#download-selected")).to_be_disabled()
    boxes.nth(1).click()
    boxes.nth(6).click(modifiers=["Shift"])
    boxes.nth(3).uncheck()
    expect(page.locator("#selected-count")).to_have_text("5 selected")
    page.locator("#download-selected").click()
    expect(status_line(page)).to_contain_text("25 not downloaded")
    expect(cards(page, "Downloaded")).to_have_count(5)
    ticked = [page.locator(".card").nth(place) for place in (1, 2, 4, 5, 6)]
    for card in ticked:
        expect(card).to_contain_text("Downloaded")
        expect_file(world, name_of(card))
    expect(page.locator(".card input:checked")).to_have_count(0)
    expect(page.locator("#selected-count")).to_have_text("")
    expect(page.locator("#download-selected")).to_be_disabled()
    expect(page.locator("#download-selected")).to_have_css("background-color", NO_COLOUR)


@pytest.mark.parametrize(
    ("path", "place", "swap"), [("/grid", "#grid", "outerHTML"), ("/cards", "#cards-news", "none")]
)
def test_a_button_of_a_card_is_not_replaced_while_it_is_held_down(synced, page, work, path, place, swap):
    card = cards(page).nth(4)
    image_id = card.get_attribute("id").removeprefix("card-")
    card.locator(".quick button").hover()
    page.mouse.down()
    with store.connection():  # downloaded elsewhere: the card has to change
        work.downloads.wait_for_run(work.downloads.request(synced, [image_id]).id)
    page.evaluate(
        "([path, target, swap, id]) => htmx.ajax('GET', path, {source: target, target, swap, values: {id}})",
        [path, place, swap, image_id],
    )
    with page.expect_request(lambda request: request.method == "POST"):
        page.mouse.up()
    expect(card).to_contain_text("Downloaded")


def test_the_response_to_a_button_is_not_lost_when_its_panel_is_replaced(synced, page, work):
    card = cards(page).nth(4)
    held = []

    def answer_both(command) -> None:
        response = command.fetch()
        with store.connection():
            work.downloads.wait_for_run(runs.find_last_run(synced, RunKind.DOWNLOAD).id)
        panel, as_it_was = held
        panel.fulfill(response=as_it_was)
        command.fulfill(response=response)

    page.route("**/panels/status", lambda route, _: held.extend((route, route.fetch())), times=1)
    page.route("**/downloads", answer_both, times=1)
    with page.expect_request("**/panels/status"):
        page.evaluate("htmx.trigger(document.body, 'runs-changed')")
    card.locator(".quick button").click()
    expect(card).to_contain_text("Downloaded")


def test_a_press_is_not_lost_while_the_grid_is_replaced(synced, page):
    card = cards(page).nth(4)
    held = []
    page.route("**/grid", lambda route, _: held.append(route))
    with page.expect_request("**/grid"):
        page.evaluate("htmx.ajax('GET', '/grid', {source: '#grid', target: '#grid', swap: 'outerHTML'}) && 0")
    page.evaluate(
        "htmx.trigger(document.body, 'runs-changed')"
    )  # refreshes the totals, which are in the grid
    card.locator(".quick button").click()
    held.pop().continue_()
    expect(card).to_contain_text("Downloaded")


def test_a_failed_download_shows_its_reason_and_can_be_retried(synced, page, flow, world):
    card, line = cards(page).nth(4), status_line(page)
    name = name_of(card)
    world.change(name, content=b"no picture at all")
    with flow.holding("media", at=16):
        button(page, "Download everything").click()
        expect(line.get_by_role("progressbar")).to_have_attribute("aria-valuenow", re.compile("^[1-9][0-9]$"))
    expect(card).to_contain_text("Failed")
    expect(line).to_contain_text("1 failed")
    open_sheet(page)
    expect(download_panel(page)).to_contain_text("Finished just now: 29 images")
    expect(download_panel(page)).to_contain_text("1 × ")
    close_sheet(page)
    expect(card.locator(".reason")).to_contain_text("image")
    world.change(name, content=None)
    card.get_by_role("button", name="Retry").click()
    expect(card).to_contain_text("Downloaded")
    expect_picture(card)
    expect_file(world, name)
    expect(line).to_contain_text("everything downloaded")
    expect(button(page, "Download everything")).to_have_count(0)
    expect_no_more_polling(page)


@pytest.mark.parametrize(
    ("word", "said", "in_sheet"),
    [
        ("Pause", re.compile(r"Downloads paused\s+13 of 30 downloaded"), "Paused."),
        ("Cancel", "17 not downloaded", "Cancelled just now: 13 images"),
    ],
)
def test_running_downloads_finish_after_pause_or_cancel_and_are_shown(
    synced, page, flow, word, said, in_sheet
):
    with flow.holding("media", at=8):
        button(page, "Download everything").click()
        expect(cards(page, "Downloaded")).to_have_count(7)
        expect(cards(page, "Downloading")).to_have_count(6)
        button(status_line(page), f"{word} downloads").click()
        expect(button(status_line(page), f"{word} downloads")).to_have_count(0)
    expect(cards(page, "Downloaded")).to_have_count(13)
    expect(cards(page, "Downloading")).to_have_count(0)
    expect(status_line(page)).to_contain_text(said)
    open_sheet(page)
    expect(download_panel(page)).to_contain_text(in_sheet)
    expect_no_more_polling(page)


def test_a_double_click_starts_one_run_and_presses_no_other_button(profile_id, page, flow, watch):
    flow.reset()
    with flow.holding("history") as gate:
        button(status_line(page), "Sync").dblclick()
        assert gate.reached.wait(WAIT_SECONDS)
        open_sheet(page)
    expect(sync_panel(page)).to_contain_text("Synced just now")
    assert flow.count("history") == 4
    panel = download_panel(page)
    expect(panel.get_by_label("Newest")).to_have_value("20")  # the panel has refreshed after the sync
    with flow.holding("media", at=5):
        button(panel, "Download the newest").dblclick()
        button(panel, "Pause").hover()
        page.mouse.down()
        page.mouse.up()
        expect(button(panel, "Resume")).to_be_visible()
        page.mouse.down(click_count=2)
        page.mouse.up(click_count=2)
        expect(panel).to_contain_text("Paused.")
    assert not [url for url in watch.urls if url.endswith("/resume")]
    button(panel, "Resume").click()
    expect(panel).to_contain_text("Finished just now: 20 images")
    with store.connection():
        assert [run.state for run in Run.select()] == [RunState.DONE, RunState.DONE]
