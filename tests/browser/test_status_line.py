"""The status line in a real browser: its figures, its height, its sheet."""

import re
from contextlib import ExitStack

import pytest
from parts import button, cards, close_sheet, open_sheet, status_line, sync_panel
from playwright.sync_api import Page, expect

from webapp import store
from webapp.database.states import RunKind
from webapp.store import runs
from webapp.store.gallery import counts
from webapp.store.runs import downloads

pytestmark = pytest.mark.browser

WAIT_SECONDS = 10
MAX_HEIGHT = 44
# Every figure about images in the page, except in messages, which tell of what was.
TEXTS = """() => [...document.querySelectorAll(":is(main, dialog[open]) :is(p, label, h2, dl > div)")]
    .filter((part) => part.checkVisibility() && !part.closest("#toasts, .card"))
    .map((part) => part.innerText.replace(/\\s+/g, " ").trim())"""
FIGURES = {
    "images": re.compile(r"^([\d,]+) images"),
    "all": re.compile(r"^Select all ([\d,]+)"),
    "pending": re.compile(r"([\d,]+) (?:images are |other images are )?not downloaded"),
    "new": re.compile(r"([\d,]+) new\b"),
    "done": re.compile(r"([\d,]+) of [\d,]+ downloaded"),
    "asked": re.compile(r"[\d,]+ of ([\d,]+) downloaded"),
    "done in the sheet": re.compile(r"^done ([\d,]+)"),
    "left in the sheet": re.compile(r"^left ([\d,]+)"),
}


def figures(page: Page) -> set[tuple[str, int]]:
    """What the page says, by what it is about."""
    texts = page.evaluate(TEXTS)
    found = ((name, each) for name, what in FIGURES.items() for text in texts for each in what.findall(text))
    return {(name, int(digits.replace(",", ""))) for name, digits in found}


def truth(profile_id: str) -> dict[str, int]:
    """The same from the database."""
    sync, run = (runs.find_last_run(profile_id, kind) for kind in (RunKind.SYNC, RunKind.DOWNLOAD))
    total = counts.count_profile(profile_id).total
    said = {"images": total, "all": total, "pending": counts.count_downloadable(profile_id)}
    said |= {"new": sync.synced_count if sync else 0}
    if run:
        left = downloads.count_left(run.id)
        said |= {"done": run.done_count, "asked": run.done_count + run.failed_count + left}
        said |= {"done in the sheet": run.done_count, "left in the sheet": left}
    return said


@pytest.fixture
def expect_true_figures(profile_id, page, wait_until):
    """Asserts that the page has the figures named, and that all are as in the database.

    For a moment at which nothing moves, because gates of the simulated Flow are closed.
    """

    def lies() -> set[tuple[str, int]]:
        with store.connection():
            return figures(page) - set(truth(profile_id).items())

    def expect_true_figures(*said: str) -> None:
        wait_until(lambda: set(said) <= {name for name, _ in figures(page)} and not lies())

    return expect_true_figures


def test_no_figure_contradicts_another_at_any_moment_of_a_sync_and_downloads(
    profile_id, page, flow, expect_true_figures
):
    with ExitStack() as held:
        pages = [held.enter_context(flow.holding("history", at=at)) for at in (2, 3, 4)]
        files = [held.enter_context(flow.holding("media", at=at)) for at in (3, 11, 17)]
        button(status_line(page), "Sync").click()
        for gate in pages[:2]:
            assert gate.reached.wait(WAIT_SECONDS)
            expect_true_figures("images", "all", "new")
            if gate is pages[0]:
                gate.release()
        open_sheet(page)
        expect_true_figures("images", "new", "pending")
        button(page, "Download everything").click()
        for gate in files[:2]:
            assert gate.reached.wait(WAIT_SECONDS)
            expect_true_figures("images", "new", "done", "asked", "done in the sheet", "left in the sheet")
            gate.release()
        close_sheet(page)
        cards(page).nth(3).get_by_role("checkbox").check()  # the grid is not replaced any more
        pages[1].release()
        assert pages[2].reached.wait(WAIT_SECONDS)
        assert files[2].reached.wait(WAIT_SECONDS)
        expect_true_figures("images", "all", "new", "done", "asked")
        button(status_line(page), "Pause downloads").click()
        expect_true_figures("images", "done", "asked")
    expect(status_line(page)).to_contain_text("Downloads paused")
    expect_true_figures("images", "all", "done", "asked")
    button(status_line(page), "Cancel downloads").click()
    expect_true_figures("images", "all", "pending")


def test_the_line_is_one_line_high_on_wide_screens_and_two_short_ones_on_a_phone(
    synced, open_page, work, flow
):
    def heights() -> tuple[int, int]:
        return tuple(
            open_page("/", viewport={"width": width, "height": 844}).evaluate(
                "document.getElementById('status').offsetHeight"
            )
            for width in (1440, 390)
        )

    wide, narrow = heights()
    assert wide <= MAX_HEIGHT
    assert narrow <= 2 * MAX_HEIGHT
    with flow.holding("media", at=8) as gate, store.connection():
        work.downloads.request_pending(synced)
        assert gate.reached.wait(WAIT_SECONDS)
        wide, narrow = heights()
        assert wide <= MAX_HEIGHT
    assert narrow <= 2 * MAX_HEIGHT


def test_a_refresh_of_the_line_leaves_the_focus_on_its_buttons(profile_id, page, flow):
    with flow.holding("history", at=3) as gate:
        button(status_line(page), "Sync").click()
        assert gate.reached.wait(WAIT_SECONDS)
        pause = button(status_line(page), "Pause")
        pause.focus()
        for _ in range(2):
            with page.expect_response("**/panels/status"):
                pass
        expect(pause).to_be_focused()


def test_a_press_anywhere_on_the_line_opens_the_sheet_and_its_buttons_do_not(synced, page):
    box = status_line(page).bounding_box()
    page.mouse.click(box["x"] + 300, box["y"] + box["height"] / 2)
    expect(sync_panel(page)).to_contain_text("Synced just now")
    expect(page.locator("#dialog")).to_have_class("sheet")
    close_sheet(page)
    button(status_line(page), "Sync").click()
    expect(page.locator("#toasts")).to_contain_text("nothing new")
    expect(page.locator("#dialog")).to_be_hidden()


def test_a_command_in_the_sheet_shows_in_the_line_behind_it(synced, page, flow):
    open_sheet(page)
    with flow.holding("media", at=4):
        button(page, "Download the newest").click()
        expect(status_line(page)).to_contain_text("3 of 20 downloaded")
    expect(status_line(page)).to_contain_text("10 not downloaded")
    expect(cards(page, "Downloaded")).to_have_count(20)


def test_sync_of_all_images_syncs_both_profiles_and_each_can_be_paused(profile_id, page, grace, work, flow):
    with store.connection():
        work.accounts.add("Studio", grace.cookie_header())
    page.reload()
    with flow.holding("history", at=1):
        button(status_line(page), "Sync").click()
        expect(status_line(page).locator(".line.active")).to_have_count(2)
        button(status_line(page), "Pause of Ada").click()
        expect(status_line(page)).to_contain_text(re.compile(r"Ada\s+Paused just now"))
        expect(button(status_line(page), "Resume of Ada")).to_have_count(0)  # nothing was read
    expect(button(status_line(page), "Sync of Ada")).to_be_visible()
