"""Whatever the owner chooses, in any order, guests see exactly what the choice says."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule
from test_choices import NAMES, TITLES, Choices, ids_of, names_of

from webapp import store
from webapp.database.models import GuestAccess, GuestCollection, Image, Profile
from webapp.errors import UnknownImage
from webapp.store.choices import collections, guests
from webapp.store.gallery import counts, images, positions, selections, timeline, visible_profiles
from webapp.store.gallery.filters import Filter
from webapp.store.gallery.scope import guest_scope

SOME = st.sets(st.sampled_from(NAMES))


class Guests(Choices):
    """Compares what guests see with sets of names; None as the choice shows everything."""

    @initialize()
    def nothing_chosen(self) -> None:
        GuestAccess.delete().execute()
        GuestCollection.delete().execute()
        self.hidden: set[str] = set()
        self.deleted: set[str] = set()
        self.chosen: set[str] | None = None
        guests.show_everything()

    @rule(name=st.sampled_from(NAMES))
    def lose(self, name: str) -> None:
        super().lose(name)
        self.hidden.discard(name)
        self.deleted.discard(name)

    @rule(names=SOME)
    def hide(self, names: set[str]) -> None:
        selections.hide(ids_of(*names))
        self.hidden |= names & self.rows

    @rule(names=SOME)
    def show_again(self, names: set[str]) -> None:
        selections.show_again(ids_of(*names))
        self.hidden -= names

    @rule(name=st.sampled_from(NAMES))
    def delete_file(self, name: str) -> None:
        images.mark_not_wanted(ids_of(name).ids)
        self.deleted |= {name} & self.rows

    @rule(titles=st.sets(st.sampled_from(TITLES)))
    def choose(self, titles: set[str]) -> None:
        guests.show_collections([collections.get_or_add(title).id for title in titles])
        self.chosen = set(titles)

    @rule()
    def choose_everything(self) -> None:
        guests.show_everything()
        self.chosen = None

    @rule()
    def turn_off(self) -> None:
        guests.turn_off()
        self.chosen = set()

    @rule(title=st.sampled_from(TITLES))
    def delete(self, title: str) -> None:
        super().delete(title)
        if self.chosen is not None:
            self.chosen.discard(title)

    @rule()
    def go_through_a_file(self) -> None:
        super().go_through_a_file()
        if self.chosen is not None:
            self.chosen = set()  # collections from a file are new ones

    @property
    def shown(self) -> set[str]:
        return self.rows - self.hidden

    @property
    def seen(self) -> set[str]:
        chosen = self.rows if self.chosen is None else set().union(*(self.sets[one] for one in self.chosen))
        return (chosen & self.shown) - self.deleted

    @invariant()
    def guests_see_what_was_chosen(self) -> None:
        scope = guest_scope()
        everything = Filter(scope=scope)
        assert names_of(everything) == self.seen
        assert counts.count_all(everything).total == len(self.seen)
        assert counts.count_shelf(None, scope) == len(self.seen)
        assert sum(timeline.timeline_of(everything).counts.values()) == len(self.seen)
        if self.chosen is not None:
            assert {each.title for each in collections.list_collections(scope)} == self.chosen
        is_there = {each.id for each in visible_profiles.list_profiles_within(scope)}
        assert bool(is_there) == bool(self.seen)

    @invariant()
    def guests_find_each_image_among_those(self) -> None:
        scope = guest_scope()
        everything = Filter(scope=scope)
        page = images.list_page(everything, limit=len(NAMES)).images
        assert {image.name for image in page} == self.seen
        for image in Image.select():
            is_found = True
            for find in (images.get_image, images.get_file):
                try:
                    find(image.id, scope)
                except UnknownImage:
                    is_found = False
            assert is_found == (image.name in self.seen)
            assert names_of(Filter(text=image.name, scope=scope)) <= self.seen
        for index, image in enumerate(page):
            before, after = images.list_neighbours(everything, image)
            assert before == (page[index - 1].id if index else None)
            assert after == (page[index + 1].id if index + 1 < len(page) else None)
            found = positions.find_position(everything, image)
            assert found == positions.Position(index + 1, len(page))
            titles = {each.title for each in collections.list_of_image(image, scope)}
            assert titles <= (set(TITLES) if self.chosen is None else self.chosen)


def test_guests_see_what_was_chosen_after_any_sequence_of_choices(tmp_path):
    store.open_database(tmp_path / "flowshelf.sqlite3")
    with store.connection():
        Profile.create(id="profile", name="Ada", created_at="")
        Guests.TestCase.settings = settings(
            max_examples=15, stateful_step_count=20, suppress_health_check=list(HealthCheck), deadline=None
        )
        Guests.TestCase().runTest()
