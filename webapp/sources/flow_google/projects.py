"""The projects of an account: their listing in pages, and the places between them where a walk may rest."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from webapp.errors import CursorRefused
from webapp.sources import RemoteProject
from webapp.sources.fields import MAX_CURSOR, UnknownShape, prompt, word
from webapp.sources.flow_google.moments import moment

LISTING_CALL = "UpteDb"
LISTING_SIZE = 20
KEPT_SECONDS = 600.0
MAX_ODD_PAGES = 5
MAX_PLACE = 7 * MAX_CURSOR  # a token all of whose letters are escaped
_MAX_TITLE = 300


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of the listing. `seen` holds the ids of all pages up to this one, as far as they are known;
    `odd_count` is of cards without an id, which name no project that could be asked for."""

    cursor: str | None
    projects: tuple[RemoteProject, ...]
    next_cursor: str | None
    seen: frozenset[str]
    odd_count: int = 0


def listing_arguments(cursor: str | None) -> list:
    return ["projects/*", LISTING_SIZE, cursor, None, None, None, [1]]


def read_listing(document: object, cursor: str | None, seen: frozenset[str] = frozenset()) -> Listing:
    """A page out of a payload. Raises UnknownShape when it has no frame; a card without an id is counted."""
    if document is not None and not isinstance(document, list):
        raise UnknownShape("its listing is no list")
    cards, next_cursor = ([*(document or []), None, None])[:2]
    if cards is not None and not isinstance(cards, list):
        raise UnknownShape("its projects are no list")
    if next_cursor is not None and (not isinstance(next_cursor, str) or len(next_cursor) > MAX_CURSOR):
        raise UnknownShape("the token of its listing is no text of a usual length")
    read = [project_of(card) for card in cards or []]
    projects = tuple(project for project in read if project)
    ids = frozenset(project.id for project in projects)
    return Listing(cursor, projects, next_cursor or None, seen | ids, len(read) - len(projects))


def project_of(card: object) -> RemoteProject | None:
    """The project of a card, None when it has no id."""
    if not isinstance(card, list):
        return None
    project_id = word(card[0]) if card else None
    if project_id is None:
        return None
    about = card[1] if len(card) > 1 and isinstance(card[1], list) else []
    title, _, made = ([*about, None, None, None])[:3]
    return RemoteProject(project_id, (prompt(title) or "")[:_MAX_TITLE].strip(), moment(made))


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
        case [str() | None as listing_cursor, str() | None as project_id] if len(cursor) <= MAX_PLACE:
            return listing_cursor, project_id
    raise CursorRefused("This place in the history is none of flow.google.com's projects.")


class Projects:
    """Walks the listing; `ask` brings a page of it. The two pages around a walk are kept while it goes on.

    Listings are asked one page ahead, because the last one shows by bringing nothing that was not
    seen before. Cards without an id are counted as pages come, until somebody takes the count.
    """

    def __init__(
        self,
        ask: Callable[[str | None, frozenset[str]], Listing],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._kept: tuple[tuple[float, Listing], ...] = ()
        self._odd_count = 0

    def take_odd_count(self) -> int:
        """How many cards without an id came since the last time."""
        count, self._odd_count = self._odd_count, 0
        return count

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
            listing = self._asked(listing_cursor, frozenset())
        if cursor is not None and not listing.projects and not listing.odd_count:
            raise CursorRefused("The list of projects does not reach to this place any more.")
        self._keep(listing)
        ids = [project.id for project in listing.projects]
        return listing, listing.projects[ids.index(last_id) + 1 if last_id in ids else 0 :]

    def _following(self, listing: Listing) -> Listing | None:
        """The next page that shows a project which was not seen before, None when there is none.

        A page of nothing but cards without an id is no end; a few of them are passed over.
        """
        for _ in range(1 + MAX_ODD_PAGES):
            if listing.next_cursor is None:
                return None
            following = self._known(listing.next_cursor)
            if following is None or not listing.seen <= following.seen:
                following = self._keep(self._asked(listing.next_cursor, listing.seen))
            if len(following.seen) > len(listing.seen):
                return following
            if following.projects or not following.odd_count:
                return None
            listing = following
        return None

    def _asked(self, cursor: str | None, seen: frozenset[str]) -> Listing:
        listing = self._ask(cursor, seen)
        self._odd_count += listing.odd_count
        return listing

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
