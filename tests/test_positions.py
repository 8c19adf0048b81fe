"""The position of an image in a filter, the comparison, and “Open in Flow”."""

from dataclasses import replace

import pytest
from bs4 import BeautifulSoup

from webapp import store
from webapp.config import Config, read_config
from webapp.database.models import Image, Profile
from webapp.errors import BadRequest
from webapp.store.gallery import images, positions, selections
from webapp.store.gallery.filters import FileState, Filter, Selection, Sort
from webapp.web.views.image_display import similar_words

FILTERS = [
    Filter(),
    Filter(sort=Sort.OLDEST),
    Filter(sort=Sort.DOWNLOADED),
    Filter(kind="uploaded"),
    Filter(kind="generated", sort=Sort.OLDEST),
    Filter(state=FileState.DONE),
    Filter(state=FileState.HIDDEN),
    Filter(text="kite"),
    Filter(since="2025-02-01", until="2025-03-04"),
]


@pytest.fixture
def rows(work, profile_id):
    """The ids of all images, from four months, some of them hidden, downloaded or with a prompt."""
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id).id)
        found = list(Image.select())
        for number, image in enumerate(found):
            moment = f"2025-0{1 + number % 4}-0{1 + number % 7}T00:00:00.000000Z"
            image.created_at, image.prompt = moment, "a red kite" if number % 3 else "dunes"
            image.hidden_at = moment if number % 10 == 9 else None
            image.local_path, image.downloaded_at = (None, None) if number % 2 else (f"/x/{number}", moment)
            image.save()
        return [image.id for image in found]


@pytest.fixture
def read(client):
    return lambda url: BeautifulSoup(client.get(url).text, "html.parser")


@pytest.mark.parametrize("filter_", FILTERS, ids=str)
def test_the_position_is_that_in_the_list_of_the_filter(rows, filter_):
    with store.connection():
        listed = selections.list_ids(Selection(everything=filter_))
        assert listed
        for image_id in rows:
            found = positions.find_position(filter_, images.get_image(image_id))
            if image_id in listed:
                assert found == positions.Position(listed.index(image_id) + 1, len(listed))
            else:
                assert found is None


SLOW = [Filter(text="kite"), Filter(sort=Sort.DOWNLOADED), Filter(since="2025-01-01")]


@pytest.mark.parametrize("filter_", SLOW)
def test_on_a_large_shelf_a_page_does_not_wait_for_a_slow_count(rows, filter_, monkeypatch):
    monkeypatch.setattr(positions, "MAX_COUNTED", len(rows) // 2)
    with store.connection():
        image = images.get_image(rows[0])
        assert positions.find_first(filter_, image) is None
        assert positions.find_first(Filter(), image) == positions.find_position(Filter(), image)


def test_a_page_asks_for_a_position_that_was_not_counted(rows, read, monkeypatch):
    assert read(f"/images/{rows[0]}?q=dunes").select_one(".position").text.endswith(" of 21")
    monkeypatch.setattr(positions, "MAX_COUNTED", 0)
    place = read(f"/images/{rows[0]}?q=dunes").select_one(".position")
    assert place.text == ""
    assert read(place["hx-get"]).text.strip().endswith(" of 21")


def test_two_images_are_compared_and_what_both_share_is_said_once(rows, client, read):
    page = read(f"/compare?id={rows[1]}&id={rows[2]}")
    assert len(page.select(".stage")) == 2
    prompt, made = page.select("tbody tr")[:2]
    assert [cell.text for cell in prompt.select("td")] == ["a red kite"]
    assert len(made.select("td")) == 2
    for ids in ("", f"?id={rows[1]}", f"?id={rows[1]}&id={rows[1]}", f"?id={'&id='.join(rows[:3])}"):
        assert client.get(f"/compare{ids}").status_code == 400
    assert client.get(f"/compare?id={rows[1]}&id=no-such").status_code == 404


@pytest.mark.parametrize("back", ["https://example.com/", "//example.com", "/\\example.com", "javascript:0"])
def test_the_link_back_from_a_comparison_stays_in_flowshelf(rows, read, back):
    assert read(f"/compare?id={rows[1]}&id={rows[2]}&back={back}").select_one("#to-gallery")["href"] == "/"


def test_an_image_of_a_project_can_be_opened_in_flow(rows, read, flow, profile_id):
    with store.connection():
        Image.update(project_id="a/b ?c").where(Image.id == rows[0]).execute()
    link = read(f"/images/{rows[0]}").select_one("#open-in-flow")
    assert link["href"] == f"{flow.url}/project/a%2Fb%20%3Fc"
    assert {"noopener", "noreferrer"} <= set(link["rel"])
    assert read(f"/images/{rows[1]}").select_one("#open-in-flow") is None
    with store.connection():
        Profile.update(account_index=2).where(Profile.id == profile_id).execute()
    assert (
        read(f"/images/{rows[0]}").select_one("#open-in-flow")["href"].startswith(f"{flow.url}/u/2/project/")
    )


def test_the_address_of_projects_is_a_setting(tmp_path):
    config = Config(tmp_path)
    assert config.project_page("p1", None) == "https://flow.google.com/project/p1"
    elsewhere = replace(config, project_url="https://example.com/{id}/edit")
    assert elsewhere.project_page("p1", 1) == "https://example.com/p1/edit"
    for text in ("javascript:alert({id})", "https://example.com/", "{id}"):
        with pytest.raises(BadRequest, match="FLOWSHELF_PROJECT_URL"):
            read_config({"FLOWSHELF_PROJECT_URL": text, "FLOWSHELF_DATA_DIR": str(tmp_path)})


def test_the_prompt_of_an_image_is_on_its_page_once(rows, read):
    page = read(f"/images/{rows[1]}").select_one("#image")
    assert page.get_text().count("a red kite") == 1


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("A red kite, over “dunes” — at night", "A red kite over dunes"),
        ("夜" * 80, "夜" * 30),
        ("...", ""),
    ],
)
def test_a_similar_prompt_begins_with_the_same_words(prompt, words):
    assert similar_words(prompt) == words
