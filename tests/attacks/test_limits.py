"""How much one visitor may send and hold, over real sockets: slow and greedy ones starve nobody."""

import socket
import time
from contextlib import ExitStack

import pytest

from webapp.cli import server
from webapp.database.states import Role

SLOW_ONES = 40


def connected(stack, visitor, address="127.0.0.3"):
    """A bare connection, closed with the stack."""
    place = visitor.place.hostname, visitor.place.port
    return stack.enter_context(socket.create_connection(place, 10, source_address=(address, 0)))


def answer_line(connection):
    with connection.makefile("rb") as answer:
        return answer.readline()


def is_closed(connection):
    """Whether the other end has hung up; looks for as long as its time-out says."""
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


@pytest.fixture
def large_shelf(shelf, config):
    """A picture of many megabytes, more than any socket buffers."""
    path = config.images_dir / shelf[0].profile_id / f"{shelf[0].media_key}.jpg"
    with path.open("ab") as file:
        file.truncate(40_000_000)
    return shelf


def test_forty_slow_clients_do_not_starve_another_one(come, large_shelf):
    guest = come(Role.GUEST)
    cookie = "; ".join(f"{name}={value}" for name, value in guest.cookies.items()).encode()
    picture = f"/images/{large_shelf[0].id}/file".encode()
    with ExitStack() as stack:
        for _ in range(SLOW_ONES):  # never end their headers
            connected(stack, guest).sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        for _ in range(SLOW_ONES):  # never end their bodies
            head = b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000\r\n\r\ncode="
            connected(stack, guest, "127.0.0.4").sendall(head)
        for _ in range(SLOW_ONES):  # never read what they asked for
            head = b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nRange: bytes=0-\r\nCookie: %s\r\n\r\n"
            connected(stack, guest, "127.0.0.5").sendall(head % (picture, cookie))
        began = time.monotonic()
        for _ in range(10):
            assert guest.get("/").status == 200
        assert time.monotonic() - began < 5
    assert [guest.get("/healthz").status for _ in range(2)] == [200, 200]  # it has seen them go by then


def test_one_address_cannot_take_all_connections(come, monkeypatch):
    monkeypatch.setattr(server, "MAX_CONNECTIONS_PER_ADDRESS", 10)
    with ExitStack() as stack:
        greedy = [connected(stack, come()) for _ in range(15)]
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
        assert come().get("/healthz").status == 200


def test_a_request_that_drips_in_for_too_long_is_cut_off(come, monkeypatch):
    monkeypatch.setattr(server, "MAX_REQUEST_SECONDS", 0.3)
    with ExitStack() as stack:
        connection = connected(stack, come())
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        connection.settimeout(0.2)
        began = time.monotonic()
        while not is_closed(connection):
            assert time.monotonic() - began < 5
            connection.sendall(b"y")  # busy all the time


def test_headers_that_are_too_large_are_refused(stranger):
    assert stranger.get("/", X_Large="x" * (server.MAX_HEADER_BYTES + 1)).status == 431
    assert stranger.get("/healthz").status == 200


def test_strangers_and_guests_may_send_little(stranger, guest, shelf):
    large = {"code": "x" * 20_000}
    assert stranger.post("/sign-in", large).status == 413
    assert guest.call("/api/image-veo3/get-local-images", {"profileId": "x" * 20_000}).status == 413
    assert guest.post("/theme", {"theme": "x" * 20_000}).status == 413


def test_the_owner_may_send_much_and_not_anything(owner):
    assert owner.post("/profiles", {"name": "x", "cookies": "y" * 1_000_000}).status == 422
    assert owner.post("/downloads", {"image_id": "x" * 3_000_000}).status == 413
    assert owner.post("/downloads", {f"f{number}": "" for number in range(300_000)}).status == 413
    parts = b"".join(b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\ny\r\n' for _ in range(11_000))
    many = owner.ask("POST", "/downloads", parts + b"--b--", Content_Type="multipart/form-data; boundary=b")
    assert many.status == 413
    assert owner.call("/api/profiles", " " * 34_000_000).json["code"] == "too_large"


def test_a_length_that_is_a_lie_or_beyond_measure_is_refused_at_once(stranger):
    for length, status in ((b"999999999999", b"413"), (b"-1", b"400"), (b"1e9", b"400"), (b"5, 6", b"400")):
        with ExitStack() as stack:
            connection = connected(stack, stranger)
            connection.sendall(
                b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %s\r\n\r\n" % length
            )
            assert status in answer_line(connection)


def test_a_request_that_comes_before_the_last_was_answered_ends_the_connection(come, large_shelf):
    guest = come(Role.GUEST)
    with ExitStack() as stack:
        connection = connected(stack, guest)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 50)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert received.count(b"HTTP/1.1 200") < 50
    assert guest.get("/").status == 200
