"""Filters: which images they select in any combination, their counts, and their pages."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo

import pytest
from bs4 import BeautifulSoup
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from webapp import store, times
from webapp.database.models import Collection, Download, Image, Run
from webapp.database.states import DownloadState, RunKind
from webapp.store import profiles
from webapp.store.choices import collections, favourites
from webapp.store.gallery import counts, images, search, selections
from webapp.store.gallery.filters import FileState, Filter, Selection, Sort, matching
from webapp.store.gallery.scope import WHOLE_SHELF, Scope, SharedCollections, SharedShelf, WholeShelf
from webapp.store.runs import downloads
from webapp.web.views.filter_parameters import filter_args, filter_of

ASPECTS = ("IMAGE_ASPECT_RATIO_SQUARE", "IMAGE_ASPECT_RATIO_LANDSCAPE")
PROMPTS = (None, "a red kite over dunes", "A RED fox", "50% of _all_ kites", "夜の海 and a kite")
TEXTS = ("", "kite", "red", "RED  kite", "re", "夜", "の海", "ll", "%", "_all_", "夜の海", "key-3", "ey-3")
WORDS = st.sampled_from([*TEXTS, "Name-1", "'", "-"])


@pytest.fixture(params=["few matches", "more matches than can be sorted"])
def shelf(tmp_path, request, monkeypatch):
    """Images of two profiles in every state that a filter distinguishes."""
    if request.param != "few matches":
        monkeypatch.setattr(search, "MAX_CANDIDATES", 4)
        monkeypatch.setattr(search, "MAX_TRIGRAMS", 1)
    store.open_database(tmp_path / "flowshelf.sqlite3")
    with store.connection():
        owners = [profiles.add_profile(name, ("ASSET_MANAGER",)).id for name in ("Ada", "Bob")]
        runs = [
            Run.create(id=owner, profile=owner, kind=RunKind.DOWNLOAD, started_at="x") for owner in owners
        ]
        for number in range(120):
            add_image(number, owners[number % 5 == 0], runs[number % 5 == 0])
        choose(list(Image.select()))
        yield list(Image.select())


def choose(shelf: list[Image]) -> None:
    def ids(is_meant: Callable[[int], bool]) -> Selection:
        return Selection(tuple(image.id for image in shelf if is_meant(number_of(image))))

    favourites.mark(ids(is_favourite))
    for title, is_member in SETS.items():
        collections.add_images(Collection.create(id=title, title=title, created_at="x"), ids(is_member))


def number_of(image: Image) -> int:
    return int(image.name.removeprefix("name-"))


def add_image(number: int, owner: str, run: Run) -> None:
    day = f"2026-{number % 11 + 1:02}-{number % 27 + 1:02}T10:00:00.00000{number % 3}Z"
    state = ("metadata", "done", "queued", "failed", "gone", "hidden", "damaged", "changed")[number % 8]
    has_file = state in ("done", "damaged", "changed")
    image = Image.create(
        id=secrets.token_hex(8),
        profile_id=owner,
        name=f"name-{number}",
        media_key=f"key-{number}",
        workflow_id=f"flow-{number}",
        created_at=day,
        aspect_ratio=ASPECTS[number % 2],
        kind=("generated", "uploaded")[number % 3 == 0],
        model_name="GEM_PIX" if number % 3 else None,
        prompt=PROMPTS[number % len(PROMPTS)],
        local_path=f"/shelf/{number}.jpg" if has_file else None,
        size_bytes=1000 if has_file else None,
        downloaded_at=day if has_file else None,
        gone_upstream_at=day if state == "gone" else None,
        not_wanted_at=day if is_unwanted(number) else None,
        hidden_at=day if state == "hidden" else None,
        damaged_at=day if state == "damaged" else None,
        changed_sha256="0" * 64 if state == "changed" else None,
    )
    if state in ("queued", "failed"):
        Download.create(image=image, profile_id=owner, run=run, state=DownloadState(state))


# Which numbers are in which collection.
SETS: dict[str, Callable[[int], bool]] = {"thirds": lambda n: n % 3 == 0, "few": lambda n: n % 7 == 1}
SCOPES = [("thirds",), ("few",), ("few", "thirds")]


def is_favourite(number: int) -> bool:
    return number % 5 == 2


def is_unwanted(number: int) -> bool:
    """A person deleted its file."""
    return number % 16 == 8


FILTERS = st.builds(
    Filter,
    text=WORDS,
    state=st.one_of(st.none(), st.sampled_from(FileState)),
    aspect_ratio=st.one_of(st.none(), st.sampled_from(ASPECTS)),
    kind=st.one_of(st.none(), st.sampled_from(["generated", "uploaded"])),
    model_name=st.one_of(st.none(), st.just("GEM_PIX")),
    since=st.one_of(st.none(), st.just("2026-03-05")),
    until=st.one_of(st.none(), st.just("2026-08-12")),
    zone=st.sampled_from([UTC, ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Pacific/Pago_Pago")]),
    sort=st.sampled_from(Sort),
    is_favourite=st.booleans(),
    collection_id=st.sampled_from([None, *SETS]),
    scope=st.sampled_from(
        [WHOLE_SHELF, SharedShelf(), SharedCollections(()), *(SharedCollections(ids) for ids in SCOPES)]
    ),
)


def is_meant(filter_: Filter, image: Image) -> bool:
    """The specification: whether a filter selects an image."""
    number = number_of(image)
    state = ("metadata", "done", "queued", "failed", "gone", "hidden", "damaged", "changed")[number % 8]
    states: dict[FileState | None, Callable[[], bool]] = {
        None: lambda: state != "hidden",
        FileState.PENDING: lambda: state == "metadata",
        FileState.ACTIVE: lambda: state == "queued",
        FileState.DONE: lambda: state in ("done", "damaged", "changed"),
        FileState.FAILED: lambda: state == "failed",
        FileState.GONE: lambda: state == "gone",
        FileState.DAMAGED: lambda: state == "damaged",
        FileState.CHANGED: lambda: state == "changed",
        FileState.HIDDEN: lambda: state == "hidden",
    }
    return (
        states[filter_.state]()
        and mentions(image, filter_.text)
        and filter_.aspect_ratio in (None, image.aspect_ratio)
        and filter_.kind in (None, image.kind)
        and filter_.model_name in (None, image.model_name)
        and (filter_.since or "") <= day_in(filter_.zone, image) <= (filter_.until or "9")
        and (filter_.sort is not Sort.DOWNLOADED or image.downloaded_at is not None)
        and (filter_.sort is not Sort.FAVOURITED or is_favourite(number))
        and (not filter_.is_favourite or is_favourite(number))
        and (filter_.collection_id is None or SETS[filter_.collection_id](number))
        and is_seen(filter_.scope, number, state)
    )


def is_seen(scope: Scope, number: int, state: str) -> bool:
    if isinstance(scope, WholeShelf):
        return True
    is_shared = isinstance(scope, SharedShelf) or any(SETS[each](number) for each in scope.collection_ids)
    return is_shared and state != "hidden" and not is_unwanted(number)


def day_in(zone: tzinfo, image: Image) -> str:
    return f"{times.parsed(image.created_at).astimezone(zone):%Y-%m-%d}"


def mentions(image: Image, text: str) -> bool:
    prompt = (image.prompt or "").lower()
    names = (image.name, image.media_key, image.workflow_id)
    has_words = all(word in prompt for word in text.lower().split())
    return has_words or any(name.lower().startswith(text.lower()) for name in names)


@given(filter_=FILTERS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_filter_selects_exactly_the_images_that_match(shelf, filter_):
    found = {image.name for image in matching(filter_)}
    assert found == {image.name for image in shelf if is_meant(filter_, image)}
    assert counts.count_images(matching(filter_)).total == len(found)


@given(filter_=FILTERS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_tallied_first_and_exact_counts_agree(shelf, filter_):
    meant = [image for image in shelf if is_meant(filter_, image)]
    listed = counts.count_listed(images.list_page(filter_, limit=200).images)
    assert listed == counts.count_images(matching(filter_))
    for totals in (counts.count_first(filter_), counts.count_all(filter_), listed):
        if totals.is_capped:
            assert totals == counts.count_first(Filter(text=filter_.text))
            continue
        assert totals.total == len(meant)
        assert totals.size_bytes == sum(image.size_bytes or 0 for image in meant)
        assert totals.downloaded == sum(image.local_path is not None for image in meant)


@given(filter_=FILTERS, size=st.integers(1, 40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pages_show_each_image_once_in_order_forwards_and_backwards(shelf, filter_, size):
    whole = [image.id for image in filter_.ordered(matching(filter_))]
    forwards, page = [], images.list_page(filter_, limit=size)
    assert page.newer_than is None
    assert page.is_whole == (len(whole) <= size)
    while True:
        forwards += [image.id for image in page.images]
        if page.older_than is None:
            break
        page = images.list_page(filter_, limit=size, before=page.older_than)
        assert not page.is_whole
    assert forwards == whole
    backwards = [image.id for image in page.images]
    while page.newer_than:
        page = images.list_page(filter_, limit=size, after=page.newer_than)
        backwards = [image.id for image in page.images] + backwards
    assert backwards == whole


@given(filter_=FILTERS)
@example(filter_=Filter(text="key-3", sort=Sort.DOWNLOADED))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_first_count_never_exceeds_the_real_one(shelf, filter_):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counts, "MAX_COUNTED", 3)
        first = counts.count_first(filter_)
    meant = sum(is_meant(filter_, image) for image in shelf)
    assert first.total == (min(meant, 3) if first.is_capped else meant)


def test_a_first_count_of_a_text_that_cannot_be_looked_up_never_exceeds_the_shelf(shelf, monkeypatch):
    monkeypatch.setattr(search, "MAX_TRIGRAMS", 0)
    assert counts.count_first(Filter(text="k")).total <= len(shelf)


def test_a_first_count_of_many_images_is_estimated_by_whole_months(shelf, monkeypatch):
    monkeypatch.setattr(counts, "MAX_COUNTED", 5)
    for days in ({"since": "2026-03-05"}, {"until": "2026-08-12"}):
        asked = Filter(kind="generated", **days)
        assert counts.count_first(asked) == counts.Totals(5, 0, 0, 0, is_capped=True)
    within = Filter(since="2026-03-05", until="2026-03-06")
    assert counts.count_first(within) == counts.count_all(within)


def test_the_number_of_downloadable_images_is_that_of_their_list(shelf):
    moment = shelf[0].created_at
    for number, image in enumerate(shelf):
        has_mark = iter(number >> bit & 1 for bit in range(3))
        marks = (Image.not_wanted_at, Image.gone_upstream_at, Image.hidden_at)
        Image.update({mark: moment if next(has_mark) else None for mark in marks}).where(
            Image.id == image.id
        ).execute()
        if image.damaged_at and number % 2:
            Download.create(image=image, profile_id=image.profile_id, run=image.profile_id)
    Download.update(is_permanent=True).where(Download.id % 2 == 0, Download.state == "failed").execute()
    queued = Download.select(Download.image).where(Download.state.in_(downloads.ACTIVE))
    for profile in profiles.list_profiles():
        downloadable = downloads.pending_query(profile.id).where(Image.id.not_in(queued)).count()
        assert counts.count_downloadable(profile.id) == downloadable > 0


@given(filter_=FILTERS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_filter_survives_the_way_through_a_url(shelf, filter_):
    zone = None if filter_.since or filter_.until else UTC
    tidy = replace(filter_, text=filter_.text.strip(), zone=zone, scope=WHOLE_SHELF)
    assert filter_of(filter_args(tidy)) == tidy


def test_everything_that_matches_may_be_selected_with_exceptions(shelf):
    done = Filter(state=FileState.DONE)
    whole = selections.list_ids(Selection(everything=done))
    some = selections.list_ids(Selection(everything=done, except_ids=frozenset({whole[0]})))
    assert len(whole) > 1
    assert some == whole[1:]


@given(filter_=FILTERS, numbers=st.sets(st.integers(0, 119)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_summary_of_a_selection_leaves_out_the_exceptions(shelf, filter_, numbers):
    excepted = frozenset(shelf[number].id for number in numbers)
    left = [image for image in shelf if is_meant(filter_, image) and image.id not in excepted]
    size_bytes = sum(image.size_bytes or 0 for image in left)
    expected = selections.SelectionSummary(
        len(left), sum(image.local_path is not None for image in left), size_bytes
    )
    assert selections.summary_of(Selection(everything=filter_, except_ids=excepted)) == expected


@pytest.mark.parametrize("asked", [Filter(), Filter(kind="uploaded"), Filter(text="name")], ids=str)
def test_a_fingerprint_changes_when_an_image_is_replaced_by_a_similar_one(shelf, asked):
    Image.update(
        created_at=shelf[0].created_at, kind="uploaded", model_name=None, aspect_ratio=None
    ).execute()
    one, other = [image for image in shelf if not image.local_path and not image.hidden_at][:2]

    def fingerprint_without(image: Image) -> str:
        Image.update(hidden_at=None).where(Image.id.in_([one.id, other.id])).execute()
        Image.update(hidden_at=image.created_at).where(Image.id == image.id).execute()
        return selections.fingerprint_of(Selection(everything=asked))

    fingerprint = fingerprint_without(one)
    assert fingerprint_without(other) != fingerprint
    assert fingerprint_without(one) == fingerprint


@pytest.mark.parametrize(
    "url", ["/?state=eaten", "/?sort=random", "/?from=yesterday", "/?to=2026-13", "/grid?state=%00"]
)
def test_a_url_that_makes_no_sense_is_refused_with_a_sentence(client, profile_id, url):
    response = client.get(url)
    assert response.status_code == 400
    assert "Traceback" not in response.text


def test_a_text_that_the_index_cannot_look_up_finds_nothing(client, profile_id):
    client.post("/api/image-veo3/sync-metadata", json={"profileId": profile_id})
    response = client.get("/grid?q=ki%00te")
    assert response.status_code == 200
    assert not BeautifulSoup(response.text, "html.parser").select("li.card")


def test_the_gallery_shows_what_matches_and_its_links_keep_the_filter(client, profile_id, world):
    client.post(
        "/api/image-veo3/sync-metadata",
        json={"profileId": profile_id, "mode": "new", "histories": ["ASSET_MANAGER", "PINHOLE"]},
    )
    page = BeautifulSoup(client.get("/?kind=uploaded&sort=oldest").text, "html.parser")
    boxes = page.select("#grid input[name=image_id]")
    assert len(boxes) == 40
    word = world.entry(world.names("PINHOLE")[5]).shown_prompt.split()[1]
    page = BeautifulSoup(client.get("/", query_string={"q": word}).text, "html.parser")
    assert 0 < len(page.select("#grid li.card")) < 70
    assert all(word in title.text for title in page.select("#grid .words"))
    assert page.select_one("#q")["value"] == word
    nothing = BeautifulSoup(client.get("/?q=zebra-unicorn").text, "html.parser")
    assert "No images found" in nothing.select_one("#grid").text
