"""The pure functions of the rules of walks: what a history page means for its walk."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.database.models import Walk
from webapp.database.states import PageOutcome
from webapp.errors import CircularHistory, FlowError
from webapp.sources import HistoryPage, RemoteImage
from webapp.sync.rules import MAX_PAGES_WITHOUT_IMAGE, Visited, check_progress, is_caught_up, outcome_of

NOON = "2026-11-22T12:00:00.000000Z"
LATER = "2026-11-22T12:00:00.000001Z"


def page(*names, created_at=NOON, next_cursor="next", others=()):
    images = tuple(RemoteImage(name, f"key-{name}", "flow", "uploaded", created_at) for name in names)
    listed = (*names, *others)
    return HistoryPage(images, listed, len(listed), len(others), created_at, next_cursor)


def walk(number=5, last_created_at=NOON, keeps_gap=True):
    return Walk(id=number, last_created_at=last_created_at, keeps_gap=keeps_gap)


def test_a_page_of_known_images_means_caught_up():
    assert is_caught_up(page("a", "b"), {"a": 1, "b": 4}, walk())


@pytest.mark.parametrize(
    "known", [{"a": 1}, {"a": 1, "b": 5}, {"a": 1, "b": 6}, {}], ids=["new", "own", "later", "none known"]
)
def test_a_page_with_an_image_not_known_before_the_walk_does_not_mean_caught_up(known):
    assert not is_caught_up(page("a", "b"), known, walk())


def test_a_page_with_an_image_newer_than_the_entry_above_does_not_mean_caught_up():
    """Flow lists newest first, so such a page does not belong below that entry."""
    assert not is_caught_up(page("a", created_at=LATER), {"a": 1}, walk())
    assert is_caught_up(page("a", created_at=LATER), {"a": 1}, walk(last_created_at=None))


def test_a_page_without_a_usable_image_does_not_mean_caught_up():
    assert not is_caught_up(page(others=("video",)), {}, walk())


def test_a_page_without_a_next_one_is_the_end_even_when_all_is_known():
    assert outcome_of(page("a", next_cursor=None), {"a": 1}, walk(), may_catch_up=True) is PageOutcome.END


def test_a_walk_without_a_gap_that_may_catch_up_continues_over_known_images():
    assert outcome_of(page("a"), {"a": 1}, walk(), may_catch_up=True) is PageOutcome.CAUGHT_UP
    assert outcome_of(page("a"), {"a": 1}, walk(), may_catch_up=False) is PageOutcome.CONTINUE
    assert outcome_of(page("a"), {"a": 1}, walk(keeps_gap=False), may_catch_up=True) is PageOutcome.CONTINUE


def test_a_repeated_token_or_page_is_a_circle():
    visited = Visited(cursors={"first"})
    check_progress(visited, page("a", "b", next_cursor="second"))
    with pytest.raises(CircularHistory):
        check_progress(visited, page("c", next_cursor="first"))
    with pytest.raises(CircularHistory):
        check_progress(visited, page("b", "a", next_cursor="third"))


def test_names_of_ignored_entries_count_as_seen():
    visited = Visited()
    check_progress(visited, page(others=("v1", "v2"), next_cursor="2"))
    check_progress(visited, page(others=("v2", "v3"), next_cursor="3"))
    with pytest.raises(CircularHistory):
        check_progress(visited, page(others=("v1", "v3"), next_cursor="4"))


def test_a_project_may_come_twice_but_its_cursor_may_not_repeat():
    visited = Visited()
    check_progress(visited, page("a", next_cursor="second"), is_project=True)
    check_progress(visited, page("a", next_cursor="third"), is_project=True)
    with pytest.raises(CircularHistory):
        check_progress(visited, page("b", next_cursor="second"), is_project=True)


@given(st.integers(0, MAX_PAGES_WITHOUT_IMAGE - 1))
def test_fifty_pages_in_a_row_without_an_image_raise_an_error(count):
    visited = Visited()
    for number in range(count):
        check_progress(visited, page(others=(f"v{number}",), next_cursor=f"c{number}"))
    check_progress(visited, page("image", next_cursor="between"))
    for number in range(MAX_PAGES_WITHOUT_IMAGE - 1):
        check_progress(visited, page(others=(f"w{number}",), next_cursor=f"d{number}"))
    with pytest.raises(FlowError, match="50 pages in a row"):
        check_progress(visited, page(others=("last",), next_cursor="end"))
