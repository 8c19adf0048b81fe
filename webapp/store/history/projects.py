"""Projects: what the listing shows of them, what came of asking for them, and which a quick sync reads.

*Read* means that the response had its frame and every record was of a kind we know. A refusal is not
read, nor is a response without records although the shelf has images of the project; such projects are
in `failure` and tried again. One without trouble that was never read is new. A project that is known by
an ingredient alone has no row: only the listing says what is to be read.
"""

from collections.abc import Iterable
from importlib import metadata

from peewee import fn

from webapp.database.models import Image, Project, Walk, db
from webapp.sources import HistoryPage, Reading, RemoteProject
from webapp.times import now

# How many projects a quick sync reads besides new ones.
QUICK_RECENT, QUICK_IN_TURN, QUICK_TROUBLED = 10, 30, 5
# On so many days an empty response counts as what it says.
EMPTY_DAYS = 3

UNRECOGNISED = "nothing in it was recognised"
EMPTY = "it came without records, although the shelf has images of it"
NOT_FOUND = "not found, although the list shows it"

_LIST_PROJECT = """INSERT INTO project (profile_id, remote_id, title, made_at, listed_walk_id, empty_count)
    VALUES (?, ?, ?, ?, ?, 0) ON CONFLICT (profile_id, remote_id) DO UPDATE SET title = excluded.title,
    made_at = COALESCE(excluded.made_at, made_at), listed_walk_id = excluded.listed_walk_id,
    unlisted_at = NULL, deleted_at = NULL"""


def list_projects(profile_id: str | None) -> list[Project]:
    """The projects of a profile, or of all, by their titles."""
    projects = Project.select()
    if profile_id:
        projects = projects.where(Project.profile == profile_id)
    return list(projects.order_by(Project.title, Project.id))


def find_title(profile_id: str, remote_id: str | None) -> str | None:
    project = Project.get_or_none(Project.profile == profile_id, Project.remote_id == remote_id)
    return project and project.title


# What a walk reads


def plan_quick(walk: Walk) -> None:
    """Mark the known projects that a quick walk reads: the most recently active, others in turn (the longest
    unread first), some of those in trouble, and those that an earlier Flowshelf did not wholly recognise.

    New projects need no mark. The marks are stored, so that a walk goes on as it was meant after a restart.
    Call it inside a transaction.
    """
    listed = (Project.profile == walk.profile_id) & Project.unlisted_at.is_null()
    is_known = listed & Project.read_at.is_null(False) & Project.failure.is_null()
    active_at = fn.COALESCE(Project.newest_at, Project.made_at, "")
    recent = _ids(Project.select().where(is_known).order_by(active_at.desc(), Project.id), QUICK_RECENT)
    others = Project.select().where(is_known, Project.id.not_in(recent))
    in_turn = _ids(others.order_by(Project.read_at, Project.id), QUICK_IN_TURN)
    troubled = Project.select().where(listed, Project.failure.is_null(False))
    retried = _ids(troubled.order_by(Project.tried_at, Project.id), QUICK_TROUBLED)
    is_outdated = listed & Project.reader_version.is_null(False) & (Project.reader_version != _our_version())
    is_due = Project.id.in_([*recent, *in_turn, *retried]) | is_outdated
    Project.update(due_walk_id=walk.id).where(Project.profile == walk.profile_id, is_due).execute()


def list_passed_over(walk: Walk) -> set[str]:
    """The remote ids that a walk need not ask for: it did so already or, when it is quick, their turn comes
    later."""
    is_tried = Project.tried_walk_id == walk.id
    is_new = Project.read_at.is_null() & Project.failure.is_null()
    is_due = fn.COALESCE(Project.due_walk_id, 0) == walk.id
    passed = is_tried | (~is_new & ~is_due) if walk.is_quick else is_tried
    rows = Project.select(Project.remote_id).where(Project.profile == walk.profile_id, passed)
    return {remote_id for (remote_id,) in rows.tuples()}


def list_unlisted(walk: Walk, besides: Iterable[str]) -> list[RemoteProject]:
    """Projects of images that a full walk has not met and whose listing did not show them: they may have been
    deleted. Each is asked for once; `besides` are those of the page that is still to be stored."""
    is_unlisted = fn.COALESCE(Project.listed_walk_id, 0) < walk.id
    is_untried = fn.COALESCE(Project.tried_walk_id, 0) < walk.id
    of_missing = Image.select(Image.project_id).where(not_visited(walk))
    missed = Project.select().where(
        Project.profile == walk.profile_id,
        is_unlisted,
        is_untried,
        Project.deleted_at.is_null(),
        Project.remote_id.in_(of_missing),
        Project.remote_id.not_in(list(besides)),
    )
    return [RemoteProject(each.remote_id, each.title, each.made_at) for each in missed.order_by(Project.id)]


def not_visited(walk: Walk):
    """Images of a walk's history that it neither stored nor saw."""
    return (
        (Image.profile_id == walk.profile_id)
        & (Image.history == walk.history)
        & Image.gone_upstream_at.is_null()
        & (fn.COALESCE(Image.stored_walk_id, 0) < walk.id)
        & (fn.COALESCE(Image.seen_walk_id, 0) < walk.id)
    )


# What came of it


def note_page(walk: Walk, page: HistoryPage, *, is_listed: bool = True) -> None:
    """Keep what a page of projects says of them; call it in the transaction that stores its images.

    `is_listed` is False for a project that was asked for although the listing did not show it.
    """
    listed = [*page.passed, page.project] if is_listed and page.project else page.passed
    for project in listed:
        db.execute_sql(_LIST_PROJECT, (walk.profile_id, project.id, project.title, project.made_at, walk.id))
    if page.project and page.reading:
        changes = _outcome(walk, page, is_listed) | {"tried_at": now(), "tried_walk_id": walk.id}
        Project.update(**changes).where(_is_project(walk, page.project.id)).execute()


def _outcome(walk: Walk, page: HistoryPage, is_listed: bool) -> dict:
    """The columns that a reading changes."""
    read = _read(walk, page)
    outcomes = {
        Reading.READ: read,
        # Not whole, so what it does not show may be there all the same.
        Reading.PARTLY: read | {"read_walk_id": Project.read_walk_id, "reader_version": _our_version()},
        Reading.UNRECOGNISED: {"failure": UNRECOGNISED, "reader_version": _our_version()},
        Reading.NOT_FOUND: {"failure": NOT_FOUND} if is_listed else {"failure": None, "deleted_at": now()},
        Reading.REFUSED: {"failure": page.failure or "refused"},
    }
    return _empty(walk, page) if page.reading is Reading.EMPTY else outcomes[page.reading]


def _read(walk: Walk, page: HistoryPage) -> dict:
    made = [image.created_at for image in page.images if image.created_at and not image.is_ingredient]
    return {
        "read_at": now(),
        "read_walk_id": walk.id,
        "newest_at": max(made, default=None),
        "failure": None,
        "reader_version": None,
        "empty_walk_id": None,
        "empty_count": 0,
        "empty_on": None,
    }


def _empty(walk: Walk, page: HistoryPage) -> dict:
    """Nothing there is believed at once only where nothing was."""
    project = Project.get(_is_project(walk, page.project.id))
    has_images = Image.select().where(
        Image.profile_id == walk.profile_id,
        Image.project_id == project.remote_id,
        Image.gone_upstream_at.is_null(),
    )
    if not has_images.exists():
        return _read(walk, page)
    if project.empty_count >= EMPTY_DAYS:
        return {"read_at": now(), "read_walk_id": walk.id, "failure": None}
    return {"failure": EMPTY, "empty_walk_id": walk.id}


def finish_listing(walk: Walk) -> None:
    """A walk has seen the whole listing: what it did not show is listed no more. And empty responses count,
    once a day, when other projects were read well beside them. Call it inside a transaction."""
    of_profile, moment = Project.profile == walk.profile_id, now()
    is_missing = (fn.COALESCE(Project.listed_walk_id, 0) < walk.id) & Project.unlisted_at.is_null()
    Project.update(unlisted_at=moment).where(of_profile, is_missing).execute()
    read_well = (Project.read_walk_id == walk.id) & Project.newest_at.is_null(False)
    if not Project.select().where(of_profile, read_well).exists():
        return
    today = moment[:10]
    is_empty = (Project.empty_walk_id == walk.id) & (fn.COALESCE(Project.empty_on, "") < today)
    Project.update(empty_count=Project.empty_count + 1, empty_on=today).where(of_profile, is_empty).execute()
    is_believed = (Project.empty_walk_id == walk.id) & (Project.empty_count >= EMPTY_DAYS)
    Project.update(read_at=moment, read_walk_id=walk.id, failure=None).where(
        of_profile, is_believed
    ).execute()


def count_tried(walk: Walk) -> int:
    return (
        Project.select().where(Project.profile == walk.profile_id, Project.tried_walk_id == walk.id).count()
    )


def count_failures(walk: Walk) -> list[tuple[str, int]]:
    """Why projects could not be read by a walk, the most frequent reason first."""
    count = fn.COUNT(Project.id)
    troubled = Project.select(Project.failure, count).where(
        Project.profile == walk.profile_id,
        Project.tried_walk_id == walk.id,
        Project.failure.is_null(False),
    )
    return list(troubled.group_by(Project.failure).order_by(count.desc(), Project.failure).tuples())


def is_none_read(walk: Walk) -> bool:
    """Whether a walk asked for projects and none could be read; an empty or missing one is an answer."""
    refused = (count for failure, count in count_failures(walk) if failure not in (EMPTY, NOT_FOUND))
    tried_count = count_tried(walk)
    return tried_count > 0 and tried_count == sum(refused)


def find_longest_unread(profile_id: str) -> Project | None:
    """The listed project that was read the longest ago; None when the last walk read every one."""
    listed = Project.select().where(Project.profile == profile_id, Project.unlisted_at.is_null())
    is_behind = fn.COALESCE(Project.tried_walk_id, 0) < fn.COALESCE(Project.listed_walk_id, 0)
    return listed.where(is_behind).order_by(Project.read_at).first()


def count_unread(profile_id: str) -> int:
    """Listed projects that were never read."""
    is_unread = Project.unlisted_at.is_null() & Project.read_at.is_null()
    return Project.select().where(Project.profile == profile_id, is_unread).count()


def forget_readings(profile_id: str) -> None:
    """Every project of a profile is new again: the next sync reads all of them."""
    Project.update(read_at=None, read_walk_id=None, failure=None).where(
        Project.profile == profile_id
    ).execute()


def _ids(rows, limit: int) -> list[int]:
    return [row_id for (row_id,) in rows.select(Project.id).limit(limit).tuples()]


def _is_project(walk: Walk, remote_id: str):
    return (Project.profile == walk.profile_id) & (Project.remote_id == remote_id)


def _our_version() -> str:
    """Which Flowshelf reads: after an update it may recognise more."""
    return metadata.version("flowshelf")
