"""The projects of an account, as the simulated flow.google.com lists them."""

from dataclasses import dataclass
from datetime import datetime

from webapp.demo.timeline import Cursors

_HISTORY = "projects"


@dataclass(slots=True)
class Project:
    """`made` and `changed` are positions in the order of everything that ever happened."""

    id: str
    title: str
    made: int
    made_at: datetime
    changed: int
    changed_at: datetime


class Projects:
    """Newest first. `tells_changes`: the time on a card, and the order, are those of the last change; else
    they stay those of its making. `page_size` is the most that a page has, however many are asked for."""

    def __init__(self, cursors: Cursors) -> None:
        self.tells_changes = False
        self.page_size = 20
        self._cursors = cursors
        self._projects: dict[str, Project] = {}

    def add(self, project_id: str, position: int, moment: datetime, title: str) -> None:
        """Something came into a project, which is made if there is none yet."""
        project = self._projects.get(project_id)
        if project is None:
            self._projects[project_id] = Project(project_id, title, position, moment, position, moment)
        else:
            project.changed, project.changed_at = position, moment

    def remove(self, project_id: str) -> None:
        del self._projects[project_id]

    def rename(self, project_id: str, title: str) -> None:
        self._projects[project_id].title = title

    def find(self, project_id: str) -> Project | None:
        return self._projects.get(project_id)

    def ids(self) -> list[str]:
        return [project.id for project in self._newest_first()]

    def page(self, size: int, cursor: str | None) -> tuple[list[Project], str | None]:
        """One page and the token of the next. Raises `timeline.CursorRefused`."""
        below = None if cursor is None else self._cursors.read(_HISTORY, cursor)
        rest = [one for one in self._newest_first() if below is None or self._position(one) < below]
        shown = rest[: min(size, self.page_size)]
        more = len(rest) > len(shown)
        return shown, self._cursors.make(_HISTORY, self._position(shown[-1])) if more else None

    def shown_at(self, project: Project) -> datetime:
        return project.changed_at if self.tells_changes else project.made_at

    def _newest_first(self) -> list[Project]:
        return sorted(self._projects.values(), key=self._position, reverse=True)

    def _position(self, project: Project) -> int:
        return project.changed if self.tells_changes else project.made
