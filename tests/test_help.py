"""The help pages: who may read each, that its links work, and that it is linked where it is needed."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from webapp.cli import main
from webapp.config import SETTINGS, Config, read_config
from webapp.database.states import Role
from webapp.web.services import sharing_of
from webapp.web.views.help import TOPICS

TEMPLATES = Path(__file__).parent.parent / "templates"
PATHS = ["/help", *(f"/help/{topic.name}" for topic in TOPICS)]
GUEST_PATHS = ["/help", *(f"/help/{topic.name}" for topic in TOPICS if topic.is_for_guests)]


def soup_of(client: FlaskClient, path: str) -> BeautifulSoup:
    response = client.get(path, follow_redirects=True)
    assert response.status_code == 200, path
    return BeautifulSoup(response.text, "html.parser")


def check_links(client: FlaskClient, page: BeautifulSoup, path: str) -> None:
    """Every link of the text leads to a page, and to a place on it that is there."""
    for link in page.select("main a[href]"):
        target, _, anchor = link["href"].partition("#")
        there = soup_of(client, target or path)
        assert not anchor or there.find(id=anchor), link["href"]


@pytest.fixture
def guest(running) -> FlaskClient:
    app = running(share=True, host="127.0.0.1")
    guest = app.test_client()
    guest.get("/enter", query_string={"code": sharing_of(app).codes.code_of(Role.GUEST)})
    return guest


@pytest.mark.parametrize("path", PATHS)
def test_the_owner_reads_every_page_and_its_links_lead_somewhere(client, profile_id, path):
    page = soup_of(client, path)
    assert len(page.select("h1")) == 1
    assert page.select_one("main").get_text(strip=True)
    check_links(client, page, path)


@pytest.mark.parametrize("path", GUEST_PATHS)
def test_a_guest_reads_what_is_for_guests_and_finds_no_link_to_other_pages(guest, path):
    page = soup_of(guest, path)
    assert len(page.select("h1")) == 1
    check_links(guest, page, path)


def test_guests_are_refused_the_pages_of_the_owner(guest):
    for path in set(PATHS) - set(GUEST_PATHS):
        response = guest.get(path)
        assert response.status_code == 403, path
        assert "for the owner of the shelf" in response.text


def test_somebody_who_has_not_signed_in_is_asked_to(running):
    anonymous = running(share=True, host="127.0.0.1").test_client()
    assert {anonymous.get(path).status_code for path in PATHS} == {401}


def test_the_list_links_every_page_and_the_foot_of_each_page_the_list(client, profile_id):
    listed = {link["href"] for link in soup_of(client, "/help").select("main a")}
    assert listed == set(PATHS) - {"/help"}
    for path in ("/", "/profiles", "/help/search"):
        assert soup_of(client, path).select_one("footer a[href='/help']"), path


def test_an_unknown_topic_is_a_404_with_a_sentence(client):
    response = client.get("/help/cooking")
    assert response.status_code == 404
    assert "There is no such help page" in response.text


@pytest.mark.parametrize(
    "label",
    [
        "Full sync",
        "Download everything",
        "Retry failed",
        "Select all",
        "Show ZIPs",
        "Flow cookies",
        "Run Flow check",
        "Renew this link",
    ],
)
def test_what_the_help_calls_by_a_label_has_that_label(label):
    texts = {path: path.read_text() for path in TEMPLATES.rglob("*.html")}
    assert any(label in text for path, text in texts.items() if path.parent.name == "help")
    assert any(label in text for path, text in texts.items() if path.parent.name != "help")


@pytest.mark.parametrize(
    ("path", "topic"),
    [
        ("/profiles", "sign-in"),
        ("/profiles/{profile}", "sign-in"),
        ("/share", "sharing"),
        ("/filters", "search"),
        ("/?q=nowhere", "search"),
        ("/activity", "troubleshooting"),
    ],
)
def test_help_is_linked_where_it_is_needed(client, profile_id, path, topic):
    page = soup_of(client, path.format(profile=profile_id))
    assert page.select_one(f"main a[href='/help/{topic}']")


def test_the_first_page_of_an_empty_shelf_links_the_help_for_signing_in(client):
    assert soup_of(client, "/").select_one("main a[href='/help/sign-in']")


def test_a_choice_of_colours_comes_back_to_the_help_page(client):
    page = soup_of(client, "/help/search")
    assert page.select_one("footer input[name=here]")["value"] == "/help/search"


def test_the_settings_page_has_every_setting_with_meaning_default_and_option(client):
    page = soup_of(client, "/help/settings")
    for setting in SETTINGS:
        text = page.find(id=setting.variable).get_text(" ", strip=True)
        assert all(
            part in text for part in (setting.variable, setting.meaning, setting.default, setting.flag or "")
        )


def test_every_field_of_the_config_that_can_be_set_is_a_setting():
    not_settings = {"retry_pauses_seconds", "timeout_seconds", "mounts_path", "firefox_roots"}
    not_settings |= {"is_sealed", "given"}
    assert {setting.field for setting in SETTINGS} == set(Config.__dataclass_fields__) - not_settings


def test_setting_every_variable_to_the_default_that_is_shown_changes_nothing(tmp_path):
    said = {each.variable: each.default for each in SETTINGS if not each.default_note}
    said = {variable: default for variable, default in said.items() if default != "none"}
    shown = replace(read_config(said, data_dir=tmp_path), given=frozenset())
    assert shown == replace(read_config({}, data_dir=tmp_path), given=frozenset())


def test_the_options_of_serve_are_those_that_the_page_names():
    options = {option for each in main.commands["serve"].params for option in each.opts}
    flags = {setting.flag for setting in SETTINGS if setting.flag}
    assert options - {"--open", "--dev", "-v", "--verbose"} == flags


def test_the_page_of_commands_has_every_command_and_no_option_that_is_not_there(client):
    text = soup_of(client, "/help/command-line").select_one("main").get_text(" ", strip=True)
    assert all(f"flowshelf {name}" in text for name in main.commands)
    commands = [*main.commands.values(), *main.commands["profiles"].commands.values()]
    known = {option for command in commands for each in command.params for option in each.opts}
    for path in PATHS:
        shown = soup_of(client, path).select("main code")
        for code in shown:
            if code.text.startswith(("flowshelf", "--")):
                assert set(re.findall(r"(?<!\S)--[a-z-]+", code.text)) <= known | {"--help"}, code.text
