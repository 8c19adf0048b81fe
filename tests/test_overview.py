"""The overview: its counts, and the links of its bars."""

import re
from html import unescape
from urllib.parse import parse_qsl, urlsplit

import pytest

from webapp import store
from webapp.database.models import Image
from webapp.database.states import RunState
from webapp.store.gallery import counts, overview
from webapp.store.gallery.filters import matching
from webapp.web.views.filter_parameters import filter_of


@pytest.fixture
def shelf(work, profile_id):
    with store.connection():
        run = work.syncs.start(profile_id)
        assert work.syncs.wait(run.id).state == RunState.DONE
        run = work.downloads.request_pending(profile_id, limit=9)
        work.downloads.wait_for_run(run.id)
        yield profile_id


@pytest.fixture
def page(client):
    def page(path="/overview"):
        response = client.get(path)
        assert response.status_code == 200
        return response.text

    return page


def bars(page, chart):
    """The links of a chart with their titles."""
    svg = re.search(rf'<svg[^>]*aria-labelledby="chart-{chart}-title.*?</svg>', page, re.S)[0]
    return [
        (unescape(url), unescape(words))
        for url, words in re.findall(r'<a href="([^"]*)">\s*<title>(.*?)</title>', svg)
    ]


def set_times(*moments):
    """Sets the times of images, first of those without a file."""
    by_file = Image.select().order_by(Image.local_path, Image.id)
    for image, moment in zip(list(by_file), moments, strict=False):
        Image.update(created_at=moment).where(Image.id == image.id).execute()


@pytest.mark.parametrize("chart", ["months", "files", "shapes", "models"])
def test_every_bar_links_to_exactly_the_images_it_counts(shelf, page, chart):
    found = bars(page(), chart)
    assert found
    for url, words in found:
        filter_ = filter_of(dict(parse_qsl(urlsplit(url).query)))
        count = int(re.search(r": ([\d,]+)", words)[1].replace(",", ""))
        assert counts.count_images(matching(filter_)).total == count


def test_the_months_count_all_images_and_the_downloaded_ones(shelf):
    months = overview.count_by_time(shelf)
    assert sum(month.total for month in months) == 70
    assert sum(month.downloaded for month in months) == 9


def test_months_without_images_are_included(shelf):
    Image.delete().where(Image.id.not_in(Image.select(Image.id).limit(2))).execute()
    set_times("2025-11-30T23:59:59.000000Z", "2026-02-01T00:00:00.000000Z")
    months = [(month.value, month.total) for month in overview.count_by_time(None)]
    assert months == [("2025-11", 1), ("2025-12", 0), ("2026-01", 0), ("2026-02", 1)]


def test_years_replace_months_if_there_would_be_too_many(shelf, page):
    set_times("2019-05-01T00:00:00.000000Z")
    assert overview.count_by_time(None)[0].value == "2019"
    (url, words), *_ = bars(page(), "months")
    assert "from=2019-01-01&to=2019-12-31" in url
    assert words == "2019: 1 image, 0 downloaded"


def test_hidden_images_are_not_counted(shelf):
    some = Image.select(Image.id).limit(10)
    Image.update(hidden_at="2026-11-03T10:00:00.000000Z").where(Image.id.in_(some)).execute()
    assert sum(month.total for month in overview.count_by_time(None)) == 60


def test_the_charts_can_show_a_single_profile(shelf, work, page):
    Image.update(profile_id="profile_other").where(Image.id == Image.select(Image.id).limit(1)).execute()
    found = bars(page(f"/overview?profile={shelf}"), "months")
    assert all(f"profile={shelf}" in url for url, _ in found)
    assert "Overview of Ada" in page(f"/overview?profile={shelf}")
    assert sum(month.total for month in overview.count_by_time(shelf)) == 69


def test_the_charts_have_tables_with_the_same_numbers(shelf, page):
    text = page()
    assert text.count("<table>") == 4
    total = re.findall(r'<tr><th scope="row">.*?</th><td>([\d,]+)</td>', text.split('id="files"')[0])
    assert sum(map(int, total)) == 70


def test_the_overview_has_no_inline_styles(shelf, page):
    assert "style=" not in page()


def test_without_a_profile_the_overview_says_what_to_do_next(page, client):
    assert "Add a profile" in page()


def test_without_images_the_overview_links_to_the_sync(profile_id, page):
    assert "Go to sync" in page()


def test_the_overview_shows_the_size_of_the_database_and_its_search_index(shelf, page):
    assert re.search(r"<dt>database, [\d.]+ \w+ of it for search</dt><dd>[\d.]+ \w+</dd>", page())
    whole, index = overview.database_bytes()
    assert 0 < index < whole
