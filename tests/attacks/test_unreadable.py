"""Requests with any bytes in host, path, query and headers, over a raw socket."""

import logging
import socket

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from webapp.database.states import Role

SECURITY_HEADERS = (
    b"content-security-policy: default-src 'none'",
    b"x-content-type-options: nosniff",
    b"referrer-policy: same-origin",
    b"cross-origin-opener-policy: same-origin",
    b"cross-origin-resource-policy: same-origin",
    b"cache-control: ",
)
MAX_LOG_LINE = 300
OWN_HOST = b"127.0.0.1"
HEADERS = [
    b"Accept",
    b"Accept-Encoding",
    b"Authorization",
    b"Content-Length",
    b"Content-Type",
    b"Cookie",
    b"Expect",
    b"HX-Request",
    b"If-Modified-Since",
    b"If-None-Match",
    b"If-Range",
    b"Origin",
    b"Range",
    b"Referer",
    b"Sec-Fetch-Site",
    b"Transfer-Encoding",
    b"X-Forwarded-Host",
]
PATHS = [b"/", b"/api/image-veo3/get-local-images", b"/enter", b"/grid", b"/healthz", b"/images/x/file"]
PATHS += [b"/static/app.css"]
# What means something in one of the parts.
MEANINGFUL = [b"..", b"%", b"%00", b"%ff", b"%ED%A0%80", b"%0d%0a", b"a" * 64, b"xn--", b"[", b"::", b"://"]
MEANINGFUL += [
    b"\xff",
    b"\0",
    b"\xc3\xa9",
    b"bytes=",
    b"Basic ",
    b"Bearer ",
    b"text/html",
    b";q=",
    b"=",
    b'"\\',
]
MEANINGFUL += [b",", b":0", b"99999999999", b"127.0.0.1"]
ANY_IN_A_LINE = st.binary(max_size=6).map(lambda some: some.translate(None, b"\r\n"))
BYTES = st.lists(st.sampled_from(MEANINGFUL) | ANY_IN_A_LINE, max_size=6).map(b"".join)


def send_raw(url, request):
    with socket.create_connection((url.hostname, url.port), 10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def request_of(method=b"GET", target=b"/", host=OWN_HOST, header=b"X", value=b"y"):
    lines = [b"%s %s HTTP/1.1" % (method, target), b"Host: " + host, b"%s: %s" % (header, value)]
    return b"\r\n".join([*lines, b"Connection: close", b"", b""])


@pytest.fixture
def check(anonymous, caplog):
    """Sends a request, checks response and log, and returns the status."""

    def check(request):
        caplog.clear()
        with caplog.at_level(logging.INFO):
            response = send_raw(anonymous.url, request)
        head = response.partition(b"\r\n\r\n")[0].lower()
        status = int(head.split()[1])
        assert status < 500 or status == 501, response
        for header in SECURITY_HEADERS:
            assert header in head, (header, response)
        for record in caplog.records:
            assert record.exc_info is None
            assert len(record.getMessage()) < MAX_LOG_LINE
        return status

    return check


@pytest.mark.parametrize("host", [b"a..b", b"a" * 64, b".", b"..", b"a" * 64 + b".local:1", b"." + OWN_HOST])
@pytest.mark.parametrize("path", [b"/", b"/api/profiles", b"/static/app.css"])
def test_a_host_that_cannot_be_encoded_gets_400(check, host, path):
    assert check(request_of(target=path, host=host)) == 400


def test_a_request_line_that_cannot_be_parsed_gets_400(check):
    for target in (b"http://[x", b"//[::1", b"http://[", b"/\xff", b"/ x", b""):
        assert check(request_of(target=target)) in (400, 401)
    for request in (b"FOO\r\n\r\n", b"G\0T / HTTP/1.1\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"\xff\xfe\r\n\r\n"):
        assert check(request) in (400, 401, 403)


def test_the_api_says_in_json_what_it_cannot_read(anonymous):
    response = anonymous.get("/api/profiles", Host="a..b")
    assert (response.status, response.json["code"]) == (400, "bad_request")
    assert "Host" in response.json["error"]
    assert anonymous.get("/", Authorization="Basic \xff").status == 400


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from([b"GET", b"HEAD", b"POST", b"OPTIONS"]) | BYTES,
    path=st.sampled_from(PATHS),
    more=BYTES,
    host=st.just(OWN_HOST) | BYTES | BYTES.map(lambda some: OWN_HOST + some),
    header=st.sampled_from(HEADERS),
    value=BYTES,
)
@example(b"GET", b"/", b"", b"a..b", b"X", b"")
@example(b"GET", b"/", b"", OWN_HOST, b"Authorization", b"Basic \xff")
def test_no_bytes_in_a_request_end_in_an_unexpected_error(check, method, path, more, host, header, value):
    check(request_of(method, path + more, host, header, value))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(path=st.sampled_from(PATHS), more=BYTES, header=st.sampled_from(HEADERS), value=BYTES)
def test_no_bytes_of_the_owner_end_in_an_unexpected_error(check, signed_in, path, more, header, value):
    request = request_of(b"GET", path + b"?" + more, OWN_HOST, b"Cookie", signed_in)
    check(request.replace(b"\r\n\r\n", b"\r\n%s: %s\r\n\r\n" % (header, value)))


@pytest.fixture
def signed_in(visit):
    owner = visit(Role.OWNER)
    return "; ".join(f"{name}={value}" for name, value in owner.cookies.items()).encode()
