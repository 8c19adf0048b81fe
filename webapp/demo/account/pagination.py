"""Pages of a long list, and the opaque cursors that lead from one page to the next."""

import base64
import hashlib
import hmac
from bisect import bisect_left


class CursorRefused(Exception):
    """The cursor was made up, belongs to another list, or has expired."""


class Timeline:
    """The positions of one history in ascending order, which is oldest first."""

    def __init__(self) -> None:
        self._positions: list[int] = []

    def add(self, position: int) -> None:
        """Append a position, which must be above all others."""
        self._positions.append(position)

    def remove(self, position: int) -> None:
        """Remove a position if it is there."""
        at = bisect_left(self._positions, position)
        if self._positions[at : at + 1] == [position]:
            del self._positions[at]

    def before(self, position: int | None, count: int) -> tuple[list[int], bool]:
        """Return up to `count` positions below one (None: the newest), newest first, and if more follow."""
        end = len(self._positions) if position is None else bisect_left(self._positions, position)
        start = max(0, end - count)
        return self._positions[start:end][::-1], start > 0

    def newest_first(self) -> list[int]:
        return self._positions[::-1]


class Cursors:
    """Makes and reads cursors: about 200 characters that contain the user's id, as Flow's do.

    A cursor holds a position and its signature, so that the server keeps no list of cursors.
    """

    _HEAD = b"\xaa\x01\x92\x01"
    _BODY_BYTES = 146

    def __init__(self, secret: bytes, user_id: str) -> None:
        self._secret, self._user_id, self._epoch = secret, user_id.encode(), 0

    def expire(self) -> None:
        """Refuse all cursors made so far."""
        self._epoch += 1

    def make(self, history: str, position: int) -> str:
        place = self._user_id + position.to_bytes(8)
        signature = hmac.digest(self._secret, place + f"{history} {self._epoch}".encode(), "sha256")
        filler = hashlib.shake_128(signature).digest(self._BODY_BYTES - len(place) - len(signature))
        return base64.urlsafe_b64encode(self._HEAD + place + signature + filler).decode()

    def read(self, history: str, cursor: str) -> int:
        """Return the position in a cursor. Raises CursorRefused."""
        try:
            message = base64.b64decode(cursor, altchars=b"-_", validate=True)
        except ValueError as error:
            raise CursorRefused from error
        start = len(self._HEAD) + len(self._user_id)
        position = int.from_bytes(message[start : start + 8])
        if not hmac.compare_digest(self.make(history, position).encode(), cursor.encode()):
            raise CursorRefused
        return position
