"""An examination: each reading call made once, and what came of it in words that hold nothing of the account.

No sentence of an error is repeated here, because it may quote the service; each kind of error has words of
its own. A step goes on whatever became of the one before; only a sign-in that has ended and unusual activity
end the examination.
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

# These end an examination: whatever was asked after them would be refused as well, or do harm.
ENDS = (SignedOut, UnusualActivity, SourceClosed)
# From the particular to the general.
_WORDS = (
    (SignedOut, "signed out: the service does not know these cookies"),
    (UnusualActivity, "unusual activity: Google takes this for a machine and wants an hour without requests"),
    (SourceClosed, "other cookies came, or Flowshelf is being stopped"),
    (SlowDown, "the service asks for fewer requests"),
    (FlowUnavailable, "no whole response, or a failure of the service's own; it may pass"),
    (AccountMoved, "the account has moved to flow.google.com"),
    (FlowChanged, "a response of another kind than the one that is known"),
    (KeyRefused, "the API key is refused, or was not found"),
    (CursorRefused, "the first page is refused"),
    (HistoryRefused, "the history is refused"),
    (BadPicture, "no whole picture"),
    (GoneUpstream, "it is not there any more"),
    (ImageRefused, "it is not handed out"),
)
_SIGNATURES = ((b"\xff\xd8\xff", "JPEG"), (b"\x89PNG", "PNG"), (b"GIF8", "GIF"), (b"RIFF", "WebP"))
_GUARD = b")]}'"


@dataclass(frozen=True, slots=True)
class Seen:
    """What one call brought, as far as it was looked at."""

    recognised: str = ""
    unrecognised: str = ""
    is_well: bool = True
    outline: object = None
    account: Account | None = field(default=None, repr=False)


Look = Callable[[list[Response]], Seen]


class Examiner:
    """Makes the calls of one examination, one after the other."""

    def __init__(self, http: HttpClient, outline_of: Callable[[list[Response]], object]) -> None:
        """`outline_of` is asked for the outline of a response that could not be read."""
        self._http = http
        self._outline_of = outline_of
        self._ended = ""

    def step(self, asked: str, look: Look, lacking: str = "") -> Step:
        """Make a call, unless the examination has ended or something is `lacking` for it.

        `look` is handed the list into which responses go.
        """
        if reason := self._ended or lacking:
            return Step(asked, f"not asked: {reason}", is_asked=False)
        with self._http.noting() as responses:
            try:
                seen, error = look(responses), None
            except FlowError as raised:
                seen, error = Seen("", words_of(raised), False, self._outline_of(responses)), raised
        came = ", then ".join(map(_described, responses)) or ("no response" if error else "no request")
        if isinstance(error, ENDS):
            self._ended = words_of(error).partition(":")[0]  # the step itself says the rest
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


def words_of(error: FlowError) -> str:
    """What an error means, without anything of what it says."""
    return next((words for kind, words in _WORDS if isinstance(error, kind)), "an error of the service")


def refusal_words(code: int | None, http_code: int | None, reason: str = "") -> str:
    """A refusal by its numbers and the word that came with it."""
    numbers = []
    if http_code is not None:
        numbers.append(f"HTTP {http_code if 0 <= http_code < 600 else NUMBER}")
    if code is not None:
        numbers.append(f"error {shown_number(code)}")
    return f"refused: {' '.join([*numbers, shown_error(reason)]).strip()}"


def outline_of(responses: list[Response]) -> object:
    """The outline of the last response as it came, None when it is none that has one."""
    if not responses or responses[-1].is_html:
        return None
    try:
        return outline(responses[-1].json())
    except ValueError:
        return None


def image_counts(images: Iterable[RemoteImage]) -> str:
    """`5 generated, 2 uploaded, 1 of other projects`, or that there is no image."""
    kinds = Counter("of other projects" if one.is_ingredient else one.kind or "of no kind" for one in images)
    return counted(kinds, "{count:,} {kind}") or "no image"


def reasons_counted(ignored: Mapping[Reason, int]) -> str:
    """What is known and was not kept, to be put behind what was."""
    known = {reason: count for reason, count in ignored.items() if reason is not Reason.UNRECOGNISED}
    told = counted({reason.value.replace("_", " "): count for reason, count in known.items() if count})
    return f"; not kept: {told}" if told else ""


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
