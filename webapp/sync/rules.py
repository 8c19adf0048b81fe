"""The rules by which a history is walked, and those of their decisions that are pure functions.

Flow lists a history newest first, in pages. Below every part of a history that is known lies either its end
or a **gap**: a row with the profile, the history and a cursor, from which the next walk continues. The cursor
`''` is the head, the newest page. A new profile has one gap, the head. Comments elsewhere cite these rules by
number.

1.  **A walk is a gap being closed.** The images of a page, the counts and the new place of the gap are stored
    in one transaction. A crash, a failure, Pause and `maxPages` leave the gap where the walk stood, with its
    `may_join`. So no page is read twice for it, and no image is missed.
2.  **The end.** A page with entries and without a next token closes the gap. A response with neither is
    requested once more. If it comes again at the head of a history of which images are stored, or below the
    head, the run stops as `history_empty`; nothing is closed or marked. At the head of a history without
    stored images it is the end: the history is empty.
3.  **Caught up.** A walk has caught up when its gap allows it (`may_join`), the page has at least one usable
    image, all usable images of the page were known to this profile before the walk began, and none of them is
    newer than the last entry above the page. A page without usable images proves nothing, so the walk goes
    on; fifty such pages in a row stop the run and keep the gap.
4.  **A quick sync** (`new`) walks from the head until it has caught up, then closes the remaining gaps,
    newest first. When nothing is new, it reads one page of each history.
5.  **`all` and `full`** do not stop where they catch up. Their gap is closed there, and they go on without
    one. A walk from the head that reaches the end closes every gap of the history that was open when it
    began. `full` is one walk that Resume continues, also in later runs. It refreshes the images that it
    passes. At its end it marks as gone upstream what was stored before it began and not seen since; if that
    is more than a tenth of the history's images, a person is asked first. Seeing an image again clears the
    mark. Nothing is deleted.
6.  **Resume** continues the newest gap. A cursor that the caller gives means the gap with that cursor; if
    there is none, a gap is opened there once Flow has accepted the cursor, and no other gap is removed.
7.  **A refused cursor** ends its walk and replaces its gap by the head gap with `may_join` false: the next
    walk starts at the head and does not stop early. If the first page is refused, or a cursor that this very
    run was given, the run stops as `cursor_refused` and keeps the gap. Otherwise it could go from the head to
    the refusal for ever.
8.  **Loops.** A token that repeats, or a page all of whose names this walk has seen, stops the run and
    keeps the gap. Names of ignored entries count. They are remembered as 8-byte hashes.
9.  **Failures.** Entries that are no usable image are counted and never stop a run. A response of an unknown
    shape stops the run as `flow_changed` and is stored as a redacted sample for a report; the gallery works
    as before. A history that the service refuses, though it never returned a page of it, is marked as not
    offered and does not stop the others.
10. **One name, one image.** A name is unique among all profiles. An image that another profile has stays that
    profile's row. For this profile it counts as known (rules 3, 8) and seen (rule 13), and as ignored with
    the reason `other_profile`, which the panel shows. When the other profile is removed, the histories and
    projects of those who saw its images are due again. A known image is skipped, but a fresher preview URL
    and values that were missing are taken over. A sync never changes `local_path`, or what a person hid or
    does not want. After an import the head gap has `may_join` false.
11. **A sync shows what Flow had when it was requested.** A quick sync without cursor and `maxPages` may be
    requested again while it is under way, or while it continues after a restart. It then ends only after its
    head was read once more; all requests since then share that reading. A sync that a person requests calls
    the service, at most every ten seconds, even while the profile waits for cookies.
12. **Projects** (flow.google.com).

    12a. *Which projects are due.* Nothing in the listing shows which projects changed. So a quick sync reads
    new ones, the ten most recently active (by their newest image as last read, or by when they were made),
    thirty others in turn (longest unread first), and five that could not be read (longest untried first); the
    panel says how far back that reaches. `full` reads all. A project that was never read, and did not fail
    either, is new and always due. One with unrecognised records is due again after an update of Flowshelf.

    12b. *What counts as read.* The response had its frame, and every record was recognised or of a known
    kind. A refusal does not count, nor does an empty response although images of the project are stored:
    nothing is marked then, and the project is retried among the five that failed, never among the thirty in
    turn, even if it was never read. An empty response with a good frame that came on three days, while other
    projects could be read, does count; `full` then asks before it marks these images.

    12c. *What the listing decides.* Only the listing says which projects are to be read; one that is known
    from an ingredient is only a label. A project that is not found, and that the listing no longer shows, was
    deleted: it is requested once and not reported. What an ingredient says fills in missing values; title and
    archived come from the record in the image's own project.
13. **Gone.** `full` marks an image only if the project under which it is filed was read completely by this
    very walk, or was deleted, and its id was seen nowhere in the walk. Every id in a response counts as seen,
    even if its record was unfinished, odd or of an unknown kind.

After a restart interrupted walks continue by themselves; paused ones stay paused. No gap is ever dropped.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from webapp.database.models import Run, Walk
from webapp.database.states import PageOutcome, SyncMode
from webapp.errors import CircularHistory, FlowError
from webapp.sources import HistoryPage, Reason

MAX_PAGES_WITHOUT_IMAGE = 50


@dataclass(slots=True)
class Visited:
    """What one walk has seen since this process began or continued it: names as 8-byte hashes, and
    cursors."""

    names: set[bytes] = field(default_factory=set)
    cursors: set[str] = field(default_factory=set)
    pages_without_image: int = 0


def is_caught_up(page: HistoryPage, known: Mapping[str, int], walk: Walk) -> bool:
    """Whether a page shows only images that were known before the walk began (rule 3; the caller checks
    `may_join`). `known` maps the names of stored images to the id of the walk that stored them."""
    return bool(page.images) and all(
        known.get(image.name, walk.id) < walk.id and not _is_newer(image.created_at, walk.last_created_at)
        for image in page.images
    )


def _is_newer(created_at: str | None, above: str | None) -> bool:
    return created_at is not None and above is not None and created_at > above


def outcome_of(page: HistoryPage, known: Mapping[str, int], walk: Walk, *, may_catch_up: bool) -> PageOutcome:
    """What a page means for its walk (rules 2 and 3). `known` is as in `is_caught_up`."""
    if page.next_cursor is None:
        return PageOutcome.END
    if may_catch_up and walk.keeps_gap and is_caught_up(page, known, walk):
        return PageOutcome.CAUGHT_UP
    return PageOutcome.CONTINUE


def check_progress(visited: Visited, page: HistoryPage, *, is_project: bool = False) -> None:
    """Add a page to what the walk has seen. Raises CircularHistory or FlowError when it leads nowhere (rules
    3, 8).

    A project may be empty, and it may come twice, because the listing can change during the walk.
    """
    hashes = {hashlib.blake2b(name.encode(), digest_size=8).digest() for name in page.names}
    is_visited = not is_project and bool(hashes) and hashes <= visited.names
    if page.next_cursor in visited.cursors or is_visited:
        raise CircularHistory(
            "Flow returned pages that this sync has already read. The sync stopped; press Resume later to "
            "continue from the same place."
        )
    visited.names |= hashes
    if page.next_cursor:
        visited.cursors.add(page.next_cursor)
    visited.pages_without_image = 0 if page.images or is_project else visited.pages_without_image + 1
    if visited.pages_without_image >= MAX_PAGES_WITHOUT_IMAGE:
        raise FlowError(
            f"Flow sent {MAX_PAGES_WITHOUT_IMAGE} pages in a row without a usable image. The sync stopped; "
            "press Resume to continue from the same place."
        )


def failure_note(failures: Sequence[tuple[str, int]], tried_count: int) -> str:
    """The sentence about projects that could not be read; empty when there are none. `failures` are reasons
    with their counts."""
    count = sum(number for _, number in failures)
    if not count:
        return ""
    reasons = "; ".join(reason for reason, _ in failures[:3])
    more = "" if len(failures) <= 3 else " and other reasons"
    return (
        f"{count:,} of {tried_count:,} projects could not be read ({reasons}{more}). Their images on the "
        "shelf stay as they are, and the next sync tries again."
    )


def read_nothing(run: Run) -> bool:
    """Whether a sync run saw records but recognised none, or a full one saw images but could store none."""
    ignored = json.loads(run.ignored_reasons)
    usable_count = run.synced_count + run.skipped_count + ignored.get(Reason.OTHER_PROFILE, 0)
    unrecognised_count = ignored.get(Reason.UNRECOGNISED, 0)
    unready_count = ignored.get(Reason.NOT_READY, 0) + ignored.get(Reason.FAILED, 0)
    recognised_count = usable_count + sum(ignored.values()) - unrecognised_count
    if unrecognised_count and recognised_count <= 0:
        return True
    return run.sync_request.mode == SyncMode.FULL and not usable_count and unready_count > 0
