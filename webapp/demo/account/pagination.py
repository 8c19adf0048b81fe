"""The order of a history, and the opaque tokens that name a place in it."""

import base64
import hashlib
import hmac
from bisect import bisect_left


class CursorRefused(Exception):
    """The token is not ours, of another history, or has expired."""


class Timeline:
    """Positions of one history, oldest first; finding a page does not depend on the length."""

    def __init__(self) -> None:
        self._positions: list[int] = []

    def add(self, position: int) -> None:
        self._positions.append(position)

    def remove(self, position: int) -> None:
        at = bisect_left(self._positions, position)
        if self._positions[at : at + 1] == [position]:
            del self._positions[at]

    def before(self, position: int | None, count: int) -> tuple[list[int], bool]:
        """Up to `count` positions below one (or from the head), newest first, and whether more follow."""
        end = len(self._positions) if position is None else bisect_left(self._positions, position)
        start = max(0, end - count)
        return self._positions[start:end][::-1], start > 0

    def newest_first(self) -> list[int]:
        return self._positions[::-1]


class Cursors:
    """Makes and reads page tokens: about 200 characters, holding the user's id, good until expired."""

    _HEAD = b"\xaa\x01\x92\x01"
    _BODY_BYTES = 146

    def __init__(self, secret: bytes, user_id: str) -> None:
        self._secret, self._user_id, self._epoch = secret, user_id.encode(), 0

    def expire(self) -> None:
        """All tokens handed out so far are refused from now on."""
        self._epoch += 1

    def make(self, history: str, position: int) -> str:
        place = self._user_id + position.to_bytes(8)
        seal = hmac.digest(self._secret, place + f"{history} {self._epoch}".encode(), "sha256")
        filler = hashlib.shake_128(seal).digest(self._BODY_BYTES - len(place) - len(seal))
        return base64.urlsafe_b64encode(self._HEAD + place + seal + filler).decode()

    def read(self, history: str, cursor: str) -> int:
        """The position that a token names."""
        try:
            message = base64.b64decode(cursor, altchars=b"-_", validate=True)
        except ValueError as error:
            raise CursorRefused from error
        start = len(self._HEAD) + len(self._user_id)
        position = int.from_bytes(message[start : start + 8])
        if not hmac.compare_digest(self.make(history, position).encode(), cursor.encode()):
            raise CursorRefused
        return position
