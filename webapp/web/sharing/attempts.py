"""Wrong codes, counted by where they came from: five of them lock that place for a while."""

import ipaddress
import math
import threading
import time
from collections.abc import Callable

from webapp.errors import Locked

MAX_WRONG = 5
LOCK_SECONDS = 300
# Of so many places the latest are remembered.
MAX_PLACES = 10_000
LOCKED = "Too many wrong codes came from your address. Wait {minutes} min, then try again."


class Tries:
    """Kept in memory only; `clock` tells seconds that never go back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._wrong: dict[str, tuple[int, float]] = {}

    def is_right(self, address: str, is_right: bool) -> bool:
        """Count a try and hand back whether it was right. Raises Locked, without a look at it, when the
        place has tried too often.

        A right one does not wipe out wrong ones: a guest could go on guessing the owner's code otherwise.
        """
        place = _place(address)
        with self._lock:
            wrong, last = self._wrong.get(place, (0, -math.inf))
            left = last + LOCK_SECONDS - self._clock()
            if wrong >= MAX_WRONG and left > 0:
                raise Locked(LOCKED.format(minutes=math.ceil(left / 60)), math.ceil(left))
            if not is_right:
                self._note(place, wrong + 1 if left > 0 else 1)
        return is_right

    def _note(self, place: str, wrong: int) -> None:
        self._wrong.pop(place, None)
        self._wrong[place] = (wrong, self._clock())
        if len(self._wrong) > MAX_PLACES:
            del self._wrong[next(iter(self._wrong))]


def _place(address: str) -> str:
    """An IPv6 machine has as many addresses as it likes: its whole network of 64 bits counts as one."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if known.version == 4 or known.ipv4_mapped:
        return str(known)
    return str(ipaddress.ip_network((int(known) >> 64 << 64, 64)))
