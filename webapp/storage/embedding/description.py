"""What is written into a picture, as text that every format can hold."""

import re
from dataclasses import dataclass
from datetime import datetime

# What XML allows; everything else is left out. NUL would also end a text of EXIF.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Of texts other than the prompt, in characters.
MAX_WORDS = 1000


@dataclass(frozen=True, slots=True)
class Description:
    """What is known of a picture. None or empty: unknown, or not to be told.

    `made_at` has a time zone. `is_generated`: a model made it, nobody uploaded it.
    """

    made_at: datetime | None = None
    prompt: str | None = None
    title: str | None = None
    model: str | None = None
    seed: int | None = None
    project: str | None = None
    is_generated: bool = False

    @property
    def remarks(self) -> str:
        """Model, seed and project in one line, for formats without a field for each."""
        named = (("Model", self.model), ("Seed", self.seed), ("Project", self.project))
        known = [(name, clean(str(value))[:MAX_WORDS]) for name, value in named if value not in (None, "")]
        return "; ".join(f"{name}: {text}" for name, text in known)


def clean(text: str) -> str:
    """`text` without characters that XML forbids, with line ends as XML reads them."""
    return _NOT_XML.sub("", text).replace("\r\n", "\n").replace("\r", "\n")


def cut(text: str, max_bytes: int) -> bytes:
    """`text` as UTF-8, cut between two characters."""
    encoded = text.encode()
    return encoded if len(encoded) <= max_bytes else encoded[:max_bytes].decode("utf-8", "ignore").encode()
