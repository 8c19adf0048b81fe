"""Limits for slow and greedy clients, over real sockets."""

import http.client
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, suppress
from types import SimpleNamespace

import pytest

from webapp.cli import connections, server
from webapp.database.states import Role
from webapp.web import access
from webapp.web.sharing.attempts import network_of

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


HEALTH = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def status_of(connection, visitor=None):
    """The status of the response to a request, which the server may have refused before it was sent."""
    cookies = "; ".join(f"{name}={value}" for name, value in (visitor.cookies if visitor else {}).items())
    with suppress(BrokenPipeError):
        connection.sendall(HEALTH.replace(b"\r\n\r\n", f"\r\nCookie: {cookies}\r\n\r\n".encode()))
    with http.client.HTTPResponse(connection) as response:
        response.begin()
        response.read()
        assert response.headers["Retry-After"] == ("5" if response.status == 503 else None)
        return response.status


@pytest.fixture
def in_network(monkeypatch):
    """Lets only 127.0.0.1 count as this machine, and allows few connections."""
    monkeypatch.setattr(connections, "is_loopback", lambda address: address == "127.0.0.1")
    monkeypatch.setattr(connections, "MAX_FOREIGN_CONNECTIONS", 20)
    monkeypatch.setattr(connections, "MAX_CONNECTIONS_PER_NETWORK", 8)
    monkeypatch.setattr(connections, "MAX_REFUSED_CONNECTIONS", 5)


def test_idle_connections_of_one_address_give_way_to_new_ones(visit, in_network):
    with ExitStack() as stack:
        idle = [connected(stack, visit(), "127.0.1.1") for _ in range(8)]
        newer = [connected(stack, visit(), "127.0.1.1") for _ in range(5)]
        assert [status_of(connection) for connection in newer] == [200] * 5
        assert [status_of(connection) for connection in idle] == [503] * 5 + [200] * 3
        assert visit().get("/healthz").status == 200


def test_a_network_full_of_idle_connections_shuts_nobody_out(visit, in_network):
    """Neither the owner at this machine nor one elsewhere, whatever the others do with their connections."""
    with ExitStack() as stack:
        held = [connected(stack, visit(), f"127.0.1.{address}") for address in range(1, 7) for _ in range(8)]
        for connection in held[::2]:
            with suppress(OSError):
                connection.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
        began = time.monotonic()
        assert visit(Role.OWNER).get("/share").status == 200
        assert visit(Role.OWNER, "127.0.2.1").get("/share").status == 200
        assert time.monotonic() - began < 2


def test_a_connection_that_has_signed_in_gives_way_to_no_anonymous_one(visit, in_network):
    owner, guest = visit(Role.OWNER, "127.0.2.1"), visit(Role.GUEST, "127.0.2.2")
    with ExitStack() as stack:
        own, guests = (connected(stack, each, each.address) for each in (owner, guest))
        for connection, visitor in ((own, owner), (guests, guest)):
            assert status_of(connection, visitor) == 200
        for address in range(1, 7):
            for _ in range(8):
                connected(stack, owner, f"127.0.1.{address}")
        assert status_of(own) == status_of(guests) == 200


def test_where_all_places_are_taken_by_the_owner_a_new_connection_gets_503(visit, in_network, monkeypatch):
    monkeypatch.setattr(connections, "MAX_CONNECTIONS_PER_NETWORK", 2)
    owner, away = visit(Role.OWNER), visit(Role.OWNER, "127.0.2.1")
    with ExitStack() as stack:
        for _ in range(2):
            assert status_of(connected(stack, away, away.address), away) == 200
        refused = visit(address="127.0.2.1").get("/healthz")
        assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
        assert refused.headers["X-Content-Type-Options"] == "nosniff"
        assert owner.get("/healthz").status == 200


@pytest.mark.parametrize(
    ("address", "network", "is_local"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.8.9.1", "127.8.9.1", True),
        ("::1", "::/64", True),
        ("::ffff:127.0.0.1", "127.0.0.1", True),
        ("192.168.1.7", "192.168.1.7", False),
        ("2001:db8::7", "2001:db8::/64", False),
        ("2001:db8::ffff:8", "2001:db8::/64", False),
        ("fe80::1%eth0", "fe80::/64", False),
        ("localhost", "localhost", False),
    ],
)
def test_an_ipv6_network_counts_as_one_and_loopback_as_this_machine(address, network, is_local):
    assert network_of(address) == network
    assert connections.is_loopback(address) is is_local


def test_a_connection_that_sends_nothing_is_closed(visit, monkeypatch):
    monkeypatch.setattr(connections, "MAX_HEADER_SECONDS", 0.3)
    with ExitStack() as stack:
        silent, blank = (connected(stack, visit()) for _ in range(2))
        blank.settimeout(0.2)
        began = time.monotonic()
        while not is_closed(blank):
            assert time.monotonic() - began < 5
            blank.sendall(b"\r\n\r\n")  # blank lines before a request are no request
        assert is_closed(silent)


@pytest.fixture
def busy_shelf(running, serving, anonymous):
    """A shelf with a view whose requests of guests wait for `gate`; the URL, and how many have `entered`."""
    app, gate, entered = running(share=True), threading.Event(), threading.Semaphore(0)

    @access.open_to_guests
    def wait():
        entered.release()
        gate.wait(10)
        return "done"

    app.add_url_rule("/wait", view_func=wait)
    codes = app.extensions["flowshelf.sharing"].codes
    with serving(app) as url:
        owner, guest = type(anonymous)(url, "127.0.0.3"), type(anonymous)(url)
        for visitor, role in ((owner, Role.OWNER), (guest, Role.GUEST)):
            visitor.get(f"/enter?code={codes.code_of(role)}")
        yield owner, guest, entered, gate
        gate.set()


def test_guests_occupy_at_most_half_of_the_threads(busy_shelf, monkeypatch):
    owner, guest, entered, gate = busy_shelf
    half = server.SERVER_THREADS // 2
    monkeypatch.setattr(connections, "MAX_WAITING_REQUESTS", 3)
    with ThreadPoolExecutor(40) as pool, ExitStack() as stack:
        own = connected(stack, owner, owner.address)
        assert status_of(own, owner) == 200
        calls = []
        for _ in range(half):  # one by one, or they could find the queue full before a thread took the first
            calls.append(pool.submit(guest.get, "/wait"))
            assert entered.acquire(timeout=5)
        calls += [pool.submit(guest.get, "/wait") for _ in range(3 + 5)]
        refused = [next(as_completed(calls)).result()]
        own.settimeout(5)
        assert status_of(own, owner) == 200
        assert not entered.acquire(blocking=False)
        gate.set()
        statuses = sorted(call.result().status for call in calls)
    assert statuses == [200] * (half + 3) + [503] * 5
    assert (refused[0].status, refused[0].headers["Retry-After"]) == (503, "5")


def test_two_requests_of_one_connection_give_back_both_places():
    """The second may begin before the first has given back its own."""
    queue = connections.RequestQueue(2, threading.Condition())
    one, other = (SimpleNamespace(is_owners=False, place_count=0) for _ in range(2))
    for _ in range(2):
        queue.append(one)
        queue.append(one)
        assert [queue.popleft(), queue.popleft()] == [one, one]
        queue.append(other)
        assert len(queue) == 0
        queue.release(one)
        queue.release(one)
        assert len(queue) == 1
        assert queue.popleft() is other
        queue.release(other)
        queue.release(other)


def test_waiting_calls_of_the_owner_take_no_place_of_guests(busy_shelf):
    owner, guest, entered, gate = busy_shelf
    half = server.SERVER_THREADS // 2
    with ThreadPoolExecutor(40) as pool:
        own = [pool.submit(owner.get, "/wait") for _ in range(half)]
        for _ in range(half):
            assert entered.acquire(timeout=5)
        guests = pool.submit(guest.get, "/healthz")
        assert guests.result(timeout=5).status == 200
        gate.set()
        assert [call.result().status for call in own] == [200] * half


@pytest.mark.parametrize(
    ("limit", "start"),
    [
        ("MAX_HEADER_SECONDS", b"GET / HTTP/1.1\r\nX: "),
        ("MAX_REQUEST_SECONDS", b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000\r\n\r\n"),
    ],
)
def test_a_request_that_is_sent_too_slowly_is_cut_off(visit, monkeypatch, limit, start):
    monkeypatch.setattr(connections, limit, 0.3)
    with ExitStack() as stack:
        connection = connected(stack, visit())
        connection.sendall(start)
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
