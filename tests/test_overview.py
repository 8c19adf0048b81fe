"""The overview: what is counted, and that each bar leads to just the images that it counts."""

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
        answer = client.get(path)
        assert answer.status_code == 200
        return answer.text

    return page


def bars(page, chart):
    """The links of a chart with what their titles say."""
    svg = re.search(rf'<svg[^>]*aria-labelledby="chart-{chart}-title.*?</svg>', page, re.S)[0]
    return [
        (unescape(url), unescape(words))
        for url, words in re.findall(r'<a href="([^"]*)">\s*<title>(.*?)</title>', svg)
    ]


def dated(*moments):
    """Those without a file first, which are most."""
    by_file = Image.select().order_by(Image.local_path, Image.id)
    for image, moment in zip(list(by_file), moments, strict=False):
        Image.update(created_at=moment).where(Image.id == image.id).execute()


@pytest.mark.parametrize("chart", ["months", "files", "shapes", "models"])
def test_every_bar_leads_to_just_the_images_that_it_counts(shelf, page, chart):
    found = bars(page(), chart)
    assert found
    for url, words in found:
        filter_ = filter_of(dict(parse_qsl(urlsplit(url).query)))
        count = int(re.search(r": ([\d,]+)", words)[1].replace(",", ""))
        assert counts.count_images(matching(filter_)).total == count


def test_all_images_stand_in_the_months_and_the_downloaded_ones_are_told_apart(shelf):
    months = overview.count_by_time(shelf)
    assert sum(month.total for month in months) == 70
    assert sum(month.downloaded for month in months) == 9


def test_a_month_without_images_has_its_place(shelf):
    Image.delete().where(Image.id.not_in(Image.select(Image.id).limit(2))).execute()
    dated("2025-11-30T23:59:59.000000Z", "2026-02-01T00:00:00.000000Z")
    months = [(month.value, month.total) for month in overview.count_by_time(None)]
    assert months == [("2025-11", 1), ("2025-12", 0), ("2026-01", 0), ("2026-02", 1)]


def test_years_stand_for_months_when_these_would_be_too_many(shelf, page):
    dated("2019-05-01T00:00:00.000000Z")
    assert overview.count_by_time(None)[0].value == "2019"
    (url, words), *_ = bars(page(), "months")
    assert "from=2019-01-01&to=2019-12-31" in url
    assert words == "2019: 1 image, 0 downloaded"


def test_hidden_images_are_not_counted(shelf):
    some = Image.select(Image.id).limit(10)
    Image.update(hidden_at="2026-11-03T10:00:00.000000Z").where(Image.id.in_(some)).execute()
    assert sum(month.total for month in overview.count_by_time(None)) == 60


def test_the_charts_are_one_profile_s_when_the_address_names_it(shelf, work, page):
    Image.update(profile_id="profile_other").where(Image.id == Image.select(Image.id).limit(1)).execute()
    found = bars(page(f"/overview?profile={shelf}"), "months")
    assert all(f"profile={shelf}" in url for url, _ in found)
    assert "Overview of Ada" in page(f"/overview?profile={shelf}")
    assert sum(month.total for month in overview.count_by_time(shelf)) == 69


def test_the_same_numbers_can_be_read_in_tables(shelf, page):
    text = page()
    assert text.count("<table>") == 4
    total = re.findall(r'<tr><th scope="row">.*?</th><td>([\d,]+)</td>', text.split('id="files"')[0])
    assert sum(map(int, total)) == 70


def test_no_style_is_written_into_the_page(shelf, page):
    assert "style=" not in page()


def test_an_empty_shelf_says_what_to_do_next(page, client):
    assert "Add a profile" in page()


def test_a_profile_without_images_leads_to_its_sync(profile_id, page):
    assert "Go to sync" in page()


def test_the_overview_says_what_the_database_and_its_search_take(shelf, page):
    assert re.search(r"<dt>database, [\d.]+ \w+ of it for search</dt><dd>[\d.]+ \w+</dd>", page())
    whole, index = overview.database_bytes()
    assert 0 < index < whole
