"""A whole session at flow.google.com with the world of the demo: sign in, sync, pause, download, filter."""

import re

import pytest
from parts import (
    add_profile,
    button,
    cards,
    close_sheet,
    download_panel,
    open_sheet,
    status_line,
    sync_panel,
)
from playwright.sync_api import expect

from webapp import store
from webapp.database.models import Image
from webapp.demo import World
from webapp.demo.entries import Kind
from webapp.demo.samples import moved_sample_world


@pytest.fixture
def world() -> World:
    return moved_sample_world(uploaded=10, generated=30, videos=3, tiny_pictures=True)


def true_keys(world: World) -> set[str]:
    names = {*world.names("ASSET_MANAGER"), *world.names("PINHOLE")}
    entries = [world.entry(name) for name in names]
    return {entry.media_key for entry in entries if entry.kind in (Kind.UPLOADED, Kind.GENERATED)}


def test_an_account_at_flow_google_com_is_added_synced_paused_and_downloaded(page, flow, world):
    world.google.hides_email = world.google.hides_token = True
    add_profile(page, "Ada", f"curl '{flow.url}/' -H 'cookie: {world.google.cookie_header()}'")
    page.get_by_role("link", name="Show images").click()
    line = status_line(page)
    with flow.holding("project", at=4):
        button(line, "Sync").click()
        expect(line).to_contain_text("Reading project 4")
        button(line, "Pause").click()
        expect(line).to_contain_text("Paused just now")
    button(line, "Resume").click()
    expect(line).to_contain_text("Synced just now")
    open_sheet(page)
    panel = sync_panel(page)
    expect(panel).to_contain_text("All projects have been read.")
    expect(panel.get_by_text("skipped (")).to_contain_text("video")
    with store.connection():
        assert {image.media_key for image in Image.select()} == true_keys(world)
    close_sheet(page)
    button(page, "Download everything").click()
    expect(line).to_contain_text("everything downloaded")
    open_sheet(page)
    expect(download_panel(page)).to_contain_text(f"Finished just now: {len(true_keys(world))} images")
    page.reload()
    expect(cards(page, "Not downloaded")).to_have_count(0)
    with store.connection():
        downloaded = {image.media_key for image in Image.select().where(Image.local_path.is_null(False))}
    assert downloaded == true_keys(world)


def test_images_can_be_filtered_by_model_name_and_by_project(page, work, world, open_page):
    with store.connection():
        profile_id = work.accounts.add("Ada", world.google.cookie_header()).id
        work.syncs.wait(work.syncs.start(profile_id).id)
    gallery = open_page()
    button(gallery, "Filters").click()
    gallery.get_by_label("Model").select_option(label="Nano Banana Pro")
    expect(gallery).to_have_url(re.compile("model=GEM_PIX_2"))
    expect(cards(gallery).first).to_be_visible()
    gallery.get_by_label("Model").select_option("")
    expect(gallery).not_to_have_url(re.compile("model=G"))
    archive = gallery.locator("select[name=project] option", has_text="Ingredient Archive")
    gallery.get_by_label("Project").select_option(archive.get_attribute("value"))
    expect(gallery).to_have_url(re.compile("project=."))
    expect(cards(gallery).first).to_be_visible()
