"""The web manifest, with which browsers install the dashboard."""

from bs4 import BeautifulSoup

from webapp.database.states import Role


def test_each_page_links_the_manifest_and_its_icons_exist(client):
    page = BeautifulSoup(client.get("/").text, "html.parser")
    response = client.get(page.select_one("link[rel=manifest]")["href"])
    assert response.content_type == "application/manifest+json"
    assert "manifest-src 'self'" in client.get("/").headers["Content-Security-Policy"]
    icons = [icon["src"] for icon in response.get_json(force=True)["icons"]]
    icons.append(page.select_one("link[rel=apple-touch-icon]")["href"])
    for url in icons:
        with client.get(url) as icon:
            assert (icon.status_code, icon.mimetype) == (200, "image/png")


def test_the_manifest_names_the_path_under_which_the_dashboard_is_served(running):
    client = running(prefix="/shelf").test_client()
    page = BeautifulSoup(client.get("/shelf/").text, "html.parser")
    manifest = client.get(page.select_one("link[rel=manifest]")["href"]).get_json(force=True)
    assert manifest["start_url"] == manifest["scope"] == manifest["id"] == "/shelf/"
    assert all(icon["src"].startswith("/shelf/static/") for icon in manifest["icons"])


def test_a_browser_gets_the_manifest_of_a_shared_shelf_without_signing_in(running):
    app = running(share=True)
    response = app.test_client().get("/manifest.webmanifest")
    assert response.status_code == 200
    assert Role.OWNER not in response.text
    assert app.test_client().get("/profiles").status_code == 401
