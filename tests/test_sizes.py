"""The size of a picture: read from its header, stored with its image, and shown on pages and in exports."""

import csv
import io
import json
import os
import threading
import zipfile
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from PIL import Image as Picture

from webapp import storage, store
from webapp.background.archive import MANIFEST
from webapp.background.backfill import BATCH_SIZE
from webapp.background.size_backfill import SizeBackfill
from webapp.database.base import db
from webapp.database.models import Image
from webapp.database.states import RunState
from webapp.store.gallery import images
from webapp.web.services import background_of

KINDS = ("JPEG", "PNG", "GIF", "WEBP")
LARGER_THAN_ANY_MEMORY = 1 << 42
REFUSE_SIZES = """CREATE TRIGGER refuse BEFORE UPDATE OF width ON veo3_image_generations
    BEGIN SELECT RAISE(ABORT, 'refused'); END"""
NO_SIZE = {"width": None, "height": None}


def encoded(kind="JPEG", size=(160, 90), orientation=None, **options):
    """A picture, with an EXIF orientation if one is given."""
    exif = Picture.Exif()
    if orientation:
        exif[0x0112] = orientation
    out = io.BytesIO()
    Picture.effect_noise(size, 80).convert("RGB").save(out, kind, exif=exif, **options)
    return out.getvalue()


@pytest.fixture
def measured(tmp_path):
    def measured(content, length=None):
        path = tmp_path / "picture"
        path.write_bytes(content)
        if length:
            os.truncate(path, length)
        return storage.measure(path)

    return measured


# The header


@pytest.mark.parametrize("kind", KINDS)
def test_the_size_is_read_without_reading_the_file(measured, kind):
    assert measured(encoded(kind), LARGER_THAN_ANY_MEMORY) == (160, 90)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    ("orientation", "size"), [(1, (160, 90)), (3, (160, 90)), (6, (90, 160)), (8, (90, 160))]
)
def test_the_size_is_that_after_the_exif_rotation(measured, kind, orientation, size):
    content = encoded(kind, orientation=orientation)
    header = storage.read_header(content)
    assert measured(content) == (header.width, header.height) == size


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 30}, {"exif": b"II"}])
def test_the_size_of_every_webp_encoding_is_read(measured, options):
    out = io.BytesIO()
    Picture.effect_noise((300, 16), 80).convert("RGB").save(out, "WEBP", **options)
    assert measured(out.getvalue()) == (300, 16)


@pytest.mark.parametrize(
    "exif", [b"", b"II", b"MM\0*\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff", b"\0" * 99]
)
def test_invalid_exif_rotates_no_picture(measured, exif):
    out = io.BytesIO()
    Picture.new("RGB", (40, 30)).save(out, "PNG", exif=b"Exif\0\0" + exif)
    assert measured(out.getvalue()) == (40, 30)


@pytest.mark.parametrize(
    "content", [b"", b"not a picture", b"RIFF\0\0\0\0WEBPVP8 ", encoded()[:20], encoded("PNG")[:20]]
)
def test_bytes_that_are_not_a_picture_have_no_size(measured, content):
    assert measured(content) is None


# The rows


@pytest.fixture
def fetch(shelf, profile_id, world):
    """Downloads the newest image, for which Flow sends these bytes, and returns its row."""

    def fetch(content):
        name = world.names()[0]
        world.change(name, content=content)
        (image_id,) = images.find_ids(profile_id, [name]).values()
        run = shelf.downloads.request(profile_id, [image_id])
        assert shelf.downloads.wait_for_run(run.id).state == RunState.DONE
        return images.get_image(image_id)

    return fetch


def sizes():
    """The stored sizes of all images, in the order in which they are measured."""
    with store.connection():
        return list(Image.select(Image.width, Image.height).order_by(Image.id).tuples())


def test_a_download_stores_the_size_of_the_file_in_place_of_the_listed_one(fetch):
    Image.update(width=1, height=1).execute()
    image = fetch(encoded(size=(160, 90), orientation=6))
    assert (image.width, image.height) == (90, 160)


def test_the_size_stays_when_the_file_is_deleted(fetch, shelf):
    image = fetch(encoded(size=(160, 90)))
    assert shelf.delete_files([image.id]).deleted_count == 1
    image = images.get_image(image.id)
    assert (image.local_path, image.width, image.height) == (None, 160, 90)


# Files without a stored size


@pytest.fixture
def older(work, profile_id):
    """Downloaded files without stored sizes; their rows in the order in which they are measured."""
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id, histories=("ASSET_MANAGER",)).id)
        run = work.downloads.request_pending(profile_id)
        assert work.downloads.wait_for_run(run.id).state == RunState.DONE
        Image.update(NO_SIZE).execute()
        return list(Image.select().order_by(Image.id))


def test_files_without_a_stored_size_are_measured_after_the_start(older, running, wait_until):
    running()
    wait_until(lambda: sizes() == [(4, 3)] * len(older))


def test_the_start_does_not_wait_for_sizes(older, running, wait_until):
    with store.writing():  # no size can be stored meanwhile
        running()
        assert sizes() == [(None, None)] * len(older)
    wait_until(lambda: (None, None) not in sizes())


def test_missing_and_damaged_files_are_skipped(older, running, wait_until, config, tmp_path):
    missing, damaged, outside, odd, *whole = older
    Path(missing.file_path).unlink()
    Path(damaged.file_path).write_bytes(b"not a picture")
    elsewhere = tmp_path / "elsewhere.jpg"
    elsewhere.write_bytes(encoded())
    with store.connection():
        Image.update(local_path=str(elsewhere)).where(Image.id == outside.id).execute()
    Path(odd.file_path).unlink()
    os.mkfifo(odd.file_path)  # opening it would block forever
    running()
    wait_until(lambda: sizes() == [(None, None)] * 4 + [(4, 3)] * len(whole))


@pytest.fixture
def opened(monkeypatch):
    """The paths that are opened, in this order.

    No audit hook notes them: it would stay in the process, and with one, threads that start together can die
    under coverage in Python 3.11 (https://github.com/python/cpython/issues/98257).
    """
    paths, open_path = [], Path.open

    def note(path, *arguments, **options):
        paths.append(str(path))
        return open_path(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", note)
    return paths


def test_no_file_is_read_twice_and_a_later_start_reads_only_files_without_a_size(
    older, running, wait_until, opened
):
    Path(older[0].file_path).write_bytes(b"not a picture")
    opened.clear()
    work = background_of(running())
    wait_until(lambda: sizes().count((None, None)) == 1)
    work.size_backfill.stop(5)
    paths = [image.file_path for image in older]
    assert sorted(path for path in opened if path in paths) == sorted(paths)
    opened.clear()
    background_of(running()).size_backfill.stop(5)
    assert [path for path in opened if path in paths] == paths[:1]


class StopsAfter(threading.Event):
    """A stop event that is set after `file_count` checks, one for each file."""

    def __init__(self, file_count):
        super().__init__()
        self.left = file_count

    def is_set(self):
        self.left -= 1
        if self.left < 0:
            self.set()
        return super().is_set()


def test_the_backfill_stops_in_the_middle_of_a_batch_and_keeps_what_is_written(work, config, profile_id):
    path = config.images_dir / profile_id / "picture.jpg"
    path.parent.mkdir()
    path.write_bytes(encoded(size=(160, 90)))
    with store.connection(), store.transaction():
        for number in range(3 * BATCH_SIZE):
            fields = dict.fromkeys(("id", "name", "media_key", "workflow_id"), f"{number:05}")
            moment = "2026-01-01T00:00:00.000000Z"
            Image.create(profile_id=profile_id, local_path=str(path), created_at=moment, **fields)
    backfill = SizeBackfill([config.images_dir], StopsAfter(BATCH_SIZE + 50))
    backfill.start()
    backfill.stop(5)
    assert sizes().count((160, 90)) == BATCH_SIZE + 50


def test_a_database_error_ends_only_the_measuring_thread(older, running, caplog):
    with store.connection():
        db.execute_sql(REFUSE_SIZES)
    work = background_of(running())
    work.size_backfill.stop(5)
    assert "image sizes could not be read" in caplog.text
    assert work.is_ready


# Where it is shown


@pytest.fixture
def picture(fetch):
    return fetch(encoded(size=(1376, 768)))


@pytest.fixture
def read(client):
    return lambda url: BeautifulSoup(client.get(url).text, "html.parser")


def test_the_page_of_an_image_shows_its_size(picture, read):
    assert "1376 × 768" in read(f"/images/{picture.id}").select_one(".facts").get_text()


def test_pictures_on_cards_and_pages_have_width_and_height(picture, read):
    for url, place in (("/", f"#look-{picture.id} img"), (f"/images/{picture.id}", ".stage img")):
        drawn = read(url).select_one(place)
        assert (drawn["width"], drawn["height"]) == ("1376", "768")


@pytest.mark.parametrize(
    ("aspect_ratio", "width", "height", "shape"),
    [
        ("IMAGE_ASPECT_RATIO_SQUARE", 1376, 768, "square"),
        (None, 1376, 768, "landscape"),
        ("IMAGE_ASPECT_RATIO_UNSPECIFIED", 1376, 768, "landscape"),
        (None, 3000, 1000, "landscape whole"),
        (None, 1000, 3000, "portrait whole"),
        (None, 1000, 1010, "square"),
        (None, None, None, "unknown whole"),
    ],
)
def test_a_card_without_an_aspect_ratio_has_the_shape_nearest_to_its_size(
    picture, read, aspect_ratio, width, height, shape
):
    Image.update(aspect_ratio=aspect_ratio, width=width, height=height).execute()
    assert read("/").select_one(f"#look-{picture.id} .picture")["class"] == ["picture", *shape.split()]


def test_the_srcset_names_the_true_width_of_each_thumbnail(fetch, read, client):
    image = fetch(encoded(size=(400, 1000)))
    available = read("/").select_one(f"#look-{image.id} img")["srcset"].split(", ")
    for url, width in (choice.split() for choice in available):
        with Picture.open(io.BytesIO(client.get(url, buffered=True).data)) as thumbnail:
            assert f"{thumbnail.width}w" == width


def test_the_api_and_exports_contain_the_size_if_it_is_known(picture, client, profile_id):
    response = client.post("/api/image-veo3/get-local-images", json={"profileId": profile_id}).get_json()
    exported = json.loads(client.get("/metadata.json").text)
    for values in (
        response["data"]["images"] if "images" in response["data"] else response["data"],
        exported,
    ):
        sizes_by_id = {value["id"]: (value.get("width"), value.get("height")) for value in values}
        assert sizes_by_id.pop(picture.id) == (1376, 768)
        assert set(sizes_by_id.values()) == {(None, None)}
        assert not [value for value in values if "width" in value and value["width"] is None]
    rows = {
        row["id"]: row
        for row in csv.DictReader(io.StringIO(client.get("/metadata.csv").data.decode("utf-8-sig")))
    }
    assert (rows[picture.id]["width"], rows[picture.id]["height"]) == ("1376", "768")


def test_the_manifest_of_a_zip_contains_the_sizes(picture, client, wait_until):
    page = client.post("/exports", data={"image_id": picture.id}).location
    wait_until(lambda: "Ready" in client.get(page).text)
    with zipfile.ZipFile(io.BytesIO(client.get(f"{page}/file", buffered=True).data)) as zipped:
        (entry,) = json.loads(zipped.read(MANIFEST))["images"]
    assert (entry["width"], entry["height"]) == (1376, 768)
