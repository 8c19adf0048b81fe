"""Images that a full walk did not meet: which are marked as gone, and which a person is asked about."""

from dataclasses import dataclass

from webapp.database.models import Image, Project, Walk
from webapp.store import transaction
from webapp.store.history.projects import EMPTY_DAYS, not_visited
from webapp.times import now


@dataclass(frozen=True, slots=True)
class MissingImages:
    """How many images a full walk did not meet: `marked_count` were marked as gone, `asked_count` are left
    to a person."""

    marked_count: int = 0
    asked_count: int = 0


def mark_missing_images(walk: Walk, *, by_project: bool) -> MissingImages:
    """Mark at the end of a full walk what it did not meet; call it inside a transaction.

    `by_project`: an image is only called gone when the project it is filed under was read whole by this very
    walk, or is deleted. A person is asked when that is more than a tenth of the history's images, and about
    images of projects that answered without records again and again.
    """
    missing_images = _missing(walk, by_project)
    count = Image.select().where(missing_images).count()
    if count * 10 > Image.select().where(_of_history(walk)).count():
        return _ask(walk, count, by_project)
    certain = missing_images & ~_is_in_empty_project(walk) if by_project else missing_images
    marked_count = Image.update(gone_upstream_at=now()).where(certain).execute()
    return MissingImages(marked_count, _ask(walk, count - marked_count, by_project).asked_count)


def answer_question(walk_id: int, *, mark: bool) -> int:
    """A person's answer to what the end of a full walk left open; how many images the question was about."""
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


def _of_history(walk: Walk):
    return (Image.profile_id == walk.profile_id) & (Image.history == walk.history)


def _missing(walk: Walk, by_project: bool):
    return not_visited(walk) & _is_in_read_project(walk) if by_project else not_visited(walk)


def _is_in_read_project(walk: Walk):
    # A person may answer after a later walk has read the project, which did not meet the image either.
    is_read = (Project.read_walk_id >= walk.id) | Project.deleted_at.is_null(False)
    return Image.project_id.in_(_remote_ids(walk, is_read))


def _is_in_empty_project(walk: Walk):
    return Image.project_id.in_(_remote_ids(walk, Project.empty_count >= EMPTY_DAYS))


def _remote_ids(walk: Walk, condition):
    return Project.select(Project.remote_id).where(Project.profile == walk.profile_id, condition)
