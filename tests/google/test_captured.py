"""Recorded payloads of flow.google.com, with made-up content: each is read as its `expect` says."""

import json
from pathlib import Path

import pytest

from webapp.config import GOOGLE_PICTURE_HOSTS
from webapp.sources import Reading, RemoteProject
from webapp.sources.flow_google.contents import history_page_of, read_contents
from webapp.sources.flow_google.images import original_url
from webapp.sources.flow_google.projects import read_listing_page

HOSTS = frozenset(GOOGLE_PICTURE_HOSTS)
FIXTURES = {
    path.stem: json.loads(path.read_text())
    for path in sorted((Path(__file__).parent.parent / "fixtures" / "flow-google").glob("*.json"))
}
PROJECT = RemoteProject("aaaaaaaa-0000-4000-8000-000000000001", "Any", None)


def of_call(rpc):
    named = {name: fixture for name, fixture in FIXTURES.items() if fixture["rpc"] == rpc}
    return pytest.mark.parametrize("fixture", named.values(), ids=named)


def in_fixture_terms(image):
    """An image in the terms of the fixtures."""
    return {
        "asset_id": image.media_key,
        "card_id": image.workflow_id,
        "project_id": image.project_id,
        "kind": image.kind,
        "prompt": image.prompt,
        "model": image.model_name,
        "seed": image.seed,
        "aspect_ratio": image.aspect_ratio,
        "width": image.width,
        "height": image.height,
        "version": image.version,
        "title": image.title,
        "is_archived": image.is_archived,
        "preview": image.fife_url is not None,
    }


def test_every_call_has_a_recorded_payload():
    assert {fixture["rpc"] for fixture in FIXTURES.values()} == {"UpteDb", "Zzl0ze", "as29s"}


@of_call("Zzl0ze")
def test_a_recorded_project_gives_its_images(fixture):
    contents = read_contents(json.dumps(fixture["payload"]), PROJECT, HOSTS)
    assert [in_fixture_terms(image) for image in contents.images] == fixture["expect"]["images"]
    assert contents.ignored == fixture["expect"]["ignored"]
    assert contents.reading is Reading.READ
    assert contents.unknown == {}


@of_call("Zzl0ze")
def test_every_id_of_a_recorded_project_is_among_its_names(fixture):
    names = history_page_of(
        PROJECT, read_contents(json.dumps(fixture["payload"]), PROJECT, HOSTS), [], None
    ).names
    _, descriptors, records, ingredients = fixture["payload"][:4]
    shown = {one[0] for one in (*records, *ingredients)} | {one[3][4] for one in descriptors}
    assert shown <= set(names)


@of_call("UpteDb")
def test_a_recorded_listing_gives_its_projects(fixture):
    listing = read_listing_page(fixture["payload"], None)
    projects = [{"id": project.id, "title": project.title} for project in listing.projects]
    assert {"projects": projects, "next_cursor": listing.next_token} == fixture["expect"]
    assert all(project.made_at for project in listing.projects)


@of_call("as29s")
def test_a_recorded_record_gives_the_url_of_the_original(fixture):
    assert original_url(fixture["payload"], fixture["asked"], HOSTS) == fixture["expect"]["url"]
