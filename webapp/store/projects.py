"""Projects: what a listing showed of them, and which of them need not be read again."""

from datetime import timedelta

from peewee import fn

from webapp.models import History, Project, Walk
from webapp.sources import RemoteProject
from webapp.store.histories import history_row
from webapp.times import now, parsed

# A project that changed so shortly before it was read may have changed again within the same second.
SETTLED = timedelta(minutes=10)


def list_projects(profile_id: str | None) -> list[Project]:
    """The projects of a profile, or of all, by their titles."""
    projects = Project.select()
    if profile_id:
        projects = projects.where(Project.profile == profile_id)
    return list(projects.order_by(Project.title, Project.id))


def find_title(profile_id: str, remote_id: str | None) -> str | None:
    project = Project.get_or_none(Project.profile == profile_id, Project.remote_id == remote_id)
    return project and project.title


def note_project(walk: Walk, project: RemoteProject) -> None:
    """A walk read the media of a project; call it in the transaction that stores them."""
    known = Project.get_or_none(Project.profile == walk.profile_id, Project.remote_id == project.id)
    if known and known.listed_at and project.listed_at and known.listed_at != project.listed_at:
        History.update(shows_changes=True).where(history_row(walk.profile_id, walk.history)).execute()
    fields = {"title": project.title, "listed_at": project.listed_at, "read_at": now()}
    fields["read_walk_id"] = walk.id
    Project.insert(profile=walk.profile_id, remote_id=project.id, **fields).on_conflict(
        conflict_target=[Project.profile, Project.remote_id], update=fields
    ).execute()


def unread_by(walk: Walk):
    """The projects on the shelf that neither this walk has read nor a later one, as a query."""
    is_unread = fn.COALESCE(Project.read_walk_id, 0) < walk.id
    return Project.select().where(Project.profile == walk.profile_id, is_unread)


def list_settled(profile_id: str, history: str) -> set[tuple[str, str]]:
    """Ids and card times of the projects that have not changed since they were read, as long as their
    cards say the same; empty while the listing of that history was never seen to show a change."""
    if not History.select().where(history_row(profile_id, history), History.shows_changes).exists():
        return set()
    read = Project.select().where(Project.profile == profile_id, Project.listed_at.is_null(False))
    return {(project.remote_id, project.listed_at) for project in read if _is_settled(project)}


def _is_settled(project: Project) -> bool:
    return parsed(project.read_at) - parsed(project.listed_at) > SETTLED
