"""The loop of the server: it reads and writes all connections, and leaves the interpreter to the threads."""

import socket
import threading

import pytest

from webapp.cli.connections import LimitedChannel
from webapp.cli.server import listen
from webapp.config import Config


@pytest.fixture
def channel(app, tmp_path):
    """A connection whose client does not read, with a request that a thread answers."""
    server = listen(app, Config(data_dir=tmp_path, port=0))
    ours, theirs = socket.socketpair()
    found = LimitedChannel(server, ours, ("127.0.0.1", 1), server.adj, map={})
    found.requests = [object()]
    found.outbufs[0].append(b"x" * 1000)
    found.total_outbufs_len = 1000
    yield found
    found.handle_close()
    theirs.close()
    server.task_dispatcher.shutdown()
    server.close()


@pytest.fixture
def sending(channel):
    """A thread that sends: it holds the lock of what the connection has to send."""
    has_lock, may_end = threading.Event(), threading.Event()

    def send():
        with channel.outbuf_lock:
            has_lock.set()
            may_end.wait(10)

    thread = threading.Thread(target=send)
    thread.start()
    assert has_lock.wait(10)
    yield
    may_end.set()
    thread.join(10)


def test_the_loop_does_not_wait_for_a_connection_that_a_thread_is_sending_on(channel, sending):
    """It would ask for it again and again, because it may not write, and so take the time of the threads."""
    assert not channel.writable()


def test_the_loop_sends_what_a_thread_has_left(channel):
    assert channel.writable()


def test_the_loop_sends_when_so_much_is_left_that_the_thread_waits_for_it(channel, sending):
    channel.total_outbufs_len = channel.adj.outbuf_high_watermark + 1
    assert channel.writable()


def test_the_loop_closes_a_connection_also_while_a_thread_sends(channel, sending):
    channel.will_close = True
    assert channel.writable()
