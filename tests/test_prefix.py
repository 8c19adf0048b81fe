"""A Flowshelf under a path, FLOWSHELF_PREFIX: every URL, cookie and redirect stays under it."""

import re
import signal
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from test_process import Shelf

from webapp.config import read_config
from webapp.database.states import Role
from webapp.errors import BadRequest
from webapp.store.gallery import images
from webapp.store.gallery.filters import Filter
from webapp.web.services import sharing_of

PREFIX = "/tools/shelf"
URL_ATTRIBUTES = ("href", "src", "srcset", "action", "formaction", "hx-get", "hx-post", "hx-push-url")
URL_ATTRIBUTES += ("data-url", "data-cards-url", "data-previews-url", "data-place")
PAGES = ("/", "/grid", "/profiles", "/activity", "/overview", "/exports", "/share", "/settings")
PAGES += ("/help", "/help/proxies", "/help/cooking", "/activity/runs", "/messages/new?since=0&runs=old")


@pytest.fixture
def app(running) -> Flask:
    return running(prefix=PREFIX)


@pytest.fixture
def image_id(shelf, profile_id) -> str:
    newest = images.list_page(Filter(), limit=1).images[0].id
    shelf.downloads.wait_for_run(shelf.downloads.request(profile_id, [newest]).id)
    return newest


@pytest.fixture
def shared(running) -> Flask:
    return running(prefix=PREFIX, share=True, host="127.0.0.1")


def code_of(app: Flask, role: Role = Role.OWNER) -> str:
    return sharing_of(app).codes.code_of(role)


def urls_of(page: BeautifulSoup) -> list[str]:
    found = [each[name] for name in URL_ATTRIBUTES for each in page.select(f"[{name}]")]
    found += [each["value"] for each in page.select("[name=here], [name=next]")]
    return [url for url in found if not url.startswith(("#", "data:"))]


def test_every_url_of_every_page_is_under_the_prefix_and_the_same_as_without(
    client: FlaskClient, image_id, profile_id
):
    pages = [*PAGES, f"/images/{image_id}", f"/profiles/{profile_id}", f"/?profile={profile_id}"]
    for path in pages:
        response = client.get(PREFIX + path)
        page = BeautifulSoup(response.text, "html.parser")
        urls = urls_of(page)
        local = [url for url in urls if not urlsplit(url).netloc]
        assert [url for url in local if not url.startswith(f"{PREFIX}/")] == [], path
        # Nothing is under another name of an attribute, or in a script.
        assert not re.search(r"[\"'](?!/tools/shelf)/[a-z]+[/?\"']", response.text), path
        if page.html:
            assert page.html["data-prefix"] == PREFIX


def test_the_linked_files_exist(client: FlaskClient, image_id):
    page = BeautifulSoup(client.get(f"{PREFIX}/images/{image_id}").text, "html.parser")
    files = [each.get("href") or each["src"] for each in page.select("link, script, main img")]
    files = [url for url in files if not url.startswith("data:")]
    assert len(files) > 3
    for path in files:
        with client.get(path) as response:
            assert response.status_code == 200, path


@pytest.mark.parametrize(
    "path", ["/", "/profiles", "/tools", "/tools/shelfish", "/static/app.css", "/Tools/shelf/"]
)
def test_outside_of_the_prefix_is_a_404_with_all_security_headers(client: FlaskClient, path):
    inside = client.get(f"{PREFIX}/healthz")
    response = client.get(path)
    assert response.status_code == 404
    assert f"served under {PREFIX}/" in response.text
    for name in ("X-Content-Type-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy", "Cache-Control"):
        assert response.headers[name] == inside.headers[name]
    assert "script-src 'self'" in response.headers["Content-Security-Policy"]


def test_outside_of_the_prefix_the_api_refuses_as_json_and_changes_nothing(client: FlaskClient, world):
    body = {"name": "Ada", "cookies": world.cookie_header()}
    assert client.post("/api/profiles", json=body).get_json()["code"] == "not_found"
    assert client.get("/healthz").get_json()["code"] == "not_found"
    assert client.get(f"{PREFIX}/api/profiles").get_json()["data"] == []


def test_a_wrong_host_is_refused_before_the_path_is_looked_at(client: FlaskClient):
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 403


def test_a_header_does_not_set_the_prefix(client: FlaskClient):
    headers = {"X-Forwarded-Prefix": "/other", "X-Script-Name": "/other"}
    assert client.get("/other/healthz", headers=headers).status_code == 404
    assert "/other" not in client.get(f"{PREFIX}/", headers=headers).text


def test_the_prefix_without_its_slash_leads_to_the_gallery(shared: Flask):
    response = shared.test_client().get(f"{PREFIX}?q=a+b%26c")
    assert (response.status_code, response.location) == (308, f"{PREFIX}/?q=a+b%26c")


def test_health_and_api_are_under_the_prefix(client: FlaskClient, profile_id):
    assert client.get(f"{PREFIX}/healthz").get_json()["status"] == "ok"
    assert client.get(f"{PREFIX}/api/profiles").get_json()["data"][0]["profileId"] == profile_id
    assert client.get(f"{PREFIX}/api/nothing").get_json()["code"] == "not_found"


@pytest.mark.parametrize(
    ("here", "location"),
    [
        (f"{PREFIX}/activity?profile=1", f"{PREFIX}/activity?profile=1"),
        (f"{PREFIX}/?q=a%2F..%2Fb", f"{PREFIX}/?q=a%2F..%2Fb"),
        ("/activity", f"{PREFIX}/"),
        (PREFIX, f"{PREFIX}/"),
        ("/tools/shelfish/", f"{PREFIX}/"),
        (f"{PREFIX}/../other", f"{PREFIX}/"),
        (f"{PREFIX}/%2e%2E/other", f"{PREFIX}/"),
        (f"{PREFIX}/.%2e/other", f"{PREFIX}/"),
        (f"{PREFIX}/..\\other", f"{PREFIX}/"),
        (f"{PREFIX}/a/..", f"{PREFIX}/"),
        ("//evil.example/tools/shelf/", f"{PREFIX}/"),
        ("https://evil.example/", f"{PREFIX}/"),
    ],
)
def test_a_form_returns_to_a_page_under_the_prefix_only(client: FlaskClient, here, location):
    response = client.post(f"{PREFIX}/theme", data={"theme": "dark", "here": here})
    assert (response.status_code, response.location) == (303, location)


def test_signing_in_stays_under_the_prefix_and_so_do_the_cookies(shared: Flask):
    browser = shared.test_client()
    refused = browser.get(f"{PREFIX}/activity?profile=1")
    page = BeautifulSoup(refused.text, "html.parser")
    assert refused.status_code == 401
    assert page.select_one("input[name=next]")["value"] == f"{PREFIX}/activity?profile=1"
    assert page.select_one("main form")["action"] == f"{PREFIX}/sign-in"
    response = browser.get(f"{PREFIX}/enter", query_string={"code": code_of(shared), "next": "/activity"})
    assert (response.status_code, response.location) == (303, f"{PREFIX}/")
    assert f"; Path={PREFIX}/" in response.headers["Set-Cookie"]
    assert browser.get(f"{PREFIX}/activity").status_code == 200
    theme = browser.post(f"{PREFIX}/theme", data={"theme": "dark"})
    assert theme.headers["Set-Cookie"].endswith(f"Path={PREFIX}/; SameSite=Lax")
    left = browser.post(f"{PREFIX}/sign-out")
    assert left.location == f"{PREFIX}/sign-in"
    assert f"; Path={PREFIX}/" in left.headers["Set-Cookie"]
    assert browser.get(f"{PREFIX}/activity").status_code == 401


def test_the_links_of_the_share_page_have_the_prefix(shared: Flask):
    owner = shared.test_client()
    url = "http://192.0.2.1:8765"
    owner.get(f"{PREFIX}/enter", query_string={"code": code_of(shared)}, base_url=url)
    page = owner.get(f"{PREFIX}/share", base_url=url)
    assert f"http://192.0.2.1:8765{PREFIX}/enter?code={code_of(shared, Role.GUEST)}" in page.text


def test_a_search_puts_the_prefix_into_the_address_bar(client: FlaskClient, image_id):
    response = client.get(f"{PREFIX}/?q=a&state=", headers={"HX-Request": "true"})
    assert response.headers["HX-Replace-Url"] == f"{PREFIX}/?q=a"


def test_the_refusal_of_a_static_file_is_not_cached_for_a_year(client: FlaskClient):
    page = BeautifulSoup(client.get(f"{PREFIX}/").text, "html.parser")
    url = page.select_one("link[rel=stylesheet]")["href"]
    with client.get(url) as response:
        assert "immutable" in response.headers["Cache-Control"]
    assert client.get(url, headers={"Host": "evil.example"}).headers["Cache-Control"] == "no-store"
    assert client.get(url.removeprefix(PREFIX)).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("text", ["/shelf", "/tools/shelf", "/~ada/flow.shelf_2-x"])
def test_a_prefix_is_a_path(text):
    assert read_config({"FLOWSHELF_PREFIX": text}).prefix == text


@pytest.mark.parametrize(
    "text", ["shelf", "/", "/shelf/", "//shelf", "/a b", "/a%20b", "/é", "/..", "/a/./b", "/a;b"]
)
def test_anything_else_is_refused_with_the_name_of_the_setting(text):
    with pytest.raises(BadRequest, match="FLOWSHELF_PREFIX"):
        read_config({"FLOWSHELF_PREFIX": text})


def test_without_the_setting_nothing_changes(running):
    client = running().test_client()
    assert client.get("/healthz").get_json()["status"] == "ok"
    response = client.post("/theme", data={"theme": "dark", "here": "/activity"})
    assert response.location == "/activity"
    assert "; Path=/; " in response.headers["Set-Cookie"]


def test_the_printed_links_and_the_commands_have_the_prefix(config, world):
    shelf = Shelf(config)
    shelf._environ["FLOWSHELF_PREFIX"] = PREFIX
    try:
        shelf.serve("--share", "--host", "127.0.0.1")
        printed = [shelf.process.stdout.readline() for _ in range(5)]
        links = [line.strip() for line in printed if "/enter" in line]
        assert len(links) >= 1
        assert all(link.startswith(f"{shelf.url}{PREFIX}/enter?code=") for link in links)
        assert (config.data_dir / "flowshelf.lock").read_text() == f"{shelf.url}{PREFIX}/"
        assert shelf.json("profiles") == {"success": True, "data": []}
        assert f"{shelf.url}{PREFIX}/" in shelf.run("serve", code=1)
        shelf.kill(signal.SIGTERM)
        assert shelf.json("profiles") == {"success": True, "data": []}  # now inside the command itself
    finally:
        if shelf.process.poll() is None:
            shelf.kill()
