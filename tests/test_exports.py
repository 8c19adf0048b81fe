"""ZIPs of a selection: contents, progress on the page, refusals, and removal."""

import hashlib
import json
import os
import zipfile
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import escape

import pytest
from bs4 import BeautifulSoup
from PIL import Image as Picture

from webapp import store
from webapp.background.archive import MANIFEST, archive
from webapp.database.base import db
from webapp.database.models import Export, Image
from webapp.database.states import ExportState, RunState
from webapp.store.choices import collections
from webapp.store.gallery import selections
from webapp.store.gallery.filters import Filter, Selection
from webapp.store.runs import exports
from webapp.times import timestamp


@pytest.fixture
def ids(work, profile_id):
    """All images, newest first; the six newest have a file."""
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id).id)
        ids = selections.list_ids(Selection(everything=Filter()))
        run = work.downloads.request(profile_id, ids[:6])
        assert work.downloads.wait_for_run(run.id).state == RunState.DONE
    return ids


@pytest.fixture
def prepared(client, wait_until):
    """Requests a ZIP with a form and waits until it is prepared. Returns the URL of its page."""

    def prepare(**form):
        response = client.post("/exports", data=form)
        assert response.status_code == 303, response.text
        wait_until(lambda: 'hx-trigger="every 1s"' not in client.get(response.location).text)
        return response.location

    return prepare


def fetch_zip(client, page, **headers):
    """The response with the ZIP of a page, read to its end and closed."""
    with client.get(f"{page}/file", headers=headers) as response:
        response.get_data()
    return response


def open_zip(client, page):
    return zipfile.ZipFile(BytesIO(fetch_zip(client, page).data))


def rows(image_ids):
    with store.connection():
        return selections.list_in_order(image_ids)


def test_a_zip_without_metadata_contains_the_unchanged_files_and_a_manifest(client, ids, prepared, work):
    with store.connection():
        work.choose_settings({"file_metadata": "none"})
    page = prepared(image_id=ids[:4])
    with open_zip(client, page) as zipped:
        assert zipped.testzip() is None
        assert {entry.compress_type for entry in zipped.infolist()} == {zipfile.ZIP_STORED}
        manifest = json.loads(zipped.read(MANIFEST))
        assert (manifest["count"], manifest["leftOut"]) == (4, 0)
        for image, entry in zip(rows(ids[:4]), manifest["images"], strict=True):
            content = Path(image.file_path).read_bytes()
            assert zipped.read(entry["file"]) == content
            assert entry["sha256"] == hashlib.sha256(content).hexdigest() == image.sha256
            assert entry["originalSha256"] == image.sha256
            assert (entry["name"], entry["prompt"]) == (image.name, image.prompt)
            assert entry["createdAt"] == image.created_at
            assert zipped.getinfo(entry["file"]).date_time[0] == int(image.created_at[:4])


def test_the_pictures_in_a_zip_carry_their_metadata_and_names_by_the_template(client, ids, prepared, work):
    with store.connection():
        work.choose_settings({"file_names": "{date:%Y}/{kind} {sequence:3}"})
    with open_zip(client, prepared(image_id=ids[:4])) as zipped:
        assert zipped.testzip() is None
        manifest = json.loads(zipped.read(MANIFEST))["images"]
        for number, (image, entry) in enumerate(zip(rows(ids[:4]), manifest, strict=True), 1):
            content = zipped.read(entry["file"])
            assert entry["file"] == f"{image.created_at[:4]}/{image.kind} {number:03}.jpg"
            assert entry["sizeBytes"] == len(content) == zipped.getinfo(entry["file"]).file_size
            assert entry["sha256"] == hashlib.sha256(content).hexdigest() != image.sha256
            assert entry["originalSha256"] == image.sha256
            assert escape(image.prompt or "").encode() in content
            with Picture.open(BytesIO(content)) as picture, Picture.open(image.file_path) as original:
                assert picture.tobytes() == original.tobytes()


def test_sidecars_lie_next_to_unchanged_files_in_a_zip(client, ids, prepared, work):
    with store.connection():
        work.choose_settings({"file_metadata": "sidecar"})
    with open_zip(client, prepared(image_id=ids[:2])) as zipped:
        for entry in json.loads(zipped.read(MANIFEST))["images"]:
            assert entry["sha256"] == entry["originalSha256"]
            assert b"<x:xmpmeta" in zipped.read(entry["file"] + ".xmp")
        assert len(zipped.namelist()) == 5


def test_a_selection_of_everything_except_some_is_zipped(client, ids, prepared):
    page = prepared(everything="1", state="done", **{"except": ids[:2]})
    with open_zip(client, page) as zipped:
        names = [entry["name"] for entry in json.loads(zipped.read(MANIFEST))["images"]]
    assert names == [image.name for image in rows(ids[2:6])]


def test_images_without_a_file_are_left_out_and_counted(client, ids, prepared):
    os.unlink(rows(ids[:1])[0].file_path)
    page = prepared(image_id=ids[:9])
    assert "4 images were left out" in client.get(page).text
    with open_zip(client, page) as zipped:
        manifest = json.loads(zipped.read(MANIFEST))
    assert (manifest["count"], manifest["leftOut"]) == (5, 4)


def test_a_zip_contains_no_file_outside_the_storage_roots(client, ids, prepared, tmp_path):
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(b"secret")
    with store.connection():
        Image.update(local_path=str(secret)).where(Image.id == ids[0]).execute()
    with open_zip(client, prepared(image_id=ids[:2])) as zipped:
        assert all(b"secret" not in zipped.read(name) for name in zipped.namelist() if name != MANIFEST)
        assert json.loads(zipped.read(MANIFEST))["leftOut"] == 1


def test_a_zip_is_a_dated_attachment_and_supports_ranges(client, ids, prepared):
    page = prepared(image_id=ids[:2])
    whole = fetch_zip(client, page)
    assert "attachment" in whole.headers["Content-Disposition"]
    assert f"flowshelf-{datetime.now(UTC):%Y-%m-%d}-2-images.zip" in whole.headers["Content-Disposition"]
    part = fetch_zip(client, page, Range="bytes=10-19")
    assert (part.status_code, part.data) == (206, whole.data[10:20])


def test_a_zip_of_the_shown_collection_is_named_after_it_inside_and_out(client, ids, prepared, work):
    with store.connection():
        work.choose_settings({"file_names": "{collection}/{sequence:2}"})
        shown = collections.add_collection("Zoo: 16:9 夜")
        for each in (shown, collections.add_collection("Ants")):
            collections.add_images(each, Selection(tuple(ids[:3])))
    for chosen in ({"everything": "1"}, {"image_id": ids[:2]}):
        page = prepared(collection=shown.id, **chosen)
        with open_zip(client, page) as zipped:
            assert zipped.namelist()[0] == "Zoo 16-9 夜/01.jpg"
        name = quote("flowshelf-Zoo 16-9 夜.zip")
        assert name in fetch_zip(client, page).headers["Content-Disposition"]
    with open_zip(client, prepared(image_id=ids[:2])) as zipped:
        assert zipped.namelist()[0] == "Ants/01.jpg"


def test_a_zip_of_images_without_files_is_refused(client, ids):
    response = client.post("/exports", data={"image_id": ids[20:22]})
    assert response.status_code == 400
    assert "Download them first" in response.text


def test_a_zip_that_will_not_fit_on_the_disk_is_refused(client, ids, config):
    with store.connection():
        Image.update(size_bytes=10**16).where(Image.id == ids[0]).execute()
    response = client.post("/exports", data={"image_id": ids[:2]})
    assert response.status_code == 507
    assert "to spare" in response.text
    assert list(config.exports_dir.iterdir()) == []
    with store.connection():
        assert exports.list_exports() == []


def test_queued_zips_count_as_used_disk_space(client, ids):
    with store.connection():
        exports.add_export(ids[:1], 10**16)
        Export.update(state=ExportState.RUNNING).execute()
    assert client.post("/exports", data={"image_id": ids[:1]}).status_code == 507


def test_the_page_polls_only_while_a_zip_is_prepared(client, ids, prepared):
    with store.connection():
        export = exports.add_export(ids[:4], 1000)
        Export.update(state=ExportState.RUNNING).execute()
        exports.note_progress(export.id, done_count=1, done_bytes=250, left_out_count=0)
    page = BeautifulSoup(client.get(f"/exports/{export.id}").text, "html.parser")
    assert page.select_one(".export")["hx-trigger"] == "every 1s"
    assert page.select_one("[role=progressbar]")["aria-valuenow"] == "25"
    assert client.get(f"/exports/{export.id}/file").status_code == 404
    done = BeautifulSoup(client.get(prepared(image_id=ids[:2])).text, "html.parser")
    assert not done.select_one(".export").has_attr("hx-trigger")


def test_an_interrupted_zip_is_shown_as_such_and_can_be_prepared_again(
    client, ids, running, config, wait_until
):
    with store.connection():
        export = exports.add_export(ids[:3], 1000)
        Export.update(state=ExportState.RUNNING).execute()
    (config.exports_dir / ".flowshelf-x.part").write_bytes(b"half")
    client = running().test_client()
    assert "Interrupted" in client.get(f"/exports/{export.id}").text
    assert list(config.exports_dir.iterdir()) == []
    client.post(f"/exports/{export.id}/again")
    wait_until(lambda: "Ready: 3 images" in client.get(f"/exports/{export.id}").text)


def test_a_zip_whose_outcome_could_not_be_stored_is_not_prepared_forever(
    client, ids, prepared, work, wait_until, caplog
):
    with store.connection():
        ends = "WHEN new.state IN ('done', 'failed') BEGIN SELECT abs(-9223372036854775807 - 1); END"
        db.execute_sql(f"CREATE TRIGGER disk_is_full BEFORE UPDATE OF state ON export {ends}")
        export = work.exports.request(Selection(ids=tuple(ids[:3])))
        wait_until(lambda: "ZIPs cannot be prepared now" in caplog.text)
        db.execute_sql("DROP TRIGGER disk_is_full")
    prepared(image_id=ids[:3])
    assert "Interrupted" in client.get(f"/exports/{export.id}").text


def test_stopping_while_a_zip_is_prepared_leaves_no_partial_file(client, ids, running, config):
    for _ in range(5):
        client.post("/exports", data={"image_id": ids[:6]})
    running()
    with store.connection():
        ready = {f"{export.id}.zip" for export in exports.list_exports() if export.state == ExportState.DONE}
        ended = (ExportState.DONE, ExportState.INTERRUPTED)
        assert all(export.state in ended for export in exports.list_exports())
    assert {path.name for path in config.exports_dir.iterdir()} == ready


def test_a_finished_zip_survives_a_restart_and_is_removed_after_a_day(client, ids, prepared, running, config):
    page = prepared(image_id=ids[:2])
    client = running().test_client()
    assert fetch_zip(client, page).status_code == 200
    yesterday = timestamp(datetime.now(UTC) - timedelta(hours=25))
    with store.connection():
        Export.update(finished_at=yesterday).execute()
    client = running().test_client()
    assert client.get(page).status_code == client.get(f"{page}/file").status_code == 404
    assert list(config.exports_dir.iterdir()) == []


def test_a_zip_can_be_removed_when_finished_and_while_queued(client, ids, prepared, config):
    page = prepared(image_id=ids[:2])
    assert client.post(f"{page}/remove").status_code == 303
    assert list(config.exports_dir.iterdir()) == []
    assert "No ZIPs" in client.get("/exports").text
    with store.connection():
        export = exports.add_export(ids[:2], 1000)
        exports.claim_export()
        exports.remove_export(export.id)
        assert not exports.note_progress(export.id, done_count=1, done_bytes=1, left_out_count=0)


def test_other_users_of_the_machine_cannot_read_a_zip(client, ids, prepared, config):
    prepared(image_id=ids[:2])
    assert config.exports_dir.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in config.exports_dir.iterdir()] == [0o600]


def test_a_failed_archive_leaves_no_file(tmp_path):
    with pytest.raises(ZeroDivisionError), archive(tmp_path / "a.zip"):
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_export_is_a_404_with_a_sentence(client, profile_id):
    assert client.get("/exports/..%2fflowshelf.sqlite3/file").status_code == 404
    assert "deleted after a day" in client.get("/exports/nothing").text
