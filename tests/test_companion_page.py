"""The page “Connect this browser”: the ZIP with its URLs, the code, the accounts to pick."""

import io
import json
import zipfile

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from webapp import store
from webapp.background import Background
from webapp.database.models import Pairing, Profile, Secret
from webapp.database.states import Role, Way
from webapp.web.services import sharing_of

PAGE, STATE = "/profiles/connect", "/profiles/connect/state"
ZIP = "/profiles/connect/flowshelf-companion.zip"
SIGNED_IN = ((0, "ada@example.com"), (1, "grace@example.com"))


def soup(text: str) -> BeautifulSoup:
    return BeautifulSoup(text, "html.parser")


def addresses_in(client: FlaskClient, path: str = ZIP, **options: object) -> str:
    response = client.get(path, **options)
    assert response.status_code == 200
    with zipfile.ZipFile(io.BytesIO(response.data)) as archive:
        return archive.read("flowshelf-companion/addresses.js").decode()


def pair(work: Background) -> str:
    """A browser that was paired and has said who is signed in there."""
    with store.connection():
        pairing_id, _ = work.companion.pair(work.companion.new_code(), "Chrome on Windows", "0.2.0")
        work.companion.accounts.note(pairing_id, SIGNED_IN)
    return pairing_id


def test_the_code_on_the_page_pairs_a_browser_once(client, work):
    code = soup(client.get(PAGE).text).select_one("[data-pairing-code]")["data-pairing-code"]
    with store.connection():
        assert work.companion.pair(code, "Chrome on Windows", "0.2.0")
    assert code not in client.get(PAGE).text


def test_the_zip_has_the_url_that_the_browser_sees(client, flow):
    assert 'DASHBOARD = "http://127.0.0.1:8765"' in addresses_in(client, base_url="http://127.0.0.1:8765")
    text = addresses_in(client, base_url="http://localhost:99", headers={"Sec-Fetch-Site": "same-origin"})
    assert 'DASHBOARD = "http://localhost:99"' in text
    assert f'FLOW = "{flow.url}"' in text


def test_a_proxy_that_speaks_https_and_a_prefix_are_in_the_url(running):
    client = running(prefix="/shelf", allowed_hosts=frozenset({"home.example"})).test_client()
    text = addresses_in(
        client, f"/shelf{ZIP}", base_url="http://home.example", headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert 'DASHBOARD = "https://home.example/shelf"' in text


def test_over_plain_http_in_a_network_there_is_no_code_and_no_zip_and_the_page_says_why(client):
    lan = {"base_url": "http://192.168.1.5:8765"}
    page = soup(client.get(PAGE, **lan).text)
    assert not page.select("[data-pairing-code]")
    assert "over https" in page.select_one("[role=alert].banner").text
    assert client.get(ZIP, **lan).status_code == 403


def test_a_paired_browser_shows_its_accounts_and_a_reload_works_without_javascript(client, work):
    assert "Waiting for the companion" in soup(client.get(PAGE).text).select_one("#companion-state").text
    pair(work)
    state = soup(client.get(PAGE).text).select_one("#companion-state")
    assert "Chrome on Windows" in state.text
    assert [row.b.text for row in state.select(".accounts li")] == [email for _, email in SIGNED_IN]


def test_the_page_refreshes_itself_only_when_something_has_changed(client, work):
    state = soup(client.get(PAGE).text).select_one("#companion-state")
    assert client.get(state["hx-get"]).status_code == 204
    pair(work)
    changed = client.get(state["hx-get"])
    assert "ada@example.com" in changed.text
    assert client.get(soup(changed.text).select_one("#companion-state")["hx-get"]).status_code == 204


def choose(client: FlaskClient, email: str) -> str:
    """Sends the form of an account. Returns where that leads."""
    rows = soup(client.get(PAGE).text).select(".accounts li")
    form = next(row for row in rows if email in row.text).form
    fields = {field["name"]: field["value"] for field in form.select("input")}
    return client.post(form["action"], data=fields).headers["Location"]


def test_a_picked_account_becomes_a_profile_and_leads_to_its_images(client, work):
    pairing_id = pair(work)
    place = choose(client, "grace@example.com")
    with store.connection():
        profile = Profile.get()
        assert (profile.account_email, profile.way) == ("grace@example.com", Way.COMPANION)
        assert Pairing.get_by_id(pairing_id).profile_id == profile.id
    assert place == f"/?profile={profile.id}"
    assert "Waiting for the companion" in client.get(PAGE).text


def test_an_account_that_is_on_the_shelf_is_taken_over_after_a_question(client, work, profile_id, world):
    pair(work)
    assert world.email == "ada@example.com"
    page = soup(client.get(PAGE).text)
    row = next(row for row in page.select(".accounts li") if world.email in row.text)
    assert "Ada is on this shelf: use this browser for it from now on?" in row.text
    choose(client, world.email)
    with store.connection():
        assert Profile.get_by_id(profile_id).way == Way.COMPANION
        assert Secret.select().where(Secret.profile == profile_id).count() == 0


@pytest.mark.parametrize("path", [PAGE, STATE, ZIP])
def test_guests_and_strangers_get_neither_code_nor_zip(running, path):
    app = running(share=True, host="127.0.0.1")
    guest, anonymous = app.test_client(), app.test_client()
    guest.get("/enter", query_string={"code": sharing_of(app).codes.code_of(Role.GUEST)})
    assert guest.get(path).status_code == 403
    assert anonymous.get(path).status_code in (302, 303, 401)


@pytest.mark.parametrize(
    ("agent", "chosen"),
    [
        ("Mozilla/5.0 Chrome/150 Safari/537.36 Edg/150", "Edge"),
        ("Mozilla/5.0 Chrome/150 Safari/537.36", "Chrome"),
    ],
)
def test_the_steps_are_those_of_the_browser_that_asks_and_each_other_can_be_chosen(client, agent, chosen):
    page = soup(client.get(PAGE, headers={"User-Agent": agent}).text)
    assert page.select_one(".tabs [aria-current=page]").text == chosen
    assert len(page.select(".pictured svg.figure")) == 3
    brave = soup(client.get(page.find("a", string="Brave")["href"]).text)
    assert "brave://extensions" in brave.text


def test_a_browser_that_cannot_load_the_companion_is_told_so(client):
    firefox = client.get(
        PAGE, headers={"User-Agent": "Mozilla/5.0 (X11; rv:153.0) Gecko/20100101 Firefox/153.0"}
    )
    assert "open in another browser" in firefox.text


def test_the_page_is_linked_where_profiles_are_added(client, profile_id):
    assert soup(client.get("/profiles").text).select(f'main a[href="{PAGE}"]')


def test_the_welcome_page_leads_to_it(client):
    assert soup(client.get("/").text).select(f'main a[href="{PAGE}"]')


def test_the_manifest_in_the_zip_is_that_of_this_version(client):
    with zipfile.ZipFile(io.BytesIO(client.get(ZIP).data)) as archive:
        manifest = json.loads(archive.read("flowshelf-companion/manifest.json"))
    assert manifest["version"][0].isdecimal()
