"""The rules by which a history is walked, and the pure decisions among them.

Flow lists newest first. Below every part of a history that we know lies either its end or a **gap**: a row
with a profile, a history and a cursor (`''` is the head). Comments elsewhere name these rules by number.

1.  A walk is a gap being closed. Images of a page, counts and the gap's new place are one transaction:
    nothing is fetched twice for it, and nothing is missed.
2.  The end: a page with entries and no next token closes the gap. An answer with neither is asked for once
    more; where the shelf has images of the history, the run stops and nothing is closed or marked.
3.  Caught up: the gap may join, the page has a usable image, all of them were known before this walk began,
    and none is newer than the last entry above. A page without usable images proves nothing; fifty of them
    stop the run.
4.  A quick sync walks from the head until it has caught up, then closes the remaining gaps, newest first.
5.  `all` and `full` do not stop where they catch up. `full` is one walk that Resume continues; at its end it
    marks as gone what it did not meet, and asks first when that is more than a tenth. Nothing is deleted.
6.  Resume continues the newest gap. A cursor of the caller that is no gap opens one and removes none.
7.  A refused cursor makes its gap the head, which does not join. A refused first page, or a place that was
    handed out in this very run, stops the run and keeps the gap.
8.  A token that repeats, or a page that brings no name this walk has not met, stops the run.
9.  Entries that are no usable image are counted, never fatal. A response without the frame that we know stops
    the run as `flow_changed`. A history that the service refuses does not stop the other.
10. A name is unique on the shelf. An image that another profile has stays that profile's: here it counts as
    known and met. Sync never touches files, or what a person hid or does not want.
11. What was asked for is what is done: a quick sync that somebody asks for while it is under way ends only
    when the head was read after that; all who asked share one more reading.
12. Projects, where nothing shows which of them changed. A quick sync reads new ones, the ten most recently
    active, thirty others in turn, and five of those in trouble. *Read* means that the answer had its frame
    and every record was of a kind we know. A refusal is not read, nor is an empty answer although the shelf
    has images of the project; given on three days while others read well, it is believed, and Full asks.
    A project that the listing does not show any more is asked for once: not found means deleted.
13. Gone: Full marks an image only when the project it is filed under was read whole by this very walk, or is
    deleted, and its id was met nowhere in the walk. Every id that an answer shows counts as met.

After a restart interrupted walks go on by themselves; paused ones stay paused. No gap is ever dropped.
"""

import hashlib
import json
from dataclasses import dataclass, field

from webapp.database.models import Run, Walk
from webapp.database.states import PageOutcome, SyncMode
from webapp.errors import CircularHistory, FlowError
from webapp.sources import HistoryPage, Reason

MAX_PAGES_WITHOUT_IMAGE = 50


@dataclass(slots=True)
class Visited:
    """What one walk has met since this process carries it on: names (as 8-byte hashes) and tokens."""

    names: set[bytes] = field(default_factory=set)
    cursors: set[str] = field(default_factory=set)
    pages_without_image: int = 0


def is_caught_up(page: HistoryPage, known: dict[str, int], walk: Walk) -> bool:
    """Rule 3: the page has usable images, all were known before this walk began, and none is newer
    than the last entry above. `known` maps names to the id of the walk that stored them."""
    return bool(page.images) and all(
        known.get(image.name, walk.id) < walk.id and not _is_newer(image.created_at, walk.last_created_at)
        for image in page.images
    )


def _is_newer(created_at: str | None, above: str | None) -> bool:
    return created_at is not None and above is not None and created_at > above


def outcome_of(page: HistoryPage, known: dict[str, int], walk: Walk, *, may_join: bool) -> PageOutcome:
    """What a page means for the walk that met it."""
    if page.next_cursor is None:
        return PageOutcome.END
    if may_join and walk.keeps_gap and is_caught_up(page, known, walk):
        return PageOutcome.CAUGHT_UP
    return PageOutcome.CONTINUE


def check_progress(visited: Visited, page: HistoryPage, *, is_project: bool = False) -> None:
    """Rules 3 and 8: raises when the history goes round in circles or brings no images for ever.

    A project may be empty, and one that moved in the listing meanwhile may come twice.
    """
    hashes = {hashlib.blake2b(name.encode(), digest_size=8).digest() for name in page.names}
    is_visited = not is_project and bool(hashes) and hashes <= visited.names
    if page.next_cursor in visited.cursors or is_visited:
        raise CircularHistory(
            "Flow repeats itself: it handed out pages of this history that this sync has already seen. "
            "The sync stopped and remembers the place; press Resume to go on from there later."
        )
    visited.names |= hashes
    if page.next_cursor:
        visited.cursors.add(page.next_cursor)
    visited.pages_without_image = 0 if page.images or is_project else visited.pages_without_image + 1
    if visited.pages_without_image >= MAX_PAGES_WITHOUT_IMAGE:
        raise FlowError(
            f"Flow sent {MAX_PAGES_WITHOUT_IMAGE} pages in a row without a usable image. The sync stopped "
            "and remembers the place; press Resume to go on from there."
        )


def failure_note(failures: list[tuple[str, int]], tried_count: int) -> str:
    """What the end of a sync says of projects that could not be read; empty when there is none."""
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
    """Whether a run met records and recognised none, or a full one met images and kept none of them."""
    ignored = json.loads(run.ignored_reasons)
    kept_count = run.synced_count + run.skipped_count + ignored.get(Reason.OTHER_PROFILE, 0)
    unrecognised_count = ignored.get(Reason.UNRECOGNISED, 0)
    unready_count = ignored.get(Reason.NOT_READY, 0) + ignored.get(Reason.FAILED, 0)
    recognised_count = kept_count + sum(ignored.values()) - unrecognised_count
    if unrecognised_count and recognised_count <= 0:
        return True
    return run.mode == SyncMode.FULL and not kept_count and unready_count > 0
