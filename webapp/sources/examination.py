"""An examination: makes each kind of reading call once, and describes the results without account details.

The sentence of an error is not repeated here, because it may quote the service; each class of error has a
description of its own. A failed step does not prevent the next one, except for the errors of `ENDS`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from webapp.errors import (
    AccountMoved,
    BadPicture,
    CursorRefused,
    FlowChanged,
    FlowError,
    FlowUnavailable,
    GoneUpstream,
    HistoryRefused,
    ImageRefused,
    KeyRefused,
    SignedOut,
    SlowDown,
    SourceClosed,
    UnusualActivity,
)
from webapp.sources import Account, Reason, RemoteImage, Step
from webapp.sources.http import HttpClient, Response
from webapp.sources.outline import NUMBER, outline, shown_error, shown_number, shown_url
from webapp.sources.refusals import redirect_target

# These end an examination: further requests would be refused as well, or do harm.
ENDS = (SignedOut, UnusualActivity, SourceClosed)
# Subclasses before their base classes.
_DESCRIPTIONS = (
    (SignedOut, "signed out: the service does not accept these cookies"),
    (UnusualActivity, "unusual activity: Google suspects a bot and wants an hour without requests"),
    (SourceClosed, "new cookies were pasted, or Flowshelf is being stopped"),
    (SlowDown, "the service asks for fewer requests"),
    (FlowUnavailable, "no complete response, or a failure of the service; it may pass"),
    (AccountMoved, "the account has moved to flow.google.com"),
    (FlowChanged, "a response of an unknown format"),
    (KeyRefused, "the API key is refused, or was not found"),
    (CursorRefused, "the first page is refused"),
    (HistoryRefused, "the history is refused"),
    (BadPicture, "no complete image"),
    (GoneUpstream, "the image does not exist any more"),
    (ImageRefused, "the image is refused"),
)
_SIGNATURES = ((b"\xff\xd8\xff", "JPEG"), (b"\x89PNG", "PNG"), (b"GIF8", "GIF"), (b"RIFF", "WebP"))
# Google puts this before JSON, so that no other site can load it as a script.
_GUARD = b")]}'"


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found in the responses to one call; the fields are those of `Step`."""

    recognised: str = ""
    unrecognised: str = ""
    is_well: bool = True
    outline: object = None
    account: Account | None = field(default=None, repr=False)


Look = Callable[[list[Response]], Seen]


class Examiner:
    """Makes the calls of one examination, one after the other.

    `outline_of` returns the outline of responses that could not be read.
    """

    def __init__(self, http: HttpClient, outline_of: Callable[[list[Response]], object]) -> None:
        self._http = http
        self._outline_of = outline_of
        self._ended = ""

    def step(self, asked: str, look: Look, lacking: str = "") -> Step:
        """Call `look` as one step. It is skipped if the examination has ended or `lacking` names a missing
        prerequisite.

        `look` receives the list to which each response is appended as it arrives.
        """
        if reason := self._ended or lacking:
            return Step(asked, f"not asked: {reason}", is_asked=False)
        with self._http.recording() as responses:
            try:
                seen, error = look(responses), None
            except FlowError as raised:
                seen, error = Seen("", _description_of(raised), False, self._outline_of(responses)), raised
        came = ", then ".join(map(_described, responses)) or ("no response" if error else "no request")
        if isinstance(error, ENDS):
            self._ended = _description_of(error).partition(":")[0]  # this step itself has the full text
        return Step(
            asked,
            came,
            seen.recognised,
            seen.unrecognised,
            is_well=seen.is_well,
            outline=seen.outline,
            account=seen.account,
            error=error,
        )


def _description_of(error: FlowError) -> str:
    """What the class of an error means; its text is not used."""
    known = (text for error_class, text in _DESCRIPTIONS if isinstance(error, error_class))
    return next(known, "an error of the service")


def refusal_words(code: int | None, http_code: int | None, reason: str = "") -> str:
    """A refusal in words: `refused: HTTP 404 error 5 …`, with the known parts of the error's name."""
    numbers = []
    if http_code is not None:
        numbers.append(f"HTTP {http_code if 0 <= http_code < 600 else NUMBER}")
    if code is not None:
        numbers.append(f"error {shown_number(code)}")
    return f"refused: {' '.join([*numbers, shown_error(reason)]).strip()}"


def outline_of(responses: list[Response]) -> object:
    """The outline of the last response; None when it is not JSON."""
    if not responses or responses[-1].is_html:
        return None
    try:
        return outline(responses[-1].json())
    except ValueError:
        return None


def image_counts(images: Iterable[RemoteImage]) -> str:
    """`5 generated, 2 uploaded, 1 of other projects`, or `no image`."""
    kinds = Counter(
        "of other projects" if image.is_ingredient else image.kind or "of no kind" for image in images
    )
    return counted(kinds, "{count:,} {kind}") or "no image"


def reasons_counted(ignored: Mapping[Reason, int]) -> str:
    """The known records that are not stored as images, to be appended to a description."""
    known = {reason: count for reason, count in ignored.items() if reason is not Reason.UNRECOGNISED}
    shown = counted({reason.value.replace("_", " "): count for reason, count in known.items() if count})
    return f"; not stored: {shown}" if shown else ""


def counted(counts: Mapping[str, int], form: str = "{kind} ({count:,})") -> str:
    return ", ".join(form.format(kind=kind, count=count) for kind, count in counts.items())


def plural(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _described(response: Response) -> str:
    """Status, kind by the bytes, and size."""
    described = f"{response.status}, {_kind(response)}" if response.body else f"{response.status}, empty"
    described += f" of {plural(len(response.body), 'byte', 'bytes')}" if response.body else ""
    return f"{described}, leads to {shown_url(redirect_target(response))}" if response.location else described


def _kind(response: Response) -> str:
    start = response.body[:64].lstrip()
    for signature, kind in _SIGNATURES:
        if response.body.startswith(signature):
            return kind
    if start.startswith(_GUARD):
        return "framed JSON"
    if response.is_html:
        return "HTML"
    return "JSON" if start[:1] in (b"{", b"[") else "other text or bytes"
