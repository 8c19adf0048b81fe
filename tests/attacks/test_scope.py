"""Guests are shown chosen collections only: nothing outside of these exists for them."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import pytest
from test_roles import FOR_GUESTS, every_route

from webapp import store
from webapp.database.models import Image
from webapp.database.restore import restore_database
from webapp.database.states import Role
from webapp.store.choices import collections, guests
from webapp.store.gallery import images
from webapp.store.gallery.filters import Selection

LOCAL = "/api/image-veo3/get-local-images"
TESTS = Path(__file__).parents[1]
# Prompts, names and keys of what is outside contain it, and nothing else does.
SECRET = "quasarfern"


@pytest.fixture
def inside(shelf):
    """The image that guests are shown, of a collection that holds a hidden and a deleted one as well."""
    with store.connection():
        for number, image in enumerate(shelf[1:], 1):
            fields = {"prompt": f"{SECRET} {number}", "media_key": f"{SECRET}-{number}"}
            Image.update(workflow_id=SECRET, **fields).where(Image.id == image.id).execute()
        Image.update(created_at="2011-01-01T00:00:00.000000Z", aspect_ratio=SECRET, model_name=SECRET).where(
            Image.id == shelf[1].id
        ).execute()
        Image.update(not_wanted_at=Image.created_at).where(Image.id == shelf[3].id).execute()
        versions = Image.id.in_([shelf[0].id, shelf[1].id])
        Image.update(workflow_id="versions-of-one").where(versions).execute()
        kites = collections.add_collection("Kites")
        collections.add_images(kites, Selection((shelf[0].id, shelf[2].id, shelf[3].id)))
        collections.add_images(collections.add_collection(SECRET), Selection((shelf[0].id, shelf[1].id)))
        guests.show_collections([kites.id])
        return images.get_image(shelf[0].id)


def outside(shelf):
    return shelf[1:]


def test_every_view_for_guests_tells_nothing_of_what_is_outside(app, guest, shelf, inside):
    secrets = [SECRET, "2011", *(word for image in outside(shelf) for word in (image.id, image.name))]
    queries = ["", *(urlencode(query) for image in shelf[1:3] for query in _queries(image))]
    seen = set()
    for method, path, endpoint in every_route(app):
        if endpoint not in FOR_GUESTS or method != "GET" or "<" in path or endpoint == "share.sign_out":
            continue
        for image in (inside, *shelf[1:3]):
            for query in queries:
                asked = f"{path.replace('/x', f'/{image.id}', 1)}?{query}"
                response = guest.get(asked)
                told = f"{response.text} {response.headers}"
                assert not [word for word in secrets if word in told and word not in asked], asked
                seen.add(endpoint)
    assert {"gallery.show_grid", "images.show_image", "collections.show_collections"} <= seen


def _queries(image):
    yield {"before": image.id}
    yield {"after": image.id}
    yield {"id": image.id}
    yield {"card": image.workflow_id}


def test_an_image_outside_is_not_found_by_any_address(guest, shelf, inside):
    versions = {image.id: (image.sha256 or "")[:12] for image in shelf}
    for image in outside(shelf):
        for path in ("", "/file", "/file?attachment", "/thumbnail/320", "/position"):
            assert guest.get(f"/images/{image.id}{path}").status == 404, path
            assert guest.send("HEAD", f"/images/{image.id}{path}").status == 404, path
        etag = f'"{image.sha256}"'
        assert guest.get(f"/images/{image.id}/file?v={versions[image.id]}", If_None_Match=etag).status == 404
        assert guest.get(f"/compare?id={inside.id}&id={image.id}").status == 404
        body = {"profileId": image.profile_id, "before": image.id}
        assert guest.call(LOCAL, body).status == 404
    for path in ("", "/file", "/thumbnail/320"):
        assert guest.get(f"/images/{inside.id}{path}").status == 200


def test_a_page_does_not_tell_where_an_image_outside_would_be(guest, shelf, inside):
    for image in outside(shelf):
        for name in ("before", "after"):
            assert f'id="card-{inside.id}"' in guest.get(f"/grid?{name}={image.id}").text


def test_counts_neighbours_and_lists_are_those_of_the_collection(guest, owner, shelf, inside):
    page = guest.get("/").text
    assert set(re.findall(r'id="card-(\w+)"', page)) == {inside.id}
    assert "1 image" in page
    shown = guest.get(f"/images/{inside.id}").text
    assert "to-next" not in shown
    assert "to-previous" not in shown
    (listed,) = guest.call(LOCAL, {"profileId": inside.profile_id}).json["data"]
    assert listed["id"] == inside.id
    assert [each["title"] for each in guest.get("/api/collections").json["data"]] == ["Kites"]
    assert guest.get(f"/?q={SECRET}").text.count('class="card') == 0
    assert len(owner.get("/api/collections").json["data"]) == 2


def test_the_gallery_of_a_guest_is_headed_by_the_collection_that_it_shows(guest, inside):
    (kites,) = guest.get("/api/collections").json["data"]
    page = guest.get(f"/?collection={kites['id']}").text
    assert '<h1 class="unseen" id="heading">Kites</h1>' in page
    assert "<title>Kites" in page


def test_a_guest_learns_that_an_image_is_a_favourite_and_not_since_when(guest, owner, inside):
    assert owner.call("/api/favourites/add", {"imageNames": [inside.name]}).json["data"] == {"added": 1}
    (listed,) = guest.call(LOCAL, {"profileId": inside.profile_id}).json["data"]
    assert listed["isFavourite"]
    assert "favouriteAt" not in listed
    assert 'aria-label="Favourite"' in guest.get("/").text
    assert guest.post("/selection/unfavourite", {"only": inside.id}).status == 403


def test_narrowing_holds_from_the_next_request_also_for_what_browsers_stored(guest, shelf, inside):
    version = inside.sha256[:12]
    before = guest.get(f"/images/{inside.id}/file?v={version}")
    assert before.headers["Cache-Control"] == "private, no-cache"
    with store.connection():
        guests.show_collections([])
    asked_again = guest.get(f"/images/{inside.id}/file?v={version}", If_None_Match=before.headers["ETag"])
    assert asked_again.status == 404
    assert 'class="card' not in guest.get("/").text


def test_everything_is_shown_only_by_choice_and_never_hidden_or_deleted_images(guest, owner, shelf, inside):
    with store.connection():
        for collection in collections.list_collections():
            collections.remove(collection)
    assert 'class="card' not in guest.get("/").text
    owner.post("/share/guests", {"shows": "everything"})
    shown = set(re.findall(r'id="card-(\w+)"', guest.get("/").text))
    assert shown == {image.id for image in shelf} - {shelf[2].id, shelf[3].id}


def test_a_profile_without_an_image_inside_does_not_exist_for_guests(guest, owner, inside):
    with store.connection():
        guests.show_collections([])
    assert guest.get(f"/?profile={inside.profile_id}").status == 404
    assert guest.call(LOCAL, {"profileId": inside.profile_id}).status == 404
    assert owner.get(f"/?profile={inside.profile_id}").status == 200


def test_the_guest_link_can_be_turned_off_and_on(guest, owner, anonymous, codes, inside):
    owner.post("/share/guests", {"shows": "nothing"})
    bearer = {"Authorization": f"Bearer {codes[Role.GUEST]}"}
    for response in (
        guest.get("/"),
        anonymous.get("/", **bearer),
        guest.call(LOCAL, {}),
        guest.get("/share"),
    ):
        assert response.status == 401
        assert "turned the guest link off" in response.text
    refused = anonymous.get(f"/enter?code={codes[Role.GUEST]}")
    assert refused.status == 403
    assert "turned the guest link off" in refused.text
    owner.post("/share/guests", {"shows": "everything"})
    assert guest.get("/").status == 200


def test_guests_and_strangers_cannot_choose_what_guests_see(guest, anonymous):
    for visitor, status in ((guest, 403), (anonymous, 401)):
        assert visitor.post("/share/guests", {"shows": "everything"}).status == status


@pytest.mark.parametrize("released", [None, "database_v1.sql", "database_v3.sql"])
def test_a_restored_shelf_shows_guests_nothing_until_its_owner_has_chosen(tmp_path, released):
    copy, target = tmp_path / "copy.sqlite3", tmp_path / "new.sqlite3"
    if released:  # from before there were choices
        with closing(sqlite3.connect(copy)) as connection:
            connection.executescript((TESTS / released).read_text())
    else:
        store.open_database(copy)
        with store.connection():
            guests.show_everything()
    restore_database(copy, target)
    store.open_database(target)
    with store.connection():
        assert not guests.is_link_on()
        guests.show_everything()
        assert guests.is_link_on()
