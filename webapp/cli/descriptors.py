"""File descriptors: how many this process may have, and a server that waits while there are none."""

import errno
import logging
import socket
import time
from typing import Any

from waitress.server import TcpWSGIServer

from webapp.background import Background

try:
    import resource
except ImportError:  # Windows has no such limit
    resource = None  # type: ignore[assignment]  # a module or None

log = logging.getLogger(__name__)

# macOS starts programs with 256.
WANTED_DESCRIPTORS = 4096
# For the database (three per thread), connections to Flow, and files. A connection takes two more: its socket
# and the file that it is sent.
RESERVED_DESCRIPTORS = 128
DESCRIPTORS_PER_CONNECTION = 2
MIN_CONNECTIONS = 8
# The database takes three, a connection to Flow one, and a file one.
DESCRIPTORS_PER_THREAD = 5
MIN_THREADS = 2
OUT_OF_DESCRIPTORS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
ACCEPT_PAUSE_SECONDS = 1.0
ACCEPT_LOG_SECONDS = 60.0


class LimitedServer(TcpWSGIServer):
    """Pauses accepting while the process has no file descriptor left.

    The refused connection stays in the queue of the system, so without a pause the loop would try it again
    at once, for ever.
    """

    _paused_until = 0.0
    _log_again_at = 0.0

    def readable(self) -> bool:
        return time.monotonic() >= self._paused_until and super().readable()

    def accept(self) -> tuple[socket.socket, Any] | None:
        try:
            return super().accept()
        except OSError as error:
            if error.errno not in OUT_OF_DESCRIPTORS:
                raise
            self._pause(error)
            return None

    def _pause(self, error: OSError) -> None:
        moment = time.monotonic()
        self._paused_until = moment + ACCEPT_PAUSE_SECONDS
        if moment >= self._log_again_at:
            self._log_again_at = moment + ACCEPT_LOG_SECONDS
            log.warning(
                "New connections have to wait (%s). Raise the limit with “ulimit -n”.", error.strerror
            )


def raise_descriptor_limit() -> int:
    """Raise the limit of open files of this process, as far as the system allows. Returns the limit."""
    if resource is None:
        return WANTED_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= WANTED_DESCRIPTORS:
        return WANTED_DESCRIPTORS
    wanted = WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, WANTED_DESCRIPTORS)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError):
        return soft
    return wanted


def max_threads(descriptors: int, wanted: int) -> int:
    """How many threads of one kind a process with that many file descriptors has, `wanted` at the most.

    Those that serve requests and those that download get a quarter of the descriptors each.
    """
    return max(MIN_THREADS, min(descriptors // 4 // DESCRIPTORS_PER_THREAD, wanted))


def limit_threads(work: Background, server_threads: int) -> int:
    """Raise the limit of open files, and bound downloads and waiting calls by it. Returns the limit.

    At most half of the threads of the server may wait. Call it before `work` is started.
    """
    descriptors = raise_descriptor_limit()
    work.downloads.max_threads = max_threads(descriptors, WANTED_DESCRIPTORS)
    work.waiters.limit(max_threads(descriptors, server_threads) // 2)
    return descriptors


def max_connections(descriptors: int, wanted: int) -> int:
    """How many connections a process with that many file descriptors accepts, `wanted` at the most."""
    available = (descriptors - RESERVED_DESCRIPTORS) // DESCRIPTORS_PER_CONNECTION
    return max(MIN_CONNECTIONS, min(available, wanted))
