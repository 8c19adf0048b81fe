"""Limits guessing: after five wrong codes from an address, further ones are refused for five minutes."""

import ipaddress
import math
import threading
import time
from collections.abc import Callable

from webapp.errors import Locked

MAX_WRONG = 5
LOCK_SECONDS = 300
# Only the latest addresses are remembered, to limit the memory that an attacker can fill.
MAX_ADDRESSES = 10_000
LOCKED = "Too many wrong codes came from your address. Wait {minutes} min, then try again."


class AttemptLimiter:
    """Counts wrong codes per address, in memory only. `clock` returns monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # Held from the check to the count: requests at the same moment must not get extra attempts.
        self._lock = threading.Lock()
        # Per network: the count of wrong codes, and when the last of them came.
        self._wrong: dict[str, tuple[int, float]] = {}

    def note(self, address: str, *, is_right: bool, is_random: bool = False) -> None:
        """Count an attempt. Raises Locked if the address is locked, except for a right code that `is_random`.

        A random code cannot be guessed, so refusing it would only shut out whoever shares an address with
        the sender of wrong codes: a home network with IPv6, or all visitors behind a proxy. A code that a
        person chose may be guessed, and is refused too, so that further guessing is pointless.

        A right code does not reset the count: otherwise a guest could reset it with the guest code while
        guessing the owner's.
        """
        if is_right and is_random:
            return
        network = network_of(address)
        with self._lock:
            wrong_count, last = self._wrong.get(network, (0, -math.inf))
            seconds_left = last + LOCK_SECONDS - self._clock()
            if wrong_count >= MAX_WRONG and seconds_left > 0:
                raise Locked(LOCKED.format(minutes=math.ceil(seconds_left / 60)), math.ceil(seconds_left))
            if not is_right:
                self._set(network, wrong_count + 1 if seconds_left > 0 else 1)

    def _set(self, network: str, wrong_count: int) -> None:
        self._wrong.pop(network, None)  # to move it to the end: the first entry is always the oldest
        self._wrong[network] = (wrong_count, self._clock())
        if len(self._wrong) > MAX_ADDRESSES:
            del self._wrong[next(iter(self._wrong))]


def network_of(address: str) -> str:
    """An IPv4 address itself; the /64 network of an IPv6 address, because one machine can use all of it."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4 or parsed.ipv4_mapped:
        return str(parsed if parsed.version == 4 else parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))
