"""Compression of responses, and caching of static files."""

import gzip
from functools import partial

import pytest
from bs4 import BeautifulSoup

GZIP = {"Accept-Encoding": "gzip"}


@pytest.fixture
def static_urls(client):
    page = BeautifulSoup(client.get("/").text, "html.parser")
    return [each.get("src") or each["href"] for each in page.select("script[src], link[rel=stylesheet]")]


@pytest.fixture
def fetch(client):
    """Responses that are read completely, so that their files are closed."""
    return partial(client.get, buffered=True)


def test_a_page_is_compressed_for_a_browser_that_accepts_gzip(client):
    plain, compressed = client.get("/"), client.get("/", headers=GZIP)
    assert compressed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(compressed.data) == plain.data
    assert int(compressed.headers["Content-Length"]) == len(compressed.data) < len(plain.data) / 2
    assert "Accept-Encoding" in compressed.headers["Vary"]


def test_a_page_is_not_compressed_without_accept_encoding(client):
    response = client.get("/")
    assert "Content-Encoding" not in response.headers
    assert "Accept-Encoding" in response.headers["Vary"]


def test_the_page_with_the_access_codes_is_never_compressed(client):
    response = client.get("/share", headers=GZIP)
    assert response.status_code == 200
    assert "Content-Encoding" not in response.headers


def test_static_files_are_compressed_and_cached_for_a_year(fetch, static_urls):
    assert len(static_urls) == 3
    for url in static_urls:
        compressed, plain = fetch(url, headers=GZIP), fetch(url)
        assert gzip.decompress(compressed.data) == plain.data
        assert compressed.headers["Cache-Control"] == "max-age=31536000, immutable"


def test_a_static_file_with_another_version_is_not_cached(fetch, static_urls):
    path = static_urls[0].partition("?")[0]
    for url in (path, f"{path}?v=0123456789ab"):
        assert "immutable" not in fetch(url).headers["Cache-Control"]


def test_an_unchanged_static_file_is_a_304(fetch, static_urls):
    known = fetch(static_urls[0], headers=GZIP).headers["ETag"]
    response = fetch(static_urls[0], headers=GZIP | {"If-None-Match": known})
    assert (response.status_code, response.data) == (304, b"")


def test_head_requests_and_small_responses_are_not_compressed(client):
    assert "Content-Encoding" not in client.head("/", headers=GZIP).headers
    assert "Content-Encoding" not in client.get("/healthz", headers=GZIP).headers
