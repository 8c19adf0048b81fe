"""The projects of an account, as the simulated flow.google.com lists them."""

from dataclasses import dataclass
from datetime import datetime

from webapp.demo.account.pagination import Cursors

_HISTORY = "projects"


@dataclass(slots=True)
class Project:
    """`position` is its place in the order of everything that was made, `is_listed` False hides it."""

    id: str
    title: str
    position: int
    made_at: datetime
    is_listed: bool = True


class Projects:
    """Newest first, by the time of making, which never moves: a project that grows keeps its place.

    `page_size` is the most that a page has, however many are asked for.
    """

    def __init__(self, cursors: Cursors) -> None:
        self.page_size = 20
        self._cursors = cursors
        self._projects: dict[str, Project] = {}

    def add(self, project_id: str, position: int, made_at: datetime, title: str) -> None:
        """Make a project; one that exists stays as it is."""
        self._projects.setdefault(project_id, Project(project_id, title, position, made_at))

    def remove(self, project_id: str) -> None:
        del self._projects[project_id]

    def rename(self, project_id: str, title: str) -> None:
        self._projects[project_id].title = title

    def unlist(self, project_id: str) -> None:
        self._projects[project_id].is_listed = False

    def find(self, project_id: str) -> Project | None:
        """A project, listed or not."""
        return self._projects.get(project_id)

    def ids(self) -> list[str]:
        """The ids of the listed projects, in the order of the listing."""
        return [project.id for project in self._listed()]

    def page(self, size: int, cursor: str | None) -> tuple[list[Project], str | None]:
        """One page and the cursor of the next. Raises `timeline.CursorRefused`."""
        below = None if cursor is None else self._cursors.read(_HISTORY, cursor)
        rest = [project for project in self._listed() if below is None or _rank(project) < below]
        shown = rest[: min(size, self.page_size)]
        has_more = len(rest) > len(shown)
        return shown, self._cursors.make(_HISTORY, _rank(shown[-1])) if has_more else None

    def _listed(self) -> list[Project]:
        listed = [project for project in self._projects.values() if project.is_listed]
        return sorted(listed, key=_rank, reverse=True)


def _rank(project: Project) -> int:
    """The second of its making, and its position among those of the same second."""
    return int(project.made_at.timestamp()) << 20 | project.position
