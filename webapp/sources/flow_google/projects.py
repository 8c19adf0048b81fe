"""The projects of an account: their listing in pages, and the places between them where a walk may rest."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from webapp.errors import CursorRefused
from webapp.sources import RemoteProject
from webapp.sources.fields import LONGEST_CURSOR, UnknownShape, prompt, word
from webapp.sources.flow_google.moments import moment

LISTING_CALL = "UpteDb"
LISTING_SIZE = 20
KEPT_SECONDS = 600.0
LONGEST_PLACE = 7 * LONGEST_CURSOR  # a token all of whose letters are escaped
_LONGEST_TITLE = 300


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of the listing. `seen` holds the ids of all pages up to this one, as far as they are known."""

    cursor: str | None
    projects: tuple[RemoteProject, ...]
    next_cursor: str | None
    seen: frozenset[str]


def listing_arguments(cursor: str | None) -> list:
    return ["projects/*", LISTING_SIZE, cursor, None, None, None, [1]]


def read_listing(document: object, cursor: str | None, seen: frozenset[str] = frozenset()) -> Listing:
    """A page out of a payload. Raises UnknownShape, for a single card without an id as well: a project
    that is passed over unseen would be missed for ever."""
    if document is not None and not isinstance(document, list):
        raise UnknownShape("its listing is no list")
    cards, next_cursor = ([*(document or []), None, None])[:2]
    if cards is not None and not isinstance(cards, list):
        raise UnknownShape("its projects are no list")
    if next_cursor is not None and (not isinstance(next_cursor, str) or len(next_cursor) > LONGEST_CURSOR):
        raise UnknownShape("the token of its listing is no text of a usual length")
    projects = tuple(map(_project, cards or []))
    ids = frozenset(project.id for project in projects)
    return Listing(cursor, projects, next_cursor or None, seen | ids)


def _project(card: object) -> RemoteProject:
    project_id = word(card[0]) if isinstance(card, list) and card else None
    if project_id is None:
        raise UnknownShape("one of its projects has no id")
    about = card[1] if len(card) > 1 and isinstance(card[1], list) else []
    title, _, listed_at = ([*about, None, None, None])[:3]
    return RemoteProject(project_id, (prompt(title) or "")[:_LONGEST_TITLE].strip(), moment(listed_at))


def place_of(listing_cursor: str | None, project_id: str | None) -> str:
    """The cursor of the place behind a project on a page of the listing, or before its first one."""
    return json.dumps([listing_cursor, project_id], separators=(",", ":"))


def read_place(cursor: str | None) -> tuple[str | None, str | None]:
    """Raises CursorRefused for what `place_of` did not write."""
    if cursor is None:
        return None, None
    try:
        place = json.loads(cursor)
    except (ValueError, RecursionError):
        place = None
    match place:
        case [str() | None as listing_cursor, str() | None as project_id] if len(cursor) <= LONGEST_PLACE:
            return listing_cursor, project_id
    raise CursorRefused("This place in the history is none of flow.google.com's projects.")


class Projects:
    """Walks the listing; `ask` brings a page of it. The two pages around a walk are kept while it goes on.

    Listings are asked one page ahead, because the last one shows by bringing nothing that was not
    seen before.
    """

    def __init__(
        self,
        ask: Callable[[str | None, frozenset[str]], Listing],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._kept: tuple[tuple[float, Listing], ...] = ()

    def from_place(self, cursor: str | None) -> Iterator[tuple[Listing, RemoteProject]]:
        """The projects from a place on, with the page that each stands on. Raises CursorRefused."""
        listing, rest = self._found(cursor)
        while listing is not None:
            for project in rest:
                yield listing, project
            listing = self._following(listing)
            rest = listing.projects if listing else ()

    def place_behind(self, listing: Listing, project: RemoteProject) -> str | None:
        """The cursor of the place behind a project, None behind the last one."""
        if project is not listing.projects[-1]:
            return place_of(listing.cursor, project.id)
        return place_of(listing.next_cursor, None) if self._following(listing) else None

    def _found(self, cursor: str | None) -> tuple[Listing, tuple[RemoteProject, ...]]:
        """The page of a place and what stands behind it: all of the page when the project that was read
        last has left it, because reading twice is harmless and missing is not. A page on which nothing
        stands any more is no place."""
        listing_cursor, last_id = read_place(cursor)
        listing = self._known(listing_cursor) if cursor is not None else None
        if listing is None or not _has(listing, last_id):
            listing = self._ask(listing_cursor, frozenset())
        if cursor is not None and not listing.projects:
            raise CursorRefused("The list of projects does not reach to this place any more.")
        self._keep(listing)
        ids = [project.id for project in listing.projects]
        return listing, listing.projects[ids.index(last_id) + 1 if last_id in ids else 0 :]

    def _following(self, listing: Listing) -> Listing | None:
        """The next page, None when there is none or it brings no project that was not seen before."""
        if listing.next_cursor is None:
            return None
        following = self._known(listing.next_cursor)
        if following is None or not listing.seen <= following.seen:
            following = self._keep(self._ask(listing.next_cursor, listing.seen))
        return following if len(following.seen) > len(listing.seen) else None

    def _known(self, cursor: str | None) -> Listing | None:
        now = self._clock()
        return next(
            (kept for at, kept in self._kept if kept.cursor == cursor and now - at < KEPT_SECONDS), None
        )

    def _keep(self, listing: Listing) -> Listing:
        others = [entry for entry in self._kept if entry[1].cursor != listing.cursor]
        self._kept = (*others[-1:], (self._clock(), listing))
        return listing


def _has(listing: Listing, project_id: str | None) -> bool:
    return project_id is None or any(project.id == project_id for project in listing.projects)
