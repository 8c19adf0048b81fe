"""Network access: responses are complete and limited, failures are explained, secrets are hidden."""

import gzip
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from networks import listening, reply

from webapp.errors import FlowUnavailable
from webapp.sources.http import HttpClient, Response, TooLarge, redacted, retry_after_seconds

NOW = datetime(2026, 10, 1, 12, 0, tzinfo=UTC)
KEY = "AIzaSy" + "k" * 33


@pytest.fixture
def stopping():
    return threading.Event()


@pytest.fixture
def client(stopping):
    with closing(HttpClient(stopping, (2.0, 5.0))) as client:
        yield client


def unavailable(client: HttpClient, url: str, sentence: str) -> str:
    """The text of the FlowUnavailable that a request to `url` raises; it contains `sentence`."""
    with pytest.raises(FlowUnavailable, match=sentence) as caught:
        client.get(url)
    return str(caught.value)


def test_a_response_has_status_headers_and_body(client):
    with listening(reply(b'{"a": 1}', "Content-Type: application/json", status="418 Teapot")) as listener:
        response = client.get(listener.url + "/x")
    assert (response.status, response.json(), response.header("content-TYPE")) == (
        418,
        {"a": 1},
        "application/json",
    )
    assert not response.is_html
    assert response.header("nothing") is None


def test_set_cookie_headers_are_not_merged(client):
    with listening(reply(b"", "Set-Cookie: a=1, b; Path=/", "set-cookie: c=2")) as listener:
        assert client.get(listener.url).set_cookies() == ("a=1, b; Path=/", "c=2")


def test_only_the_given_headers_are_sent_and_no_cookie_is_remembered(client):
    with listening(reply(b"", "Set-Cookie: kept=yes; Path=/")) as listener:
        client.get(listener.url, {"Cookie": "mine=1"})
        client.get(listener.url)
    first, second = (request.lower() for request in listener.requests)
    assert b"cookie: mine=1\r\n" in first
    assert b"cookie" not in second
    assert b"authorization" not in second


def test_a_netrc_file_adds_no_credentials(client, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password secret\n")
    os.chmod(netrc, 0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with listening(reply(b"")) as listener:
        client.get(listener.url)
    assert b"authorization" not in listener.requests[0].lower()


def test_a_redirect_is_returned_and_not_followed(client):
    redirect = reply(b"moved", "Location: https://accounts.google.com/x", status="302 Found")
    with listening(redirect) as listener:
        response = client.get(listener.url)
    assert (response.status, response.location) == (302, "https://accounts.google.com/x")
    assert len(listener.requests) == 1


def test_connections_are_reused(client):
    large = reply(b"x" * 300_000).replace(b"Connection: close", b"Connection: keep-alive")
    with listening(large, keep_open=True) as listener:
        for _ in range(3):
            assert len(client.get(listener.url).body) == 300_000
        assert (listener.connection_count, len(listener.requests)) == (1, 3)
        client.close()


def test_a_gzipped_response_is_decompressed(client):
    with listening(reply(gzip.compress(b"x" * 100_000), "Content-Encoding: gzip")) as listener:
        assert client.get(listener.url).body == b"x" * 100_000


@pytest.mark.parametrize("target", ["/", "/a?b=c%2Fd", "//a//b?c"])
def test_the_request_target_is_sent_unchanged(client, target):
    with listening(reply(b"")) as listener:
        client.get(f"{listener.url}{target}")
    assert listener.requests[0].split()[1] == target.encode()


def test_an_empty_body_is_complete_whatever_its_content_encoding(client):
    head = reply(b"", "Content-Encoding: gzip", "Location: https://accounts.google.com/", status="302 Found")
    with listening(head) as listener:
        response = client.get(listener.url)
    assert (response.status, response.body, response.location) == (302, b"", "https://accounts.google.com/")


def test_a_chunked_response_is_joined(client):
    body = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
    with listening(body) as listener:
        assert client.get(listener.url).body == b"abcdefg"


@pytest.mark.parametrize(
    "cut",
    [
        reply(b"x" * 10, length=20),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        reply(gzip.compress(b"x" * 1000)[:-12], "Content-Encoding: gzip"),
        reply(gzip.compress(b"x" * 1000) + b"more", "Content-Encoding: gzip"),
        reply(b"not gzip at all", "Content-Encoding: gzip"),
        b"",
        b"this is not HTTP\r\n\r\n",
    ],
    ids=["length", "chunked", "gzip", "gzip-and-more", "not-gzip", "nothing", "not-http"],
)
def test_an_incomplete_response_is_unavailable_and_its_error_names_only_the_host(client, cut):
    with listening(cut) as listener:
        sentence = unavailable(client, f"{listener.url}/v1/media/NAME?key={KEY}", r"127\.0\.0\.1")
    assert KEY not in sentence
    assert "NAME" not in sentence


def test_an_error_has_no_cause_that_could_quote_the_url(client):
    with listening(b"") as listener, pytest.raises(FlowUnavailable) as caught:
        client.get(f"{listener.url}/?key={KEY}")
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "body",
    [reply(b"x" * 1001), reply(gzip.compress(b"x" * 50_000_000), "Content-Encoding: gzip")],
    ids=["plain", "gzip bomb"],
)
def test_a_response_beyond_its_limit_is_refused(client, body):
    with listening(body) as listener, pytest.raises(TooLarge, match="larger than the limit of 1000 bytes"):
        client.get(listener.url, limit_bytes=1000)


def test_a_response_of_exactly_the_limit_is_accepted(client):
    with listening(reply(b"x" * 1000)) as listener:
        assert len(client.get(listener.url, limit_bytes=1000).body) == 1000


def test_a_refused_connection_is_unavailable(client):
    with closing(socket.create_server(("127.0.0.1", 0))) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(FlowUnavailable, match=r"127\.0\.0\.1 accepts no connection"):
        client.get(f"http://127.0.0.1:{port}/?key={KEY}")


def test_an_unknown_host_is_unavailable(client):
    with pytest.raises(FlowUnavailable, match=r"nowhere\.invalid was not found"):
        client.get(f"https://nowhere.invalid/?key={KEY}")


def test_a_host_without_tls_is_unavailable(client):
    with listening(b"HTTP/1.1 400 Bad Request\r\n\r\n", request_end=b"") as listener:
        unavailable(client, listener.url.replace("http:", "https:"), "secure connection")


@pytest.mark.skipif(not shutil.which("openssl"), reason="makes the certificate")
def test_an_untrusted_certificate_is_refused_before_a_request_is_sent(client, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost")
    files = ("-keyout", key, "-out", certificate)
    subprocess.run(["openssl", "req", "-x509", *kind, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with listening(reply(b"believed"), tls=context) as listener:
        url = listener.url.replace("http://127.0.0.1", "https://localhost")
        unavailable(client, url, "its certificate was not accepted")
    assert not listener.requests


def test_urls_are_not_logged(client, caplog):
    caplog.set_level("DEBUG")
    with listening(b"HTTP/1.1 200 OK\r\nContent-Le") as listener:
        client.get(f"{listener.url}/?key={KEY}")
    assert KEY not in caplog.text


@pytest.mark.parametrize("url", ["http://[broken/", "gopher://labs.google/", "http:///nothing", "nonsense"])
def test_an_invalid_url_is_an_error_for_the_person(client, url):
    with pytest.raises(FlowUnavailable, match="URL"):
        client.get(url)


@pytest.mark.parametrize("cookie", ["a=sécret\u2026value", "a=secret\r\nvalue"])
def test_an_invalid_header_is_an_error_that_does_not_quote_it(client, cookie):
    with (
        listening(reply(b"")) as listener,
        pytest.raises(FlowUnavailable, match="Paste the cookies") as caught,
    ):
        client.get(listener.url, {"Cookie": cookie})
    assert "value" not in str(caught.value)


def test_a_silent_host_is_unavailable_after_the_timeout(stopping):
    hold = threading.Event()
    with listening(b"", hold=hold) as listener, closing(HttpClient(stopping, (1.0, 0.05))) as client:
        unavailable(client, listener.url, "too long")


def test_a_response_has_a_limit_on_its_total_time(stopping):
    with listening(reply(b"x")) as listener, closing(HttpClient(stopping, (1.0, 1.0), 0.0)) as client:
        unavailable(client, listener.url, "too long")


@pytest.mark.parametrize(
    "sent", [b"", reply(b"x", length=100)], ids=["before the headers", "within the body"]
)
def test_closing_ends_a_request_under_way(client, sent):
    hold, failures = threading.Event(), []

    def ask(url: str) -> None:
        try:
            client.get(url)
        except FlowUnavailable as error:
            failures.append(error)

    with listening(sent, hold=hold) as listener:
        thread = threading.Thread(target=ask, args=(listener.url,))
        thread.start()
        assert listener.requested.wait(5)
        began = time.monotonic()
        client.close()
        thread.join(5)
        assert time.monotonic() - began < 1
    assert "shutting down" in str(failures[0])


def test_closing_is_idempotent_and_later_requests_are_refused(client):
    client.close()
    client.close()
    with pytest.raises(FlowUnavailable, match="shutting down"):
        client.get("http://127.0.0.1:9/")


def test_no_request_is_sent_once_the_program_stops(client, stopping):
    stopping.set()
    with listening(reply(b"")) as listener, pytest.raises(FlowUnavailable, match="shutting down"):
        client.get(listener.url)
    assert listener.requests == []


def test_each_thread_has_its_own_connections_and_all_are_closed(client):
    with listening(reply(b"x")) as listener:
        threads = [threading.Thread(target=client.get, args=(listener.url,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        client.close()
    assert listener.connection_count >= 4


def test_the_repr_of_a_response_shows_neither_url_nor_contents():
    shown = repr(Response(f"https://x/?key={KEY}", 200, (("Set-Cookie", "a=secret"),), b"secret"))
    assert KEY not in shown
    assert "secret" not in shown


@pytest.mark.parametrize(
    ("content_type", "body", "is_html"),
    [
        ("text/html; charset=utf-8", b"", True),
        ("text/html", b"<p>", True),
        ("application/json", b"\n  <!doctype html>", True),
        ("application/json", b"\xef\xbb\xbf<html>", True),
        ("text/html", b' {"a": 1}', False),
        ("application/json", b"[]", False),
        ("application/xml", b"<?xml version='1.0'?><Error/>", False),
        ("image/jpeg", b"\xff\xd8\xff", False),
    ],
)
def test_html_is_recognized_by_its_first_character_rather_than_its_content_type(content_type, body, is_html):
    assert Response("", 200, (("Content-Type", content_type),), body).is_html is is_html


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 200_000, b"\xff\xfe", b"1" * 10_000, b'{"secret'])
def test_invalid_json_is_a_value_error_that_does_not_quote_the_body(body):
    with pytest.raises(ValueError, match=r"not JSON|nested") as caught:
        Response("", 200, (), body).json()
    assert caught.value.__context__ is None


def test_only_redirects_have_a_location():
    assert Response("", 200, (("Location", "/x"),), b"").location is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("1.5", 1.5),
        ("0", 0),
        ("99999999999999999999", 3600),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
    ],
)
def test_retry_after_in_seconds_is_limited(header, seconds):
    assert retry_after_seconds(header, NOW) == seconds


@pytest.mark.parametrize(("ahead", "seconds"), [(30, 30), (-30, 0), (90_000, 3600)])
def test_retry_after_may_be_a_date(ahead, seconds):
    header = format_datetime(NOW + timedelta(seconds=ahead), usegmt=True)
    assert retry_after_seconds(header, NOW) == seconds


@given(st.text())
def test_retry_after_accepts_any_text(header):
    seconds = retry_after_seconds(header, NOW)
    assert seconds is None or 0 <= seconds <= 3600


WORD = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
SECRET_PARTS = st.text(WORD, min_size=12, max_size=50)
SHAPES = [
    "ya29.{}",
    "AIzaSy{}",
    "Bearer {}",
    "authorization: Basic {}",
    "Cookie: SID={}; HSID=x",
    "set-cookie: anything={}; Path=/",
    "__Secure-next-auth.session-token={}",
    "__Secure-next-auth.session-token.1={}",
    "SAPISID={}",
    "eyJ{}.x",
    "eyJhbGciOiJkaXIifQ..{}.x.y",
    "https://storage.googleapis.com/a?GoogleAccessId=x&Expires=1&Signature={}",
    "https://storage.googleapis.com/a?GoogleAccessId={}&Expires=1",
    "https://flow-content.google/image/a?KeyName={}&Signature=b",
    "https%3A%2F%2Fx%3FExpires%3D1%26Signature%3D{}",
    "https://x/?Expires\\u003d1\\u0026Signature\\u003d{}",
    "/v1/media/x?key={}&clientContext.tool=PINHOLE",
    '{{"access_token": "{}"}}',
    "{}@example.com",
    "ada%40{}.example",
    "http://ada:{}@proxy.example:3128",
    "socks5h://{}:x@127.0.0.1",
]


@given(st.sampled_from(SHAPES), SECRET_PARTS, st.text(max_size=30), st.text(max_size=30))
def test_no_secret_survives_redaction_at_any_position(shape, secret, before, after):
    assume(secret not in before + after)
    assert secret not in redacted(f"{before} {shape.format(secret)} {after}")


@given(st.text(WORD + "+/=%.~", min_size=60, max_size=400), st.text(max_size=30))
def test_no_long_opaque_word_survives_redaction(token, around):
    shown = redacted(f'{around}"{token}"{around}')
    assert not re.search(r"[\w+/=%.~:-]{60}", shown)


@given(st.text(), st.lists(st.text(min_size=6), max_size=4))
def test_known_secrets_never_survive_redaction(text, secrets):
    shown = redacted(text + " ".join(secrets), secrets)
    assert all(secret not in shown for secret in secrets if secret not in "[hidden]")


@given(st.text(max_size=300))
def test_redaction_is_idempotent(text):
    assert redacted(redacted(text)) == redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        "PINHOLE answered 404 at 2026-01-31T12:00:00.000Z",
        "the image 99999999-8888-4777-8666-555555555555 has 383,221 bytes",
        '{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"The request is invalid."}}',
    ],
)
def test_text_without_secrets_is_unchanged_by_redaction(text):
    assert redacted(text) == text


def test_redaction_of_a_large_text_is_fast():
    began = time.monotonic()
    redacted("a" * 1_000_000 + "eyJ" * 100_000 + "cookie " * 50_000)
    assert time.monotonic() - began < 2


def test_a_numeric_account_id_is_hidden():
    assert redacted("user 100000000000000000001 requested") == "user [hidden] requested"
