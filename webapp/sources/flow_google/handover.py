"""The parts that the script of a hand-over saves in a browser (`static/handover.js`).

A part is complete by itself: whose it is, and whole projects, with only those fields of their records that
`contents` reads. It comes from a file, so nothing in it is trusted.
"""

import json
from collections.abc import Set
from dataclasses import dataclass

from webapp.errors import BadRequest
from webapp.sources import HistoryPage
from webapp.sources.fields import UnknownShape
from webapp.sources.flow_google.contents import history_page_of, read_contents
from webapp.sources.flow_google.projects import project_of

VERSION = 1
MAX_PART_BYTES = 64 * 1024 * 1024
MAX_EMAIL = 200
NO_PART = (
    "This file is no part of a hand-over, or is not whole. Run the script again, and send what it saves."
)


@dataclass(frozen=True, slots=True)
class Part:
    """`email` may be empty. `pages` are the projects that could be read; `unread_count` the others."""

    email: str
    pages: tuple[HistoryPage, ...]
    unread_count: int


def read_part(content: bytes, picture_hosts: Set[str]) -> Part:
    """Raises BadRequest when it is no part."""
    if len(content) > MAX_PART_BYTES:
        raise BadRequest(NO_PART)
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadRequest(NO_PART) from error
    match document:
        case {
            "flowshelfHandover": int(version),
            "account": {"email": str(email)},
            "projects": list(projects),
        }:
            if version != VERSION:
                raise BadRequest("This part was saved by the script of another version. Run today’s script.")
        case _:
            raise BadRequest(NO_PART)
    pages = [page for project in projects if (page := _page_of(project, picture_hosts))]
    return Part(email.strip()[:MAX_EMAIL], tuple(pages), len(projects) - len(pages))


def _page_of(value: object, picture_hosts: Set[str]) -> HistoryPage | None:
    """A project as a history page; None if it cannot be read."""
    match value:
        case {"card": card, "contents": contents}:
            project = project_of(card)
        case _:
            return None
    if project is None or not isinstance(contents, list | None):
        return None
    try:
        found = read_contents(json.dumps(contents), project, picture_hosts)
    except (UnknownShape, RecursionError):
        return None
    return history_page_of(project, found, [], None)
