"""The list of an account's projects, as flow.google.com pages through it."""

from dataclasses import dataclass
from datetime import datetime

from webapp.demo.account.pagination import Cursors

_HISTORY = "projects"


@dataclass(slots=True)
class Project:
    """`position` orders projects of the same second; one with `is_listed` False can only be opened by id."""

    id: str
    title: str
    position: int
    made_at: datetime
    is_listed: bool = True


class Projects:
    """All projects, newest first. The order is that of creation: a project that gets images does not move.

    `page_size` limits the size of a page, whatever a client asks for.
    """

    def __init__(self, cursors: Cursors) -> None:
        self.page_size = 20
        self._cursors = cursors
        self._projects: dict[str, Project] = {}

    def add(self, project_id: str, position: int, made_at: datetime, title: str) -> None:
        """Add a project; if the id exists, nothing changes."""
        self._projects.setdefault(project_id, Project(project_id, title, position, made_at))

    def remove(self, project_id: str) -> None:
        del self._projects[project_id]

    def rename(self, project_id: str, title: str) -> None:
        self._projects[project_id].title = title

    def unlist(self, project_id: str) -> None:
        self._projects[project_id].is_listed = False

    def find(self, project_id: str) -> Project | None:
        """Return a project, listed or not."""
        return self._projects.get(project_id)

    def get(self, project_id: str) -> Project:
        """Return a project, listed or not. Raises KeyError."""
        return self._projects[project_id]

    def ids(self) -> list[str]:
        """Return the ids of the listed projects in their order."""
        return [project.id for project in self._listed()]

    def page(self, size: int, cursor: str | None) -> tuple[list[Project], str | None]:
        """Return one page and the cursor of the next. Raises `pagination.CursorRefused`."""
        below = None if cursor is None else self._cursors.read(_HISTORY, cursor)
        rest = [project for project in self._listed() if below is None or _rank(project) < below]
        shown = rest[: min(size, self.page_size)]
        has_more = len(rest) > len(shown)
        return shown, self._cursors.make(_HISTORY, _rank(shown[-1])) if has_more else None

    def _listed(self) -> list[Project]:
        listed = [project for project in self._projects.values() if project.is_listed]
        return sorted(listed, key=_rank, reverse=True)


def _rank(project: Project) -> int:
    """Combine the second of creation and the position into one number, which fits into a cursor."""
    return int(project.made_at.timestamp()) << 20 | project.position
