"""The gallery in a real browser: scrolling, scroll position, lightbox, keyboard."""

import pytest
from parts import cards, choose_filter, long_shelf
from playwright.sync_api import expect

from webapp import store
from webapp.database.models import Image
from webapp.store.gallery import images

pytestmark = pytest.mark.browser
# Flow's five aspect ratios, and another one.
SIZES = ((1376, 768), (768, 1376), (1024, 1024), (1200, 896), (896, 1200), (3000, 1000))
BOXES = """() => [...document.querySelectorAll(".card, .card .picture, .card img")]
    .map((part) => part.getBoundingClientRect()).map(({ x, y, width, height }) => [x, y, width, height])"""
ON_FOCUS = "document.activeElement.dataset.image"


@pytest.fixture
def world():
    return long_shelf()


def wait_for_cards(page, count):
    page.wait_for_function("count => document.querySelectorAll('.card').length === count", arg=count)


def scroll_to(page, image_id):
    """Scrolls a card to the top and waits until the position has been saved. The page may be too short at
    first."""
    page.wait_for_function(
        """id => {
            const top = (card) => document.getElementById(card)?.getBoundingClientRect().top;
            const room = document.querySelector(".masthead").offsetHeight;
            const card = document.getElementById(`card-${id}`);
            if (Math.abs(top(card.id) - room) > 1) card.scrollIntoView();
            return top(history.state?.card) === top(card.id);
        }""",
        arg=image_id,
    )


def height_of(page, image_id):
    return page.evaluate("id => document.getElementById(`card-${id}`).getBoundingClientRect().top", image_id)


def test_scrolling_loads_more_images_and_keeps_ticks(shelf, open_page):
    page = open_page()
    page.check(f"#card-{shelf[3]} input")
    scroll_to(page, shelf[50])
    wait_for_cards(page, len(shelf))
    assert page.is_checked(f"#card-{shelf[3]} input")
    assert [card[5:] for card in page.eval_on_selector_all(".card", "all => all.map(one => one.id)")] == shelf
    assert page.is_hidden("#pager-older")


def test_after_many_cards_more_are_loaded_only_by_the_link_which_keeps_ticks(shelf, open_page):
    def at_the_end():
        page = open_page()
        page.evaluate("document.querySelector('.ahead').dataset.maxCards = 60")
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        expect(page.locator("footer")).to_be_in_viewport()
        return page

    page = at_the_end()
    page.click("#older")
    assert page.url.endswith(f"/?before={shelf[59]}")
    page = at_the_end()
    page.check(f"#card-{shelf[59]} input")
    page.click("#older")
    wait_for_cards(page, len(shelf))
    assert page.is_checked(f"#card-{shelf[59]} input")


def test_reload_and_back_show_the_same_image_at_the_same_height(shelf, open_page):
    page = open_page(viewport={"width": 500, "height": 700})
    scroll_to(page, shelf[59])
    wait_for_cards(page, len(shelf))
    scroll_to(page, shelf[64])
    assert page.url.endswith(f"/?before={shelf[59]}")
    was = height_of(page, shelf[64])
    page.reload()
    wait_for_cards(page, len(shelf) - 60)
    assert height_of(page, shelf[64]) == pytest.approx(was, abs=2)
    page.goto("/profiles")
    page.go_back()
    wait_for_cards(page, len(shelf) - 60)
    assert height_of(page, shelf[64]) == pytest.approx(was, abs=2)


def test_scrolling_up_loads_newer_images_and_moves_nothing(shelf, open_page):
    page = open_page(f"/?before={shelf[59]}", viewport={"width": 500, "height": 700})
    page.evaluate("scrollTo(0, document.querySelector('#pager-newer').getBoundingClientRect().top - 400)")
    was = height_of(page, shelf[60])
    wait_for_cards(page, len(shelf))
    page.wait_for_function("() => !history.state || history.state.card")
    assert height_of(page, shelf[60]) == pytest.approx(was, abs=2)


def test_no_card_moves_or_resizes_when_its_picture_loads(shelf, open_page, work, synced):
    """Also without an aspect ratio from Flow: then the size tells the shape."""
    with store.connection():
        work.downloads.wait_for_run(work.downloads.request(synced, shelf[:6]).id)
        Image.update(aspect_ratio=None).execute()
        for image_id, size in zip(shelf, SIZES, strict=False):
            Image.update(width=size[0], height=size[1]).where(Image.id == image_id).execute()
    page, held = open_page("/profiles"), []

    def hold(route):
        held.append(route)

    page.route("**/thumbnail/**", hold)
    page.goto("/", wait_until="domcontentloaded")
    wait_for_cards(page, 60)
    expect(page.locator(f"#look-{shelf[0]} img")).to_have_js_property("naturalWidth", 0)
    before = page.evaluate(BOXES)
    for route in held:
        route.continue_()
    for image_id in shelf[:6]:
        page.wait_for_function("id => document.querySelector(`#look-${id} img`).naturalWidth", arg=image_id)
    assert page.evaluate(BOXES) == before
    ratios = page.evaluate(
        "ids => ids.map((id) => document.querySelector(`#look-${id} .picture`).getBoundingClientRect())"
        ".map((box) => box.width / box.height)",
        shelf[:6],
    )
    assert ratios == pytest.approx([16 / 9, 9 / 16, 1, 4 / 3, 3 / 4, 16 / 9], rel=0.02)


def test_arrow_keys_in_the_lightbox_follow_the_filter(shelf, open_page):
    page = open_page("/?sort=oldest")
    oldest = shelf[::-1]
    page.focus(f"#look-{oldest[1]}")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"#lightbox[open] #image[data-image='{oldest[1]}']")
    assert page.url.endswith(f"/images/{oldest[1]}?sort=oldest")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(f"#image[data-image='{oldest[2]}']")
    page.keyboard.press("ArrowRight")
    page.wait_for_url(f"**/images/{oldest[3]}?sort=oldest")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector(f"#image[data-image='{oldest[2]}']")
    page.keyboard.press("Escape")
    page.wait_for_url("**/?sort=oldest")
    assert page.evaluate(ON_FOCUS) == oldest[2]


def test_a_preserved_card_opens_within_the_new_filter(shelf, open_page):
    page = open_page()
    choose_filter(page, "kind", "uploaded")
    page.wait_for_url("**/?kind=uploaded")
    uploads = page.eval_on_selector_all(".look", "all => all.map(one => one.dataset.image)")
    page.click(f"#look-{uploads[0]}")
    page.wait_for_url(f"**/images/{uploads[0]}?kind=uploaded")
    assert page.get_attribute("#to-next", "href") == f"/images/{uploads[1]}?kind=uploaded"
    page.go_back()
    page.wait_for_selector("#lightbox", state="hidden")
    assert page.locator(".card").count() == len(uploads)


def test_back_closes_the_lightbox_and_forward_opens_it_again(shelf, open_page):
    page = open_page()
    page.check(f"#card-{shelf[1]} input")
    page.click(f"#look-{shelf[4]}")
    page.wait_for_selector("#lightbox #image")
    page.go_back()
    page.wait_for_selector("#lightbox", state="hidden")
    assert page.is_checked(f"#card-{shelf[1]} input")
    assert page.evaluate(ON_FOCUS) == shelf[4]
    page.go_forward()
    page.wait_for_selector(f"#lightbox[open] #image[data-image='{shelf[4]}']")
    page.reload()  # the URL of the lightbox is a page of its own
    assert page.locator("#lightbox").count() == 0
    assert page.is_visible("#to-next")
    page.go_back()  # the gallery has to be loaded again
    wait_for_cards(page, 60)
    page.go_forward()
    page.wait_for_selector(f"#lightbox[open] #image[data-image='{shelf[4]}']")


def test_escape_closes_a_loading_lightbox_and_keeps_ticks(shelf, open_page):
    page = open_page()
    page.check(f"#card-{shelf[1]} input")
    with page.expect_request(f"**/images/{shelf[4]}"):
        page.route("**/images/*", lambda route: None)  # no response yet
        page.click(f"#look-{shelf[4]}")
    page.wait_for_selector("#lightbox[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("#lightbox", state="hidden")
    page.wait_for_url("**/")
    assert page.is_checked(f"#card-{shelf[1]} input")


def test_failed_requests_are_repeated_when_the_server_is_back(shelf, open_page, watch):
    watch.expect_no_network()
    page = open_page()
    lost = page.get_by_role("alert").filter(has_text="Flowshelf does not respond")
    page.context.set_offline(True)
    page.click(f"#look-{shelf[4]}")
    expect(lost).to_be_visible()
    page.wait_for_selector("#lightbox", state="hidden")
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    page.wait_for_selector(".ahead[data-failed]", state="attached")
    page.context.set_offline(False)
    wait_for_cards(page, len(shelf))
    page.context.set_offline(True)
    page.fill("#q", "in")
    expect(lost).to_be_visible()
    page.context.set_offline(False)
    expect(page.locator("#totals")).to_contain_text(f"of {len(shelf)}")


def test_a_download_in_the_lightbox_updates_the_card(shelf, open_page):
    page = open_page()
    page.click(f"#look-{shelf[2]}")
    page.click("#lightbox #get-file")
    page.wait_for_selector("#lightbox >> text=Open original")
    page.click("#lightbox [aria-label=Close]")
    page.wait_for_selector(f"#state-{shelf[2]}[data-state='done']", state="attached")


def test_the_path_of_a_file_is_copied(shelf, open_page, work, profile_id):
    with store.connection():
        work.downloads.wait_for_run(work.downloads.request(profile_id, shelf[:1]).id)
    page = open_page(f"/images/{shelf[0]}", permissions=["clipboard-read", "clipboard-write"])
    page.click('[data-copies="file-path"]')
    page.wait_for_selector("text=Copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.inner_text("#file-path")


def test_a_swipe_shows_the_next_image_unless_zoomed(shelf, open_page):
    page = open_page(has_touch=True, viewport={"width": 390, "height": 800})
    page.click(f"#look-{shelf[1]}")
    page.wait_for_selector(f"#image[data-image='{shelf[1]}']")
    swipe(page, 300, 100)
    page.wait_for_selector(f"#image[data-image='{shelf[2]}']")
    page.keyboard.press("+")
    assert page.get_attribute(".stage", "data-zoom") == "1.5"
    swipe(page, 300, 100)
    page.keyboard.press("-")
    assert page.get_attribute("#image", "data-image") == shelf[2]
    swipe(page, 100, 300)
    page.wait_for_selector(f"#image[data-image='{shelf[1]}']")


def swipe(page, start, end):
    """Swipes over the picture."""
    touch = page.context.new_cdp_session(page)
    for kind, x in (("touchStart", start), ("touchMove", (start + end) / 2), ("touchMove", end)):
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": 200}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_keys_move_select_and_download(shelf, open_page, wait_until):
    page = open_page()
    page.keyboard.press("ArrowDown")
    assert page.evaluate(ON_FOCUS) == shelf[0]
    page.keyboard.press("ArrowRight")
    page.keyboard.press(" ")
    assert page.is_checked(f"#card-{shelf[1]} input")
    page.keyboard.press("ArrowDown")
    below = page.evaluate(ON_FOCUS)
    assert shelf.index(below) > 1
    page.keyboard.press("ArrowUp")
    assert page.evaluate(ON_FOCUS) == shelf[1]
    page.keyboard.press("d")
    page.wait_for_selector(f"#state-{shelf[1]}[data-state='done']", state="attached")
    page.keyboard.press("Escape")
    assert not page.is_checked(f"#card-{shelf[1]} input")
    page.keyboard.press("Control+a")
    assert page.locator(".card input:checked").count() == page.locator(".card").count()


def test_the_grid_is_one_tab_stop_with_the_controls_of_one_card(shelf, open_page):
    page = open_page()
    scroll_to(page, shelf[50])
    wait_for_cards(page, len(shelf))
    scroll_to(page, shelf[0])
    page.focus("#menu")
    for control in (f"#look-{shelf[0]}", f"#card-{shelf[0]} input", f"#get-{shelf[0]}", f"#heart-{shelf[0]}"):
        page.keyboard.press("Tab")
        expect(page.locator(control)).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator(".colophon button").first).to_be_focused()
    page.focus(f"#look-{shelf[0]}")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    expect(page.locator(f"#card-{shelf[1]} input")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    expect(page.locator("#menu")).to_be_focused()


def test_escape_leaves_a_search_and_back_restores_search_and_position(shelf, open_page):
    page = open_page(viewport={"width": 500, "height": 700})
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.fill("#q", "in")
    expect(page.locator("#totals")).to_contain_text(f"of {len(shelf)}")
    with page.expect_response("**/?q=in*"):
        page.keyboard.press("Enter")
    expect(page.locator("#filter")).not_to_have_attribute(
        "aria-busy", "true"
    )  # otherwise screen readers would not read it
    found = page.eval_on_selector_all(".look", "all => all.map(one => one.dataset.image)")
    assert 8 < len(found) < len(shelf)
    expect(page.locator("#totals")).to_contain_text(f"{len(found)} images of {len(shelf)}")
    page.keyboard.press("Escape")
    assert page.input_value("#q") == "in"
    assert page.url.endswith("/?q=in")
    assert page.evaluate(ON_FOCUS) == found[0]
    scroll_to(page, found[2])
    was = height_of(page, found[2])
    page.goto("/profiles")
    page.go_back()
    expect(page.locator("#q")).to_have_value("in")
    assert page.eval_on_selector_all(".look", "all => all.map(one => one.dataset.image)") == found
    assert height_of(page, found[2]) == pytest.approx(was, abs=2)


def test_shortcuts_are_off_while_typing(shelf, open_page):
    page = open_page()
    page.keyboard.press("/")
    page.keyboard.type("a?d/ ")
    assert page.input_value("#q") == "a?d/ "
    expect(page.get_by_role("heading", name="No images found")).to_be_visible()
    assert page.locator("input:checked, dialog[open], :popover-open").count() == 0


def test_a_question_mark_lists_the_keys_and_escape_closes_the_list(shelf, open_page):
    page = open_page()
    page.keyboard.press("?")
    expect(page.locator("#keys:popover-open")).to_contain_text("Search")
    page.keyboard.press("a")
    page.keyboard.press("Escape")
    page.wait_for_selector("#keys", state="hidden")
    assert page.locator(".card input:checked").count() == 0


def test_the_density_changes_at_once_and_keeps_the_position(shelf, open_page, world, work, synced):
    with store.connection():
        world.change(images.get_image(shelf[3]).name, content=b"no picture at all")
        work.downloads.wait_for_run(work.downloads.request(synced, [shelf[3]]).id)
    page = open_page(viewport={"width": 900, "height": 700})
    page.check(f"#card-{shelf[2]} input")
    with page.expect_response("**/density"):
        page.click("button[value=compact]")
    assert page.get_attribute("#grid", "data-density") == "compact"
    assert page.is_checked(f"#card-{shelf[2]} input")
    expect(page.locator(f"#card-{shelf[3]} .reason")).to_have_text(
        "What Flow sent is a file of an unknown kind, not an image that Flowshelf keeps."
    )
    expect(page.locator(f"#card-{shelf[3]} .reason")).to_be_visible()
    page.reload()
    assert page.get_attribute("#grid", "data-density") == "compact"


def test_without_javascript_plain_links_lead_through_the_gallery(shelf, open_page):
    page = open_page(java_script_enabled=False)
    page.click(".pager a[rel=next]")
    assert page.url.endswith(f"/?before={shelf[59]}")
    page.click(f"#look-{shelf[61]}")
    page.click("#to-next")
    assert page.url.endswith(f"/images/{shelf[62]}")
    page.click("#to-gallery")
    assert page.locator(".card").first.get_attribute("id") == f"card-{shelf[62]}"
    page.click("button[value=compact]")
    assert page.get_attribute("#grid", "data-density") == "compact"


def test_a_response_with_cards_that_left_the_grid_logs_no_error(synced, open_page):
    page, held = open_page(), []

    def hold_first(route) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    page.route("**/cards**", hold_first)
    with page.expect_request("**/cards**"):
        cards(page).nth(0).get_by_role("button", name="Download").click()
    page.evaluate("document.querySelectorAll('.card').forEach((card, index) => index && card.remove())")
    held[0].continue_()
    expect(cards(page, "Downloaded")).to_have_count(1)
