"""What the first screen of the gallery shows: images, whole ones, on every screen."""

from dataclasses import replace

import pytest
from parts import long_shelf, status_line
from playwright.sync_api import Page, expect

from webapp import store
from webapp.config import Config
from webapp.database.models import Image
from webapp.demo import World
from webapp.store.gallery import images

pytestmark = pytest.mark.browser

WHOLE = """() => [...document.querySelectorAll("#cards .picture")].filter((picture) => {
    const { top, bottom, left, right } = picture.getBoundingClientRect();
    return top >= 0 && bottom <= innerHeight && left >= 0 && right <= innerWidth;
}).length"""
FIRST_TOP = "() => document.querySelector('#cards .picture').getBoundingClientRect().top"
# Of each row of the wall but the last: where it begins and ends, and the heights of its images.
ROWS = """() => {
    const rows = Map.groupBy(document.querySelectorAll("#cards .card"), (card) => card.offsetTop);
    return [...rows.values()].slice(0, -1).map((cards) => cards.map((card) => card.getBoundingClientRect()))
        .map((boxes) => [boxes[0].left, boxes.at(-1).right, boxes.map((box) => box.height)]);
}"""
CAPTIONS = """() => [...document.querySelectorAll("#cards .card")].map((card) => {
    const lines = [...card.querySelectorAll(":is(.words, .reason)")].filter((part) => part.offsetHeight);
    const lineHeight = (part) => parseFloat(getComputedStyle(part).lineHeight);
    return lines.reduce((sum, part) => sum + part.offsetHeight / lineHeight(part), 0);
})"""
DESK, PHONE, ZOOMED = (1440, 900), (390, 844), (720, 450)  # ZOOMED: the desk at 200 %


@pytest.fixture
def world() -> World:
    return long_shelf()


@pytest.fixture
def config(config, request) -> Config:
    """The parameter: whether the page bears the strip of the demo."""
    return replace(config, is_sealed=getattr(request, "param", False))


@pytest.fixture
def two_profiles(shelf, work, flow):
    other = World(seed=2, uploaded=5, generated=5, email="grace@example.com", tiny_pictures=True)
    flow.add_world(other)
    with store.connection():
        studio = work.accounts.add("Studio", other.cookie_header())
        work.syncs.wait(work.syncs.start(studio.id).id)


@pytest.fixture
def failed(shelf, work, flow):
    """A download that failed."""
    flow.respond_next("media", {})
    with store.connection():
        profile_id = images.get_image(shelf[0]).profile_id
        work.downloads.wait_for_run(work.downloads.request(profile_id, shelf[:1]).id)


def gallery_on(open_page, size: tuple[int, int], density: str, **options: object) -> Page:
    page = open_page(viewport={"width": size[0], "height": size[1]}, **options)
    page.click(f"button[value={density}]")
    page.wait_for_selector(f"#grid[data-density={density}]")
    return page


@pytest.mark.parametrize(
    ("size", "density", "least"),
    [
        (DESK, "compact", 15),
        (DESK, "wall", 20),
        (PHONE, "compact", 9),
        (ZOOMED, "compact", 4),
        (ZOOMED, "wall", 4),
    ],
)
def test_the_first_screen_shows_many_whole_images(two_profiles, open_page, size, density, least):
    page = gallery_on(open_page, size, density)
    expect(page.locator(".tabs a")).to_have_count(3)
    assert page.evaluate(WHOLE) >= least


@pytest.mark.parametrize("config", [False, True], ids=["own images", "demo"], indirect=True)
@pytest.mark.parametrize("density", ["shelf", "compact", "wall"])
def test_on_a_phone_the_first_image_begins_above_300_pixels(two_profiles, failed, open_page, density):
    page = gallery_on(open_page, PHONE, density, has_touch=True, is_mobile=True)
    expect(status_line(page)).to_contain_text("1 failed")  # with the buttons it takes two lines
    assert page.evaluate(FIRST_TOP) < 300


@pytest.mark.parametrize("size", [DESK, PHONE, (820, 1180), (2560, 1440)])
def test_the_rows_of_the_wall_fill_the_window_with_images_of_one_height(shelf, open_page, size):
    page = gallery_on(open_page, size, "wall")
    rows = page.evaluate(ROWS)
    width = page.evaluate("document.documentElement.clientWidth")
    assert len(rows) > 3
    for left, right, heights in rows:
        assert left < 5
        assert width - right < 60  # the timeline may stand at the edge
        assert max(heights) - min(heights) < 1


@pytest.mark.parametrize("density", ["shelf", "compact"])
def test_a_caption_has_two_lines_at_most(shelf, open_page, world, work, synced, density):
    with store.connection():
        for image in images.list_by_ids(shelf[:3]):
            world.change(image.name, content=b"no picture")
        Image.update(prompt="a long prompt of many words " * 9).execute()
        work.downloads.wait_for_run(work.downloads.request(synced, shelf[:3]).id)
    page = gallery_on(open_page, PHONE, density)
    expect(page.locator(".chip.failed")).to_have_count(3)
    assert max(page.evaluate(CAPTIONS)) < 2.5


def test_each_day_has_one_heading_however_the_cards_arrive(shelf, open_page):
    page = open_page(f"/?before={shelf[34]}", viewport={"width": 1000, "height": 700})
    page.evaluate("scrollTo(0, document.querySelector('#pager-newer').getBoundingClientRect().top - 400)")
    page.wait_for_function("count => document.querySelectorAll('.card').length === count", arg=len(shelf))
    headings = page.locator(".day:visible").all_inner_texts()
    assert len(headings) == len(set(headings)) > 3
    page.goto("/")
    page.mouse.wheel(0, 100_000)
    page.wait_for_function("count => document.querySelectorAll('.card').length === count", arg=len(shelf))
    assert page.locator(".day:visible").all_inner_texts() == headings


def test_tick_and_download_appear_on_hover_and_are_always_there_for_touch(shelf, open_page):
    shown = """id => ['.tick', '.quick'].map((part) => document.querySelector(`#card-${id} ${part}`))
        .map((part) => getComputedStyle(part).opacity)"""
    page = open_page()
    assert page.evaluate(shown, shelf[1]) == ["0", "0"]
    page.hover(f"#look-{shelf[1]}")
    assert page.evaluate(shown, shelf[1]) == ["1", "1"]
    assert open_page(has_touch=True, is_mobile=True).evaluate(shown, shelf[1]) == ["1", "1"]


def test_what_the_filter_is_set_to_is_a_link_that_takes_it_out(shelf, open_page):
    page = open_page("/?kind=uploaded&sort=oldest&q=")
    assert page.locator("#filter-count b").inner_text() == "2"
    page.get_by_role("link", name="Uploaded remove").click()
    page.wait_for_url("**/?sort=oldest")
    page.get_by_role("link", name="Oldest first remove").click()
    page.wait_for_url("**/")
    assert page.locator(".set").count() == 0


def test_an_empty_shelf_says_what_goes_on(profile_id, open_page, flow, work):
    page = open_page()
    empty = page.locator("#grid .empty")
    expect(empty).to_contain_text("Press Sync")
    with flow.holding("history"):
        page.get_by_role("button", name="Sync", exact=True).first.click()
        expect(empty).to_contain_text("The sync is under way")
        page.get_by_role("button", name="Pause", exact=True).first.click()
        expect(empty).to_contain_text("The sync is paused")


def test_the_selection_has_a_bar_only_while_there_is_one(shelf, open_page):
    page = open_page()
    bar = page.get_by_role("group", name="Selection")
    expect(bar).to_be_hidden()
    page.hover(f"#look-{shelf[0]}")
    page.check(f"#card-{shelf[0]} input")
    expect(bar).to_contain_text("1 selected")
    bar.get_by_role("button", name="Clear the selection").click()
    expect(bar).to_be_hidden()
