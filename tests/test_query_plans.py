"""Frequent queries use an index, however many images there are, as SQLite's query plans show."""

import re
from collections.abc import Callable
from contextlib import contextmanager

import pytest

from webapp import store
from webapp.database.base import db
from webapp.database.models import Collection, CollectionImage, Image, Profile, Run
from webapp.database.states import RunKind, RunState, SyncMode
from webapp.database.triggers import choices
from webapp.sources import RemoteImage
from webapp.store import profiles, roots, runs
from webapp.store.gallery import counts, images, search, timeline
from webapp.store.gallery.filters import FileState, Filter, Sort
from webapp.store.gallery.scope import SharedCollections
from webapp.store.history import history_pages
from webapp.store.runs import downloads

ADA = "profile_000000000001"


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """Images in all states and runs, enough that SQLite prefers an index to a scan. Tests only read them."""
    store.open_database(tmp_path_factory.mktemp("plans") / "flowshelf.sqlite3")
    with store.connection():
        with store.transaction():
            Image.insert_many([_row(number) for number in range(3_000)]).execute()
            Profile.create(id=ADA, name="Ada", created_at="")
            Run.insert_many([_run(number) for number in range(500)]).execute()
        store.refresh_statistics()
        yield


def _run(number: int) -> dict:
    moment = f"2025-01-01T00:00:00.{number:06}Z"
    columns = {"mode": SyncMode.NEW, "histories": "PINHOLE", "history": "PINHOLE"}
    return columns | {
        "id": f"run{number}",
        "profile": ADA,
        "kind": RunKind.SYNC,
        "state": RunState.DONE,
        "started_at": moment,
    }


def _row(number: int) -> dict:
    moment = f"2025-01-01T00:{number // 60 % 60:02}:{number % 60:02}.{number:06}Z"
    return {
        "id": f"{number:032x}",
        "profile_id": ADA if number % 2 else "profile_000000000002",
        "name": f"name{number}",
        "workflow_id": f"workflow{number}",
        "media_key": f"key{number}",
        "created_at": moment,
        "kind": "uploaded" if number % 3 else "generated",
        "aspect_ratio": "IMAGE_ASPECT_RATIO_SQUARE" if number % 5 else None,
        "model_name": "GEM_PIX" if number % 3 == 0 else None,
        "project_id": f"project{number % 40}",
        "prompt": f"a red kite, number {number}",
        "title": "dunes",
        "seed": number,
        "local_path": f"/nowhere/{number}" if number % 2 else None,
        "downloaded_at": moment if number % 2 else None,
        "gone_upstream_at": moment if number % 500 == 0 else None,
        "hidden_at": moment if number % 700 == 0 else None,
    }


def plans_of(ask: Callable[[], object], monkeypatch) -> list[tuple[str, list[str]]]:
    """All statements that `ask` executes, each with the steps of its query plan."""
    executed, execute = [], db.execute_sql

    def record(sql, parameters=None):
        executed.append((sql, parameters))
        return execute(sql, parameters)

    with monkeypatch.context() as patch:
        patch.setattr(db, "execute_sql", record)
        ask()
    return [
        (sql, [row[-1] for row in db.execute_sql(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()])
        for sql, parameters in executed
    ]


def scans(plans: list[tuple[str, list[str]]]) -> list[str]:
    """The steps that read all images, downloads or runs. Reading along an index as far as the page reaches is
    not such a step."""
    found = []
    for sql, steps in plans:
        for alias in re.findall(r'\b(?:veo3_image_generations|download|run)"? AS "?(\w+)', sql):
            is_inner = f"CO-ROUTINE {alias}" in steps or f"MATERIALIZE {alias}" in steps
            found += [
                step for step in steps if re.fullmatch(rf"SCAN {alias}(?: LEFT-JOIN)?", step) and not is_inner
            ]
    return found


PAGES = {
    "images_by_time": Filter(),
    "images_of_profile": Filter(profile_id=ADA),
    "images_of_kind": Filter(kind="generated"),
    "images_of_shape": Filter(aspect_ratio="IMAGE_ASPECT_RATIO_SQUARE"),
    "images_of_model": Filter(model_name="GEM_PIX"),
    "images_of_project": Filter(project_id="project7"),
    "images_by_download": Filter(sort=Sort.DOWNLOADED),
    "images_with_file": Filter(state=FileState.DONE),
    "images_without_file": Filter(state=FileState.PENDING),
    "images_hidden": Filter(state=FileState.HIDDEN),
    "images_gone": Filter(state=FileState.GONE),
    "images_damaged": Filter(state=FileState.DAMAGED),
    "images_changed": Filter(state=FileState.CHANGED),
    "downloads_by_state": Filter(state=FileState.FAILED),
    "image_text VIRTUAL TABLE": Filter(text="number 2999"),
}


@pytest.mark.parametrize(("index", "asked"), PAGES.items(), ids=PAGES)
def test_a_page_of_the_gallery_uses_the_index_of_its_filter(shelf, monkeypatch, index, asked):
    plans = plans_of(lambda: images.list_page(asked, limit=60), monkeypatch)
    assert index in str(plans)
    assert not scans(plans)


TYPED = {
    '"number 2999"': "image_text VIRTUAL TABLE",
    "nùmber 2999": "image_text VIRTUAL TABLE",
    "2999 -dunes": "image_text VIRTUAL TABLE",
    "2999 OR 2998": "image_text VIRTUAL TABLE",
    "2999 OR seed:2998": "MULTI-INDEX OR",
    "seed:2999": "images_of_seed",
    "kind:generated": "images_of_kind",
    "model:nano-banana": "images_of_model",
    "project:project7": "images_of_project",
    "is:failed": "downloads_by_state",
    "is:gone": "images_gone",
    "is:hidden": "images_hidden",
    "is:uploaded after:2025 before:2025-02": "images_of_kind",
    "after:2025-01-01 before:2026": "images_by_time",
    "-dunes": "images_by_time",
    "kite OR dunes": "image_text VIRTUAL TABLE",
}


@pytest.mark.parametrize(("text", "index"), TYPED.items(), ids=TYPED)
def test_what_a_person_types_is_found_by_an_index(shelf, monkeypatch, text, index):
    plans = plans_of(lambda: images.list_page(Filter(text=text), limit=60), monkeypatch)
    assert index in str(plans)
    assert not scans(plans)


@pytest.mark.parametrize(
    "text", ["model:nano-banana", "kind:uploaded", "is:downloaded is:generated", "is:gone"]
)
def test_a_field_in_the_text_costs_no_more_than_in_the_filter(shelf, text):
    fields = {
        "model:nano-banana": Filter(model_name="GEM_PIX"),
        "kind:uploaded": Filter(kind="uploaded"),
        "is:downloaded is:generated": Filter(state=FileState.DONE, kind="generated"),
        "is:gone": Filter(state=FileState.GONE),
    }
    for ask in (counts.count_first, counts.count_all, lambda asked: images.list_page(asked, limit=60).images):
        typed, chosen = Steps(), Steps()
        with chosen.counted():
            found = ask(fields[text])
        ask(Filter(text=text))  # looks up models once
        with typed.counted():
            assert ask(Filter(text=text)) == found
        assert typed.count <= chosen.count + 50


@pytest.mark.parametrize("sort", Sort)
def test_a_page_far_down_is_found_by_an_index_and_needs_no_sorting(shelf, monkeypatch, sort):
    edge = f"{1501:032x}"
    plans = plans_of(lambda: images.list_page(Filter(sort=sort), limit=60, before=edge), monkeypatch)
    assert "TEMP B-TREE" not in str(plans)
    assert any(f"({column}" in str(plans) for column in ("created_at", "downloaded_at", "favourite_at"))


@pytest.mark.parametrize(
    "start", [Filter(until="2025-01-01"), Filter(until="2024-12-31"), Filter(until="2026-01-01")]
)
def test_a_jump_to_a_month_is_found_by_an_index_and_needs_no_sorting(shelf, monkeypatch, start):
    found = []
    plans = plans_of(
        lambda: found.extend(images.list_page_from(Filter(), start, limit=60).images), monkeypatch
    )
    assert len(found) == 60
    assert "TEMP B-TREE" not in str(plans)
    assert "images_by_time (created_at" in str(plans)
    assert not scans(plans)


NEVER_TOGETHER = {
    "a kind and a model": Filter(kind="uploaded", model_name="GEM_PIX"),
    "a profile and a file": Filter(profile_id="profile_000000000002", state=FileState.DONE),
    "a model and no file, the oldest first": Filter(
        model_name="GEM_PIX", kind="uploaded", state=FileState.PENDING, sort=Sort.OLDEST
    ),
    "within some days": Filter(kind="uploaded", model_name="GEM_PIX", since="2024-12-01", until="2025-02-02"),
}


@pytest.mark.parametrize("asked", NEVER_TOGETHER.values(), ids=NEVER_TOGETHER)
def test_a_combination_that_never_occurs_is_answered_without_reading_images(shelf, asked):
    images_there = Image.select().count()
    for ask in (lambda: images.list_page(asked, limit=60).images, lambda: counts.count_first(asked).total):
        steps = Steps()
        with steps.counted():
            assert not ask()
        assert steps.count < images_there


def test_a_guests_search_for_a_word_that_stands_in_titles_only_reads_no_images(shelf, monkeypatch):
    monkeypatch.setattr(search, "MAX_CANDIDATES", 1_000)  # more images have it in their title
    images_there = Image.select().count()
    steps = Steps()
    with steps.counted():
        assert counts.count_first(Filter(text="dunes", searches_titles=False)).total == 0
        assert images.list_page(Filter(text="kite dunes", searches_titles=False), limit=60).images == []
    assert steps.count < images_there
    assert counts.count_first(Filter(text="kite dunes")).total > 1_000


def test_the_only_collection_that_guests_are_shown_is_read_in_its_order(shelf, monkeypatch):
    asked = Filter(scope=SharedCollections(("thirds",)))
    names = [f"name{number}" for number in range(0, 3_000, 3)]
    with db.atomic() as undone:
        Collection.create(id="thirds", title="thirds", created_at="x")
        rows = [{"collection": "thirds", "name": name, "added_at": "x"} for name in names]
        CollectionImage.insert_many(rows).execute()
        for statement in choices.REBUILD:
            db.execute_sql(statement)
        store.refresh_statistics()
        plans = plans_of(lambda: images.list_page(asked, limit=60), monkeypatch)
        assert len(images.list_page(asked, limit=60).images) == 60
        undone.rollback()
    assert "collection_by_time (collection_id=?)" in str(plans)
    assert "collections_of_image" not in str(plans)
    assert "TEMP B-TREE" not in str(plans)


class Steps:
    """Counts the steps of SQLite's virtual machine, which do not depend on how busy the computer is."""

    count = 0

    @contextmanager
    def counted(self):
        db.connection().set_progress_handler(self._count, 1)
        try:
            yield
        finally:
            db.connection().set_progress_handler(None, 1)

    def _count(self):
        self.count += 1


QUESTIONS = {
    "counts of the shelf": lambda: counts.count_first(Filter()),
    "counts of a filter": lambda: counts.count_first(Filter(kind="generated", aspect_ratio="x")),
    "the months of the shelf": lambda: timeline.timeline_of(Filter()),
    "the months of a filter": lambda: timeline.timeline_of(Filter(kind="generated", state=FileState.DONE)),
    "the months of a word": lambda: timeline.timeline_of(Filter(text="2999")),
    "what can be downloaded": lambda: counts.count_downloadable(ADA),
    "a word": lambda: counts.count_first(Filter(text="2999")),
    "two letters": lambda: counts.count_first(Filter(text="99")),
    "the beginning of a name": lambda: counts.count_first(Filter(text="name29")),
    "the next download": lambda: downloads.claim_download("none"),
    "downloads left": lambda: downloads.count_left("none"),
    "failures": lambda: downloads.count_failures_by_reason("none"),
    "the last run": lambda: runs.find_last_run(ADA, RunKind.SYNC),
    "runs": lambda: runs.list_runs(limit=21),
    "failed runs": lambda: runs.list_runs(outcome=runs.Outcome.FAILED, before="run7", limit=21),
    "waiting syncs of a profile": lambda: runs.list_runs(
        profile_id=ADA, kind=RunKind.SYNC, outcome=runs.Outcome.WAITING, limit=21
    ),
    "profiles that download": profiles.list_profiles_downloading,
    "known names": lambda: images.find_ids(ADA, ["name7", "name8"]),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_frequent_queries_do_not_scan_images_downloads_or_runs(shelf, monkeypatch, question):
    assert not scans(plans_of(QUESTIONS[question], monkeypatch))


@pytest.mark.parametrize("ask", [lambda: runs.find_open_run(ADA, RunKind.SYNC), runs.version])
def test_open_runs_are_found_by_their_partial_index(shelf, monkeypatch, ask):
    (*_, plan) = plans_of(ask, monkeypatch)
    assert "one_open_run" in str(plan)


@pytest.mark.parametrize(
    ("index", "ask"),
    {
        "images_unmeasured": lambda: images.list_unmeasured("", 100),
        "images_untimed": lambda: images.list_untimed("", 100),
        "images_outside_roots": lambda: list(roots.list_absolute()),
    }.items(),
)
def test_what_each_start_looks_for_is_found_by_an_index(shelf, monkeypatch, index, ask):
    plan, *_ = plans_of(ask, monkeypatch)
    assert f"{index} (id>?)" in str(plan)


def test_the_known_images_of_a_history_page_are_found_by_name_and_key(shelf, monkeypatch):
    page = [RemoteImage(f"name{number}", f"key{number + 1}", "flow", "uploaded", None) for number in (7, 9)]
    found = []
    (plan,) = plans_of(lambda: found.extend(history_pages.list_known(ADA, page).own), monkeypatch)
    assert [known.name for known in found] == ["name7", "name9"]
    assert not re.search("SCAN veo3|images_of_profile", str(plan))
    assert "images_by_exact_key" in str(plan)


def test_marks_that_no_image_has_are_looked_for_in_their_empty_index(shelf, monkeypatch):
    plans = str(plans_of(lambda: counts.count_downloadable(ADA), monkeypatch))
    assert "USING INDEX images_not_wanted" in plans
    assert "SCAN veo3_image_generations USING COVERING INDEX images_by_time" not in plans
