"""Dates are those of the viewer's time zone: on pages, in headings and in the filter."""

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from bs4 import BeautifulSoup
from hypothesis import example, given
from hypothesis import strategies as st

from webapp import times
from webapp.database.models import Image
from webapp.store.gallery import selections
from webapp.store.gallery.filters import Filter
from webapp.web.views import formats

EVENING = "2026-03-31T23:30:00.000000Z"
EPOCH = datetime(1970, 1, 1)
# Half hours, DST at midnight and in the night, a date line that moved, both ends of the day.
ZONES = st.sampled_from(
    """UTC Europe/Berlin America/New_York America/Sao_Paulo America/Havana America/St_Johns America/Nuuk
    Africa/Cairo Asia/Beirut Asia/Tehran Asia/Kathmandu Australia/Lord_Howe Pacific/Apia Pacific/Kiritimati
    Pacific/Pago_Pago Antarctica/Troll""".split()  # noqa: SIM905
).map(ZoneInfo)


@pytest.fixture
def image(shelf) -> Image:
    """An image of half past eleven in the evening in UTC, the only one of its day in any zone."""
    Image.update(created_at="2026-02-10T12:00:00.000000Z").execute()
    image = Image.select().first()
    Image.update(created_at=EVENING).where(Image.id == image.id).execute()
    return image


@pytest.fixture
def read(client, image):
    def read(url: str, zone: str | None = None) -> BeautifulSoup:
        client.delete_cookie("zone")
        if zone is not None:
            client.set_cookie("zone", zone)
        response = client.get(url)
        assert response.status_code == 200
        return BeautifulSoup(response.text, "html.parser")

    return read


@pytest.fixture
def machine_zone(monkeypatch):
    """Puts this machine into another time zone."""

    def move(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield move
    monkeypatch.undo()
    time.tzset()


@given(zone=ZONES, moment=st.datetimes(datetime(2012, 1, 1), datetime(2037, 12, 31)))
@example(zone=ZoneInfo("America/Sao_Paulo"), moment=datetime(2018, 11, 4, 2, 59, 59, 999999))
@example(zone=ZoneInfo("America/Havana"), moment=datetime(2025, 11, 2, 4, 30))
@example(zone=ZoneInfo("Asia/Beirut"), moment=datetime(2026, 3, 28, 22, 0))
def test_a_moment_is_within_the_bounds_of_its_day_and_of_no_other_day(zone, moment):
    text = times.timestamp(moment.replace(tzinfo=UTC))
    here = times.local(times.parsed(text), zone).date()
    for days in (-1, 0, 1):
        first, last = times.day_bounds((here + timedelta(days=days)).isoformat(), zone)
        assert (first <= text <= last) == (days == 0)


@given(zone=ZONES, day=st.dates(datetime(2012, 1, 1).date(), datetime(2037, 12, 31).date()))
def test_days_follow_each_other_without_gap_or_overlap(zone, day):
    _, last = times.day_bounds(day.isoformat(), zone)
    following, _ = times.day_bounds((day + timedelta(days=1)).isoformat(), zone)
    assert times.parsed(following) - times.parsed(last) == timedelta(microseconds=1)


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
@pytest.mark.parametrize("zone", [None, ZoneInfo("Asia/Tokyo"), ZoneInfo("America/New_York")])
def test_the_first_and_the_last_day_of_the_calendar_have_bounds(day, zone):
    first, last = times.day_bounds(day, zone)
    assert first < last
    assert len(first) == len(last) == len(EVENING)


def test_an_image_of_the_evening_in_utc_is_of_the_next_day_in_tokyo(read, image):
    for zone, day, exact in (
        ("Asia/Tokyo", "1 Apr 2026", "2026-04-01 08:30 UTC+9"),
        ("America/St_Johns", "31 Mar 2026", "2026-03-31 21:00 UTC-2:30"),
        ("UTC", "31 Mar 2026", "2026-03-31 23:30 UTC"),
    ):
        shown = read(f"/images/{image.id}", zone).find("time", datetime=EVENING)
        assert (shown.text, shown["title"]) == (day, exact)
        card = read("/", zone).select_one(f"#card-{image.id}")
        assert card.select_one(".day").text.endswith(day)
        assert card.select_one(".words")["title"] == exact


@pytest.mark.parametrize(
    ("zone", "day"),
    [("Asia/Tokyo", "2026-04-01"), ("UTC", "2026-03-31"), ("Pacific/Pago_Pago", "2026-03-31")],
)
def test_the_days_of_the_filter_are_those_of_the_viewer(read, image, zone, day):
    page = read(f"/?from={day}&to={day}", zone)
    assert [card["id"] for card in page.select("li.card")] == [f"card-{image.id}"]
    assert page.select_one("#totals")["data-count"] == "1"
    assert [page.find("input", {"name": name})["value"] for name in ("from", "to")] == [day, day]
    other = "2026-03-31" if day == "2026-04-01" else "2026-04-01"
    assert not read(f"/?from={other}&to={other}", zone).select("li.card")


def test_a_selection_by_days_means_the_days_of_the_viewer(client, image):
    client.set_cookie("zone", "Asia/Tokyo")
    client.post("/selection/hide", data={"everything": "1", "from": "2026-04-01"})
    assert [each.id for each in Image.select().where(Image.hidden_at.is_null(False))] == [image.id]


def test_a_person_who_travels_while_asked_is_asked_again(client, image, fields_of):
    client.set_cookie("zone", "Asia/Tokyo")
    asked = client.post("/selection/ask/delete", data={"everything": "1", "to": "2026-03-31"})
    form = fields_of(BeautifulSoup(asked.text, "html.parser"))
    client.set_cookie("zone", "UTC")  # where that day has one image more
    assert client.post("/selection/delete", data=form).status_code == 200
    assert not Image.select().where(Image.not_wanted_at.is_null(False)).exists()


NO_ZONES = """Mars/Olympus ../../../etc/passwd /etc/localtime America zone.tab é .. .""".split()  # noqa: SIM905


@pytest.mark.parametrize("zone", [*NO_ZONES, None, "", "a" * 4000, "Asia/Tokyo ", "\x00"])
def test_without_a_zone_that_exists_dates_are_those_of_the_machine(read, machine_zone, zone):
    machine_zone("Europe/Berlin")
    card = read("/", zone).select_one("#cards .card")
    assert card.select_one(".words")["title"] == "2026-04-01 01:30 UTC+2"


def test_the_zone_of_the_machine_changes_its_clocks_in_spring(machine_zone):
    machine_zone("Europe/Berlin")
    assert times.day_bounds("2026-03-29", None) == (
        "2026-03-28T23:00:00.000000Z",
        "2026-03-29T21:59:59.999999Z",
    )
    winter, summer = (formats.exact(f"2026-{month}-01T12:00:00.000000Z") for month in ("01", "07"))
    assert (winter, summer) == ("2026-01-01 13:00 UTC+1", "2026-07-01 14:00 UTC+2")


def test_headings_name_today_and_yesterday_of_the_viewer(client, app):
    def heading(moment: datetime, zone: str) -> tuple[str, str]:
        with app.test_request_context("/", headers={"Cookie": f"zone={zone}"}):
            text = times.timestamp(moment)
            return formats.day_key(text), formats.day_heading(text)

    now = datetime.now(UTC)
    assert heading(now, "Asia/Tokyo")[1] == heading(now, "Pacific/Pago_Pago")[1] == "Today"
    assert heading(now - timedelta(days=1), "Asia/Tokyo")[1] == "Yesterday"
    assert heading(times.parsed(EVENING), "Asia/Tokyo") == ("2026-04-01", "Wed 1 Apr 2026")
    assert heading(times.parsed(EVENING), "UTC") == ("2026-03-31", "Tue 31 Mar 2026")


def test_dates_in_sentences_and_clocks_follow_the_viewer(app):
    with app.test_request_context("/", headers={"Cookie": "zone=Asia/Tokyo"}):
        assert formats.ago(EVENING) == "on 1 April 2026"
        assert formats.clock(times.parsed(EVENING)) == "08:30"


def test_the_api_and_exported_metadata_stay_in_utc(client, image):
    client.set_cookie("zone", "Asia/Tokyo")
    assert EVENING in client.get("/metadata.csv").text
    form = {"profileId": image.profile_id}
    assert EVENING in client.post("/api/image-veo3/get-local-images", json=form).text


@pytest.mark.parametrize("day", ["2026-02-30", "2026-13-01", "20260201", "0000-01-01"])
def test_a_day_that_is_not_in_the_calendar_is_refused(client, profile_id, day):
    assert client.get(f"/?from={day}").status_code == 400


def test_two_zones_are_two_filters_only_if_there_are_days(shelf, image):
    tokyo = Filter(since="2026-04-01", zone=ZoneInfo("Asia/Tokyo"))
    assert [each.id for each in selections.matching(tokyo)] == [image.id]
    assert list(selections.matching(Filter(since="2026-04-01"))) == []
