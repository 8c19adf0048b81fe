"""Gaps and walks: what is known of a history, and where the next walk has to go on.

What we know of a history is stretches; below every known stretch lies the end or a gap. A gap moves
only in the transaction that stores the images above its new place, so that a crash leaves it where
the walk stood.
"""

from collections.abc import Iterable

from peewee import Case, fn

from webapp.database.models import Gap, History, Image, Run, Walk, db
from webapp.database.states import PageOutcome
from webapp.sources import HistoryPage, Reason
from webapp.store import transaction
from webapp.store.history.projects import forget_readings, plan_quick
from webapp.store.profiles import make_history
from webapp.times import now

# As text, because for each page peewee takes longer to write these than SQLite to answer them.
_MAY_JOIN = "SELECT COALESCE(MIN(may_join), 1) FROM gap WHERE walk_id = :walk_id"
_ADVANCE_WALK = """UPDATE walk SET cursor = :cursor, last_created_at = :last_created_at,
    keeps_gap = :keeps_gap, finished_at = :finished_at WHERE id = :walk_id"""
_IS_THERE = "profile_id = :profile_id AND history = :history AND cursor = :cursor"
_MAY_JOIN_THERE = f"{_MAY_JOIN} OR ({_IS_THERE})"
_MAKE_ROOM = f"DELETE FROM gap WHERE {_IS_THERE} AND walk_id IS NOT :walk_id"
_MOVE_GAP = """UPDATE gap SET cursor = :cursor, after_created_at = :last_created_at, may_join = :may_join
    WHERE walk_id = :walk_id"""
_NOTE_RESPONSE = """UPDATE history SET responded_at = :responded_at, refused_at = NULL
    WHERE profile_id = :profile_id AND name = :history"""

# Questions


def list_gaps(profile_id: str, history: str | None = None) -> list[Gap]:
    """The gaps of a profile, newest first: the head before all others."""
    gaps = Gap.select().where(Gap.profile == profile_id)
    if history is not None:
        gaps = gaps.where(Gap.history == history)
    is_head = Case(None, [(Gap.cursor == "", 1)], 0)
    return list(gaps.order_by(is_head.desc(), Gap.after_created_at.desc(nulls="last"), Gap.id.desc()))


def list_histories(profile_id: str) -> list[History]:
    return list(History.select().where(History.profile == profile_id).order_by(History.name))


def find_open_full_walk(profile_id: str, history: str) -> Walk | None:
    """The full walk that was begun and is not finished; Resume continues it."""
    return (
        Walk.select()
        .where(Walk.profile == profile_id, Walk.history == history, Walk.is_full, Walk.finished_at.is_null())
        .order_by(Walk.id.desc())
        .first()
    )


def list_walks_with_question(profile_id: str) -> list[Walk]:
    """Finished full walks that ask whether to mark many images as gone upstream."""
    return list(Walk.select().where(Walk.profile == profile_id, Walk.missing_count > 0).order_by(Walk.id))


def may_join(walk: Walk) -> bool:
    """Whether the gap that this walk closes may be closed by meeting known images."""
    return bool(db.execute_sql(_MAY_JOIN, {"walk_id": walk.id}).fetchone()[0])


def has_responded(profile_id: str, history: str) -> bool:
    return (
        History.select().where(history_row(profile_id, history), History.responded_at.is_null(False)).exists()
    )


def has_images(profile_id: str, history: str) -> bool:
    return Image.select().where(Image.profile_id == profile_id, Image.history == history).exists()


# Beginning a walk


def begin_at_head(run: Run, history: str, *, is_full: bool = False, is_quick: bool = False) -> Walk:
    """A walk from the head: it takes the head gap, which is opened when there is none.

    Of projects a quick one reads only some.
    """
    with transaction():
        make_history(run.profile_id, history)
        gap = _gap_at(run.profile_id, history, "") or _open_gap(run.profile_id, history, "a sync began here")
        if is_full:
            _abandon_full_walks(run.profile_id, history)
        walk = _make_walk(run, history, from_head=True, is_full=is_full, is_quick=is_quick)
        if is_quick:
            plan_quick(walk)
        Gap.update(walk=walk).where(Gap.id == gap.id).execute()
    return walk


def begin_at_gap(run: Run, gap: Gap, *, is_quick: bool = False) -> Walk:
    """The walk that stands at a gap goes on, or a new one begins there."""
    if gap.cursor == "":
        return begin_at_head(run, gap.history, is_quick=is_quick)
    with transaction():
        if gap.walk_id:
            return continue_walk(run, gap.walk)
        walk = _make_walk(run, gap.history, cursor=gap.cursor, last_created_at=gap.after_created_at)
        Gap.update(walk=walk).where(Gap.id == gap.id).execute()
    return walk


def begin_at_cursor(run: Run, history: str, cursor: str) -> Walk:
    """A walk from a place that the caller names. A gap stands there only once Flow accepted it."""
    with transaction():
        make_history(run.profile_id, history)
        if gap := _gap_at(run.profile_id, history, cursor):
            return begin_at_gap(run, gap)
        return _make_walk(run, history, cursor=cursor)


def continue_walk(run: Run, walk: Walk) -> Walk:
    """Let `run` carry an unfinished walk on."""
    with transaction():
        Run.update(walk=walk, history=walk.history).where(Run.id == run.id).execute()
        Walk.update(finished_at=None).where(Walk.id == walk.id).execute()
    return Walk.get_by_id(walk.id)


def begin_history(run_id: str, history: str) -> None:
    """A run turns to the next of its histories: no walk of it has begun there."""
    Run.update(history=history, walk=None, history_page_count=0).where(Run.id == run_id).execute()


def note_head_read(run: Run, history: str, asked_count: int) -> None:
    """The newest page of a history came; it was asked for when somebody had asked for the run so often."""
    read = {"head_run_id": run.id, "head_asked_count": asked_count}
    History.update(**read).where(history_row(run.profile_id, history)).execute()


def list_unserved(run: Run) -> list[str]:
    """Histories of a run whose head was not read since somebody asked for it last."""
    if not run.asked_count:
        return []
    served = History.select(History.name).where(
        History.profile == run.profile_id,
        History.head_run_id == run.id,
        History.head_asked_count >= run.asked_count,
    )
    found = {name for (name,) in served.tuples()}
    return [name for name in run.histories.split(",") if name not in found]


def _make_walk(run: Run, history: str, *, cursor: str = "", **fields) -> Walk:
    last_gap_id = Gap.select(fn.MAX(Gap.id)).where(gap_of(run.profile_id, history)).scalar() or 0
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
    """A new full walk takes the place of unfinished ones; their gaps stay and are closed like others."""
    Walk.update(is_full=False, missing_count=0).where(
        Walk.profile == profile_id, Walk.history == history, Walk.is_full
    ).execute()


# Where a walk stands


def advance_walk(walk: Walk, page: HistoryPage, step: PageOutcome, *, is_last: bool) -> None:
    """Move a walk and its gap past a page, inside the transaction that stores the page; `walk` as well."""
    walk.cursor = page.next_cursor or walk.cursor
    walk.last_created_at = page.last_created_at or walk.last_created_at
    walk.keeps_gap = walk.keeps_gap and step is PageOutcome.CONTINUE
    walk.finished_at = now() if is_last else None
    place = {
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
    if step is PageOutcome.END and walk.from_head:
        Gap.delete().where(gap_of(walk.profile_id, walk.history), Gap.id <= walk.last_gap_id).execute()


def _move_gap(walk: Walk, place: dict) -> None:
    """The walk's gap stands at `place` now; a gap that stood there is the same place and becomes one
    with it, and joins only where both of them would have."""
    (joins,) = db.execute_sql(_MAY_JOIN_THERE, place).fetchone()
    db.execute_sql(_MAKE_ROOM, place)
    if not db.execute_sql(_MOVE_GAP, place | {"may_join": joins}).rowcount:
        gap = _open_gap(walk.profile_id, walk.history, "a sync stopped here", walk.cursor)
        Gap.update(after_created_at=walk.last_created_at, may_join=joins, walk=walk).where(
            Gap.id == gap.id
        ).execute()


def note_response(walk: Walk, *, is_complete: bool) -> None:
    """The history of a walk was answered; when that `is_complete` and no gap is left, it is in sync."""
    moment = now()
    answered = {"responded_at": moment, "profile_id": walk.profile_id, "history": walk.history}
    db.execute_sql(_NOTE_RESPONSE, answered)
    if is_complete and not Gap.select().where(gap_of(walk.profile_id, walk.history)).exists():
        History.update(synced_at=moment).where(history_row(walk.profile_id, walk.history)).execute()


# When what is known says nothing of what lies around it


def forbid_joins(profile_id: str, names: Iterable[str], reason: str) -> None:
    """Images came in that no walk has stored: the next walk of each history goes from the head and does not
    stop where it meets what is known. Call it inside a transaction."""
    for name in names:
        make_history(profile_id, name)
        if _gap_at(profile_id, name, "") is None:
            _open_gap(profile_id, name, reason)
    Gap.update(may_join=False).where(Gap.profile == profile_id).execute()


def reread_shared(profile_id: str) -> None:
    """A profile is about to be removed: images that others met and left to it are to come to those others."""
    with transaction():
        for other_id in list_profiles_that_share(profile_id):
            forget_readings(other_id)
            names = [history.name for history in list_histories(other_id)]
            forbid_joins(other_id, names, "images of a removed profile may be there")


def list_profiles_that_share(profile_id: str) -> list[str]:
    """Profiles whose syncs met images that were on the shelf of another profile already, besides this one."""
    sharing = Run.select(Run.profile).where(
        Run.profile != profile_id, Run.ignored_reasons.contains(Reason.OTHER_PROFILE.value)
    )
    return [other_id for (other_id,) in sharing.distinct().tuples()]


# When Flow refuses


def reopen_at_head(walk: Walk) -> Gap | None:
    """A refused cursor: the walk ends, and its gap becomes the head gap that does not join.

    Returns that gap, None when the walk had none (it only went over what is known).
    """
    with transaction():
        Walk.update(finished_at=now(), is_full=False).where(Walk.id == walk.id).execute()
        if not Gap.delete().where(Gap.walk == walk).execute():
            return None
        head = _gap_at(walk.profile_id, walk.history, "")
        head = head or _open_gap(
            walk.profile_id, walk.history, "Flow no longer knew the place of an older gap"
        )
        Gap.update(may_join=False).where(Gap.id == head.id).execute()
        return Gap.get_by_id(head.id)


def note_refused_history(profile_id: str, history: str) -> None:
    History.update(refused_at=now()).where(history_row(profile_id, history)).execute()


def _gap_at(profile_id: str, history: str, cursor: str) -> Gap | None:
    return Gap.get_or_none(gap_of(profile_id, history), Gap.cursor == cursor)


def _open_gap(profile_id: str, history: str, reason: str, cursor: str = "") -> Gap:
    return Gap.create(profile=profile_id, history=history, cursor=cursor, reason=reason, opened_at=now())


def gap_of(profile_id: str, history: str):
    return (Gap.profile == profile_id) & (Gap.history == history)


def history_row(profile_id: str, name: str):
    return (History.profile == profile_id) & (History.name == name)
