"""Answers that are packed, and static files that a browser asks for once."""

import gzip
from functools import partial

import pytest
from bs4 import BeautifulSoup

PACKED = {"Accept-Encoding": "gzip"}


@pytest.fixture
def static_urls(client):
    page = BeautifulSoup(client.get("/").text, "html.parser")
    return [each.get("src") or each["href"] for each in page.select("script[src], link[rel=stylesheet]")]


@pytest.fixture
def fetch(client):
    """Read to the end, so that the file is closed."""
    return partial(client.get, buffered=True)


def test_a_page_is_packed_for_a_browser_that_takes_it_so(client):
    plain, packed = client.get("/"), client.get("/", headers=PACKED)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert int(packed.headers["Content-Length"]) == len(packed.data) < len(plain.data) / 2
    assert "Accept-Encoding" in packed.headers["Vary"]


def test_nobody_gets_a_packed_answer_who_did_not_ask_for_one(client):
    answer = client.get("/")
    assert "Content-Encoding" not in answer.headers
    assert "Accept-Encoding" in answer.headers["Vary"]


def test_the_page_that_shows_the_codes_of_a_shelf_is_never_packed(client):
    answer = client.get("/share", headers=PACKED)
    assert answer.status_code == 200
    assert "Content-Encoding" not in answer.headers


def test_static_files_are_named_after_their_content_packed_and_kept(fetch, static_urls):
    assert len(static_urls) == 3
    for url in static_urls:
        packed, plain = fetch(url, headers=PACKED), fetch(url)
        assert gzip.decompress(packed.data) == plain.data
        assert packed.headers["Cache-Control"] == "max-age=31536000, immutable"


def test_a_static_file_under_another_version_is_kept_by_nobody(fetch, static_urls):
    path = static_urls[0].partition("?")[0]
    for url in (path, f"{path}?v=0123456789ab"):
        assert "immutable" not in fetch(url).headers["Cache-Control"]


def test_a_static_file_that_is_known_is_not_sent_again(fetch, static_urls):
    known = fetch(static_urls[0], headers=PACKED).headers["ETag"]
    answer = fetch(static_urls[0], headers=PACKED | {"If-None-Match": known})
    assert (answer.status_code, answer.data) == (304, b"")


def test_what_is_asked_by_head_or_is_small_comes_as_it_is(client):
    assert "Content-Encoding" not in client.head("/", headers=PACKED).headers
    assert "Content-Encoding" not in client.get("/healthz", headers=PACKED).headers
