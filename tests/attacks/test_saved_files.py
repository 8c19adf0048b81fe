"""What a guest saves tells, in its name and inside, only what guests are shown."""

from urllib.parse import unquote

import pytest

from webapp import store
from webapp.database.models import Image, Profile, Project
from webapp.file_names import FIELDS
from webapp.web.services import background_of

SECRETS = {"title": "Dismissal of Bob", "project": "Takeover of Acme", "version": "v-secret"}
EVERY_FIELD = "".join(f"{{{field}}} " for field in FIELDS)


@pytest.fixture
def image(app, shelf):
    """An image with everything that only its owner may read, on a shelf whose template names all of it."""
    image = shelf[0]
    with store.connection():
        Project.create(profile=image.profile_id, remote_id="p1", title=SECRETS["project"])
        columns = {"title": SECRETS["title"], "version": SECRETS["version"]}
        columns |= {"project_id": "p1", "prompt": "A kite", "seed": 4711}
        Image.update(**columns).where(Image.id == image.id).execute()
        Profile.update(name="", account_email="ada@example.com").execute()
        background_of(app).choose_settings({"file_names": EVERY_FIELD})
    return image


def saved(visitor, image):
    response = visitor.get(f"/images/{image.id}/file?attachment")
    assert response.status == 200
    return unquote(response.headers["Content-Disposition"]), response.content


def test_a_guest_saves_no_title_project_version_or_account(owner, guest, image):
    name, content = saved(guest, image)
    for secret in (*SECRETS.values(), "ada@example.com"):
        assert secret not in name
        assert secret.encode() not in content
        assert secret.encode("utf-16-le") not in content
    assert "A kite" in name
    assert "4711" in name
    assert b"<flowshelf:Seed>4711<" in content


def test_the_owner_saves_all_but_the_account(owner, image):
    name, content = saved(owner, image)
    for secret in SECRETS.values():
        assert secret in name
    assert SECRETS["title"].encode() in content
    assert SECRETS["project"].encode() in content
    assert "ada@example.com" not in name


@pytest.mark.parametrize("place", ["none", "sidecar"])
def test_without_metadata_inside_the_name_tells_a_guest_no_more(app, guest, image, place):
    with store.connection():
        background_of(app).choose_settings({"file_names": EVERY_FIELD, "file_metadata": place})
    name, content = saved(guest, image)
    assert not [secret for secret in SECRETS.values() if secret in name]
    assert b"<x:xmpmeta" not in content


def test_a_guest_reads_no_setting_and_no_preview_of_names(guest, image):
    assert guest.get("/settings").status == 403
    assert guest.get("/settings/file-names?file_names={title}").status == 403
