"""The timeline: a rail of months, and the page of the gallery that each of its links shows."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from bs4 import BeautifulSoup
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from webapp import store
from webapp.database.models import Image
from webapp.store.gallery import images, selections, timeline
from webapp.store.gallery.filters import FileState, Filter, Selection, Sort
from webapp.web.views.timeline import requested_start

MONTHS = ("2023-11", "2024-02", "2025-12", "2026-03")
COUNT = 200


def moment_of(number: int) -> str:
    return f"{MONTHS[number % 4]}-{1 + number % 28:02}T{number % 24:02}:{number % 60:02}:00.{number:06}Z"


def add_images(profile_id: str, moments: list[str]) -> None:
    rows = [
        {
            "id": f"{number:032x}",
            "profile_id": profile_id,
            "name": f"name-{number}",
            "media_key": f"key-{number}",
            "workflow_id": f"flow-{number}",
            "created_at": moment,
            "kind": "uploaded" if number % 4 == 1 or number % 20 == 3 else "generated",
            "prompt": f"a kite over dunes{' and a zeppelin' if number % 16 == 2 else ''}",
            "hidden_at": moment if number % 20 == 0 else None,
        }
        for number, moment in enumerate(moments)
    ]
    with store.transaction():
        Image.insert_many(rows).execute()


@pytest.fixture
def shelf(work, profile_id):
    """Images of four months in four years, some of them hidden, with a database connection open."""
    with store.connection():
        add_images(profile_id, [moment_of(number) for number in range(COUNT)])
        yield profile_id


@pytest.fixture
def read(client):
    def read(url: str) -> BeautifulSoup:
        response = client.get(url)
        assert response.status_code == 200
        return BeautifulSoup(response.text, "html.parser")

    return read


def rail(page: BeautifulSoup) -> list[str]:
    return [link.text for link in page.select("#timeline a")]


def card_ids(page: BeautifulSoup) -> list[str]:
    return [card["id"].removeprefix("card-") for card in page.select("li.card")]


def test_the_rail_has_the_months_with_images_in_the_order_of_the_gallery(shelf, read):
    page = read("/")
    labels = ["March 2026 · 50 images", "December 2025 · 50 images", "February 2024 · 50 images"]
    assert rail(page) == [*labels, "November 2023 · 40 images"]
    assert [year.text for year in page.select("#timeline b")] == ["2026", "2025", "2024", "2023"]
    assert rail(read("/?sort=oldest")) == rail(page)[::-1]
    assert rail(read("/timeline")) == rail(page)


@pytest.mark.parametrize("url", ["/?sort=downloaded", "/?state=hidden", "/?kind=uploaded", "/?q=zeppelin"])
def test_there_is_no_rail_without_order_by_time_or_for_two_pages_of_images(shelf, read, url):
    page = read(url)
    assert page.select_one("#timeline").has_attr("hidden")
    assert rail(page) == []


@pytest.mark.parametrize("sort", ["newest", "oldest"])
def test_every_link_leads_to_the_first_image_of_its_month(shelf, read, sort):
    for link in read(f"/?sort={sort}").select("#timeline a"):
        page = read(f"/{link['href']}")
        month = link["href"][-len("2026-03") :]
        of_month = Image.select().where(Image.created_at.startswith(month), Image.hidden_at.is_null())
        order = Image.created_at if sort == "oldest" else Image.created_at.desc()
        assert card_ids(page)[0] == of_month.order_by(order).first().id
        place = page.select_one("[data-place]")["data-place"]
        assert card_ids(read(place)) == card_ids(page)  # a reload shows the same


def start_of(app, filter_: Filter, at: str) -> Filter | None:
    """In a thread of its own, because the end of a request closes the connection of the thread."""

    def read() -> Filter | None:
        with app.test_request_context(f"/?at={at}"):
            return requested_start(filter_)

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(read).result()


FILTERS = st.builds(
    Filter,
    kind=st.sampled_from([None, "uploaded", "generated"]),
    text=st.sampled_from(["", "zeppelin", "nothing like it", "kite"]),
    state=st.sampled_from([None, FileState.HIDDEN, FileState.PENDING]),
    sort=st.sampled_from([Sort.NEWEST, Sort.OLDEST]),
    since=st.sampled_from([None, "2024-01-01"]),
    until=st.sampled_from([None, "2026-03-10"]),
)


@given(filter_=FILTERS, at=st.sampled_from([*MONTHS, "2020-01", "2024-03", "2026", "2025", "2030-12"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_from_any_month_all_images_are_reached_in_both_directions(shelf, app, filter_, at):
    start = start_of(app, filter_, at)
    listed = selections.list_ids(Selection(everything=filter_))
    page = images.list_page_from(filter_, start, limit=7)
    assert bool(page.images) == bool(listed)
    found = [image.id for image in page.images]
    assert page.is_whole == (found == listed)
    while page.older_than:
        page = images.list_page(filter_, limit=7, before=page.older_than)
        found += [image.id for image in page.images]
    newer = found[0] if found and found[0] != listed[0] else None
    while newer:
        page = images.list_page(filter_, limit=7, after=newer)
        found[:0] = [image.id for image in page.images]
        newer = page.newer_than
    assert found == listed


@given(filter_=FILTERS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_month_is_missing_and_exact_counts_are_exact(shelf, filter_):
    found = timeline.timeline_of(filter_)
    listed = Image.select().where(Image.id.in_(selections.list_ids(Selection(everything=filter_))))
    months = [image.created_at[:7] for image in listed]
    if filter_.state is FileState.HIDDEN:
        return
    assert set(months) <= set(found.counts)
    assert all(found.counts[month] >= months.count(month) for month in months)
    if found.is_exact:
        assert found.counts == {month: months.count(month) for month in set(months)}


def test_a_month_in_which_nothing_matches_leads_to_the_next_older_images(shelf, read):
    newest = card_ids(read("/?at=2025-01&kind=generated"))[0]
    assert Image.get_by_id(newest).created_at.startswith("2023-11")
    before_all = read("/?at=1999-01")
    oldest = Image.select().where(Image.hidden_at.is_null()).order_by(Image.created_at).first()
    assert card_ids(before_all)[-1] == oldest.id
    assert before_all.select_one("#newer")
    assert not before_all.select_one("#older")


def test_a_month_of_nothing_at_all_shows_that_nothing_was_found(shelf, read):
    assert "No images found" in read("/?at=2025-01&q=zebra").select_one("#grid").text


def test_the_months_of_a_long_history_are_grouped_by_year(work, profile_id, read):
    years = range(2000, 2026)
    with store.connection():
        add_images(profile_id, [f"{year}-{m:02}-05T00:00:00.000000Z" for year in years for m in range(1, 13)])
    page = read("/")
    assert len(rail(page)) == len(years)
    assert rail(page)[0] == "2025 · 11 images"  # one is hidden
    of_2010 = read(f"/{page.select('#timeline a')[15]['href']}")
    with store.connection():
        assert Image.get_by_id(card_ids(of_2010)[0]).created_at.startswith("2010-12")


def test_a_count_that_is_not_known_is_not_shown(shelf, read, monkeypatch):
    monkeypatch.setattr("webapp.store.gallery.search.MAX_CANDIDATES", 10)
    assert rail(read("/?q=kite"))[0] == "March 2026"
    assert rail(read("/?from=2024-01-01"))[0] == "March 2026"


def test_a_month_ends_at_midnight_of_the_viewer(shelf, client, read):
    late, early = "2026-03-31T14:59:59.999999Z", "2026-03-31T15:00:00.000000Z"  # midnight in Tokyo is between
    Image.update(created_at=late).where(Image.id == f"{3:032x}").execute()
    Image.update(created_at=early).where(Image.id == f"{7:032x}").execute()
    client.set_cookie("zone", "Asia/Tokyo")
    assert card_ids(read("/?at=2026-03"))[0] == f"{3:032x}"
    client.set_cookie("zone", "UTC")
    assert card_ids(read("/?at=2026-03"))[0] == f"{7:032x}"


@pytest.mark.parametrize("at", ["2026-13", "2026-00", "0000-01", "March", "2026-3", "2026-03-01", "٢٠٢٦-03"])
def test_what_is_no_month_is_refused_with_a_sentence(client, profile_id, at):
    response = client.get(f"/grid?at={at}")
    assert response.status_code == 400
    assert "is not a month" in response.text


def test_the_first_month_is_the_first_page(shelf, read):
    page = read("/?at=2026-03")
    assert card_ids(page) == card_ids(read("/"))
    assert page.select_one("#pager-newer").has_attr("hidden")
    assert page.select_one("#grid")["data-url"]  # new images may replace it, as on the first page


def test_no_month_begins_the_list_of_the_last_downloaded(app):
    assert start_of(app, Filter(sort=Sort.DOWNLOADED), "2026-03") is None
