"""Pages that are sent again: always as the shelf is now, and never to another role."""

import threading

import pytest
from flask import before_render_template, template_rendered

from webapp import store
from webapp.database.states import Role
from webapp.store import profiles
from webapp.store.choices import collections, favourites
from webapp.store.gallery import selections
from webapp.store.gallery.filters import Filter, Selection
from webapp.web import page_cache


@pytest.fixture
def patient(monkeypatch):
    """Pages are kept for longer than a test takes."""
    monkeypatch.setattr(page_cache, "MAX_SECONDS", 60.0)


@pytest.fixture
def image_ids(shelf):
    return selections.list_ids(Selection(everything=Filter()))


@pytest.fixture
def rendered(app):
    """The names of the pages that were rendered."""
    names = []

    def note(_, template, **__):
        if "/" not in template.name:
            names.append(template.name)

    with template_rendered.connected_to(note, app):
        yield names


def etag_of(client, path="/", **headers):
    return client.get(path, headers=headers).headers["ETag"]


def test_a_page_that_did_not_change_is_not_sent_again(client, shelf):
    first = client.get("/")
    again = client.get("/", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["Cache-Control"] == "no-store"


def test_a_page_is_rendered_once_while_nothing_is_written(client, shelf, patient, rendered):
    for _ in range(3):
        client.get("/?sort=oldest")
    assert rendered == ["gallery.html"]


@pytest.mark.parametrize(
    "write",
    [
        lambda ids: selections.hide(Selection(ids[:1])),
        lambda ids: favourites.mark(Selection(ids[:1])),
        lambda ids: profiles.add_profile("Bob", ("ASSET_MANAGER",)),
    ],
)
def test_a_page_is_new_after_any_write(client, image_ids, patient, write):
    before = etag_of(client)
    assert etag_of(client) == before
    write(tuple(image_ids))
    assert etag_of(client) != before


def test_a_collection_that_gets_an_image_shows_it_at_once(client, image_ids, patient):
    kites = collections.add_collection("Kites")
    path = f"/?collection={kites.id}"
    assert image_ids[0] not in client.get(path).text
    collections.add_images(kites, Selection(tuple(image_ids[:1])))
    assert image_ids[0] in client.get(path).text


def test_each_look_of_a_page_is_kept_for_itself(client, shelf, patient):
    plain = etag_of(client)
    client.set_cookie("density", "wall")
    assert etag_of(client) != plain
    client.set_cookie("theme", "dark")
    dark = etag_of(client)
    client.set_cookie("zone", "Pacific/Kiritimati")
    assert etag_of(client) != dark
    assert etag_of(client, HX_Request="true") != etag_of(client)


def test_no_more_pages_are_kept_than_fit(client, shelf, patient, monkeypatch, app):
    monkeypatch.setattr(page_cache, "MAX_PAGES", 3)
    for number in range(10):
        client.get(f"/?q=word{number}")
    assert len(app.extensions["flowshelf.pages"]._pages) == 3


def test_a_guest_never_gets_the_page_of_the_owner(running, serving, patient):
    app = running(share=True)
    codes = app.extensions["flowshelf.sharing"].codes
    pages = {}
    with serving(app):
        for role in (Role.OWNER, Role.GUEST, Role.OWNER):
            bearer = {"Authorization": f"Bearer {codes.code_of(role)}"}
            pages[role] = app.test_client().get("/", headers=bearer).text
    assert "You are a guest" in pages[Role.GUEST]
    assert "You are a guest" not in pages[Role.OWNER]


def test_many_who_ask_at_once_wait_for_one_rendering(app, shelf, patient, rendered):
    asked, statuses = threading.Barrier(8), []

    def ask():
        asked.wait(10)
        statuses.append(app.test_client().get("/?kind=uploaded").status_code)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert statuses == [200] * 8
    assert rendered == ["gallery.html"]


def test_all_who_ask_while_a_page_is_rendered_share_the_next_rendering(
    app, shelf, patient, rendered, wait_until
):
    """Something was written before each of them asked, so what is rendered now is too old for all of them."""
    reached, may_go_on, statuses = threading.Event(), threading.Event(), []

    def hold(*_, **__):
        reached.set()
        assert may_go_on.wait(10)

    def ask():
        with store.connection():
            favourites.unmark(Selection(()))
        statuses.append(app.test_client().get("/").status_code)

    with before_render_template.connected_to(hold, app):
        threads = [threading.Thread(target=ask) for _ in range(8)]
        threads[0].start()
        assert reached.wait(10)
        for thread in threads[1:]:
            thread.start()
        (page,) = app.extensions["flowshelf.pages"]._pages.values()
        wait_until(lambda: len(page.turn._waiters) == 7)
        may_go_on.set()
        for thread in threads:
            thread.join(30)
    assert statuses == [200] * 8
    assert rendered == ["gallery.html"] * 2


def test_the_version_never_falls_while_threads_write(app):
    seen, begin = [], threading.Barrier(4)

    def write():
        begin.wait(10)
        with store.connection():
            for _ in range(50):
                favourites.unmark(Selection(()))
                seen.append(store.version())

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert store.version() == max(seen)


def test_the_version_rises_with_a_commit_and_not_with_reading(client, shelf):
    before = store.version()
    selections.list_ids(Selection(everything=Filter()))
    assert store.version() == before
    favourites.mark(Selection(()))
    assert store.version() != before
