"""Thumbnails: right in colour and orientation, cheap for any size, made once."""

import io
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image, ImageCms

from webapp import storage
from webapp.background.thumbnails import Thumbnails
from webapp.database.models import Image as ImageRow
from webapp.errors import BadPicture, NoThumbnail
from webapp.storage import thumbnails

IMAGE = ImageRow(id="1", profile_id="profile_1", sha256="ab" * 32)
RED = (200, 40, 30)
ORIENTATION = 0x0112


def drawn(tmp_path, image, kind="PNG", edge=64, **options):
    """The thumbnail of a picture."""
    source, target = tmp_path / f"source.{kind.lower()}", tmp_path / "thumbnails" / "small.webp"
    image.save(source, kind, **options)
    storage.make_thumbnail(source, target, edge)
    with Image.open(target) as small:
        small.load()
        return small


def near(pixel, expected, tolerance=14):
    return all(abs(have - want) <= tolerance for have, want in zip(pixel, expected, strict=False))


def test_sixteen_bits_of_grey_keep_their_brightness(tmp_path):
    grey = Image.new("I;16", (200, 100), 32768)
    assert near(drawn(tmp_path, grey).getpixel((20, 10)), (128, 128, 128))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "GIF"])
def test_every_kind_is_drawn_in_its_colours(tmp_path, kind):
    small = drawn(tmp_path, Image.new("RGB", (300, 200), RED), kind)
    assert max(small.size) == 64
    assert near(small.getpixel((20, 10)), RED)


def test_ink_is_drawn_as_light(tmp_path):
    ink = Image.new("RGB", (300, 200), RED).convert("CMYK")
    assert near(drawn(tmp_path, ink, "JPEG").getpixel((20, 10)), RED, 30)


def test_a_palette_keeps_its_transparency(tmp_path):
    image = Image.new("P", (100, 100), 1)
    image.putpalette([0, 0, 0, *RED])
    image.paste(0, (0, 0, 50, 100))
    small = drawn(tmp_path, image, transparency=0)
    assert small.mode == "RGBA"
    assert small.getpixel((5, 30))[3] == 0
    assert near(small.getpixel((55, 30)), (*RED, 255))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_a_picture_is_turned_as_its_exif_says(tmp_path, kind):
    image = Image.new("RGB", (200, 100), RED)
    image.paste((0, 0, 220), (0, 0, 100, 100))
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # to be turned by a quarter to the right
    small = drawn(tmp_path, image, kind, exif=exif.tobytes())
    assert small.size == (32, 64)
    assert near(small.getpixel((16, 8)), (0, 0, 220), 30)
    assert near(small.getpixel((16, 56)), RED, 30)


def test_colours_of_a_wide_profile_become_those_of_the_web(tmp_path):
    """In this profile the channels are swapped, so that it is seen whether it was used."""
    swapped = ImageCms.createProfile("sRGB")
    content = bytearray(ImageCms.ImageCmsProfile(swapped).tobytes())
    tags = {bytes(content[at : at + 4]): at for at in range(132, 132 + 12 * content[131], 12)}
    red, blue = tags[b"rXYZ"], tags[b"bXYZ"]
    content[red + 4 : red + 12], content[blue + 4 : blue + 12] = (
        content[blue + 4 : blue + 12],
        content[red + 4 : red + 12],
    )
    small = drawn(tmp_path, Image.new("RGB", (100, 100), (250, 10, 10)), icc_profile=bytes(content))
    assert near(small.getpixel((5, 5)), (10, 10, 250), 30)
    senseless = drawn(tmp_path, Image.new("RGB", (100, 100), RED), icc_profile=b"no profile")
    assert near(senseless.getpixel((5, 5)), RED)


def test_whatever_the_bytes_are_a_damaged_picture_is_a_sentence(tmp_path):
    source = tmp_path / "source.png"
    content = io.BytesIO()
    Image.effect_noise((64, 64), 90).save(content, "PNG")
    source.write_bytes(content.getvalue()[:200] + bytes(300) + content.getvalue()[500:])
    with pytest.raises(BadPicture, match=r"source\.png is damaged"):
        storage.make_thumbnail(source, tmp_path / "small.webp", 64)


def test_a_picture_beyond_the_bound_keeps_its_file_and_has_no_thumbnail(tmp_path):
    source = tmp_path / "huge.png"
    Image.new("1", (9000, 9000)).save(source)
    with pytest.raises(NoThumbnail, match="9000 by 9000 pixels"):
        storage.make_thumbnail(source, tmp_path / "small.webp", 64)
    assert storage.read_header(source.read_bytes()).width == 9000
    assert storage.decodes(source)


PROGRAM = """
import resource, sys
from pathlib import Path
from webapp import errors, storage
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    storage.make_thumbnail(Path(sys.argv[1]), Path(sys.argv[2]), 480)
except errors.NoThumbnail:
    pass
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize(
    ("kind", "mode", "edge", "options"),
    [
        ("PNG", "RGBA", 5500, {}),
        ("PNG", "P", 5500, {}),
        ("GIF", "P", 5500, {}),
        ("WEBP", "RGBA", 4100, {"method": 0}),
        ("AVIF", "RGB", 4800, {"speed": 10}),
        ("JPEG", "RGB", 16000, {}),
        ("JPEG", "RGB", 5800, {"progressive": True}),
    ],
)
@pytest.mark.proof
def test_the_largest_picture_that_is_drawn_takes_less_than_300_mb(tmp_path, kind, mode, edge, options):
    source = tmp_path / "large"
    Image.new(mode, (edge, edge)).save(source, kind, **options)
    command = [sys.executable, "-c", PROGRAM, source, tmp_path / "small.webp"]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(told.stdout) < 300
    assert (tmp_path / "small.webp").exists()


def test_a_thumbnail_is_made_once_however_many_ask(tmp_path, monkeypatch):
    made, all_asked = [], threading.Barrier(8)
    make = thumbnails.make_thumbnail

    def counted(*arguments):
        made.append(arguments)
        make(*arguments)

    monkeypatch.setattr(storage, "make_thumbnail", counted)
    source = tmp_path / "source.png"
    Image.new("RGB", (300, 200), RED).save(source)
    shelf = Thumbnails(tmp_path / "thumbnails")

    def ask(_):
        all_asked.wait(5)
        return shelf.get(IMAGE, source, 64)

    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(ask, range(8)))
    assert (len(made), len(paths)) == (1, 1)
    assert paths.pop().exists()
    assert shelf._making == {}
