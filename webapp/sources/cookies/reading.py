"""What a paste contains, before anybody asks which of it is needed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from webapp.sources.cookies.found import FoundCookie
from webapp.sources.cookies.pasted_requests import PastedRequest


@dataclass(frozen=True, slots=True)
class Reading:
    """The cookies of a paste, in order. `shape` names its format in a sentence: “a cURL command”.

    `requests` is empty for formats that hold none. `cut` is what has no end because the paste was cut; what
    precedes it was read. `note` says why this format may lack cookies.
    """

    shape: str
    cookies: Sequence[FoundCookie] = field(repr=False)
    requests: Sequence[PastedRequest] = field(default=(), repr=False)
    cut: str | None = None
    note: str | None = None

    @classmethod
    def of_requests(
        cls, shape: str, requests: Iterable[PastedRequest], *, cut: str | None = None, note: str | None = None
    ) -> "Reading":
        """Only the cookies of the requests."""
        requests = tuple(requests)
        cookies = [cookie for request in requests for cookie in request.cookies if cookie.name]
        return cls(shape, cookies, requests, cut, note)
