"""The gallery in a real browser: scrolling on, keeping one's place, the lightbox, and the keyboard."""

import pytest
from parts import cards, long_shelf
from playwright.sync_api import expect

from webapp import store
from webapp.database.models import Image
from webapp.store.gallery import images

pytestmark = pytest.mark.browser
# Of Flow's five shapes and of none.
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
    """Brings a card to the top, and waits until its row has been noted as the place."""
    page.evaluate("id => document.getElementById(`card-${id}`).scrollIntoView()", image_id)
    top = "id => document.getElementById(id)?.getBoundingClientRect().top"
    page.wait_for_function(f"id => ({top})(history.state?.card) === ({top})(`card-${{id}}`)", arg=image_id)


def height_of(page, image_id):
    return page.evaluate("id => document.getElementById(`card-${id}`).getBoundingClientRect().top", image_id)


def test_scrolling_brings_the_rest_and_keeps_what_is_ticked(shelf, open_page):
    page = open_page()
    page.check(f"#card-{shelf[3]} input")
    scroll_to(page, shelf[50])
    wait_for_cards(page, len(shelf))
    assert page.is_checked(f"#card-{shelf[3]} input")
    assert [card[5:] for card in page.eval_on_selector_all(".card", "all => all.map(one => one.id)")] == shelf
    assert page.is_hidden("#pager-older")


def test_after_many_pages_the_link_waits_to_be_pressed_and_forgets_nothing_that_is_ticked(shelf, open_page):
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


def test_reload_and_back_find_the_same_picture_at_the_same_height(shelf, open_page):
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


def test_scrolling_up_brings_what_is_newer_and_moves_nothing(shelf, open_page):
    page = open_page(f"/?before={shelf[59]}", viewport={"width": 500, "height": 700})
    page.evaluate("scrollTo(0, document.querySelector('#pager-newer').getBoundingClientRect().top - 400)")
    was = height_of(page, shelf[60])
    wait_for_cards(page, len(shelf))
    page.wait_for_function("() => !history.state || history.state.card")
    assert height_of(page, shelf[60]) == pytest.approx(was, abs=2)


def test_no_card_changes_its_place_or_shape_when_its_picture_arrives(shelf, open_page, work, synced):
    """Also where Flow named no shape: the size of the picture tells it."""
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


def test_an_image_opens_over_the_gallery_and_the_arrows_go_through_the_filter(shelf, open_page):
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


def test_a_card_that_stays_while_the_filter_changes_opens_within_the_new_one(shelf, open_page):
    page = open_page()
    page.select_option("#filter [name=kind]", "uploaded")
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
    page.reload()  # the same address is a page of its own
    assert page.locator("#lightbox").count() == 0
    assert page.is_visible("#to-next")
    page.go_back()  # to a gallery that this page does not hold
    wait_for_cards(page, 60)
    page.go_forward()
    page.wait_for_selector(f"#lightbox[open] #image[data-image='{shelf[4]}']")


def test_a_lightbox_that_has_nothing_to_show_yet_is_closed_by_escape_and_leaves_the_ticks(shelf, open_page):
    page = open_page()
    page.check(f"#card-{shelf[1]} input")
    with page.expect_request(f"**/images/{shelf[4]}"):
        page.route("**/images/*", lambda route: None)  # nothing answers yet
        page.click(f"#look-{shelf[4]}")
    page.wait_for_selector("#lightbox[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("#lightbox", state="hidden")
    page.wait_for_url("**/")
    assert page.is_checked(f"#card-{shelf[1]} input")


def test_what_nobody_answered_is_asked_again_when_flowshelf_is_back(shelf, open_page, watch):
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
    expect(page.locator("#totals")).to_contain_text(f"Of {len(shelf)}: ")


def test_what_is_downloaded_in_the_lightbox_shows_there_and_on_its_card(shelf, open_page):
    page = open_page()
    page.click(f"#look-{shelf[2]}")
    page.click("#lightbox #get-file")
    page.wait_for_selector("#lightbox >> text=Open original")
    page.click("#lightbox [aria-label=Close]")
    page.wait_for_selector(f"#state-{shelf[2]}[data-state='done']")


def test_the_path_of_a_file_is_copied(shelf, open_page, work, profile_id):
    with store.connection():
        work.downloads.wait_for_run(work.downloads.request(profile_id, shelf[:1]).id)
    page = open_page(f"/images/{shelf[0]}", permissions=["clipboard-read", "clipboard-write"])
    page.click('[data-copies="file-path"]')
    page.wait_for_selector("text=Copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.inner_text("#file-path")


def test_a_swipe_goes_on_and_a_zoomed_picture_stays(shelf, open_page):
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
    """A finger that goes over the picture from one place to another."""
    touch = page.context.new_cdp_session(page)
    for kind, x in (("touchStart", start), ("touchMove", (start + end) / 2), ("touchMove", end)):
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": 200}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_the_keyboard_alone_finds_selects_and_downloads(shelf, open_page, wait_until):
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
    page.wait_for_selector(f"#state-{shelf[1]}[data-state='done']")
    page.keyboard.press("Escape")
    assert not page.is_checked(f"#card-{shelf[1]} input")
    page.keyboard.press("Control+a")
    assert page.locator(".card input:checked").count() == page.locator(".card").count()


def test_the_grid_is_one_stop_of_tab_and_a_card_leads_through_its_controls(shelf, open_page):
    page = open_page()
    scroll_to(page, shelf[50])
    wait_for_cards(page, len(shelf))
    scroll_to(page, shelf[0])
    page.focus("#grid .densities button:last-of-type")
    for control in (f"#look-{shelf[0]}", f"#card-{shelf[0]} input", f"#get-{shelf[0]}"):
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
    expect(page.locator("#grid .densities button").last).to_be_focused()


def test_a_search_is_left_with_escape_and_back_finds_it_and_the_place_again(shelf, open_page):
    page = open_page(viewport={"width": 500, "height": 700})
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.fill("#q", "in")
    expect(page.locator("#totals")).to_contain_text(f"Of {len(shelf)}: ")
    with page.expect_response("**/?q=in*"):
        page.keyboard.press("Enter")
    expect(page.locator("#filter")).not_to_have_attribute("aria-busy", "true")  # or none reads it out
    found = page.eval_on_selector_all(".look", "all => all.map(one => one.dataset.image)")
    assert 8 < len(found) < len(shelf)
    expect(page.locator("#totals")).to_contain_text(f"Of {len(shelf)}: {len(found)} images, 0 downloaded")
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


def test_keys_mean_nothing_while_somebody_types(shelf, open_page):
    page = open_page()
    page.keyboard.press("/")
    page.keyboard.type("a?d/ ")
    assert page.input_value("#q") == "a?d/ "
    assert page.locator("input:checked, dialog[open], :popover-open").count() == 0


def test_a_question_mark_lists_the_keys_and_escape_closes_the_list(shelf, open_page):
    page = open_page()
    page.keyboard.press("?")
    assert "Search" in page.inner_text("#keys:popover-open")
    page.keyboard.press("a")
    page.keyboard.press("Escape")
    page.wait_for_selector("#keys", state="hidden")
    assert page.locator(".card input:checked").count() == 0


def test_a_density_changes_at_once_and_without_losing_the_place(shelf, open_page, world, work, synced):
    with store.connection():
        world.change(images.get_image(shelf[3]).name, content=b"no picture at all")
        work.downloads.wait_for_run(work.downloads.request(synced, [shelf[3]]).id)
    page = open_page(viewport={"width": 900, "height": 700})
    page.check(f"#card-{shelf[2]} input")
    with page.expect_response("**/density"):
        page.click("button[value=dense]")
    assert page.get_attribute("#grid", "data-density") == "dense"
    assert page.is_checked(f"#card-{shelf[2]} input")
    page.hover(f"#look-{shelf[3]}")
    words, tick = (page.locator(f"#card-{shelf[3]} {part}").bounding_box() for part in (".words", ".tick"))
    assert words["y"] + words["height"] <= tick["y"]  # over the picture, and over nothing to be pressed
    expect(page.locator(f"#card-{shelf[3]} .words")).to_be_visible()
    expect(page.locator(f"#card-{shelf[3]} .reason")).to_have_text("What Flow sent is not a picture.")
    expect(page.locator(f"#card-{shelf[3]} .reason")).to_be_visible()
    page.reload()
    assert page.get_attribute("#grid", "data-density") == "dense"


def test_without_javascript_links_do_all_of_it(shelf, open_page):
    page = open_page(java_script_enabled=False)
    page.click(".pager a[rel=next]")
    assert page.url.endswith(f"/?before={shelf[59]}")
    page.click(f"#look-{shelf[61]}")
    page.click("#to-next")
    assert page.url.endswith(f"/images/{shelf[62]}")
    page.click("#to-gallery")
    assert page.locator(".card").first.get_attribute("id") == f"card-{shelf[62]}"
    page.click("button[value=dense]")
    assert page.get_attribute("#grid", "data-density") == "dense"


def test_cards_that_left_the_grid_while_they_were_asked_for_are_no_complaint(synced, open_page):
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
