"""A shared Flowshelf in a real browser: links, guests, renewal of links."""

import re
from io import BytesIO

import pytest
from parts import button, cards
from PIL import Image
from playwright.sync_api import expect
from test_every_page import NARROW, axe, overflow, violations

from webapp import store
from webapp.database.states import Role
from webapp.demo import World
from webapp.store.gallery import images
from webapp.store.gallery.filters import Filter

__all__ = ["axe"]
pytestmark = pytest.mark.browser


@pytest.fixture
def world() -> World:
    """Without preview URLs: cards of guests must not request any."""
    return World(uploaded=5, generated=4, tiny_pictures=True, fife_url_kinds=())


@pytest.fixture
def app(running):
    return running(share=True, host="127.0.0.1")


@pytest.fixture
def link(app):
    codes = app.extensions["flowshelf.sharing"].codes
    return {role: f"/enter?code={codes.code_of(role)}" for role in (Role.OWNER, Role.GUEST)}


@pytest.fixture
def downloaded(work, synced):
    """The two newest images, downloaded."""
    with store.connection():
        newest = images.list_page(Filter(), limit=2).images
        work.downloads.wait_for_run(work.downloads.request(synced, [image.id for image in newest]).id)
    return newest


def test_a_guest_can_view_search_and_save_and_sees_nothing_else(
    open_page, link, downloaded, axe, flow, world
):
    flow.reset()
    page = open_page(link[Role.GUEST])
    expect(page).to_have_url(re.compile("/$"))
    expect(cards(page)).to_have_count(9)
    expect(page.get_by_text("Not available yet")).to_have_count(7)
    assert (overflow(page), violations(page, axe)) == (dict.fromkeys(NARROW, 0), [])
    page.set_viewport_size({"width": 1280, "height": 900})
    for word in ("Sync", "Download", "Profiles", "Activity", "Share", "More actions"):
        expect(page.get_by_role("link", name=word, exact=True)).to_have_count(0)
        expect(button(page, word)).to_have_count(0)
    for key in ("a", "d", "Space", "Escape"):
        cards(page).first.locator(".look").focus()
        page.keyboard.press(key)  # shortcuts of the owner do nothing
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Image")
    expect(dialog.get_by_role("heading", name="Details")).to_be_visible()
    assert violations(page, axe) == []
    with page.expect_download() as saved:
        dialog.get_by_role("link", name="Download to this device").click()
    with (
        Image.open(saved.value.path()) as picture,
        Image.open(BytesIO(world.content(downloaded[0].name))) as sent,
    ):
        assert picture.tobytes() == sent.tobytes()
    page.keyboard.press("Escape")
    page.get_by_role("searchbox").fill("zzz")
    expect(page.get_by_role("heading", name="No images found")).to_be_visible()
    assert flow.log == []


def test_a_link_on_another_site_is_confirmed_first(open_page, link):
    page = open_page("/sign-in")
    shelf = page.url.removesuffix("/sign-in")
    page.goto("about:blank")
    page.set_content(f'<a href="{shelf}{link[Role.GUEST]}">The shelf</a>')
    page.get_by_role("link", name="The shelf").click()
    expect(page).to_have_url(f"{shelf}/sign-in")  # without the code
    expect(page.get_by_text("You are a guest")).to_have_count(0)
    button(page, "Sign in").click()
    expect(page.get_by_text("You are a guest")).to_be_visible()


def test_the_code_of_a_link_is_not_in_the_browser_history(open_page, link, watch):
    watch.expect_status(401)
    page = open_page()
    expect(page.get_by_role("heading", name="Sign in to Flowshelf")).to_be_visible()
    page.goto(f"{link[Role.GUEST]}&next=/?q=a")
    expect(page).to_have_url(re.compile(r"/\?q=a$"))
    page.go_back()
    expect(page).to_have_url(re.compile("/$"))
    assert page.evaluate("document.referrer + document.cookie").find("code") == -1
    assert page.evaluate("history.length") <= 3


def test_without_javascript_a_code_signs_in_and_a_link_can_be_renewed(open_page, link, watch, axe):
    watch.expect_status(401)
    page = open_page("/share", java_script_enabled=False)
    page.get_by_label("Code").fill("wrong")
    button(page, "Sign in").click()
    expect(page.get_by_role("alert").filter(has_text="This code is wrong")).to_be_visible()
    page.get_by_label("Code").fill(link[Role.OWNER].partition("=")[2].upper())
    button(page, "Sign in").click()
    expect(page).to_have_url(re.compile("/share$"))
    guest = open_page(link[Role.GUEST])
    guest_code = link[Role.GUEST].partition("=")[2]
    expect(page.locator("#way-guest")).to_contain_text(guest_code)
    page.locator("#way-guest summary").last.click()
    button(page, "Renew the guest link").click()
    expect(page.locator("#way-guest")).not_to_contain_text(guest_code)
    expect(page.locator("#way-guest svg path")).not_to_have_count(0)
    guest.reload()
    expect(guest.get_by_role("heading", name="Sign in to Flowshelf")).to_be_visible()
    assert violations(guest, axe) == []


def test_the_share_page_is_accessible(open_page, link, axe):
    page = open_page(f"{link[Role.OWNER]}&next=/share")
    for summary in page.locator("details > summary").all():
        summary.click()
    assert (overflow(page), violations(page, axe)) == (dict.fromkeys(NARROW, 0), [])
