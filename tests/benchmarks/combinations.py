"""Combinations of filters, sorts and search that Hypothesis draws, as the owner and guests may ask for them.

All that the views find out before they send the first page, over a new connection, as for a request.
"""

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from webapp import create_app, store
from webapp.config import Config
from webapp.database.states import Role
from webapp.store import profiles
from webapp.store.gallery.filters import FileState, Filter, Sort
from webapp.store.gallery.query import Field
from webapp.store.gallery.scope import WHOLE_SHELF, SharedCollections, SharedShelf
from webapp.web.access import set_role
from webapp.web.views.gallery import grid_values, timeline_of

from .measuring import Row, in_own_process, milliseconds
from .shelves import COLLECTIONS, COMMON_WORD, RARE_WORD, TWO_LETTERS, shelf_of

SHOWN, LIMIT_MS, RUNS = 10, 100, 2
TERMS = f"""{COMMON_WORD} | kite | {RARE_WORD} | {TWO_LETTERS} | airship | CAMaJ0001 | "red kite"
    | -{COMMON_WORD} | -{RARE_WORD} | {RARE_WORD} OR {COMMON_WORD} | kite OR dunes | -kite OR {RARE_WORD}
    | {RARE_WORD} OR seed:123456 | model:banana | model:banana-2 | -model:banana | project:fables
    | -project:"fables 7" | kind:uploaded | -kind:uploaded | seed:123456 | before:2022 | after:2022
    | is:downloaded | -is:downloaded | is:pending | is:favourite | is:gone | -is:gone | is:hidden | is:failed
    | is:downloaded OR is:favourite | {COMMON_WORD} OR is:gone"""
SCOPES = ((), ("small",), ("middle",), ("large",), ("middle", "small"), tuple(COLLECTIONS))
VALUES = {
    "text": [term.strip() for term in TERMS.split("|")],
    "state": list(FileState),
    "aspect_ratio": ["IMAGE_ASPECT_RATIO_SQUARE"],
    "kind": ["generated", "uploaded"],
    "model_name": ["GEM_PIX", "NARWHAL"],
    "project_id": ["project7", "project8"],
    "workflow_id": ["none"],
    "is_favourite": [True],
    "collection_id": list(COLLECTIONS),
    "scope": [SharedShelf(), *map(SharedCollections, SCOPES)],
    "since": ["2021-03-01", "2026-03-01"],
    "until": ["2021-03-31", "2024-03-01"],
    "sort": list(Sort),
}


def measure(quick: bool) -> Iterator[Row]:
    count = 20_000 if quick else 1_000_000
    with shelf_of(count) as data_dir:
        found = in_own_process(times, data_dir, 200 if quick else 2_000)
    slowest = sorted(found, reverse=True)[:SHOWN]
    what = f"the slowest of {len(found)} combinations, {count:,} images"
    yield Row(what, slowest[0][0], "ms", f"<= {LIMIT_MS} ms")
    for took, described in slowest:
        yield Row(described, took, "ms")


def times(data_dir: Path, count: int) -> list[tuple[float, str]]:
    """The milliseconds of the first page of drawn filters, the best of RUNS, and what each asks for."""
    app, found = create_app(Config(data_dir)), {}
    with store.connection():
        owners = [profile.id for profile in profiles.list_profiles()]

    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(filters(owners))
    def draw(filter_: Filter) -> None:
        with app.test_request_context():
            set_role(Role.OWNER if filter_.scope == WHOLE_SHELF else Role.GUEST)
            found[described(filter_)] = min(milliseconds(lambda: first_page(filter_), RUNS))

    draw()
    return [(took, what) for what, took in found.items()]


def first_page(filter_: Filter) -> None:
    with store.connection():
        timeline_of(filter_, grid_values(filter_)["totals"])


def filters(owners: list[str]) -> st.SearchStrategy[Filter]:
    values = VALUES | {"profile_id": owners}
    pairs = (st.tuples(st.just(name), st.sampled_from(choices)) for name, choices in values.items())
    return st.lists(st.one_of(*pairs), max_size=6).map(_filter_of).filter(_may_be_asked)


def _filter_of(pairs: list[tuple[str, object]]) -> Filter:
    filter_ = Filter(**dict(pairs))
    text = " ".join(dict.fromkeys(value for name, value in pairs if name == "text"))
    return replace(filter_, text=text, searches_titles=filter_.scope == WHOLE_SHELF or not text)


def _may_be_asked(filter_: Filter) -> bool:
    """The rules of `webapp.web.views.filter_parameters` for guests."""
    if filter_.scope == WHOLE_SHELF:
        return True
    shown = getattr(filter_.scope, "collection_ids", tuple(COLLECTIONS))
    has_secret = filter_.project_id or any(term.field is Field.PROJECT for term in filter_.query.terms)
    return (
        filter_.state in (None, FileState.DONE) and not has_secret and filter_.collection_id in (None, *shown)
    )


def described(filter_: Filter) -> str:
    """Its values that are not the default ones."""
    values = ((each.name, getattr(filter_, each.name), each.default) for each in fields(Filter))
    return ", ".join(f"{name} {value}" for name, value, default in values if value != default) or "all"
