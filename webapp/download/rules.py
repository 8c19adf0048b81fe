"""What a failed download means for its image, its profile and the disk. Pure: no thread, clock or database.

1. Nothing failed when the connection was closed on our side, Google asked for a pause, or another program
   has locked the database: the image is released, that is queued again.
2. Without valid cookies no image can be downloaded: the image is released, the run waits for cookies.
3. A failure of the profile, the disk or the database would affect every image: the image is released, the
   run pauses until a person has acted.
4. While the service fails all calls, a failure says nothing about the image: it is deferred, that is
   queued again behind all others. After `MAX_DEFERRALS` it fails: its own request may be what the service
   cannot handle.
5. A refusal of this image is permanent: the image no longer counts as pending.
6. Any other failure fails the image, which still counts as pending.
7. After `MAX_FAILURES_IN_A_ROW` failed images without a success between them the cause is hardly the
   images: the run pauses.
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum, auto

from webapp.errors import FlowError, FlowshelfError, ImageRefused, Scope, SignedOut, UnusualActivity

MAX_DEFERRALS = 2
MAX_FAILURES_IN_A_ROW = 10


class Outcome(Enum):
    """What is done with a download that failed, and with its run."""

    RELEASE = auto()  # queue the image again; the run goes on
    DEFER = auto()  # queue the image again behind all others; the run goes on
    FAIL = auto()  # fail the image; it counts as pending
    FAIL_PERMANENTLY = auto()  # fail the image; it no longer counts as pending
    PAUSE_RUN = auto()  # queue the image again, and pause the run
    WAIT_FOR_COOKIES = auto()  # queue the image again, and let the run wait for cookies


def outcome_of(
    error: FlowshelfError, *, is_superseded: bool = False, is_service_down: bool = False, deferral_count: int
) -> Outcome:
    """What is done about a failure, by the rules above.

    `is_superseded`: the program stops, or newer cookies replaced the connection during the download.
    `is_service_down`: by now the service fails all calls of the profile. `deferral_count` is how often
    this download was deferred before.
    """
    if isinstance(error, SignedOut):
        return Outcome.WAIT_FOR_COOKIES
    is_passing = error.scope in (Scope.CONNECTION, Scope.LOCK) or isinstance(error, UnusualActivity)
    if is_superseded or is_passing:
        return Outcome.RELEASE
    if error.scope in (Scope.PROFILE, Scope.DISK):
        return Outcome.PAUSE_RUN
    if error.scope is Scope.SERVICE and is_service_down and deferral_count < MAX_DEFERRALS:
        return Outcome.DEFER
    return Outcome.FAIL_PERMANENTLY if isinstance(error, ImageRefused) else Outcome.FAIL


@dataclass(slots=True)
class FailureCounts:
    """The failures of one run since it was started or resumed. Not synchronized: the caller holds a lock."""

    in_a_row: int = 0
    deferrals: Counter[int] = field(default_factory=Counter)

    def note_success(self) -> None:
        self.in_a_row = 0

    def note_failure(self) -> bool:
        """Count a failed image. True when the run is to pause because of rule 7."""
        self.in_a_row += 1
        return self.in_a_row >= MAX_FAILURES_IN_A_ROW


def too_many_failures(last: FlowshelfError) -> FlowError:
    """The error of a run that rule 7 paused."""
    return FlowError(
        f"{MAX_FAILURES_IN_A_ROW} images in a row failed, the last one with: {last} "
        "The downloads are paused. Press Resume to try the rest, or look into Flow first."
    )
