"""Reads JSON values out of a long text one by one, so that they are never all in memory at once."""

import json
import re
from collections.abc import Iterator

_SPACE = re.compile(r"[ \t\r\n]+")
_DECODER = json.JSONDecoder()


class Unreadable(Exception):
    """The text is not the JSON that was expected. The message holds nothing of the text."""


class JsonStream:
    """A position in a JSON text. Every method raises Unreadable for malformed JSON, and nothing else."""

    def __init__(self, text: str, start: int = 0) -> None:
        self._text, self._position = text, start
        self._skip_space()

    @property
    def is_at_end(self) -> bool:
        return self._position == len(self._text)

    def value(self) -> object:
        """Decode the value at this position and move behind it."""
        try:
            value, self._position = _DECODER.raw_decode(self._text, self._position)
        except (ValueError, RecursionError):
            reason = "a value is cut, nested too deep or not JSON"
        else:
            self._skip_space()
            return value
        # Raised outside the handler, because JSONDecodeError holds the whole text.
        raise Unreadable(reason)

    def elements(self) -> Iterator[object]:
        """Decode the elements of the list at this position one at a time."""
        return (self.value() for _ in self.indexes())

    def indexes(self) -> Iterator[int]:
        """The indexes of the list at this position. The caller reads each element before the next index."""
        self._expect("[")
        index = 0
        while not self._skip("]"):
            if index:
                self._expect(",")
            yield index
            index += 1

    def starts_with(self, text: str) -> bool:
        return self._text.startswith(text, self._position)

    def _skip(self, mark: str) -> bool:
        """Move behind `mark` if it is next; whether it was."""
        is_next = self.starts_with(mark)
        if is_next:
            self._position += len(mark)
            self._skip_space()
        return is_next

    def _expect(self, mark: str) -> None:
        if not self._skip(mark):
            raise Unreadable(f"“{mark}” is missing")

    def _skip_space(self) -> None:
        if match := _SPACE.match(self._text, self._position):
            self._position = match.end()
