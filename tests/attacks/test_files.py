"""Only files of rows, under the storage roots, are ever sent."""

import pytest

from webapp import store
from webapp.database.models import Image

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
