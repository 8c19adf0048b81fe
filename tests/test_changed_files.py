"""A file that was changed outside Flowshelf is noticed; a person keeps it or downloads it again."""

import hashlib
import json
import os
import time
from io import BytesIO
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner
from PIL import Image as Picture

from webapp.cli import main
from webapp.database.base import db
from webapp.database.states import EventKind
from webapp.maintenance import changes
from webapp.storage import TRASH_FOLDER
from webapp.store.gallery import images
from webapp.web.services import background_of


def picture(colour="red", kind="JPEG", size=(30, 20)):
    content = BytesIO()
    Picture.new("RGB", size, colour).save(content, kind)
    return content.getvalue()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def shelf(work, profile_id, flow):
    """A shelf after a sync, with an open connection, which a command in this process may replace."""
    db.connect()
    work.syncs.wait(work.syncs.start(profile_id, histories=("ASSET_MANAGER",)).id)
    flow.reset()
    yield work
    db.close()


@pytest.fixture
def image(shelf, profile_id):
    """One image with its file."""
    shelf.downloads.wait_for_run(shelf.downloads.request_pending(profile_id, 1).id)
    return images.list_with_file(profile_id=profile_id)[0]


@pytest.fixture
def path(image):
    return Path(image.file_path)


def row(image):
    return images.get_image(image.id)


def verify(config, *options):
    done = CliRunner().invoke(main, ["verify", "--data-dir", str(config.data_dir), *options])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    db.connect(reuse_if_open=True)  # the command opened the database anew
    return done


def page(client, image):
    return BeautifulSoup(client.get(f"/images/{image.id}").text, "html.parser")


def labels(client, image):
    return {button.text.strip() for button in page(client, image).select("#image .actions .button")}


def wait_for_download(work, wait_until, image):
    wait_until(lambda: not work.downloads.is_working(image.profile_id))


def test_a_changed_file_is_served_under_its_own_etag_and_never_taken_for_the_right_one(
    client, image, path, caplog
):
    before = client.get(f"/images/{image.id}/file")
    assert before.headers["ETag"] == f'"{image.sha256}"'
    other = picture()
    path.write_bytes(other)
    after = client.get(f"/images/{image.id}/file", headers={"If-None-Match": before.headers["ETag"]})
    assert (after.status_code, after.data) == (200, other)
    assert after.headers["ETag"] == f'"{sha256(other)}"'
    versioned = client.get(f"/images/{image.id}/file?v={image.sha256[:12]}")
    assert "no-cache" in versioned.headers["Cache-Control"]
    found = row(image)
    assert (found.sha256, found.size_bytes, found.changed_sha256) == (
        image.sha256,
        image.size_bytes,
        sha256(other),
    )
    assert "was changed outside Flowshelf" in caplog.text


def test_a_change_that_keeps_the_size_and_sets_the_time_back_is_noticed(client, image, path, wait_until):
    old, stored = path.read_bytes(), path.stat()
    changed = bytearray(old)
    changed[-3] ^= 1
    # The file system's clock must have moved on by more than its precision.
    deadline = time.time() + changes.TIME_PRECISION_SECONDS + 0.5
    wait_until(lambda: time.time() > deadline)
    path.write_bytes(bytes(changed))
    os.utime(path, ns=(stored.st_atime_ns, stored.st_mtime_ns))
    response = client.get(f"/images/{image.id}/file")
    assert response.headers["ETag"] == f'"{sha256(bytes(changed))}"'


def test_an_unchanged_file_is_not_read_to_know_its_etag(client, image, path, monkeypatch):
    monkeypatch.setattr(changes.storage, "current_sha256", lambda _: pytest.fail("the file was read"))
    assert client.head(f"/images/{image.id}/file").headers["ETag"] == f'"{image.sha256}"'


def test_a_file_that_was_copied_as_it_is_stays_the_right_one(client, image, path):
    os.utime(path, (time.time() + 3600,) * 2)
    assert client.get(f"/images/{image.id}/file").headers["ETag"] == f'"{image.sha256}"'
    assert row(image).changed_sha256 is None


def test_card_and_page_say_so_and_the_thumbnail_is_that_of_the_changed_file(client, image, path):
    url = f"/images/{image.id}/thumbnail/320"
    old = client.get(url)
    path.write_bytes(picture())
    new = client.get(url, headers={"If-None-Match": old.headers["ETag"]})
    assert new.status_code == 200
    assert new.data != old.data
    assert page(client, image).select_one(".chip.changed").text == "Changed"
    assert {"Keep", "Download again"} <= labels(client, image)
    gallery = BeautifulSoup(client.get("/?state=changed").text, "html.parser")
    assert [card["data-image"] for card in gallery.select(".state")] == [image.id]
    assert not gallery.select_one(".quick button")


def test_keep_takes_the_file_with_its_size_kind_and_shape(client, image, path):
    other = picture(kind="PNG", size=(30, 20))
    path.write_bytes(other)
    shown = page(client, image).select_one("input[name=sha256]")["value"]
    here = f"/images/{image.id}"
    done = client.post(f"/images/{image.id}/keep", data={"sha256": shown, "here": here})
    assert (done.status_code, done.location) == (303, here)
    kept = row(image)
    assert (kept.sha256, kept.changed_sha256, kept.size_bytes) == (sha256(other), None, len(other))
    assert (kept.width, kept.height) == (30, 20)
    assert Path(kept.file_path) == path.with_suffix(".png")
    assert not path.exists()
    response = client.get(f"/images/{image.id}/file")
    assert (response.mimetype, response.data) == ("image/png", other)
    events = [event.kind for event in images.list_events(image.id)]
    assert events[-2:] == [EventKind.CHANGED, EventKind.KEPT]


def test_what_the_person_did_not_see_is_not_kept(client, image, path):
    path.write_bytes(picture())
    shown = page(client, image).select_one("input[name=sha256]")["value"]
    path.write_bytes(picture("blue"))
    done = client.post(f"/images/{image.id}/keep", data={"sha256": shown})
    assert done.status_code == 400
    assert row(image).sha256 == image.sha256
    assert row(image).changed_sha256 == sha256(picture("blue"))


def test_a_damaged_or_missing_file_is_not_kept(client, image, path):
    path.write_bytes(picture()[:-10])
    assert client.post(f"/images/{image.id}/keep").status_code == 502
    assert row(image).damaged_at
    path.unlink()
    assert client.post(f"/images/{image.id}/keep").status_code == 404
    assert row(image).sha256 == image.sha256


def test_download_again_puts_the_changed_file_into_the_trash(client, image, path, work, wait_until, world):
    other = picture()
    for number in (1, 2):
        path.write_bytes(other)
        page(client, image)
        assert client.post(f"/images/{image.id}/download").status_code == 303
        wait_for_download(work, wait_until, image)
        assert path.read_bytes() == other, "only the button that says so replaces a changed file"
        client.post(f"/images/{image.id}/download", data={"changed": "replace"})
        wait_for_download(work, wait_until, image)
        assert path.read_bytes() == world.content(image.name)
        trashed = list(path.parents[1].glob(f"{TRASH_FOLDER}/*/*{path.suffix}"))
        assert [each.read_bytes() for each in trashed] == [other] * number
        assert (row(image).file_path, row(image).changed_sha256) == (str(path), None)


def test_a_changed_file_stays_when_flow_no_longer_has_the_image(client, image, path, work, wait_until, flow):
    path.write_bytes(picture())
    page(client, image)
    flow.fail_next(404, "media")
    client.post(f"/images/{image.id}/download", data={"changed": "replace"})
    wait_for_download(work, wait_until, image)
    assert path.read_bytes() == picture()
    assert row(image).file_path == str(path)
    assert "Changed" in page(client, image).select_one(".chip").text


def test_verify_counts_names_and_keeps_changed_files(image, path, config, work):
    work.stop()
    path.write_bytes(picture())
    done = verify(config)
    assert done.exit_code == 1
    assert "1 changed" in done.output
    assert f"changed: {path}" in done.output
    assert row(image).changed_sha256 == sha256(picture())
    assert row(image).sha256 == image.sha256
    verify(config, "--set-pending")
    assert row(image).file_path == str(path), "a changed file never becomes pending"
    found = json.loads(verify(config, "--json").output)["data"]
    assert (found["counts"]["changed"], found["problems"][0]["name"]) == (1, image.name)
    found = json.loads(verify(config, "--json", "--keep-changed").output)["data"]
    assert (found["isWell"], found["keptCount"], found["counts"]) == (True, 1, {"whole": 1})
    assert row(image).sha256 == sha256(picture())


def test_a_file_that_is_as_it_was_again_is_no_longer_changed(client, image, path, config, work):
    old = path.read_bytes()
    path.write_bytes(picture())
    page(client, image)
    assert row(image).changed_sha256
    path.write_bytes(old)
    assert client.get(f"/images/{image.id}/file").headers["ETag"] == f'"{image.sha256}"'
    assert row(image).changed_sha256 is None


def test_guests_see_the_picture_and_decide_nothing(running, client, image, path):
    path.write_bytes(picture())
    app = running(share=True)
    db.connect(reuse_if_open=True)
    app.test_client_class = type(client)
    guest = app.test_client()
    codes = json.loads((background_of(app)._config.data_dir / "share.json").read_text())
    guest.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {codes['guest']}"
    seen = BeautifulSoup(guest.get(f"/images/{image.id}").text, "html.parser")
    assert seen.select_one("#get-file")
    assert not seen.select("#keep-file, #get-again, .chip.changed")
    assert guest.get(f"/images/{image.id}/file").data == picture()
    assert guest.post(f"/images/{image.id}/keep").status_code == 403
    assert guest.post(f"/images/{image.id}/download", data={"changed": "replace"}).status_code == 403
