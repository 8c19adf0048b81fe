"""The Trash page, and Undo after a deletion, with and without JavaScript."""

import os

import pytest
from parts import button
from playwright.sync_api import expect
from test_every_page import axe, overflow, violations  # noqa: F401  (axe is a fixture)

from webapp import store
from webapp.store.gallery import images

pytestmark = pytest.mark.browser


@pytest.fixture
def files(work, profile_id):
    """The paths of three files, by the ids of their images."""
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id).id)
        work.downloads.wait_for_run(work.downloads.request_pending(profile_id, 3).id)
        return {image.id: image.file_path for image in images.list_with_file(profile_id=profile_id)}


@pytest.mark.parametrize("has_script", [True, False])
def test_a_deletion_is_undone_where_it_was_asked_for(files, open_page, has_script):
    image_id, path = next(iter(files.items()))
    page = open_page(f"/images/{image_id}", java_script_enabled=has_script)
    page.click("#delete")
    asked, told = ("#dialog", ".toast") if has_script else ("main", ".outcome")
    expect(page.locator(asked)).to_contain_text("It goes to the trash for 30 days")
    button(page, "Delete").click()
    expect(page.locator(told)).to_contain_text("1 file was moved to the trash")
    assert not os.path.exists(path)
    button(page, "Undo").click()
    expect(page.locator(told)).to_contain_text("1 file was restored")
    assert os.path.exists(path)


def test_the_trash_fits_a_phone_is_accessible_and_restores_by_keyboard(
    files,
    work,
    open_page,
    axe,  # noqa: F811
):
    with store.connection():
        work.delete_files(list(files))
    page = open_page("/trash/empty")
    assert (overflow(page), violations(page, axe)) == ({390: 0, 320: 0}, [])
    page = open_page("/trash")
    assert (overflow(page), violations(page, axe)) == ({390: 0, 320: 0}, [])
    page.locator("input[name=file]").first.focus()
    page.keyboard.press("Space")
    button(page, "Restore selected").focus()
    page.keyboard.press("Enter")
    expect(page.locator("main .banner")).to_contain_text("1 file was restored")
    assert sum(map(os.path.exists, files.values())) == 1
