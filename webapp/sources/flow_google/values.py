"""Reads JSON values out of a long text one after another, so that never all of them are in memory."""

import json
import re
from collections.abc import Iterator

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


class Unreadable(Exception):
    """Where a value was due there is none, or one that nothing can hold."""


class Values:
    """A place in a text. Every method raises Unreadable, whatever the text holds."""

    def __init__(self, text: str, start: int = 0) -> None:
        self._text, self._at = text, start
        self._skip_space()

    @property
    def is_at_end(self) -> bool:
        return self._at == len(self._text)

    def value(self) -> object:
        """The value that stands here; the place moves behind it."""
        try:
            value, self._at = _DECODER.raw_decode(self._text, self._at)
        except (ValueError, RecursionError):
            reason = "a value is cut, nested too deep or no JSON"
        else:
            self._skip_space()
            return value
        # Outside the handler: the decoder's error carries the whole text with it.
        raise Unreadable(reason)

    def each(self) -> Iterator[object]:
        """The values of the list that stands here, one at a time."""
        return (self.value() for _ in self.steps())

    def steps(self) -> Iterator[int]:
        """Stops before each value of the list that stands here; the caller reads it."""
        self._expect("[")
        index = 0
        while not self._takes("]"):
            if index:
                self._expect(",")
            yield index
            index += 1

    def is_next(self, mark: str) -> bool:
        return self._text.startswith(mark, self._at)

    def _takes(self, mark: str) -> bool:
        is_here = self.is_next(mark)
        if is_here:
            self._at += len(mark)
            self._skip_space()
        return is_here

    def _expect(self, mark: str) -> None:
        if not self._takes(mark):
            raise Unreadable(f"“{mark}” is missing")

    def _skip_space(self) -> None:
        self._at = _SPACE.match(self._text, self._at).end()
