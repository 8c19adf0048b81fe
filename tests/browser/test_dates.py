"""Dates in the time zone of the browser."""

import pytest
from playwright.sync_api import expect

from webapp import store
from webapp.database.models import Image

EVENING = "2026-03-31T23:30:00.000000Z"


@pytest.fixture
def evening(shelf):
    """Makes all images of an evening in UTC, which is the next day in Tokyo."""
    with store.connection():
        Image.update(created_at=EVENING).execute()


def requests_of_page(watch) -> list[str]:
    return [url for url in watch.urls if url.endswith("/")]


def test_a_first_visit_from_another_zone_shows_the_dates_of_that_zone_after_one_reload(
    evening, open_page, watch
):
    page = open_page(timezone_id="Asia/Tokyo")
    shown = page.locator("#cards .words").first
    expect(shown).to_have_attribute("title", "2026-04-01 08:30 UTC+9")
    expect(page.locator("#cards .day").first).to_contain_text("1 Apr 2026")
    assert len(requests_of_page(watch)) == 2
    page.goto("/")
    expect(shown).to_have_attribute("title", "2026-04-01 08:30 UTC+9")
    assert len(requests_of_page(watch)) == 3


@pytest.mark.parametrize(
    ("zone", "shown"),
    [("Asia/Kathmandu", "2026-04-01 05:15 UTC+5:45"), ("America/St_Johns", "2026-03-31 21:00 UTC-2:30")],
)
def test_the_dates_of_every_zone_are_recognised_as_right(evening, open_page, watch, zone, shown):
    page = open_page("/help", timezone_id=zone)  # stores the zone
    page.goto("/")
    expect(page.locator("#cards .words").first).to_have_attribute("title", shown)
    page.context.clear_cookies(name="zone")
    page.context.add_cookies(
        [{"name": "zone", "value": zone.replace("St_Johns", "Canada/Newfoundland"), "url": page.url}]
    )
    assert len(requests_of_page(watch)) == 1


def test_a_visit_from_the_zone_of_the_machine_needs_no_reload(evening, open_page, watch):
    page = open_page(timezone_id="UTC")
    expect(page.locator("#cards .words").first).to_have_attribute("title", "2026-03-31 23:30 UTC")
    page.wait_for_load_state("networkidle")
    assert len(requests_of_page(watch)) == 1
    assert any(cookie["name"] == "zone" and cookie["value"] == "UTC" for cookie in page.context.cookies())


def test_a_browser_that_keeps_no_cookies_is_not_reloaded(evening, open_page, watch):
    page = open_page("/help", timezone_id="Asia/Tokyo")
    page.context.add_init_script('Object.defineProperty(document, "cookie", { get: () => "", set() {} })')
    page.context.clear_cookies()
    page.goto("/")
    expect(page.locator("#cards .words").first).to_have_attribute("title", "2026-03-31 23:30 UTC")
    page.wait_for_load_state("networkidle")
    assert len(requests_of_page(watch)) == 1
