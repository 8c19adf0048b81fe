"""What a person meets first: the welcome page, and the dashboard installed as an app."""

import json
import shutil

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_the_paste_field_is_on_the_first_screen_of_the_welcome_page(open_page, width, height):
    page = open_page(viewport={"width": width, "height": height})
    box = page.get_by_label("Flow cookies").bounding_box()
    assert box["y"] + box["height"] < height
    expect(page.locator("main .sheet h2").first).to_have_text("Paste cookies")
    expect(page.get_by_label("Name of the profile")).not_to_be_visible()


@pytest.fixture
def own_window(chromium, tmp_path):
    """A page of a browser with a profile of its own: in a private window nothing can be installed."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    options = {"executable_path": path, "args": ["--no-sandbox", "--disable-gpu"]}
    context = chromium.browser_type.launch_persistent_context(tmp_path, **options)
    yield context.new_page()
    context.close()


def test_a_browser_offers_to_install_the_dashboard(own_window, live_url):
    page = own_window
    page.goto(live_url)
    session = page.context.new_cdp_session(page)
    found = session.send("Page.getAppManifest")
    assert found["errors"] == []
    assert found["url"] == f"{live_url}/manifest.webmanifest"
    assert session.send("Page.getInstallabilityErrors")["installabilityErrors"] == []
    manifest = json.loads(found["data"])
    assert (manifest["name"], manifest["display"], manifest["start_url"]) == ("Flowshelf", "standalone", "/")
    purposes = set()
    for icon in manifest["icons"]:
        size = page.evaluate(
            "async (url) => { const image = new Image(); image.src = url; await image.decode();"
            " return [image.naturalWidth, image.naturalHeight]; }",
            icon["src"],
        )
        assert icon["sizes"] == "{}x{}".format(*size)
        purposes.add((size[0], icon["purpose"]))
    assert purposes == {(192, "any"), (512, "any"), (512, "maskable")}
    assert page.locator("link[rel=apple-touch-icon]").count() == 1
