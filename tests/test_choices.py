"""Favourites and collections: what they hold, through lost rows, copies and files."""

import json
import secrets
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from webapp import store
from webapp.cli import main
from webapp.database.backup import copy_database
from webapp.database.models import Collection, CollectionImage, Favourite, Image, PastChoice
from webapp.database.restore import restore_database
from webapp.errors import BadRequest, CollectionExists, UnknownCollection
from webapp.store import profiles
from webapp.store.choices import collections, favourites, guests, past, portable
from webapp.store.gallery import counts, patience
from webapp.store.gallery.filters import Filter, Selection, Sort, matching
from webapp.store.gallery.images import list_page
from webapp.store.gallery.scope import SharedCollections

NAMES = [f"name-{number}" for number in range(12)]
AT = "2026-03-01T10:00:00.000000Z"
CHOICES = (Favourite, CollectionImage, Collection)
TITLES = ["Kites", "Dunes", "夜の海"]


def add_row(profile_id: str, name: str, day: int = 1) -> str:
    """An image as a sync stores it; returns its id, which is another one each time."""
    image = Image.create(
        id=secrets.token_hex(16),
        profile_id=profile_id,
        name=name,
        media_key=name,
        workflow_id=name,
        created_at=f"2026-03-{day:02}T10:00:00.000000Z",
    )
    return image.id


def ids_of(*names: str) -> Selection:
    rows = Image.select(Image.id).where(Image.name.in_(names))
    return Selection(tuple(rows.scalars()))


def names_of(filter_: Filter) -> set[str]:
    return {image.name for image in matching(filter_)}


@contextmanager
def shelf_with(path: Path, names: list[str]) -> Iterator[str]:
    """An open database with images of one profile, whose id it yields."""
    store.open_database(path)
    with store.connection():
        profile_id = profiles.add_profile("Ada", ("ASSET_MANAGER",)).id
        for day, name in enumerate(names, 1):
            add_row(profile_id, name, day)
        yield profile_id


@pytest.fixture
def ada(tmp_path):
    with shelf_with(tmp_path / "flowshelf.sqlite3", NAMES) as profile_id:
        yield profile_id


def test_a_choice_holds_again_when_a_lost_row_comes_back_under_another_id(ada):
    kites = collections.add_collection("Kites")
    favourites.mark(ids_of("name-1", "name-2"))
    collections.add_images(kites, ids_of("name-2", "name-3"))
    Image.delete().where(Image.name == "name-2").execute()
    assert names_of(Filter(is_favourite=True)) == {"name-1"}
    assert names_of(Filter(collection_id=kites.id)) == {"name-3"}
    add_row(ada, "name-2", 28)
    assert names_of(Filter(is_favourite=True)) == {"name-1", "name-2"}
    page = list_page(Filter(collection_id=kites.id), limit=5).images
    assert [image.name for image in page] == ["name-2", "name-3"]


def test_removing_a_profile_keeps_the_choices_for_its_images(ada):
    kites = collections.add_collection("Kites")
    collections.add_images(kites, ids_of(*NAMES))
    favourites.mark(ids_of("name-5"))
    Image.delete().where(Image.profile_id == ada).execute()
    assert collections.shown(kites).image_count == 0
    again = profiles.add_profile("Ada again", ("ASSET_MANAGER",)).id
    for name in NAMES[:6]:
        add_row(again, name)
    assert collections.shown(kites).image_count == 6
    assert names_of(Filter(is_favourite=True)) == {"name-5"}


def test_favourites_can_be_sorted_by_when_they_were_marked(ada):
    for name in ("name-7", "name-1", "name-4"):
        favourites.mark(ids_of(name))
    page = list_page(Filter(sort=Sort.FAVOURITED), limit=9).images
    assert [image.name for image in page] == ["name-4", "name-1", "name-7"]


def test_undo_takes_away_only_what_the_command_added(ada):
    kites = collections.add_collection("Kites")
    collections.add_images(kites, ids_of("name-1"))
    moment = collections.add_images(kites, ids_of("name-1", "name-2"))
    assert collections.count_added_at(moment) == 1
    collections.undo_adding(moment)
    assert names_of(Filter(collection_id=kites.id)) == {"name-1"}
    favourites.mark(ids_of("name-1"))
    favourites.undo_marking(favourites.mark(ids_of("name-1", "name-2")))
    assert names_of(Filter(is_favourite=True)) == {"name-1"}


def test_what_was_taken_back_comes_back_with_its_times_also_after_its_row_was_lost(ada):
    kites = collections.add_collection("Kites")
    for name in ("name-1", "name-2"):
        collections.add_images(kites, ids_of(name))
    collections.set_cover(kites, Image.get(Image.name == "name-2"))
    favourites.mark(ids_of("name-1", "name-2"))
    before = portable.export_choices() | {"exportedAt": ""}
    unmarked = favourites.unmark(ids_of("name-2", "name-3"))
    taken_out = collections.remove_images(kites, ids_of("name-2", "name-3"))
    assert past.count_removed_at(unmarked) == past.count_removed_at(taken_out) == 1
    assert names_of(Filter(collection_id=kites.id)) == names_of(Filter(is_favourite=True)) == {"name-1"}
    Image.delete().where(Image.name == "name-2").execute()
    favourites.undo_unmarking(unmarked)
    collections.undo_removing(taken_out)
    add_row(ada, "name-2", 28)
    assert names_of(Filter(collection_id=kites.id)) == {"name-1", "name-2"}
    assert names_of(Filter(is_favourite=True)) == {"name-1", "name-2"}
    assert portable.export_choices() | {"exportedAt": ""} == before


def test_what_was_taken_out_of_a_deleted_collection_does_not_come_back(ada):
    kites = collections.add_collection("Kites")
    collections.add_images(kites, ids_of("name-1"))
    taken_out = collections.remove_images(kites, ids_of("name-1"))
    collections.remove(kites)
    collections.undo_removing(taken_out)
    assert CollectionImage.select().count() == 0


def test_what_was_taken_back_is_kept_for_a_day(ada):
    favourites.mark(ids_of("name-1", "name-2"))
    PastChoice.update(removed_at=AT).where(
        PastChoice.removed_at == favourites.unmark(ids_of("name-1"))
    ).execute()
    unmarked = favourites.unmark(ids_of("name-2"))
    assert (past.count_removed_at(AT), past.count_removed_at(unmarked)) == (0, 1)


def test_titles_are_one_line_and_unique_without_regard_to_case(ada):
    kites = collections.add_collection("  Red \n kites ")
    assert kites.title == "Red kites"
    assert collections.get_or_add("RED KITES").id == kites.id
    with pytest.raises(CollectionExists):
        collections.add_collection("red kites")
    collections.rename(kites, "RED kites")
    collections.add_collection("Ärger")
    with pytest.raises(CollectionExists):
        collections.add_collection("ärger")
    for title in ("", " \n", "x" * 81):
        with pytest.raises(BadRequest):
            collections.add_collection(title)


def test_a_cover_that_leaves_its_collection_gives_way_to_the_newest_image(ada):
    kites = collections.add_collection("Kites")
    collections.add_images(kites, ids_of("name-1", "name-5"))
    assert collections.shown(kites).cover.name == "name-5"
    collections.set_cover(kites, Image.get(Image.name == "name-1"))
    kites = collections.get_collection(kites.id)
    assert collections.shown(kites).cover.name == "name-1"
    collections.remove_images(kites, ids_of("name-1"))
    assert collections.shown(kites).cover.name == "name-5"


def test_a_deleted_collection_leaves_its_images_and_the_scope_of_guests_empty(ada):
    kites = collections.add_collection("Kites")
    collections.add_images(kites, ids_of("name-1"))
    guests.show_collections([kites.id])
    collections.remove(kites)
    assert Image.select().count() == len(NAMES)
    assert guests.find_guest_link().collection_ids == frozenset()
    with pytest.raises(UnknownCollection):
        collections.get_collection(kites.id)


def test_choices_go_through_a_file_to_a_shelf_whose_images_come_later(tmp_path):
    with shelf_with(tmp_path / "flowshelf.sqlite3", NAMES):
        kites = collections.add_collection("夜の海")
        collections.add_images(kites, ids_of("name-1", "name-2"))
        collections.set_cover(kites, Image.get(Image.name == "name-1"))
        favourites.mark(ids_of("name-2"))
        exported = json.loads(json.dumps(portable.export_choices()))
    with shelf_with(tmp_path / "other.sqlite3", []) as other:
        done = portable.import_choices(exported)
        assert (done.favourite_count, done.collection_count, done.image_count) == (1, 1, 2)
        again = portable.import_choices(exported)
        assert (again.favourite_count, again.image_count) == (0, 0)
        for name in NAMES[:3]:
            add_row(other, name)
        (shown,) = collections.list_shown()
        assert (shown.collection.title, shown.image_count, shown.cover.name) == ("夜の海", 2, "name-1")
        assert Image.get(Image.name == "name-2").favourite_at == exported["favourites"][0]["at"]


@pytest.mark.parametrize("title", ["👩\u200d🎨 art", "می\u200cخواهم", "\u200fعربي", "soft\u00adhyphen"])
def test_titles_with_joiners_and_marks_go_through_a_file_unchanged(ada, title):
    collections.add_images(collections.add_collection(title), ids_of("name-1"))
    exported = json.loads(json.dumps(portable.export_choices()))
    collections.remove(collections.find_by_title(title))
    assert portable.import_choices(exported).image_count == 1
    assert [each.title for each in collections.list_collections()] == [title]


def test_a_title_holds_no_control_characters_and_no_half_letters(ada):
    assert collections.add_collection("a\x1b[31mb\ud800c").title == "a [31mb c"
    with pytest.raises(BadRequest):
        collections.add_collection("\x1b\ud800\0")


def test_the_first_collection_of_an_image_names_its_file_within_the_scope(ada):
    image = Image.get(Image.name == "name-1")
    ids = {}
    for title in ("kites", "Dunes", "Zoo"):
        added = collections.add_collection(title)
        collections.add_images(added, ids_of("name-1"))
        ids[title] = added.id
    assert collections.find_first_title(image) == "Dunes"
    assert collections.find_first_title(image, SharedCollections((ids["Zoo"], ids["kites"]))) == "kites"
    assert collections.find_first_title(image, SharedCollections(())) is None
    assert collections.find_first_title(Image.get(Image.name == "name-2")) is None


def test_choices_come_back_with_a_backup(tmp_path):
    path, backup = tmp_path / "flowshelf.sqlite3", tmp_path / "backup.sqlite3"
    with shelf_with(path, NAMES):
        kites = collections.add_collection("Kites")
        collections.add_images(kites, ids_of("name-1", "name-2"))
        favourites.mark(ids_of("name-2"))
        copy_database(path, backup)
        collections.remove(kites)
        favourites.unmark(ids_of("name-2"))
    restore_database(backup, path)
    store.open_database(path)
    with store.connection():
        assert names_of(Filter(collection_id=kites.id)) == {"name-1", "name-2"}
        assert names_of(Filter(is_favourite=True)) == {"name-2"}


@pytest.mark.parametrize(
    "value",
    [
        [],
        {"kind": "other"},
        {"kind": portable.KIND, "version": 2},
        {"kind": portable.KIND, "version": 1, "favourites": "all"},
        {"kind": portable.KIND, "version": 1, "favourites": [{"name": 1, "at": "x"}]},
        {"kind": portable.KIND, "version": 1, "favourites": [{"name": "a\0b", "at": AT}]},
        {"kind": portable.KIND, "version": 1, "favourites": [{"name": "x" * 501, "at": AT}]},
        {"kind": portable.KIND, "version": 1, "favourites": [{"name": "a", "at": "zzzz"}]},
        {"kind": portable.KIND, "version": 1, "favourites": [{"name": "a", "at": AT[:-1]}]},
        {"kind": portable.KIND, "version": 1, "collections": [{"title": "a", "cover": "\ud800"}]},
        {"kind": portable.KIND, "version": 1, "collections": [{"title": "a", "cover": 5}]},
        {"kind": portable.KIND, "version": 1, "collections": [{"title": ["a"], "images": []}]},
        {"kind": portable.KIND, "version": 1, "collections": [{"images": []}]},
        {"kind": portable.KIND, "version": 1, "collections": [{"title": "a", "images": [{"name": "a"}]}]},
        {"kind": portable.KIND, "version": 1, "collections": [{"title": "x" * 81, "images": []}]},
    ],
)
def test_a_file_that_is_no_export_changes_nothing(ada, value):
    collections.add_collection("Kites")
    before = portable.export_choices() | {"exportedAt": ""}
    with pytest.raises(BadRequest):
        portable.import_choices(value)
    assert portable.export_choices() | {"exportedAt": ""} == before


def test_the_command_line_lists_exports_and_imports_choices(tmp_path):
    file, folder = tmp_path / "choices.json", ["--data-dir", str(tmp_path)]
    with shelf_with(tmp_path / "flowshelf.sqlite3", NAMES):
        kites = collections.add_collection("Kites")
        collections.add_images(kites, ids_of("name-1", "name-2"))
        favourites.mark(ids_of("name-2"))
    run = CliRunner().invoke
    assert run(main, ["collections", *folder]).output.split() == ["2", "Kites"]
    assert run(main, ["collections", "--export", str(file), *folder]).exit_code == 0
    with store.connection():
        favourites.unmark(ids_of("name-2"))
        collections.remove(kites)
    done = run(main, ["import", str(file), *folder])
    assert (done.exit_code, done.output) == (0, "1 new favourites; 2 images added to 1 collections.\n")
    with store.connection():
        assert names_of(Filter(is_favourite=True)) == {"name-2"}


def test_a_count_that_takes_too_long_is_one_of_fewer_images_and_never_nothing(ada, monkeypatch):
    monkeypatch.setattr(patience, "SECONDS", -1.0)
    monkeypatch.setattr(patience, "_STEPS", 1)
    kites = collections.add_collection("Kites")
    collections.add_images(kites, Selection(everything=Filter()))
    assert collections.shown(kites).image_count == len(NAMES)
    monkeypatch.setattr(counts, "FEW_COUNTED", 5)
    shown = collections.shown(kites)
    assert (shown.image_count, shown.is_capped) == (5, True)


class Choices(RuleBasedStateMachine):
    """Compares the store with sets of names, while rows come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.hearts: set[str] = set()
        self.sets: dict[str, set[str]] = defaultdict(set)

    @initialize()
    def empty(self) -> None:
        for model in (Image, *CHOICES):
            model.delete().execute()

    @rule(name=st.sampled_from(NAMES), day=st.integers(1, 28))
    def add(self, name: str, day: int) -> None:
        if not Image.get_or_none(Image.name == name):
            add_row("profile", name, day)

    @rule(name=st.sampled_from(NAMES))
    def lose(self, name: str) -> None:
        Image.delete().where(Image.name == name).execute()

    @rule(names=st.sets(st.sampled_from(NAMES)))
    def mark(self, names: set[str]) -> None:
        favourites.mark(ids_of(*names))
        self.hearts |= names & self.rows

    @rule(names=st.sets(st.sampled_from(NAMES)))
    def unmark(self, names: set[str]) -> None:
        favourites.unmark(ids_of(*names))
        self.hearts -= names & self.rows

    @rule(title=st.sampled_from(TITLES), names=st.sets(st.sampled_from(NAMES)))
    def collect(self, title: str, names: set[str]) -> None:
        collections.add_images(collections.get_or_add(title), ids_of(*names))
        self.sets[title] |= names & self.rows

    @rule(title=st.sampled_from(TITLES), names=st.sets(st.sampled_from(NAMES)))
    def take_out(self, title: str, names: set[str]) -> None:
        collections.remove_images(collections.get_or_add(title), ids_of(*names))
        self.sets[title] -= names & self.rows

    @rule(title=st.sampled_from(TITLES))
    def delete(self, title: str) -> None:
        collections.remove(collections.get_or_add(title))
        self.sets.pop(title, None)

    @rule()
    def go_through_a_file(self) -> None:
        exported = json.loads(json.dumps(portable.export_choices()))
        for model in CHOICES:
            model.delete().execute()
        portable.import_choices(exported)

    @property
    def rows(self) -> set[str]:
        return set(Image.select(Image.name).scalars())

    @property
    def shown(self) -> set[str]:
        return self.rows

    @invariant()
    def is_as_the_sets_say(self) -> None:
        assert names_of(Filter(is_favourite=True)) == self.hearts & self.shown
        for collection in collections.list_collections():
            meant = self.sets[collection.title] & self.shown
            assert names_of(Filter(collection_id=collection.id)) == meant
            page = list_page(Filter(collection_id=collection.id), limit=20).images
            assert [image.id for image in page] == [
                image.id
                for image in Image.select()
                .where(Image.name.in_(meant))
                .order_by(Image.created_at.desc(), Image.id.desc())
            ]


def test_any_sequence_of_choices_holds_while_rows_come_and_go(tmp_path):
    store.open_database(tmp_path / "flowshelf.sqlite3")
    with store.connection():
        Choices.TestCase.settings = settings(
            max_examples=20, stateful_step_count=25, suppress_health_check=list(HealthCheck), deadline=None
        )
        Choices.TestCase().runTest()
