"""Gaps and walks: which parts of a history are known, and where the next walk continues.

Below every known part of a history lies its end or a gap. A gap only moves in the transaction that stores the
images above its new place, so a crash can neither lose an image nor read a page twice. The numbered rules are
in `webapp.sync.rules`.
"""

from collections.abc import Iterable
from typing import Any

from peewee import Case, Expression, fn

from webapp.database.base import db
from webapp.database.models import Gap, History, Image, Run, Walk
from webapp.database.states import PageOutcome
from webapp.sources import HistoryPage, Reason
from webapp.store import transaction
from webapp.store.history.projects import forget_readings, plan_quick
from webapp.store.profiles import ensure_history
from webapp.times import now

# By hand: each of these runs once per history page, and peewee takes longer to build such a statement than
# SQLite to run it (benchmark `metadata`, history pages per second).
_MAY_CATCH_UP = "SELECT COALESCE(MIN(may_join), 1) FROM gap WHERE walk_id = :walk_id"
_ADVANCE_WALK = """UPDATE walk SET cursor = :cursor, last_created_at = :last_created_at,
    keeps_gap = :keeps_gap, finished_at = :finished_at WHERE id = :walk_id"""
_IS_AT_CURSOR = "profile_id = :profile_id AND history = :history AND cursor = :cursor"
_MAY_BOTH_CATCH_UP = f"{_MAY_CATCH_UP} OR ({_IS_AT_CURSOR})"
_REMOVE_OTHER_GAP = f"DELETE FROM gap WHERE {_IS_AT_CURSOR} AND walk_id IS NOT :walk_id"
_MOVE_GAP = """UPDATE gap SET cursor = :cursor, after_created_at = :last_created_at, may_join = :may_join
    WHERE walk_id = :walk_id"""
_NOTE_RESPONSE = """UPDATE history SET responded_at = :responded_at, refused_at = NULL
    WHERE profile_id = :profile_id AND name = :history"""

# What is known


def list_gaps(profile_id: str, history: str | None = None) -> list[Gap]:
    """The gaps of a profile, newest first: the head, then by `after_created_at`."""
    gaps = Gap.select().where(Gap.profile == profile_id)
    if history is not None:
        gaps = gaps.where(Gap.history == history)
    is_head = Case(None, [(Gap.cursor == "", 1)], 0)
    return list(gaps.order_by(is_head.desc(), Gap.after_created_at.desc(nulls="last"), Gap.id.desc()))


def list_histories(profile_id: str) -> list[History]:
    return list(History.select().where(History.profile == profile_id).order_by(History.name))


def find_open_full_walk(profile_id: str, history: str) -> Walk | None:
    """The unfinished full walk of a history, which Resume continues (rule 5)."""
    return (
        Walk.select()
        .where(Walk.profile == profile_id, Walk.history == history, Walk.is_full, Walk.finished_at.is_null())
        .order_by(Walk.id.desc())
        .first()
    )


def list_walks_with_question(profile_id: str) -> list[Walk]:
    """Full walks that wait for a person's answer: mark their missing images as gone upstream?"""
    return list(Walk.select().where(Walk.profile == profile_id, Walk.missing_count > 0).order_by(Walk.id))


def may_catch_up(walk: Walk) -> bool:
    """Whether the walk's gap may be closed by catching up (rule 3)."""
    return bool(db.execute_sql(_MAY_CATCH_UP, {"walk_id": walk.id}).fetchone()[0])


def has_responded(profile_id: str, history: str) -> bool:
    """Whether the service ever returned a page of this history."""
    return (
        History.select().where(_is_history(profile_id, history), History.responded_at.is_null(False)).exists()
    )


def has_images(profile_id: str, history: str) -> bool:
    return Image.select().where(Image.profile_id == profile_id, Image.history == history).exists()


# Beginning a walk


def begin_at_head(run: Run, history: str, *, is_full: bool = False, is_quick: bool = False) -> Walk:
    """Begin a walk at the head. It takes over the head gap, which is opened when there is none.

    `is_quick`: it reads only some projects, which are chosen now (rule 12).
    """
    # One transaction: a walk that is not linked to its gap would ignore the `may_join` of that gap, and leave
    # it open when it catches up.
    with transaction():
        ensure_history(run.profile_id, history)
        gap = _find_gap(run.profile_id, history, "") or _open_gap(
            run.profile_id, history, "a sync began here"
        )
        if is_full:
            _abandon_full_walks(run.profile_id, history)
        walk = _add_walk(run, history, from_head=True, is_full=is_full, is_quick=is_quick)
        if is_quick:
            plan_quick(walk)
        Gap.update(walk=walk).where(Gap.id == gap.id).execute()
    return walk


def begin_at_gap(run: Run, gap: Gap, *, is_quick: bool = False) -> Walk:
    """Continue the walk that stopped at a gap, or begin a new one there."""
    if gap.cursor == "":
        return begin_at_head(run, gap.history, is_quick=is_quick)
    with transaction():
        if gap.walk:
            return continue_walk(run, gap.walk)
        walk = _add_walk(run, gap.history, cursor=gap.cursor, last_created_at=gap.after_created_at)
        Gap.update(walk=walk).where(Gap.id == gap.id).execute()
    return walk


def begin_at_cursor(run: Run, history: str, cursor: str) -> Walk:
    """Begin a walk at the caller's cursor, or at the gap with that cursor (rule 6).

    A new gap is opened only with the first page, because the service may refuse the cursor.
    """
    with transaction():
        ensure_history(run.profile_id, history)
        if gap := _find_gap(run.profile_id, history, cursor):
            return begin_at_gap(run, gap)
        return _add_walk(run, history, cursor=cursor)


def continue_walk(run: Run, walk: Walk) -> Walk:
    """Let `run` continue an unfinished walk; returns it as it is stored now."""
    with transaction():
        Run.update(walk=walk, history=walk.history).where(Run.id == run.id).execute()
        Walk.update(finished_at=None).where(Walk.id == walk.id).execute()
    return Walk.get_by_id(walk.id)


def begin_history(run_id: str, history: str) -> None:
    """Move a run on to the next of its histories, in which it has no walk yet."""
    Run.update(history=history, walk=None, history_page_count=0).where(Run.id == run_id).execute()


def note_head_read(run: Run, history: str, asked_count: int) -> None:
    """Record that the newest page of a history was read (rule 11).

    `asked_count` is the run's `asked_count` from before the page was requested: requests that came later are
    not served by it.
    """
    columns = {"head_run_id": run.id, "head_asked_count": asked_count}
    History.update(**columns).where(_is_history(run.profile_id, history)).execute()


def list_unread_heads(run: Run) -> list[str]:
    """The histories of a sync run whose newest page has not been read since the sync was last requested (rule
    11)."""
    if not run.asked_count:
        return []
    served = History.select(History.name).where(
        History.profile == run.profile_id,
        History.head_run_id == run.id,
        History.head_asked_count >= run.asked_count,
    )
    names = set(served.scalars())
    return [name for name in run.sync_request.histories if name not in names]


def _add_walk(run: Run, history: str, *, cursor: str = "", **fields: Any) -> Walk:
    last_gap_id = Gap.select(fn.MAX(Gap.id)).where(_is_gap_of(run.profile_id, history)).scalar() or 0
    walk = Walk.create(
        profile=run.profile_id,
        history=history,
        cursor=cursor,
        from_head=fields.pop("from_head", False),
        last_gap_id=last_gap_id,
        began_at=now(),
        **fields,
    )
    Run.update(walk=walk, history=history).where(Run.id == run.id).execute()
    return walk


def _abandon_full_walks(profile_id: str, history: str) -> None:
    """Make unfinished full walks ordinary ones, because a new full walk begins. Their gaps stay and are
    closed like others; their open questions are withdrawn."""
    Walk.update(is_full=False, missing_count=0).where(
        Walk.profile == profile_id, Walk.history == history, Walk.is_full
    ).execute()


# Where a walk stands


def advance_walk(walk: Walk, page: HistoryPage, outcome: PageOutcome, *, is_last: bool) -> None:
    """Move a walk and its gap past a history page, in the database and in `walk`.

    Call it inside the transaction that stores the images of the page (rule 1): if the gap moved first, a
    crash would lose them; if it moved later, they would be read twice.
    """
    walk.cursor = page.next_cursor or walk.cursor
    walk.last_created_at = page.last_created_at or walk.last_created_at
    walk.keeps_gap = walk.keeps_gap and outcome is PageOutcome.CONTINUE
    walk.finished_at = now() if is_last else None
    place: dict[str, object] = {
        "walk_id": walk.id,
        "profile_id": walk.profile_id,
        "history": walk.history,
        "cursor": walk.cursor,
        "last_created_at": walk.last_created_at,
        "keeps_gap": walk.keeps_gap,
        "finished_at": walk.finished_at,
    }
    db.execute_sql(_ADVANCE_WALK, place)
    if walk.keeps_gap:
        _move_gap(walk, place)
    else:
        Gap.delete().where(Gap.walk == walk).execute()
    # The head walk has read everything that was open when it began. A gap that was opened later stays.
    if outcome is PageOutcome.END and walk.from_head:
        Gap.delete().where(_is_gap_of(walk.profile_id, walk.history), Gap.id <= walk.last_gap_id).execute()


def _move_gap(walk: Walk, place: dict[str, object]) -> None:
    """Move the walk's gap to `place`, or open it there if the walk has none yet.

    Another gap at the same cursor is merged into it. The merged gap may be closed by catching up only if both
    could.
    """
    (may_join,) = db.execute_sql(_MAY_BOTH_CATCH_UP, place).fetchone()
    # First remove the other gap: a history has one gap per cursor.
    db.execute_sql(_REMOVE_OTHER_GAP, place)
    if not db.execute_sql(_MOVE_GAP, place | {"may_join": may_join}).rowcount:
        gap = _open_gap(walk.profile_id, walk.history, "a sync stopped here", walk.cursor)
        Gap.update(after_created_at=walk.last_created_at, may_join=may_join, walk=walk).where(
            Gap.id == gap.id
        ).execute()


def note_response(walk: Walk, *, is_complete: bool) -> None:
    """Record that the service returned a page of the walk's history.

    `is_complete`: the walk has reached the end or caught up. The history is in sync if it then has no gap.
    """
    moment = now()
    response = {"responded_at": moment, "profile_id": walk.profile_id, "history": walk.history}
    db.execute_sql(_NOTE_RESPONSE, response)
    if is_complete and not Gap.select().where(_is_gap_of(walk.profile_id, walk.history)).exists():
        History.update(synced_at=moment).where(_is_history(walk.profile_id, walk.history)).execute()


# When known images say nothing about those below them


def forbid_catching_up(profile_id: str, names: Iterable[str], reason: str) -> None:
    """Make the next walk of each history start at the head and not stop at known images.

    For images that no walk stored: those below them may be unknown. Call it inside a transaction.
    """
    for name in names:
        ensure_history(profile_id, name)
        if _find_gap(profile_id, name, "") is None:
            _open_gap(profile_id, name, reason)
    Gap.update(may_join=False).where(Gap.profile == profile_id).execute()


def reread_shared(profile_id: str) -> None:
    """Open gaps so that other profiles which saw images of this one read their histories again (rule 10).

    Call it before this profile is removed. Its images can then be stored for the others.
    """
    with transaction():
        for other_id in list_profiles_that_share(profile_id):
            forget_readings(other_id)
            names = [history.name for history in list_histories(other_id)]
            forbid_catching_up(other_id, names, "images of a removed profile may be there")


def list_profiles_that_share(profile_id: str) -> list[str]:
    """The ids of other profiles whose syncs saw images that another profile already had."""
    sharing = Run.select(Run.profile).where(
        Run.profile != profile_id, Run.ignored_reasons.contains(Reason.OTHER_PROFILE.value)
    )
    return list(sharing.distinct().scalars())


# When Flow refuses


def reopen_at_head(walk: Walk) -> Gap | None:
    """End a walk whose cursor was refused, and replace its gap by a gap at the newest page whose next walk
    must not stop at known images (rule 7).

    Returns that gap, or None when the walk had no gap because it had already caught up.
    """
    # One transaction: without its gap the walk's place would be lost, and with both the refused cursor would
    # be tried again.
    with transaction():
        Walk.update(finished_at=now(), is_full=False).where(Walk.id == walk.id).execute()
        if not Gap.delete().where(Gap.walk == walk).execute():
            return None
        head = _find_gap(walk.profile_id, walk.history, "")
        head = head or _open_gap(walk.profile_id, walk.history, "Flow no longer knew the cursor of a gap")
        Gap.update(may_join=False).where(Gap.id == head.id).execute()
        return Gap.get_by_id(head.id)


def note_refused_history(profile_id: str, history: str) -> bool:
    """Record that the service does not offer a history to this account. Returns False if it was known."""
    is_new = _is_history(profile_id, history) & History.refused_at.is_null()
    return bool(History.update(refused_at=now()).where(is_new).execute())


def _find_gap(profile_id: str, history: str, cursor: str) -> Gap | None:
    return Gap.get_or_none(_is_gap_of(profile_id, history), Gap.cursor == cursor)


def _open_gap(profile_id: str, history: str, reason: str, cursor: str = "") -> Gap:
    return Gap.create(profile=profile_id, history=history, cursor=cursor, reason=reason, opened_at=now())


def _is_gap_of(profile_id: str, history: str) -> Expression:
    return (Gap.profile == profile_id) & (Gap.history == history)


def _is_history(profile_id: str, name: str) -> Expression:
    return (History.profile == profile_id) & (History.name == name)
