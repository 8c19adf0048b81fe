"""The list of projects, as the simulated flow.google.com sends it."""

from collections.abc import Sequence

from webapp.demo.account.projects import Project
from webapp.demo.entries import Entry, chance
from webapp.demo.json_types import Slots


def listing(cards: Sequence[Slots], next_cursor: str | None) -> Slots:
    """Return a page of cards. The page of an account without projects is an empty list."""
    if not cards:
        return []
    return [cards, next_cursor] if next_cursor else [cards]


def card(project: Project, cover: Entry | None, preview_url: str | None) -> Slots:
    """Return a project in the listing.

    Without a cover it ends after the time. With one, some projects lack the cover's id.
    """
    made: Slots = [int(project.made_at.timestamp()), project.made_at.microsecond * 1000]
    shown: Slots = [project.title, None, made]
    if cover:
        shown.append(preview_url)
        if chance(project.id, 4):
            shown.append(cover.media_key)
    return [project.id, shown]
