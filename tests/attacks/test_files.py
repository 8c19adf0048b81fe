"""Only files of rows, under the storage roots, are ever sent."""

import json

import pytest

from webapp import store
from webapp.database.models import Image, TrashedFile
from webapp.maintenance.verify import verify
from webapp.storage import TRASH_FOLDER
from webapp.store import trash
from webapp.web.services import background_of

SECRET = b"nobody's business"


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "elsewhere.jpg"
    path.write_bytes(SECRET)
    return path


def point_to(image, path):
    with store.connection():
        Image.update(local_path=str(path)).where(Image.id == image.id).execute()


def every_way(visitor, image):
    return [
        visitor.get(f"/images/{image.id}/{what}") for what in ("file", "file?attachment", "thumbnail/320")
    ]


def test_a_symbolic_link_out_of_the_storage_roots_is_not_followed(owner, guest, shelf, config, secret):
    image = shelf[0]
    folder = config.images_dir / image.profile_id
    link = folder / "link.jpg"
    link.symlink_to(secret)
    point_to(image, link)
    folder_link = config.images_dir / "folder"
    folder_link.symlink_to(secret.parent, target_is_directory=True)
    point_to(shelf[1], folder_link / secret.name)
    for response in every_way(owner, image):
        assert response.status == 409
        assert SECRET not in response.content
    for response in every_way(guest, image) + every_way(guest, shelf[1]):
        assert response.status == 404
        assert SECRET not in response.content


def test_a_thumbnail_that_is_a_symbolic_link_is_not_followed(owner, guest, shelf, config, secret):
    image = shelf[0]
    assert guest.get(f"/images/{image.id}/thumbnail/320").status == 200
    (thumbnail,) = (config.thumbnails_dir / image.profile_id).glob("*-320.webp")
    thumbnail.unlink()
    thumbnail.symlink_to(secret)
    response = guest.get(f"/images/{image.id}/thumbnail/320")
    assert response.status != 200
    assert SECRET not in response.content


def test_a_file_outside_the_storage_roots_is_not_sent(owner, guest, shelf, config, secret):
    for path in (secret, "/etc/passwd", config.database_path, config.images_dir / ".." / "share.json"):
        point_to(shelf[0], path)
        assert {response.status for response in every_way(owner, shelf[0])} == {409}
        for response in every_way(guest, shelf[0]):
            assert response.status == 404
            assert str(config.data_dir) not in response.text


@pytest.mark.parametrize(
    "path",
    [
        "/images/../../share.json",
        "/images/%2e%2e/%2e%2e/share.json/file",
        "/images/..%2f..%2fshare.json/file",
        "/static/../webapp/config.py",
        "/static/%2e%2e/%2e%2e/etc/passwd",
        "/static/..%5c..%5cshare.json",
        "/static//etc/passwd",
        "/share.json",
        "/flowshelf.sqlite3",
        "/images/%00/file",
    ],
)
def test_no_url_is_taken_for_a_path(owner, guest, path):
    for visitor in (owner, guest):
        response = visitor.get(path)
        assert response.status in (308, 400, 404)
        assert "SQLite" not in response.text


def test_a_file_that_is_not_an_image_is_sent_as_an_attachment(owner, shelf, config):
    for name in ("page.html", "drawing.svg", "script.js"):
        path = config.images_dir / name
        path.write_text("<script>alert(1)</script>")
        point_to(shelf[0], path)
        response = owner.get(f"/images/{shelf[0].id}/file")
        assert response.headers["Content-Type"] == "application/octet-stream"
        assert response.headers["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize("path", ["../elsewhere.jpg", "{outside}", "{profile}/other.jpg", "link.jpg"])
def test_a_row_of_the_trash_that_names_another_file_sends_and_deletes_nothing(
    app, owner, shelf, config, secret, path
):
    image, own = shelf[0], config.images_dir / shelf[0].profile_id / "other.jpg"
    own.write_bytes(SECRET)
    (config.images_dir / "link.jpg").symlink_to(secret)
    (config.images_dir.parent / "elsewhere.jpg").write_bytes(SECRET)
    work = background_of(app)
    with store.connection():
        work.delete_files([image.id])
        (row,) = trash.list_newest(1)
        named = path.format(outside=secret, profile=image.profile_id)
        TrashedFile.update(trash_path=named).execute()
        assert SECRET not in owner.get(f"/trash/{row.id}/thumbnail/320").content
        work.empty_trash([row.id])
    assert secret.read_bytes() == own.read_bytes() == SECRET
    assert (config.images_dir.parent / "elsewhere.jpg").read_bytes() == SECRET


@pytest.mark.parametrize("place", ["../../outside.jpg", "{outside}", "linked/outside.jpg"])
def test_a_file_of_the_trash_is_restored_to_no_place_outside_the_storage_roots(
    app, shelf, config, tmp_path, place
):
    outside = tmp_path / "outside.jpg"
    (config.images_dir / "linked").symlink_to(tmp_path, target_is_directory=True)
    work = background_of(app)
    with store.connection():
        work.delete_files([shelf[0].id])
        (row,) = trash.list_newest(1)
        TrashedFile.update(local_path=place.format(outside=outside)).execute()
        assert work.trash.restore([row.id]).restored_count == 0
        (left,) = trash.list_newest(1)
        assert (left.state, left.path_in_trash.exists()) == ("kept", True)
    assert not outside.exists()


def test_what_an_about_file_says_leads_nowhere(app, shelf, config):
    work = background_of(app)
    folder = config.images_dir / TRASH_FOLDER / "by somebody"
    folder.mkdir(parents=True)
    (folder / "a.jpg").write_bytes(SECRET)
    (config.images_dir / "b.jpg").write_bytes(SECRET)
    names = ("from", "image", "imageId", "profile", "profileId", "account", "reason", "sha256")
    for file, origin in (("a.jpg", "/tmp/evil.jpg"), ("../../b.jpg", "x.jpg"), ("a.jpg", "../../evil.jpg")):
        about = dict.fromkeys(names, "x") | {"file": file, "from": origin}
        (folder / "about.json").write_text(json.dumps({"files": [about, 7, {"file": 3}]}))
        with store.connection():
            verify(work.downloads.roots)
            ids = trash.list_all_ids()
            assert work.trash.restore(ids).restored_count == 0
    assert (folder / "a.jpg").read_bytes() == (config.images_dir / "b.jpg").read_bytes() == SECRET
    assert not list(config.data_dir.parent.glob("evil*"))
    halves = json.dumps({"files": [dict.fromkeys((*names, "file"), "\ud800")]})
    for text in ("[" * 100_000, halves, "{}", ""):
        (folder / "about.json").write_text(text)
        with store.connection():
            verify(work.downloads.roots)
