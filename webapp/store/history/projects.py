"""Projects: what the listing shows of them, how reading them went, and which a quick sync reads (rule 12).

*Read* means that the response had the expected frame and every record was of a known kind. A refusal does not
count as read, nor does a response without records although images of the project are stored: such a project
has a `failure` and is tried again. A project without a failure that was never read is new. A project that is
known only from an ingredient has no row, because only the listing says which projects are to be read.
"""

from collections.abc import Iterable, Sequence
from importlib import metadata
from typing import Any

from peewee import EXCLUDED, Expression, ModelSelect, fn

from webapp.database.models import Image, Project, Walk
from webapp.sources import HistoryPage, Reading, RemoteProject
from webapp.store import chunked
from webapp.times import now

# How many projects a quick sync reads besides new ones.
QUICK_RECENT, QUICK_IN_TURN, QUICK_FAILED = 10, 30, 5
# An empty response is believed when it came on this many days.
EMPTY_DAYS = 3

UNRECOGNISED = "nothing in it was recognised"
EMPTY = "it came without records, although the shelf has images of it"
NOT_FOUND = "not found, although the list shows it"


def list_projects(profile_id: str | None) -> list[Project]:
    """The projects of a profile, or of all profiles, by title."""
    projects = Project.select()
    if profile_id:
        projects = projects.where(Project.profile == profile_id)
    return list(projects.order_by(Project.title, Project.id))


def find_project(remote_id: str) -> Project | None:
    """A project by its id at Flow, which is the same in each profile that sees it."""
    return Project.get_or_none(Project.remote_id == remote_id)


def find_title(profile_id: str, remote_id: str | None) -> str | None:
    project = Project.get_or_none(Project.profile == profile_id, Project.remote_id == remote_id)
    return project.title if project else None


# What a walk reads


def plan_quick(walk: Walk) -> None:
    """Choose the known projects that a quick walk reads, by setting their `due_walk_id`.

    These are the most recently active ones, others in turn (longest unread first), some that could not be
    read, and those with records that an earlier version of Flowshelf did not recognise. New projects are
    always read. The choice is stored, so that the walk can continue after a restart. Call it inside a
    transaction.
    """
    listed = (Project.profile == walk.profile_id) & Project.unlisted_at.is_null()
    is_known = listed & Project.read_at.is_null(False) & Project.failure.is_null()
    active_at = fn.COALESCE(Project.newest_at, Project.made_at, "")
    recent = _ids(Project.select().where(is_known).order_by(active_at.desc(), Project.id), QUICK_RECENT)
    others = Project.select().where(is_known, Project.id.not_in(recent))
    in_turn = _ids(others.order_by(Project.read_at, Project.id), QUICK_IN_TURN)
    failed = Project.select().where(listed, Project.failure.is_null(False))
    retried = _ids(failed.order_by(Project.tried_at, Project.id), QUICK_FAILED)
    is_outdated = listed & Project.reader_version.is_null(False) & (Project.reader_version != _our_version())
    is_due = Project.id.in_([*recent, *in_turn, *retried]) | is_outdated
    Project.update(due_walk_id=walk.id).where(Project.profile == walk.profile_id, is_due).execute()


def list_passed_over(walk: Walk) -> set[str]:
    """The remote ids of projects that a walk does not read: it already tried them or, if it is quick, they
    are not due."""
    is_tried = Project.tried_walk_id == walk.id
    is_new = Project.read_at.is_null() & Project.failure.is_null()
    is_due = fn.COALESCE(Project.due_walk_id, 0) == walk.id
    is_passed = is_tried | (~is_new & ~is_due) if walk.is_quick else is_tried
    passed = Project.select(Project.remote_id).where(Project.profile == walk.profile_id, is_passed)
    return set(passed.scalars())


def list_unlisted(walk: Walk, except_ids: Iterable[str]) -> list[RemoteProject]:
    """Projects that may have been deleted: a full walk did not see some of their images, its listing did not
    show them, and it has not tried them yet. `except_ids` are those on the page that is not stored yet."""
    is_unlisted = fn.COALESCE(Project.listed_walk_id, 0) < walk.id
    is_untried = fn.COALESCE(Project.tried_walk_id, 0) < walk.id
    of_missing = Image.select(Image.project_id).where(is_not_visited(walk))
    missed = Project.select().where(
        Project.profile == walk.profile_id,
        is_unlisted,
        is_untried,
        Project.deleted_at.is_null(),
        Project.remote_id.in_(of_missing),
        Project.remote_id.not_in(list(except_ids)),
    )
    return [RemoteProject(each.remote_id, each.title, each.made_at) for each in missed.order_by(Project.id)]


def is_not_visited(walk: Walk) -> Expression:
    """SQL condition: the image belongs to the walk's history, is not marked as gone, and neither this walk
    nor a later one stored or saw it."""
    return (
        (Image.profile_id == walk.profile_id)
        & (Image.history == walk.history)
        & Image.gone_upstream_at.is_null()
        & (fn.COALESCE(Image.stored_walk_id, 0) < walk.id)
        & (fn.COALESCE(Image.seen_walk_id, 0) < walk.id)
    )


# How reading them went


def note_page(walk: Walk, page: HistoryPage, *, is_listed: bool = True) -> None:
    """Store what a page says about projects. Call it in the transaction that stores the images of the page.

    `is_listed` is False for a project that was read although the listing did not show it.
    """
    _note_listed(walk, [*page.passed, page.project] if is_listed and page.project else page.passed)
    if page.project and page.reading:
        columns = _columns_of(walk, page.project, page.reading, page, is_listed)
        columns |= {"tried_at": now(), "tried_walk_id": walk.id}
        Project.update(**columns).where(_is_project(walk, page.project.id)).execute()


def _note_listed(walk: Walk, listed: Sequence[RemoteProject]) -> None:
    rows = [
        {
            "profile": walk.profile_id,
            "remote_id": project.id,
            "title": project.title,
            "made_at": project.made_at,
            "listed_walk_id": walk.id,
        }
        for project in listed
    ]
    for chunk in chunked(rows):
        Project.insert_many(chunk).on_conflict(
            conflict_target=[Project.profile, Project.remote_id],
            preserve=[Project.title, Project.listed_walk_id],
            update={
                Project.made_at: fn.COALESCE(EXCLUDED.made_at, Project.made_at),
                Project.unlisted_at: None,
                Project.deleted_at: None,
            },
        ).execute()


def _columns_of(
    walk: Walk, project: RemoteProject, reading: Reading, page: HistoryPage, is_listed: bool
) -> dict[str, Any]:
    """The columns that reading a project changes."""
    match reading:
        case Reading.READ:
            return _read(walk, page)
        case Reading.PARTLY:
            # `read_walk_id` stays: an image that this page did not show may be among the unrecognised
            # records.
            return _read(walk, page) | {
                "read_walk_id": Project.read_walk_id,
                "reader_version": _our_version(),
            }
        case Reading.UNRECOGNISED:
            return {"failure": UNRECOGNISED, "reader_version": _our_version()}
        case Reading.NOT_FOUND:
            return {"failure": NOT_FOUND} if is_listed else {"failure": None, "deleted_at": now()}
        case Reading.REFUSED:
            return {"failure": page.failure or "refused"}
        case Reading.EMPTY:
            return _empty(walk, project, page)


def _read(walk: Walk, page: HistoryPage) -> dict[str, Any]:
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


def _empty(walk: Walk, project: RemoteProject, page: HistoryPage) -> dict[str, Any]:
    """A response without records is only believed when none of the project's images are stored, or when it
    came on EMPTY_DAYS days."""
    stored = Image.select().where(
        Image.profile_id == walk.profile_id,
        Image.project_id == project.id,
        Image.gone_upstream_at.is_null(),
    )
    if not stored.exists():
        return _read(walk, page)
    if Project.get(_is_project(walk, project.id)).empty_count >= EMPTY_DAYS:
        return {"read_at": now(), "read_walk_id": walk.id, "failure": None}
    return {"failure": EMPTY, "empty_walk_id": walk.id}


def finish_listing(walk: Walk) -> None:
    """Record the end of a walk that saw the whole listing. Call it in the transaction of its last page.

    Projects that it did not show are no longer listed. Empty responses count (at most one a day) only if
    the walk also read a project with images: otherwise the service may be failing.
    """
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
    """How many projects a walk tried to read."""
    return (
        Project.select().where(Project.profile == walk.profile_id, Project.tried_walk_id == walk.id).count()
    )


def count_failures(walk: Walk) -> list[tuple[str, int]]:
    """The reasons why a walk could not read projects, with their counts, the most frequent first."""
    count = fn.COUNT(Project.id)
    failed = Project.select(Project.failure, count).where(
        Project.profile == walk.profile_id,
        Project.tried_walk_id == walk.id,
        Project.failure.is_null(False),
    )
    reasons = failed.group_by(Project.failure).order_by(count.desc(), Project.failure)
    return list(reasons.tuples().iterator())


def is_none_read(walk: Walk) -> bool:
    """Whether a walk tried to read projects and every one failed. Empty and missing projects do not count as
    failed here, because the service did respond."""
    refused = (count for failure, count in count_failures(walk) if failure not in (EMPTY, NOT_FOUND))
    tried_count = count_tried(walk)
    return tried_count > 0 and tried_count == sum(refused)


def find_longest_unread(profile_id: str) -> Project | None:
    """Of the listed projects that the last walk did not try, the one whose reading is oldest; None when it
    tried all."""
    listed = Project.select().where(Project.profile == profile_id, Project.unlisted_at.is_null())
    is_behind = fn.COALESCE(Project.tried_walk_id, 0) < fn.COALESCE(Project.listed_walk_id, 0)
    return listed.where(is_behind).order_by(Project.read_at).first()


def count_unread(profile_id: str) -> int:
    """How many listed projects were never read."""
    is_unread = Project.unlisted_at.is_null() & Project.read_at.is_null()
    return Project.select().where(Project.profile == profile_id, is_unread).count()


def forget_readings(profile_id: str) -> None:
    """Make every project of a profile new again, so that the next sync reads all of them."""
    Project.update(read_at=None, read_walk_id=None, failure=None).where(
        Project.profile == profile_id
    ).execute()


def _ids(projects: "ModelSelect[Project]", limit: int) -> list[int]:
    return list(projects.select(Project.id).limit(limit).scalars())


def _is_project(walk: Walk, remote_id: str) -> Expression:
    return (Project.profile == walk.profile_id) & (Project.remote_id == remote_id)


def _our_version() -> str:
    """The version of Flowshelf: a later one may recognise more records."""
    return metadata.version("flowshelf")
