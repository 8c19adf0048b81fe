"""What an account has only at flow.google.com: a sign-in of its own, projects, and their ingredients."""

import threading
from collections import defaultdict
from dataclasses import dataclass
from random import Random

from webapp.demo.account.google_sign_in import GoogleSignIn
from webapp.demo.account.pagination import Cursors
from webapp.demo.account.projects import Projects
from webapp.demo.entries import random_uuid
from webapp.demo.json_types import Json

# Numbers of gRPC status codes.
DENIED, EXHAUSTED = 7, 8


@dataclass(frozen=True, slots=True)
class Ingredient:
    """Something that a project uses: `name` is the name of an image's entry, or of a voice."""

    name: str
    is_voice: bool = False


class FlowGoogleAccount:
    """The part of a `World` that only flow.google.com shows.

    google: the owner's session there.
    projects: listed to clients as soon as the account has `moved`.
    archive_id: the project of images that were uploaded as ingredients in the old Flow. It exists, and
        is listed, after `add_project("Ingredient Archive", world.archive_id)`.
    unusual_activity: every call fails with `unusual_activity_code`, as at Google when it suspects a
        machine.
    """

    lock: threading.RLock

    def __init__(self, rng: Random, email: str, cursors: Cursors) -> None:
        self.moved = False
        self.google = GoogleSignIn(rng, email)
        self.archive_id = f"{random_uuid(rng)[:31]}_backfill"
        self.projects = Projects(cursors)
        self.unusual_activity, self.unusual_activity_code = False, EXHAUSTED
        self._ingredients: dict[str, list[Ingredient]] = defaultdict(list)
        self._refusals: dict[str, tuple[int, str]] = {}
        self._emptied: set[str] = set()
        self._odd_records: dict[str, list[Json]] = defaultdict(list)

    def migrate(self) -> None:
        """Move the account to flow.google.com; labs.google refuses its history from now on."""
        self.moved = True

    def add_ingredient(self, project_id: str, name: str) -> None:
        """Show an existing image as an ingredient of a project."""
        with self.lock:
            self._ingredients[project_id].append(Ingredient(name))

    def add_voice(self, project_id: str, voice: str = "Achernar") -> None:
        with self.lock:
            self._ingredients[project_id].append(Ingredient(voice, is_voice=True))

    def ingredients_in(self, project_id: str) -> list[Ingredient]:
        with self.lock:
            return list(self._ingredients.get(project_id, ()))

    def unlist_project(self, project_id: str) -> None:
        """Remove a project from the listing only: its contents can still be read."""
        with self.lock:
            self.projects.unlist(project_id)

    def refuse_project(
        self, project_id: str, code: int = DENIED, reason: str = "PUBLIC_ERROR_PERMISSION_DENIED"
    ) -> None:
        """Answer requests for a project's contents with this gRPC error until `allow_project`."""
        with self.lock:
            self._refusals[project_id] = code, reason

    def allow_project(self, project_id: str) -> None:
        with self.lock:
            self._refusals.pop(project_id, None)

    def refusal_of(self, project_id: str) -> tuple[int, str] | None:
        with self.lock:
            return self._refusals.get(project_id)

    def empty_project(self, project_id: str, is_empty: bool = True) -> None:
        """Show a project without records, although it has images."""
        with self.lock:
            (self._emptied.add if is_empty else self._emptied.discard)(project_id)

    def is_emptied(self, project_id: str) -> bool:
        return project_id in self._emptied

    def odd_record(self, project_id: str, record: Json) -> None:
        """Add any JSON value to the records of a project; several may be added."""
        with self.lock:
            self._odd_records[project_id].append(record)

    def odd_records_in(self, project_id: str) -> list[Json]:
        with self.lock:
            return list(self._odd_records.get(project_id, ()))
