"""Adding a profile by pasting or choosing a file: whose account it is, what is missing, what comes next."""

import json
import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup
from pastes_of_tools import har

from webapp import store
from webapp.database.models import Profile
from webapp.database.states import Health, RunState, Way
from webapp.demo import World
from webapp.sources.cookies import MAX_FILE_BYTES
from webapp.store import profiles, runs


@pytest.fixture
def world() -> World:
    world = World(generated=12, tiny_pictures=True)
    world.migrate()
    return world


@pytest.fixture
def shelf(work):
    with store.connection():
        yield work


@pytest.fixture
def closed_port():
    """A port of this machine that refuses connections."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        yield listener.getsockname()[1]


@pytest.fixture
def out_of_reach(running, closed_port):
    """A client of a Flowshelf whose Flow cannot be reached, with its app."""
    url = f"http://127.0.0.1:{closed_port}"
    return running(labs_url=url, flow_url=url)


def added(client, cookies, **form):
    """The page that follows adding a profile."""
    response = client.post("/profiles", data={"cookies": cookies} | form)
    assert response.status_code == 303, response.text
    return BeautifulSoup(client.get(response.location).text, "html.parser")


def pressed(client, page, label):
    """The response to a button of a page, pressed without JavaScript."""
    button = next(one for one in page.select("main button") if one.text.strip() == label)
    form = button.find_parent("form")
    fields = {field["name"]: field.get("value", "") for field in form.select("input[name]")}
    return client.post(form["action"], data=fields)


def problem_of(response):
    assert response.status_code == 422
    return BeautifulSoup(response.text, "html.parser").select_one(".problem.here").text


def shake_hands(listener, context):
    """Begins TLS with every client until the listener is closed."""
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with suppress(OSError):
                context.wrap_socket(connection, server_side=True).close()


# The account, before the first sync


def test_after_adding_the_page_names_the_account_and_nothing_was_read_yet(client, shelf, world, flow):
    page = added(client, world.google.cookie_header())
    assert page.select_one("#first").text == "Signed in as ada@example.com"
    assert "project" not in {request.kind for request in flow.log}
    profile = Profile.get()
    response = pressed(client, page, "Sync")
    assert response.location == f"/?profile={profile.id}"
    run = runs.find_last_run(profile.id, "sync")
    assert shelf.syncs.wait(run.id).state == RunState.DONE
    later = client.get(f"/profiles/{profile.id}").text
    assert 'id="first"' not in later


def test_the_number_of_the_account_is_stored_and_says_who_is_read(client, shelf, world, flow):
    eve = World(2, generated=4, email="eve@example.com", tiny_pictures=True)
    eve.migrate()
    flow.add_world(eve)
    flow.service.browsers.share_session(world, eve)
    cookies = world.google.cookie_header()
    added(client, f"curl '{flow.url}/u/1/' -b '{cookies}'")
    assert (Profile.get().account_index, Profile.get().account_email) == (1, "eve@example.com")
    added(client, f"curl '{flow.url}/' -H 'x-goog-authuser: 0' -b '{cookies}'")
    assert {profile.account_email for profile in Profile} == {"ada@example.com", "eve@example.com"}
    third = {"cookies": f"curl '{flow.url}/u/2/' -b '{cookies}'"}
    assert problem_of(client.post("/profiles", data=third))  # nobody is signed in below that number


@pytest.mark.parametrize(
    ("way", "advice"),
    [
        (Way.PASTE, "Replace the cookies there instead."),
        (
            Way.FIREFOX,
            "It signs in with Firefox. To use pasted cookies for it from now on, paste them on its page.",
        ),
        (Way.COMPANION, "It signs in with a browser that is connected. To use pasted cookies"),
    ],
)
def test_an_account_on_the_shelf_is_named_with_the_way_to_its_page(client, shelf, world, way, advice):
    profile = shelf.accounts.add("Ada", world.google.cookie_header())
    Profile.update(way=way).execute()
    response = client.post("/profiles", data={"cookies": world.google.cookie_header()})
    assert advice in problem_of(response)
    page = BeautifulSoup(response.text, "html.parser")
    assert page.select_one(".problem.here a")["href"] == f"/profiles/{profile.id}#cookies"


# Names


def test_without_a_name_the_owner_sees_the_email(client, shelf, world):
    page = added(client, world.google.cookie_header(), name="  ")
    assert page.h1.text == "ada@example.com"
    profile = Profile.get()
    assert profile.name == ""
    for path in ("/profiles", "/activity"):
        assert "ada@example.com" in client.get(path).text, path
    assert client.get("/api/profiles").json["data"][0]["name"] == "ada@example.com"
    client.post(f"/profiles/{profile.id}/name", data={"name": "Ada"})
    assert BeautifulSoup(client.get(f"/profiles/{profile.id}").text, "html.parser").h1.text == "Ada"
    client.post(f"/profiles/{profile.id}/name", data={"name": ""})
    assert (
        BeautifulSoup(client.get(f"/profiles/{profile.id}").text, "html.parser").h1.text == "ada@example.com"
    )


def test_the_api_adds_a_profile_without_a_name(client, world):
    response = client.post("/api/profiles", json={"cookies": world.google.cookie_header()})
    assert response.status_code == 201
    assert (response.json["data"]["name"], response.json["data"]["warnings"]) == ("ada@example.com", [])


def test_a_name_is_at_most_80_characters(client, world):
    body = {"name": "x" * 81, "cookies": world.google.cookie_header()}
    assert client.post("/api/profiles", json=body).json["code"] == "bad_request"


def test_profiles_are_listed_by_what_is_shown(shelf, flow, world):
    grace = World(seed=2, generated=1, email="grace@example.com", tiny_pictures=True)
    flow.add_world(grace)
    shelf.accounts.add("", grace.cookie_header())
    shelf.accounts.add("Hedy", world.google.cookie_header())
    assert [profile.name for profile in profiles.list_profiles()] == ["", "Hedy"]


# Flow out of reach


def test_cookies_that_could_not_be_checked_are_named_so_at_once(out_of_reach, running):
    client = out_of_reach.test_client()
    page = added(client, World().google.cookie_header())
    assert page.select_one("#first").text == "Stored, but not checked yet"
    assert "accepts no connection" in page.select_one("[aria-labelledby=first]").text
    panel = client.get("/status").text
    assert "Not checked yet." in panel
    assert "accepts no connection" in panel
    assert "Not synced yet" not in panel
    response = pressed(client, page, "Check again")
    assert "accepts no connection" in problem_of(response)


def test_check_again_names_the_account_when_flow_is_back(out_of_reach, running, world):
    added(out_of_reach.test_client(), world.google.cookie_header())
    client = running().test_client()
    with store.connection():
        profile = Profile.get()
    page = BeautifulSoup(client.get(f"/profiles/{profile.id}").text, "html.parser")
    response = pressed(client, page, "Check again")
    assert response.status_code == 303
    page = BeautifulSoup(client.get(response.location).text, "html.parser")
    assert page.select_one("#first").text == "Signed in as ada@example.com"


@pytest.mark.skipif(not shutil.which("openssl"), reason="makes the certificate")
def test_a_certificate_that_is_not_accepted_is_named(running, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost")
    files = ("-keyout", key, "-out", certificate)
    subprocess.run(["openssl", "req", "-x509", *kind, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=shake_hands, args=(listener, context), daemon=True).start()
        url = f"https://localhost:{listener.getsockname()[1]}"
        client = running(labs_url=url, flow_url=url).test_client()
        page = added(client, World().google.cookie_header())
    assert "certificate was not accepted" in page.select_one("[aria-labelledby=first]").text


@pytest.mark.parametrize("lost", ["__Secure-1PSIDTS", "HSID"])
def test_a_missing_cookie_is_a_warning_by_name_on_the_page_and_in_the_api(out_of_reach, lost):
    client = out_of_reach.test_client()
    cookies = {name: value for name, value in World().google.cookies().items() if name != lost}
    text = "; ".join(f"{name}={value}" for name, value in cookies.items())
    page = added(client, text)
    assert any(f"{lost} is missing" in note.text for note in page.select(".note"))
    (warning,) = client.post("/api/profiles", json={"cookies": text}).json["data"]["warnings"]
    assert warning.startswith(f"{lost} is missing")


def test_cookies_that_do_not_sign_in_are_refused_with_what_is_missing(client, world):
    text = world.google.cookie_header().replace("__Secure-1PSIDTS", "x")
    problem = problem_of(client.post("/profiles", data={"cookies": text}))
    assert "do not sign in to Flow. __Secure-1PSIDTS is missing." in problem


# Files, without JavaScript


def send_file(client, content, path="/profiles", cookies=""):
    """Submits the form as a browser does."""
    parts = (("name", "", b""), ("cookies", "", cookies.encode()), ("cookies_file", "cookies.txt", content))
    body = b""
    for name, file_name, value in parts:
        file = f'; filename="{file_name}"\r\nContent-Type: text/plain' if file_name else ""
        body += (
            f'--edge\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode()
            + value
            + b"\r\n"
        )
    return client.post(path, data=body + b"--edge--\r\n", content_type="multipart/form-data; boundary=edge")


def cookies_txt(world):
    rows = (
        f".google.com\tTRUE\t/\tTRUE\t0\t{name}\t{value}" for name, value in world.google.cookies().items()
    )
    return "\n".join(["# Netscape HTTP Cookie File", *rows])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_may_be_chosen_instead_of_pasting(client, shelf, world, encoding):
    response = send_file(client, cookies_txt(world).encode(encoding))
    assert response.status_code == 303
    profile = Profile.get()
    assert profile.account_email == "ada@example.com"
    again = send_file(client, cookies_txt(world).encode(encoding), f"/profiles/{profile.id}/cookies")
    assert again.status_code == 303


def test_a_long_har_file_is_read(client, shelf, world, flow):
    text = har(world.google.cookies()).replace("labs.google", urlsplit(flow.url).netloc)
    long = text.replace("page", "x" * 3_000_000).encode()
    assert send_file(client, long).status_code == 303
    pasted = send_file(client, b"", f"/profiles/{Profile.get().id}/cookies", cookies=long.decode())
    assert pasted.status_code == 303


def test_a_text_that_is_too_long_is_refused(client, world):
    assert "longer than cookies can be" in problem_of(send_file(client, b"", cookies="x" * 3_000_000))
    assert send_file(client, b"", cookies="x" * (MAX_FILE_BYTES + 1)).status_code == 413


def test_an_empty_file_leaves_the_text(client, world):
    assert send_file(client, b"", cookies=world.google.cookie_header()).status_code == 303


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"SQLite format 3\x00" + bytes(100), "cookie database"),
        (b"\x1f\x8b\x08secret", "The file is compressed."),
        (b"PK\x03\x04secret", "The file is a ZIP."),
        (b"SID=secret\x00", "The file is no text."),
        (b"\xff\xd8secret", "No cookies were found"),
        (b"x" * (MAX_FILE_BYTES + 1), "longer than 24 MB"),
        (b"", "There is nothing in the pasted text."),
    ],
)
def test_a_file_that_is_no_text_is_refused(client, content, sentence):
    response = send_file(client, content)
    assert sentence in problem_of(response)
    assert "secret" not in response.text


# What to do when the sign-in has ended fits the way of the profile


@pytest.mark.parametrize(
    ("way", "step", "label"),
    [
        (Way.PASTE, "Paste new cookies", "Waiting for new cookies"),
        (Way.FIREFOX, "Open Flow in Firefox", "Waiting for a sign-in in Firefox"),
        (Way.COMPANION, "Sign in to ada@example.com in this browser", "Waiting for a sign-in in the browser"),
    ],
)
def test_what_to_do_fits_the_way_of_the_profile(client, shelf, world, way, step, label):
    profile = shelf.accounts.add("Ada", world.google.cookie_header())
    world.google.sign_out()
    run = shelf.syncs.wait(shelf.syncs.start(profile.id).id)
    assert run.state == RunState.WAITING
    Profile.update(way=way).execute()
    assert step in client.get("/status").text
    assert step in client.get(f"/runs/{run.id}").text
    assert label in client.get("/profiles").text
    others = {"Paste new cookies", "Open Flow in Firefox", "Sign in to ada"} - {step}
    said = client.get("/status").text
    assert not [other for other in others if not step.startswith(other) and other in said]
    assert profiles.get_profile(profile.id).health == Health.WAITING_FOR_COOKIES


# The first steps


def test_the_paste_field_is_on_the_welcome_page_before_the_steps(client):
    text = client.get("/").text
    assert text.index('id="cookies-field"') < text.index("How to copy the cookies</h2>")
    assert (
        text.index("<b>Firefox:</b>")
        < text.index("<b>Chrome, Edge, Brave:</b>")
        < text.index("Safari</summary>")
    )
    assert "type <b>flow.google.com</b> in the address bar" in text
    assert "the request named <b>flow.google.com</b>" in text


def test_the_welcome_page_asks_for_no_name(client):
    field = BeautifulSoup(client.get("/").text, "html.parser").select_one("#name-field")
    assert not field.has_attr("required")
    assert not field.find_parent("details").has_attr("open")


@pytest.mark.parametrize("path", ["/", "/profiles"])
def test_each_other_way_is_offered_if_it_has_a_page(client, app, path):
    page = BeautifulSoup(client.get(path).text, "html.parser")
    offered = {link["href"] for link in page.select("[aria-labelledby^=way-] a")}
    pages = {"companion_pages.show_companion", "companion_pages.show_connect", "firefox.show_firefox"}
    assert len(offered) == len(pages & app.view_functions.keys())
    for url in offered:
        assert client.get(url).status_code == 200


def test_the_api_answers_with_warnings_after_new_cookies(client, shelf, world):
    profile = shelf.accounts.add("Ada", world.google.cookie_header())
    body = {"cookies": json.dumps(world.google.cookies())}
    assert client.put(f"/api/profiles/{profile.id}/cookies", json=body).json["data"]["warnings"] == []
