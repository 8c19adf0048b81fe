"""The page “Adopt files” in a real browser: choosing, dropping, progress, what is left."""

import io

import pytest
from PIL import Image as Picture
from playwright.sync_api import expect

from webapp import store
from webapp.database.models import Image

pytestmark = pytest.mark.browser
SIZE = (64, 36)


def picture(colour="red"):
    content = io.BytesIO()
    Picture.new("RGB", SIZE, colour).save(content, "JPEG")
    return content.getvalue()


@pytest.fixture
def keys(shelf):
    """The media keys of images without a file, of which Flow told `SIZE`."""
    with store.connection():
        Image.update(width=SIZE[0], height=SIZE[1]).execute()
        return list(Image.select(Image.media_key).where(Image.local_path.is_null()).limit(3).scalars())


def adopted_count():
    with store.connection():
        return Image.select().where(Image.adopted_at.is_null(False)).count()


def test_chosen_files_are_sent_one_by_one_and_what_is_left_is_listed(open_page, keys):
    page = open_page("/adopt")
    files = [{"name": f"{key}.jpg", "mimeType": "image/jpeg", "buffer": picture()} for key in keys]
    other = {"name": "<i>holiday</i>.jpg", "mimeType": "image/jpeg", "buffer": picture()}
    page.set_input_files("#files", [*files, other])
    page.click("#send")
    expect(page.locator("#adopt-counts")).to_have_text("3 adopted, 0 known already, 1 not taken.")
    expect(page.locator(".left-files li code")).to_have_text("<i>holiday</i>.jpg")
    expect(page.locator("#adopted-files")).to_be_focused()
    expect(page.locator(".under-way")).to_be_hidden()
    assert adopted_count() == 3


def test_files_that_are_dropped_are_sent_at_once(open_page, keys):
    page = open_page("/adopt")
    page.evaluate(
        """([name, bytes]) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], name, { type: "image/jpeg" }));
            const options = { dataTransfer: data, bubbles: true, cancelable: true };
            document.querySelector(".zone").dispatchEvent(new DragEvent("dragover", options));
            document.querySelector(".zone").dispatchEvent(new DragEvent("drop", options));
        }""",
        [f"kite_{keys[0]}.jpg", list(picture())],
    )
    expect(page.locator("#adopt-counts")).to_have_text("1 adopted, 0 known already, 0 not taken.")
    assert adopted_count() == 1


def test_a_failure_says_what_happened_and_how_many_were_not_sent(open_page, keys, watch):
    page = open_page("/adopt")
    watch.expect_no_network()
    page.context.set_offline(True)
    files = [{"name": f"{key}.jpg", "mimeType": "image/jpeg", "buffer": picture()} for key in keys]
    page.set_input_files("#files", files)
    page.click("#send")
    expect(page.locator("#adopt-problem")).to_contain_text("Flowshelf does not respond.")
    expect(page.locator("#adopt-counts")).to_contain_text("3 were not sent.")
    page.context.set_offline(False)
