"""The projects of an account: the pages of their listing, and cursors for positions between projects.

The service's own cursor for a page of the listing is called a token here. A cursor of our history is a pair:
the token of a listing page, and the id of the project that was read last on it.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from webapp.errors import CursorRefused
from webapp.sources import RemoteProject
from webapp.sources.fields import MAX_CURSOR, UnknownShape, prompt, word
from webapp.sources.flow_google.timestamps import timestamp_of

LISTING_CALL = "UpteDb"
LISTING_SIZE = 20
MAX_AGE_SECONDS = 600.0
MAX_PAGES_WITHOUT_IDS = 5
MAX_OWN_CURSOR = 7 * MAX_CURSOR  # a token of which every character had to be escaped
_MAX_TITLE = 300


@dataclass(frozen=True, slots=True)
class ListingPage:
    """One page of the listing.

    `seen` holds the project ids of this page and of the pages before it, as far as those were read.
    `without_id_count` counts cards without an id, which name no project that could be asked for.
    """

    token: str | None
    projects: tuple[RemoteProject, ...]
    next_token: str | None
    seen: frozenset[str]
    without_id_count: int = 0


def listing_arguments(token: str | None) -> list[object]:
    return ["projects/*", LISTING_SIZE, token, None, None, None, [1]]


def read_listing_page(document: object, token: str | None, seen: frozenset[str] = frozenset()) -> ListingPage:
    """The page in a payload; cards without an id are counted. Raises UnknownShape for no list of cards."""
    if document is not None and not isinstance(document, list):
        raise UnknownShape("its listing is not a list")
    cards, next_token = ([*(document or []), None, None])[:2]
    if cards is not None and not isinstance(cards, list):
        raise UnknownShape("its projects are not a list")
    if next_token is not None and (not isinstance(next_token, str) or len(next_token) > MAX_CURSOR):
        raise UnknownShape("the token of its listing is not text of a usual length")
    read = [project_of(card) for card in cards or []]
    projects = tuple(project for project in read if project)
    ids = frozenset(project.id for project in projects)
    return ListingPage(token, projects, next_token or None, seen | ids, len(read) - len(projects))


def project_of(card: object) -> RemoteProject | None:
    """The project of a card, None if it has no id."""
    if not isinstance(card, list):
        return None
    project_id = word(card[0]) if card else None
    if project_id is None:
        return None
    about = card[1] if len(card) > 1 and isinstance(card[1], list) else []
    title, _, made = ([*about, None, None, None])[:3]
    return RemoteProject(project_id, (prompt(title) or "")[:_MAX_TITLE].strip(), timestamp_of(made))


def cursor_of(token: str | None, project_id: str | None) -> str:
    """The cursor for the position behind a project on a listing page; project None: before the first one."""
    return json.dumps([token, project_id], separators=(",", ":"))


def read_cursor(cursor: str | None) -> tuple[str | None, str | None]:
    """Token and project id. Raises CursorRefused for a cursor that `cursor_of` did not make."""
    if cursor is None:
        return None, None
    try:
        pair = json.loads(cursor)
    except (ValueError, RecursionError):
        pair = None
    match pair:
        case [str() | None as token, str() | None as project_id] if len(cursor) <= MAX_OWN_CURSOR:
            return token, project_id
    raise CursorRefused("This cursor does not belong to the projects of flow.google.com.")


class ProjectList:
    """The projects of an account in the order of the listing. `fetch_page` fetches one listing page.

    The next page is fetched ahead, because only a page without an unseen project shows that the one
    before was the last. The current and the next page are cached for a walk. `without_id_count` grows
    as pages are fetched, until `take_without_id_count` is called.
    """

    def __init__(
        self,
        fetch_page: Callable[[str | None, frozenset[str]], ListingPage],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch_page = fetch_page
        self._clock = clock
        self._cached: tuple[tuple[float, ListingPage], ...] = ()
        self._without_id_count = 0

    def take_without_id_count(self) -> int:
        """The number of cards without an id since the last call."""
        count, self._without_id_count = self._without_id_count, 0
        return count

    def from_cursor(self, cursor: str | None) -> Iterator[tuple[ListingPage, RemoteProject]]:
        """The projects behind a cursor, each with its listing page. Raises CursorRefused."""
        page: ListingPage | None
        page, projects = self._resume(cursor)
        while page is not None:
            for project in projects:
                yield page, project
            page = self._next_page(page)
            projects = page.projects if page else ()

    def cursor_behind(self, page: ListingPage, project: RemoteProject) -> str | None:
        """The cursor for the position behind a project, None if it is the last one."""
        if project is not page.projects[-1]:
            return cursor_of(page.token, project.id)
        return cursor_of(page.next_token, None) if self._next_page(page) else None

    def _resume(self, cursor: str | None) -> tuple[ListingPage, tuple[RemoteProject, ...]]:
        """The listing page of a cursor and the projects behind it.

        If the project that was read last is no longer on the page, all of the page is read: to read a
        project twice does no harm, to miss one does. A page that has become empty refuses the cursor.
        """
        token, last_id = read_cursor(cursor)
        page = self._find_cached(token) if cursor is not None else None
        if page is None or not _has(page, last_id):
            page = self._fetch(token, frozenset())
        if cursor is not None and not page.projects and not page.without_id_count:
            raise CursorRefused("The list of projects is shorter now and no longer has this position.")
        self._cache(page)
        ids = [project.id for project in page.projects]
        return page, page.projects[ids.index(last_id) + 1 if last_id in ids else 0 :]

    def _next_page(self, page: ListingPage) -> ListingPage | None:
        """The next page with an unseen project, None if there is none.

        A page on which no card has an id is not the end; up to `MAX_PAGES_WITHOUT_IDS` of them are skipped.
        """
        for _ in range(1 + MAX_PAGES_WITHOUT_IDS):
            if page.next_token is None:
                return None
            following = self._find_cached(page.next_token)
            if following is None or not page.seen <= following.seen:
                following = self._cache(self._fetch(page.next_token, page.seen))
            if len(following.seen) > len(page.seen):
                return following
            if following.projects or not following.without_id_count:
                return None
            page = following
        return None

    def _fetch(self, token: str | None, seen: frozenset[str]) -> ListingPage:
        page = self._fetch_page(token, seen)
        self._without_id_count += page.without_id_count
        return page

    def _find_cached(self, token: str | None) -> ListingPage | None:
        now = self._clock()
        return next(
            (page for at, page in self._cached if page.token == token and now - at < MAX_AGE_SECONDS), None
        )

    def _cache(self, page: ListingPage) -> ListingPage:
        others = [entry for entry in self._cached if entry[1].token != page.token]
        self._cached = (*others[-1:], (self._clock(), page))
        return page


def _has(page: ListingPage, project_id: str | None) -> bool:
    return project_id is None or any(project.id == project_id for project in page.projects)
