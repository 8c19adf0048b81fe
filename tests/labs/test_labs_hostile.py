"""A hostile service: any response is bounded, refused or ignored, and raises only our own errors."""

import gzip
import json
import socket
import threading
import time
from contextlib import closing
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webapp import times
from webapp.config import GOOGLE_PICTURE_HOSTS
from webapp.errors import (
    BadCookies,
    BadPicture,
    FlowChanged,
    FlowError,
    FlowUnavailable,
    ImageRefused,
    KeyRefused,
)
from webapp.sources.cookies import parse_cookies
from webapp.sources.cookies.found import expiry
from webapp.sources.cookies.renewal import renewed_cookies, renewed_end
from webapp.sources.cookies.shapes import SESSION_COOKIE
from webapp.sources.http import HttpClient, Response
from webapp.sources.labs import history_pages as labs_history
from webapp.sources.labs import images as labs_images
from webapp.sources.labs.access_token import read_access_token
from webapp.sources.labs.api_key import key_in, script_url
from webapp.sources.refusals import (
    check_destination,
    check_not_page,
    check_passing,
    quoted,
    read_document,
    redirect_target,
    shape_of,
)
from webapp.sources.signed_urls import is_picture_url
from webapp.storage import SUFFIXES, read_header

HOSTS = frozenset(GOOGLE_PICTURE_HOSTS)
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LABS = "https://labs.google/fx/api"
WORDS = """
    result data json error message code httpStatus status details reason userWorkflows nextPageToken name
    createTime media image encodedImage userUploadedImage video mediaGenerationId mediaType mediaKey fifeUrl
    workflowId prompt seed user email access_token expires cookies value domain expirationDate
"""
ODD = [
    "CAMaJ",
    "API_KEY_INVALID",
    "https://storage.googleapis.com/a?Expires=1",
    "file:///etc/passwd",
    "1e999",
]
ODD += ["2026-11-02T09:08:07Z", "9999-99-99T99:99:99Z", "deprecated", "\ud800", "\0", "x" * 5000, "/9j/4AAQ"]
TEXTS = st.text() | st.sampled_from(ODD)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS.split()) | st.text(), inner)
    ),
    max_leaves=25,
)
STATUSES = st.sampled_from([200, 204, 301, 302, 400, 401, 403, 404, 408, 410, 418, 429, 500, 503, 599])
LINES = st.lists(
    st.tuples(
        st.sampled_from(["content-type", "location", "retry-after", "set-cookie", "date"]),
        TEXTS | st.sampled_from(["text/html", "//127.0.0.1/", "http://[", "http://10.0.0.1/", "-1", "1e400"]),
    ),
    max_size=4,
)
BODIES = st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode())
RESPONSES = st.builds(
    lambda status, lines, body: Response(LABS, status, tuple(lines), body), STATUSES, LINES, BODIES
)


def allowed(kinds, call, *arguments):
    """The result of a call, None if it raises an error of these classes."""
    try:
        return call(*arguments)
    except kinds as error:
        sentence = str(error)
    assert sentence.endswith(".")
    assert len(sentence) < 2000
    return None


@given(RESPONSES)
def test_any_response_raises_only_our_errors(response):
    for check in (check_passing, check_not_page, read_document, lambda it: check_destination(it, LABS)):
        allowed(FlowError, check, response)
    assert isinstance(redirect_target(response), str)
    session = allowed(FlowError, read_access_token, response, NOW)
    assert session is None or (0 < len(session.value) <= 8192 and len(session.account.email) <= 200)


@given(RESPONSES, JSON, st.sampled_from(["ASSET_MANAGER", "PINHOLE"]), st.none() | st.text())
def test_any_refusal_of_a_history_becomes_one_sentence(response, document, history, cursor):
    refused = labs_history.refusal(response, document, history, cursor, [])
    assert refused is None or str(refused).count("\n") == 0


@given(RESPONSES)
def test_any_refusal_of_an_image_becomes_a_short_error(response):
    assert isinstance(labs_images.is_key_refusal(response), bool)
    refused = labs_images.refusal(response, [])
    assert isinstance(refused, FlowError)
    assert len(str(refused)) < 1000


@given(JSON, st.text(max_size=20))
def test_any_image_response_gives_bytes_or_a_bad_picture(document, name):
    allowed(BadPicture, labs_images.check_name, document, name)
    if isinstance(document, dict):
        assert isinstance(allowed(BadPicture, labs_images.picture_bytes, document), bytes | None)
    url = labs_images.allowed_fife_url(document, HOSTS)
    assert url is None or is_picture_url(url, HOSTS)
    assert len(quoted(document)) < 2000
    assert len(shape_of(document)) < 4000


@given(st.text() | TEXTS)
def test_any_name_gives_a_path_below_media(name):
    path = allowed(ImageRefused, labs_images.path, name)
    assert path is None or (path.startswith("/v1/media/") and path.count("/") == 3 and "?" not in path)


SET_COOKIE = st.builds(
    "{}={}{}".format,
    st.sampled_from(
        [SESSION_COOKIE, f"{SESSION_COOKIE}.0", f"{SESSION_COOKIE}.1", f"{SESSION_COOKIE}.99", "x"]
    ),
    st.text(max_size=20),
    st.text(max_size=30)
    | st.sampled_from(
        ["; Max-Age=99999999999999999999", "; Max-Age=-1", "; Expires=Thu, 99 Foo 99999 25:61:61"]
    )
    | st.builds("; Max-Age={}".format, st.integers())
    | st.builds("; Expires={}".format, st.text()),
)


@given(st.lists(SET_COOKIE | st.text(), max_size=6))
def test_any_set_cookie_renews_the_session_cookie_or_nothing(lines):
    renewed, end = renewed_cookies(lines), renewed_end(lines, NOW)
    assert set(renewed) <= {SESSION_COOKIE}
    assert all(";" not in value and value == value.strip() for value in renewed.values())
    assert end is None or times.timestamp(times.parsed(end)) == end


@given(JSON | TEXTS)
def test_any_time_is_read_or_none(value):
    moment = expiry(value)
    assert moment is None or len(times.timestamp(moment)) == 27
    created = labs_history.created_at(value)
    assert created is None or times.timestamp(times.parsed(created)) == created


@given(st.text(), st.text(max_size=60))
def test_any_page_or_script_gives_a_key_or_none(text, before):
    page = f"{before}_next/static/chunks/pages/_app-0a.js{text}"
    url = script_url(page, "https://labs.google/fx")
    assert url is None or url.endswith("_app-0a.js")
    key = key_in(f"{text}AIzaSy{text}")
    assert key is None or len(key) == 39


JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffd9")
STARTS = st.sampled_from(
    [JPEG[:10], b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\x10\0\0\0WEBPVP8 ", b"\0\0\0\x0cJXL "]
)


@given(st.builds(bytes.__add__, STARTS, st.binary(max_size=400)) | st.binary(max_size=400))
def test_any_bytes_are_a_picture_or_a_bad_picture(content):
    header = allowed(BadPicture, read_header, content)
    assert header is None or header.suffix in SUFFIXES.values()


@settings(max_examples=30)
@given(JSON, st.integers(0, 40))
def test_pasted_json_may_be_nested_at_any_depth(document, depth):
    for text in (
        json.dumps([document] * 2),
        "[" * 10**depth if depth < 6 else "{" * depth,
        json.dumps(document),
    ):
        allowed(BadCookies, parse_cookies, text[:900_000], NOW)


# Requests


@pytest.mark.parametrize(
    "body",
    [
        b'{"result":{"data":{"json":{"result":{"userWorkflows":[' + b"{}," * 1_000_000 + b"{}]}}}}}",
        b'{"result":{"data":{"json":{"result":{"userWorkflows":[],"nextPageToken":"'
        + b"A" * 1_000_000
        + b'"}}}}}',
        b'{"result":{"data":{"json":{"result":{"userWorkflows":"' + b"A" * 9_000_000 + b'"}}}}}',
        b'{"result":{"data":{"json":{"result":{"userWorkflows":' + b"9" * 100_000 + b"}}}}}",
    ],
    ids=["a million entries", "a giant token", "a giant text", "a giant number"],
)
def test_an_absurdly_large_history_page_is_a_change_within_seconds(source, flow, failure, body):
    flow.respond_next("history", body)
    began = time.monotonic()
    error = failure(FlowChanged, source.history_page, "ASSET_MANAGER", None)
    assert time.monotonic() - began < 5
    assert len(error.sample) <= 1000


def test_huge_fields_of_an_entry_are_cut_or_left_out(source, flow, world):
    row = {
        "name": "CAMaJ",
        "createTime": "2" * 100_000,
        "media": {
            "image": {
                "prompt": "p" * 1_000_000,
                "seed": 10**400,
                "modelNameType": "m" * 100_000,
                "fifeUrl": "f" * 99_999,
            },
            "mediaGenerationId": {"mediaKey": "k", "workflowId": "w", "projectId": ["x"]},
        },
    }
    flow.respond_next("history", {"result": {"data": {"json": {"result": {"userWorkflows": [row]}}}}})
    (image,) = source.history_page("PINHOLE", None).images
    assert (len(image.prompt), image.seed, image.model_name, image.fife_url) == (20_000, None, None, None)
    assert image.created_at is None


@pytest.mark.proof
@pytest.mark.parametrize("kind", ["history", "session", "media", "script"])
def test_a_gzip_bomb_is_refused_at_its_limit(source, flow, world, kind):
    bomb = gzip.compress(b"\0" * 200_000_000, 9)
    assert len(bomb) < 250_000
    flow.respond_next(kind, bomb, headers={"Content-Encoding": "gzip"}, count=2)
    ask = source.history_page if kind == "history" else source.fetch_image
    with pytest.raises(FlowError, match="larger than"):
        ask(*(("ASSET_MANAGER", None) if kind == "history" else (world.names()[0],)))


@pytest.mark.parametrize("kind", ["history", "session", "page", "script", "media"])
@pytest.mark.parametrize("place", ["http://169.254.169.254/latest/meta-data/", "file:///etc/passwd", "own"])
def test_a_redirect_into_the_local_network_is_not_followed(source, flow, world, kind, place):
    target = f"http://localhost:{flow.url.rpartition(':')[2]}/inside" if place == "own" else place
    flow.respond_next(kind, b"", status=302, headers={"Location": target}, count=2)
    with pytest.raises(FlowError):
        source.history_page("ASSET_MANAGER", None) if kind == "history" else source.fetch_image(
            world.names()[0]
        )
    assert flow.count("other") == 0
    assert not [request for request in flow.log if request.path == "/inside"]


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "http://192.168.1.1/admin",
        "https://10.0.0.1/a.jpg",
        "https://[::1]/a.jpg",
        "https://metadata.google.internal/computeMetadata/v1/",
        "https://storage.googleapis.com.evil.example/a",
        "//storage.googleapis.com/a",
        "data:image/png;base64,AAAA",
    ],
)
def test_a_fife_url_on_another_host_is_neither_fetched_nor_stored(source, flow, world, failure, url):
    name = world.names()[0]
    response = flow.media_response(name)
    response["userUploadedImage"] = {"fifeUrl": url}
    flow.respond_next("media", response, count=3)
    failure(ImageRefused, source.fetch_image, name)
    assert source.preview_url(name) is None
    flow.respond_next("media", {"error": {"code": 400, "message": "no", "fifeUrl": url}}, status=400)
    failure(ImageRefused, source.fetch_image, name)
    assert flow.count("other") == 0


@pytest.mark.parametrize(
    "address", ["https://10.0.0.1", "https://evil.example", "http://labs.google", "https://a@10.0.0.1"]
)
def test_a_script_on_another_host_is_not_fetched(source, flow, world, failure, address):
    flow.respond_next(
        "page", f'<script src="{address}/_next/static/chunks/pages/_app-0a.js">', content_type="text/html"
    )
    failure(KeyRefused, source.fetch_image, world.names()[0])


def test_endless_headers_end_in_a_timeout():
    listening, over = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def drip():
        connection, _ = listening.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Endless: ")
            while not over.wait(0.02):
                try:
                    connection.sendall(b"a")
                except OSError:
                    return

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        with listening, closing(HttpClient(threading.Event(), (1.0, 1.0), 0.3)) as client:
            began = time.monotonic()
            with pytest.raises(FlowUnavailable, match="too long"):
                client.get(f"http://127.0.0.1:{listening.getsockname()[1]}/")
            assert time.monotonic() - began < 2
    finally:
        over.set()
        thread.join(5)
