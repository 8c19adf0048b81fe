"""Files: allowed folders, file names, complete pictures, complete files."""

import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from webapp import storage
from webapp.errors import BadPath, BadPicture, DiskFull, FolderGone


def picture(kind: str = "JPEG", size: tuple[int, int] = (40, 30)) -> bytes:
    out = io.BytesIO()
    Image.effect_noise(size, 80).convert("RGB").save(out, kind)
    return out.getvalue()


@given(st.text(), st.text(), st.booleans())
def test_no_media_key_leads_out_of_the_folder(media_key, name, has_plain_name):
    for stem in storage.file_stems(media_key, name, has_plain_name=has_plain_name):
        assert 1 <= len(stem) <= 80
        assert Path("/shelf") / f"{stem}.jpg" == Path("/shelf", os.path.basename(f"{stem}.jpg"))
        assert not stem.startswith(".")
        assert stem.lower() not in {"con", "nul", "aux", "prn", "com1", "lpt1"}


@given(st.from_regex(r"[A-Za-z0-9_-]{1,80}", fullmatch=True), st.text(), st.text())
def test_two_images_with_the_same_media_key_have_different_file_names(media_key, name, other):
    first = storage.file_stems(media_key, name, has_plain_name=True)
    second = storage.file_stems(media_key, other, has_plain_name=False)
    assert first[0] != second[0]
    assert name == other or first[-1] != second[-1]


def test_a_valid_media_key_is_the_file_name():
    stems = storage.file_stems("99999999-8888", "CAMa", has_plain_name=True)
    assert stems[0] == "99999999-8888"


@pytest.mark.parametrize(
    ("kind", "suffix"), [("JPEG", ".jpg"), ("PNG", ".png"), ("WEBP", ".webp"), ("GIF", ".gif")]
)
def test_the_suffix_is_that_of_the_format(kind, suffix):
    assert storage.read_header(picture(kind)).suffix == suffix


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@given(share=st.floats(0.05, 0.97))
def test_a_truncated_picture_is_refused_wherever_it_is_cut(kind, share):
    whole = picture(kind)
    with pytest.raises(BadPicture):
        storage.read_header(whole[: int(len(whole) * share)])


@given(st.binary(max_size=300))
def test_bytes_that_are_not_a_picture_are_refused(content):
    with pytest.raises(BadPicture):
        storage.read_header(content)


def test_photos_with_a_second_frame_or_an_appended_video_are_pictures():
    first, second = (Image.effect_noise((40, 30), spread).convert("RGB") for spread in (30, 90))
    photo = io.BytesIO()
    first.save(photo, "MPO", save_all=True, append_images=[second])
    for content in (
        photo.getvalue(),
        picture() + b"ftypmp42" * 500,
        picture("PNG") + b"\0",
        picture("GIF") + b"\n",
    ):
        header = storage.read_header(content)
        assert (header.width, header.height) == (40, 30)


Image.init()


@pytest.mark.parametrize("kind", sorted(Image.SAVE))
def test_each_format_that_pillow_writes_is_saved_with_its_suffix_or_refused(kind):
    written = io.BytesIO()
    try:
        Image.effect_noise((40, 30), 80).convert("RGB").save(written, kind)
    except Exception:
        pytest.skip("Pillow does not write an RGB picture of this kind")
    kept = {suffix.lstrip(".").replace("jpg", "jpeg").upper(): suffix for suffix in storage.SUFFIXES.values()}
    kept["MPO"] = ".jpg"
    if kind in kept:
        header = storage.read_header(written.getvalue())
        assert (header.suffix, header.width) == (kept[kind], 40)
    else:
        with pytest.raises(BadPicture, match="not an image that Flowshelf keeps"):
            storage.read_header(written.getvalue())


def test_a_saved_file_is_complete_and_leaves_no_part_file(tmp_path):
    path = storage.save_file(tmp_path, ["key"], ".jpg", b"whole")
    assert path == tmp_path / "key.jpg"
    assert path.read_bytes() == b"whole"
    assert os.listdir(tmp_path) == ["key.jpg"]


def test_a_foreign_file_is_never_overwritten(tmp_path):
    (tmp_path / "key.jpg").write_bytes(b"a holiday picture")
    path = storage.save_file(tmp_path, ["key", "key-abc"], ".jpg", b"ours")
    assert path == tmp_path / "key-abc.jpg"
    assert (tmp_path / "key.jpg").read_bytes() == b"a holiday picture"


def test_a_file_that_a_killed_process_has_completed_is_reused(tmp_path):
    first = storage.save_file(tmp_path, ["key", "key-abc"], ".jpg", b"ours")
    again = storage.save_file(tmp_path, ["key", "key-abc"], ".jpg", b"ours")
    assert again == first
    assert os.listdir(tmp_path) == ["key.jpg"]


def test_only_part_files_of_a_killed_process_are_removed(tmp_path):
    (tmp_path / ".flowshelf-x1.part").write_bytes(b"half")
    (tmp_path / "mine.part").write_bytes(b"mine")
    storage.remove_parts(tmp_path)
    assert os.listdir(tmp_path) == ["mine.part"]


@pytest.mark.parametrize(
    "path", ["images", "../images", "", "C:\\images", "/etc", "/shelf/../etc", "/shelfish"]
)
def test_a_folder_outside_the_roots_is_refused(path):
    with pytest.raises(BadPath):
        storage.allowed_folder(path, [Path("/shelf")])


def test_a_symbolic_link_out_of_the_root_is_refused(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "link").symlink_to(outside)
    with pytest.raises(BadPath):
        storage.allowed_folder(str(root / "link" / "sub"), [root])
    with pytest.raises(FolderGone):
        storage.path_under(str(root / "link" / "a.jpg"), [root])


def test_a_missing_root_is_not_created(tmp_path):
    gone = tmp_path / "disk"
    with pytest.raises(FolderGone, match="is not there"):
        storage.make_folder(gone / "ada", [gone])
    assert not gone.exists()


def test_a_full_disk_is_an_error_for_the_person():
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with (
        pytest.raises(DiskFull, match="is full"),
        storage.translate_errors(Path("/shelf")),
        open("/dev/full", "wb", buffering=0) as file,
    ):
        file.write(b"x")


def test_a_thumbnail_is_small_and_keeps_the_aspect_ratio(tmp_path):
    (tmp_path / "a.jpg").write_bytes(picture(size=(1600, 900)))
    storage.make_thumbnail(tmp_path / "a.jpg", tmp_path / "t" / "a.webp", 320)
    with Image.open(tmp_path / "t" / "a.webp") as thumbnail:
        assert thumbnail.format == "WEBP"
        assert thumbnail.size == (320, 180)
    assert os.listdir(tmp_path / "t") == ["a.webp"]


def test_a_damaged_picture_gives_no_thumbnail(tmp_path):
    (tmp_path / "a.jpg").write_bytes(picture(size=(400, 400))[:2000])
    with pytest.raises(BadPicture, match="damaged"):
        storage.make_thumbnail(tmp_path / "a.jpg", tmp_path / "a.webp", 320)
    assert not storage.decodes(tmp_path / "a.jpg")
