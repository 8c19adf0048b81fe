"""The sign-in of a Firefox on this machine is only for whoever sits at it."""

import os
import re
import sqlite3
from contextlib import closing

import pytest
from firefox_files import rows_of, write_profile

from webapp import store
from webapp.database.states import Role
from webapp.demo import World
from webapp.store import profiles


@pytest.fixture
def world():
    world = World(uploaded=3, generated=3, tiny_pictures=True)
    world.migrate()
    return world


@pytest.fixture
def profile(tmp_path, world):
    return write_profile(tmp_path / "firefox" / "abc.default", rows_of(world.google.cookies()))


@pytest.fixture
def app(running, profile):
    return running(share=True, host="127.0.0.1", firefox_roots=(profile.parent,))


@pytest.fixture
def unshared(running, profile, serving, visit):
    """A visitor of a shelf that is not shared, with these settings."""
    opened = []

    def unshared(**settings):
        context = serving(running(share=False, firefox_roots=(profile.parent,), **settings))
        opened.append(context)
        return type(visit())(context.__enter__())

    yield unshared
    for context in opened:
        context.__exit__(None, None, None)


def requests_for(key):
    yield "POST", f"/firefox/{key}/look"
    yield "POST", f"/firefox/{key}/use"
    yield "GET", "/api/firefox"
    yield "POST", f"/api/firefox/{key}/look"
    yield "POST", f"/api/firefox/{key}/use"


def nothing_happened(config, flow):
    with store.connection():
        return profiles.list_profiles() == [] and flow.log == [] and not config.firefox_copies_dir.exists()


@pytest.mark.parametrize("role", [Role.ANONYMOUS, Role.GUEST, Role.OWNER])
def test_nobody_who_has_a_link_reaches_the_sign_in_of_whoever_runs_the_machine(
    work, visit, config, flow, role
):
    key, visitor = work.firefox.list_profiles()[0].key, visit(role)
    for method, path in requests_for(key):
        response = visitor.send(method, path, b"{}", Content_Type="application/json")
        assert response.status == (401 if role is Role.ANONYMOUS else 403), path
        assert "abc.default" not in response.text
    page = visitor.get("/firefox")
    if role is Role.OWNER:
        assert "flowshelf profiles add NAME --firefox" in page.text
        assert "Stop Flowshelf" in page.text
    else:
        assert page.status in (401, 403)
    assert key not in page.text
    assert nothing_happened(config, flow)


@pytest.mark.parametrize(
    "settings",
    [
        {"allowed_hosts": frozenset({"shelf.example.org"})},
        {"trusted_proxy": "127.0.0.1"},
    ],
)
def test_a_shelf_that_others_may_reach_through_a_proxy_offers_no_firefox(
    work, unshared, settings, config, flow
):
    key, visitor = work.firefox.list_profiles()[0].key, unshared(**settings)
    for method, path in requests_for(key):
        assert visitor.send(method, path, b"{}", Content_Type="application/json").status == 403, path
    assert "Stop Flowshelf" in visitor.get("/firefox").text
    assert nothing_happened(config, flow)


def test_a_shelf_under_a_prefix_offers_no_firefox(work, unshared, config, flow):
    key, visitor = work.firefox.list_profiles()[0].key, unshared(prefix="/shelf")
    for method, path in requests_for(key):
        assert visitor.send(method, f"/shelf{path}", b"{}", Content_Type="application/json").status == 403
    assert nothing_happened(config, flow)


def test_a_page_of_another_site_cannot_make_it_look(work, unshared, config, flow):
    key, visitor = work.firefox.list_profiles()[0].key, unshared()
    for method, path in requests_for(key):
        if method == "POST":
            for headers in ({"Origin": "http://evil.example"}, {"Sec_Fetch_Site": "cross-site"}):
                assert visitor.post(path, {}, **headers).status in (403, 415)
    assert nothing_happened(config, flow)


def test_no_request_names_a_path(unshared, profile, tmp_path, world, config, flow):
    secret = write_profile(tmp_path / "elsewhere", rows_of(world.google.cookies()))
    visitor = unshared()
    encoded = re.sub("/", "%2F", str(secret))
    for key in (encoded, "..", "%2e%2e", "..%2Felsewhere", "x" * 12, "a" * 5000, profile.name, "%00"):
        for verb in ("look", "use"):
            response = visitor.post(f"/firefox/{key}/{verb}", {"folder": str(secret), "name": "x"})
            assert response.status in (400, 403, 404, 422), key
            response = visitor.call(f"/api/firefox/{key}/{verb}", {"folder": str(secret), "name": "x"})
            assert response.status in (400, 403, 404), key
    assert nothing_happened(config, flow)


@pytest.mark.parametrize("kind", ["fifo", "link", "device", "folder", "huge", "endless view"])
def test_what_stands_in_place_of_the_cookie_file_is_not_read(
    work, unshared, profile, tmp_path, world, kind, flow
):
    key, visitor = work.firefox.list_profiles()[0].key, unshared()
    path = profile / "cookies.sqlite"
    path.unlink()
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "link":
            path.symlink_to(write_profile(tmp_path / "else", rows_of(world.google.cookies())) / path.name)
        case "device":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
        case "huge":
            with open(path, "wb") as file:
                file.truncate(2**40)
        case "endless view":
            with closing(sqlite3.connect(path)) as connection:
                connection.execute(
                    "CREATE VIEW moz_cookies AS "
                    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
                    "SELECT 'SID' name, '' value, '.google.com' host, '' originAttributes, 0 expiry, "
                    "CASE WHEN i < 0 THEN '/' ELSE 'x' END path FROM n"
                )
    looked = visitor.call(f"/api/firefox/{key}/look", {})
    assert looked.status == 200
    assert looked.json["data"]["found"] == []
    assert "The cookies of Firefox cannot be read" in looked.json["data"]["problem"]
    assert visitor.post(f"/firefox/{key}/use", {"name": "Ada"}).status == 422
    assert flow.log == []
    with store.connection():
        assert profiles.list_profiles() == []
