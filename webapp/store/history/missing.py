"""Images that a full walk did not see: some are marked as gone, a person is asked about the others (rules 5,
13)."""

from dataclasses import dataclass

from peewee import Expression, Select

from webapp.database.models import Image, Project, Walk
from webapp.store import transaction
from webapp.store.history.projects import EMPTY_DAYS, is_not_visited
from webapp.store.pairings import is_signed_in_by_browser
from webapp.times import now


@dataclass(frozen=True, slots=True)
class MissingImages:
    """How many images a full walk did not see: `marked_count` were marked as gone, and a person is asked
    about `asked_count`."""

    marked_count: int = 0
    asked_count: int = 0


def mark_missing_images(walk: Walk, *, by_project: bool) -> MissingImages:
    """Mark as gone what a full walk did not see. Call it at its end, in the transaction of its last page.

    `by_project`: only images of projects that this walk read completely, or that were deleted. A person is
    asked instead about more than a tenth of the history's images, about images of projects that repeatedly
    came without records, and about all of them when a paired browser carried the walk: whoever holds its key
    can leave images out.
    """
    missing_images = _missing(walk, by_project)
    count = Image.select().where(missing_images).count()
    if (
        is_signed_in_by_browser(walk.profile_id)
        or count * 10 > Image.select().where(_is_of_history(walk)).count()
    ):
        return _ask(walk, count, by_project)
    certain = missing_images & ~_is_in_empty_project(walk) if by_project else missing_images
    marked_count = Image.update(gone_upstream_at=now()).where(certain).execute()
    return MissingImages(marked_count, _ask(walk, count - marked_count, by_project).asked_count)


def answer_question(walk_id: int, *, mark: bool) -> int:
    """Apply a person's answer to the question of a full walk. Returns how many images it was about, 0 when
    the question was answered before."""
    # One transaction, so that of two answers only the first has an effect.
    with transaction():
        walk = Walk.get_or_none(Walk.id == walk_id, Walk.missing_count > 0)
        if walk is None:
            return 0
        if mark:
            Image.update(gone_upstream_at=now()).where(_missing(walk, walk.by_project)).execute()
        Walk.update(missing_count=0).where(Walk.id == walk_id).execute()
        return walk.missing_count


def _ask(walk: Walk, count: int, by_project: bool) -> MissingImages:
    Walk.update(missing_count=count, by_project=by_project).where(Walk.id == walk.id).execute()
    return MissingImages(asked_count=count)


def _is_of_history(walk: Walk) -> Expression:
    return (Image.profile_id == walk.profile_id) & (Image.history == walk.history)


def _missing(walk: Walk, by_project: bool) -> Expression:
    return is_not_visited(walk) & _is_in_read_project(walk) if by_project else is_not_visited(walk)


def _is_in_read_project(walk: Walk) -> Expression:
    # `>=`: the answer may come after a later walk read the project, which did not see the image either.
    is_read = (Project.read_walk_id >= walk.id) | Project.deleted_at.is_null(False)
    return Image.project_id.in_(_remote_ids(walk, is_read))


def _is_in_empty_project(walk: Walk) -> Expression:
    return Image.project_id.in_(_remote_ids(walk, Project.empty_count >= EMPTY_DAYS))


def _remote_ids(walk: Walk, condition: Expression) -> Select:
    return Project.select(Project.remote_id).where(Project.profile == walk.profile_id, condition)
