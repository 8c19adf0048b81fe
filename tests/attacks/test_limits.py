"""Limits for slow and greedy clients, over real sockets."""

import socket
import time
from contextlib import ExitStack

import pytest

from webapp.cli import server
from webapp.database.states import Role

SLOW_ONES = 40


def connected(stack, visitor, address="127.0.0.3"):
    """A raw connection, closed with the stack."""
    place = visitor.url.hostname, visitor.url.port
    return stack.enter_context(socket.create_connection(place, 10, source_address=(address, 0)))


def answer_line(connection):
    with connection.makefile("rb") as response:
        return response.readline()


def is_closed(connection):
    """Whether the server has closed the connection; waits for the timeout of the socket."""
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


@pytest.fixture
def large_shelf(shelf, config):
    """An image of 40 MB, more than socket buffers hold."""
    path = config.images_dir / shelf[0].profile_id / f"{shelf[0].media_key}.jpg"
    with path.open("ab") as file:
        file.truncate(40_000_000)
    return shelf


def test_forty_slow_clients_do_not_block_another_one(visit, large_shelf):
    guest = visit(Role.GUEST)
    cookie = "; ".join(f"{name}={value}" for name, value in guest.cookies.items()).encode()
    picture = f"/images/{large_shelf[0].id}/file".encode()
    with ExitStack() as stack:
        for _ in range(SLOW_ONES):  # never finish their headers
            connected(stack, guest).sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        for _ in range(SLOW_ONES):  # never finish their bodies
            head = b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000\r\n\r\ncode="
            connected(stack, guest, "127.0.0.4").sendall(head)
        for _ in range(SLOW_ONES):  # never read the response
            head = b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nRange: bytes=0-\r\nCookie: %s\r\n\r\n"
            connected(stack, guest, "127.0.0.5").sendall(head % (picture, cookie))
        began = time.monotonic()
        for _ in range(10):
            assert guest.get("/").status == 200
        assert time.monotonic() - began < 5
    assert [guest.get("/healthz").status for _ in range(2)] == [
        200,
        200,
    ]  # waitress has closed the others by then


def test_one_address_cannot_take_all_connections(visit, monkeypatch):
    monkeypatch.setattr(server, "MAX_CONNECTIONS_PER_ADDRESS", 10)
    with ExitStack() as stack:
        greedy = [connected(stack, visit()) for _ in range(15)]
        for connection in greedy:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        lines = []
        for connection in greedy:
            try:
                lines.append(answer_line(connection))
            except ConnectionResetError:
                lines.append(b"")
        assert lines[:10] == [b"HTTP/1.1 200 OK\r\n"] * 10
        assert lines[10:] == [b""] * 5
        assert visit().get("/healthz").status == 200


def test_a_request_that_is_sent_too_slowly_is_cut_off(visit, monkeypatch):
    monkeypatch.setattr(server, "MAX_REQUEST_SECONDS", 0.3)
    with ExitStack() as stack:
        connection = connected(stack, visit())
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        connection.settimeout(0.2)
        began = time.monotonic()
        while not is_closed(connection):
            assert time.monotonic() - began < 5
            connection.sendall(b"y")  # never idle


def test_headers_that_are_too_large_are_refused(anonymous):
    assert anonymous.get("/", X_Large="x" * (server.MAX_HEADER_BYTES + 1)).status == 431
    assert anonymous.get("/healthz").status == 200


def test_anonymous_visitors_and_guests_may_send_only_little(anonymous, guest, shelf):
    large = {"code": "x" * 20_000}
    assert anonymous.post("/sign-in", large).status == 413
    assert guest.call("/api/image-veo3/get-local-images", {"profileId": "x" * 20_000}).status == 413
    assert guest.post("/theme", {"theme": "x" * 20_000}).status == 413


def test_the_owner_may_send_much_but_not_everything(owner):
    assert owner.post("/profiles", {"name": "x", "cookies": "y" * 1_000_000}).status == 422
    assert owner.post("/downloads", {"image_id": "x" * 3_000_000}).status == 413
    assert owner.post("/downloads", {f"f{number}": "" for number in range(300_000)}).status == 413
    parts = b"".join(b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\ny\r\n' for _ in range(11_000))
    many = owner.send("POST", "/downloads", parts + b"--b--", Content_Type="multipart/form-data; boundary=b")
    assert many.status == 413
    assert owner.call("/api/profiles", " " * 34_000_000).json["code"] == "too_large"


def test_an_invalid_or_huge_content_length_is_refused_at_once(anonymous):
    for length, status in ((b"999999999999", b"413"), (b"-1", b"400"), (b"1e9", b"400"), (b"5, 6", b"400")):
        with ExitStack() as stack:
            connection = connected(stack, anonymous)
            connection.sendall(
                b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %s\r\n\r\n" % length
            )
            assert status in answer_line(connection)


def test_pipelined_requests_end_the_connection(visit, large_shelf):
    guest = visit(Role.GUEST)
    with ExitStack() as stack:
        connection = connected(stack, guest)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 50)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert received.count(b"HTTP/1.1 200") < 50
    assert guest.get("/").status == 200
