"""The page of an image, its file and thumbnails, and paging and density of the grid."""

import re
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from bs4 import BeautifulSoup
from PIL import Image as Picture

from webapp import store
from webapp.database.models import Download, Image
from webapp.database.states import RunState
from webapp.store.gallery import images
from webapp.web.views.image_display import image_url


@pytest.fixture
def shelf(work, profile_id):
    """The ids of all images, newest first."""
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id).id)
        rows = Image.select().order_by(Image.created_at.desc(), Image.id.desc())
        return [row.id for row in rows]


@pytest.fixture
def downloaded(work, profile_id, shelf):
    """The newest image, downloaded."""
    with store.connection():
        run = work.downloads.request(profile_id, shelf[:1])
        assert work.downloads.wait_for_run(run.id).state == RunState.DONE
        return images.get_image(shelf[0])


@pytest.fixture
def read(client):
    return lambda url: BeautifulSoup(client.get(url).text, "html.parser")


@pytest.fixture
def fetch(client):
    """Responses that are read completely, so that their files are closed."""
    return lambda url, **headers: client.get(url, headers=headers, buffered=True)


def cards_in(soup):
    return [card["id"].removeprefix("card-") for card in soup.select(".card")]


# Paging


def test_scrolling_and_the_plain_link_load_the_same_next_images(read, shelf):
    page = read("/")
    plain = cards_in(read(page.select_one(".pager a[rel=next]")["href"]))
    loaded = read(page.select_one(".pager .ahead")["hx-get"])
    assert cards_in(page) == shelf[:60]
    assert plain == cards_in(loaded) == shelf[60:120]
    assert loaded.select_one("#pager-older")["hx-swap-oob"] == "true"


def test_the_last_page_has_no_loader(read, shelf):
    pager = read(f"/grid/more?before={shelf[59]}").select_one("#pager-older")
    assert pager.has_attr("hidden")
    assert pager.select("a, span") == []


def test_new_images_do_not_shift_later_pages(read, shelf):
    with store.connection():
        fields = Image.get_by_id(shelf[0]).__data__ | {"id": "f" * 32, "name": "new", "created_at": "2999"}
        Image.insert(fields).execute()
    assert cards_in(read(f"/grid/more?before={shelf[59]}")) == shelf[60:120]


def test_scrolling_up_ends_at_the_newest_image(read, shelf):
    upwards = read(f"/grid/more?after={shelf[60]}")
    assert cards_in(upwards) == shelf[:60]
    assert upwards.select_one("#pager-newer").has_attr("hidden")


def test_each_page_has_a_url_that_starts_with_its_first_card(read, shelf):
    start = read(f"/grid/more?before={shelf[59]}&sort=newest&kind=").select_one("[data-place]")
    assert start.find_next_sibling("li")["id"] == f"card-{shelf[60]}"
    assert cards_in(read(start["data-place"]))[0] == shelf[60]


# The page of one image


def test_a_prompt_in_a_right_to_left_script_is_shown_right_to_left(read, world, work, profile_id):
    name = world.add_generated()[0]
    world.change(name, prompt="שלום, עולם!")
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id).id)
        image_id = images.find_ids(profile_id, [name])[name]
    words = read("/").select(f"#card-{image_id} .words") + read(f"/images/{image_id}").select("#prompt")
    assert [(one.text.strip(), one.get("dir")) for one in words] == [("שלום, עולם!", "auto")] * 2


def test_the_page_of_an_image_links_to_its_neighbours_in_the_filter_and_back(read, shelf):
    uploads = cards_in(read("/?kind=uploaded"))
    page = read(f"/images/{uploads[3]}?kind=uploaded")
    assert page.select_one("#to-previous")["href"] == f"/images/{uploads[2]}?kind=uploaded"
    assert page.select_one("#to-next")["href"] == f"/images/{uploads[4]}?kind=uploaded"
    assert cards_in(read(page.select_one("#to-gallery")["href"]))[0] == uploads[3]


def test_the_first_image_has_no_previous_and_the_last_no_next(read, shelf):
    assert read(f"/images/{shelf[0]}").select_one("#to-previous") is None
    assert read(f"/images/{shelf[-1]}").select_one("#to-next") is None


def test_a_refreshed_card_still_links_to_its_image_within_the_filter(read, shelf):
    card = read("/?kind=uploaded&sort=oldest").select_one(".look")
    renewed = read(f"/cards?kind=uploaded&sort=oldest&id={card['data-image']}").select_one(".look")
    assert card["href"] == renewed["href"] == f"/images/{card['data-image']}?kind=uploaded&sort=oldest"


@pytest.fixture
def history_of(read):
    """The history on the page of an image, line by line, without the times."""
    return lambda image_id: [
        line.select_one("span").get_text(" ", strip=True)
        for line in read(f"/images/{image_id}").select(".story li")
    ]


def test_the_history_of_an_image_has_its_discovery_and_download(history_of, downloaded):
    _, found, fetched = history_of(downloaded.id)
    assert found.startswith("Found in Flow")
    assert fetched == "Downloaded."


def test_the_history_of_an_image_keeps_failures_after_a_successful_download(
    history_of, shelf, flow, work, profile_id
):
    reasons = []
    with store.connection():
        for status in (403, 400):
            flow.fail_next(status)
            work.downloads.wait_for_run(work.downloads.request(profile_id, shelf[:1]).id)
            reasons.append(Download.get(Download.image == shelf[0]).error)
        work.downloads.wait_for_run(work.downloads.request(profile_id, shelf[:1]).id)
    assert history_of(shelf[0])[2:] == [
        *(f"The download failed. {reason}" for reason in reasons),
        "Downloaded.",
    ]


def test_the_history_of_an_image_has_hiding_and_deletion(
    history_of, client, confirm, downloaded, work, profile_id
):
    chosen = {"image_id": downloaded.id}
    moment = client.post("/selection/hide", data=chosen).location.partition("hid=")[2]
    client.post("/selection/undo", data={"hid": unquote(moment)})
    confirm("delete", chosen)
    with store.connection():
        work.downloads.wait_for_run(work.downloads.request(profile_id, [downloaded.id]).id)
        Path(images.get_image(downloaded.id).file_path).unlink()
    client.get(f"/images/{downloaded.id}/file")
    assert [line.split(";")[0].rstrip(".") for line in history_of(downloaded.id)[2:]] == [
        "Downloaded",
        "Hidden from the gallery",
        "Shown in the gallery again",
        "The file was deleted in Flowshelf",
        "Downloaded",
        "The file was missing",
    ]


def test_the_page_of_an_image_shows_all_its_details(read, downloaded):
    text = read(f"/images/{downloaded.id}").select_one("#image").get_text(" ")
    for known in ("name", "media_key", "workflow_id", "local_path", "sha256"):
        assert getattr(downloaded, known) in text


def test_the_download_button_of_an_image_returns_to_its_page(client, shelf, work, profile_id, wait_until):
    here = f"/images/{shelf[5]}?sort=oldest"
    response = client.post(
        f"/images/{shelf[5]}/download", data={"here": here}, headers={"HX-Request": "true"}
    )
    assert (response.status_code, response.location) == (303, here)
    wait_until(lambda: "Download to this device" in client.get(here).text)


def test_an_unknown_image_is_a_404(client, profile_id):
    for url in ("/images/no-such", "/images/no-such/file", "/images/no-such/thumbnail/320"):
        assert client.get(url).status_code == 404


# Files


def test_an_original_supports_range_requests(fetch, downloaded):
    url = f"/images/{downloaded.id}/file"
    whole = fetch(url)
    part = fetch(url, Range="bytes=10-19")
    assert whole.headers["Accept-Ranges"] == "bytes"
    assert (part.status_code, part.data) == (206, whole.data[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{downloaded.size_bytes}"
    beyond = fetch(url, Range=f"bytes={downloaded.size_bytes}-")
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{downloaded.size_bytes}")


@pytest.mark.parametrize("path", ["file", "thumbnail/320", "thumbnail/640"])
def test_an_unchanged_file_is_a_304(fetch, downloaded, path):
    first = fetch(f"/images/{downloaded.id}/{path}")
    again = fetch(f"/images/{downloaded.id}/{path}", **{"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert first.headers["Cache-Control"] == "private, no-cache"


def test_a_url_with_the_version_of_the_file_may_be_cached(fetch, downloaded):
    url = f"/images/{downloaded.id}/thumbnail/320?v="
    assert "immutable" in fetch(url + downloaded.sha256[:12]).headers["Cache-Control"]
    assert "no-cache" in fetch(url + "0123456789ab").headers["Cache-Control"]


def test_an_original_is_sent_inline_or_as_an_attachment(fetch, downloaded):
    url = f"/images/{downloaded.id}/file"
    name = downloaded.file_path.rpartition("/")[2]
    assert fetch(url).headers["Content-Disposition"] == f"inline; filename={name}"
    day, key = downloaded.created_at[:10], downloaded.media_key[:8]
    assert re.fullmatch(
        f'attachment; filename="{day}_[a-z -]+_{key}.jpg"',
        fetch(f"{url}?attachment").headers["Content-Disposition"],
    )


def test_a_card_has_thumbnails_of_two_sizes_with_correct_widths(fetch, read, downloaded):
    available = read("/").select_one(f"#look-{downloaded.id} img")["srcset"].split(", ")
    assert len(available) == 2
    for url, width in (choice.split() for choice in available):
        with Picture.open(BytesIO(fetch(url).data)) as thumbnail:
            assert thumbnail.format == "WEBP"
            assert thumbnail.width <= int(width.removesuffix("w"))


def test_thumbnails_of_other_sizes_are_a_404(fetch, downloaded):
    assert fetch(f"/images/{downloaded.id}/thumbnail/641").status_code == 404


# Densities


def test_the_density_is_remembered_in_a_cookie(client, read, shelf):
    assert read("/").select_one("#grid")["data-density"] == "shelf"
    response = client.post("/density", data={"density": "compact", "here": "/?kind=uploaded"})
    assert (response.status_code, response.location) == (303, "/?kind=uploaded")
    page = read("/")
    assert page.select_one("#grid")["data-density"] == "compact"
    assert page.select_one('[form="density"][aria-pressed="true"]')["value"] == "compact"


@pytest.mark.parametrize("density", ["", "tiny", "compact\r\nX: y"])
def test_an_invalid_density_is_refused_in_a_form_and_ignored_in_a_cookie(client, read, shelf, density):
    assert client.post("/density", data={"density": density}).status_code == 400
    client.set_cookie("density", "strange")
    assert read("/").select_one("#grid")["data-density"] == "shelf"


@pytest.mark.parametrize("image_id", ["0" * 32, "a b", "50%", "ä?#", "IMAGE", "a+b&c=d"])
def test_the_url_of_an_image_works_for_any_id(app, image_id):
    with app.test_request_context("/") as asked:
        for words in ({"q": "IMAGE & more"}, {"q": "other"}):
            address = urlsplit(image_url("images.show_image", image_id, **words))
            _, found = asked.url_adapter.match(unquote(address.path), method="GET")
            assert found == {"image_id": image_id}
            assert dict(parse_qsl(address.query)) == words


def test_the_page_shows_where_the_file_is_on_this_machine(read, downloaded):
    path = Path(read(f"/images/{downloaded.id}").select_one("#file-path").text)
    assert path.is_absolute()
    assert path.read_bytes()
