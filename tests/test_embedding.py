"""The description of a picture inside its file: nothing is lost, nothing is doubled, the pixels stay."""

import json
import os
import shutil
import struct
import subprocess
import zlib
from datetime import UTC, datetime
from io import BytesIO
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from test_structure import PICTURES

from webapp.storage.embedding import Description, embed, sidecar
from webapp.storage.embedding.jpeg import MAX_XMP
from webapp.storage.structure import Kind, kind_of

FULL = Description(
    made_at=datetime(2026, 11, 3, 10, 20, 30, 123000, tzinfo=UTC),
    prompt="A red kite & <猫>\nover “the” hills 🪁",
    title="Kite",
    model="GEM_PIX_2",
    seed=42,
    project="Wind & weather",
    is_generated=True,
)
OTHER = Description(prompt="Something else", seed=7)
EMBEDDED = {name: content for name, content in PICTURES.items() if name[:3] in ("JPE", "PNG", "WEB")}
DESCRIBED = pytest.mark.parametrize("content", EMBEDDED.values(), ids=EMBEDDED)

# Every character, lone surrogates too.
texts = st.text(st.characters(), max_size=400)
descriptions = st.builds(
    Description,
    made_at=st.none() | st.datetimes(datetime(1, 1, 2), datetime(9998, 1, 1), timezones=st.just(UTC)),
    prompt=st.none() | texts | st.sampled_from(["&" * 20_000, "猫" * 20_000, "]]>" * 3000]),
    title=st.none() | texts,
    model=st.none() | texts,
    seed=st.none() | st.integers(-(2**63), 2**63),
    project=st.none() | texts,
    is_generated=st.booleans(),
)


def frames(content):
    """The pixels of every frame, with what else decides how they are shown."""
    with Image.open(BytesIO(content)) as picture:
        found = []
        for number in range(getattr(picture, "n_frames", 1)):
            picture.seek(number)
            found.append((picture.mode, picture.size, picture.info.get("duration"), picture.tobytes()))
        return found


def saved(picture, kind, **extras):
    """The picture in a file with EXIF, XMP or a colour profile of others."""
    if kind == "PNG" and (xmp := extras.pop("xmp", None)):
        extras["pnginfo"] = PngInfo()
        extras["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp)
    written = BytesIO()
    picture.save(written, kind, **extras)
    return written.getvalue()


@DESCRIBED
def test_a_picture_with_its_description_has_the_same_pixels(content):
    embedded = embed(content, FULL)
    assert embedded != content
    assert len(embedded) < len(content) + 6000
    assert frames(embedded) == frames(content)


@DESCRIBED
def test_what_is_inserted_twice_is_replaced(content):
    once = embed(content, FULL)
    assert embed(once, FULL) == once
    assert embed(embed(content, OTHER), FULL) == once
    assert b"Something else" not in embed(embed(content, OTHER), FULL)


@given(st.sampled_from(list(EMBEDDED.values())), descriptions)
def test_any_text_leaves_a_whole_picture_with_the_same_pixels(content, description):
    embedded = embed(content, description)
    assert frames(embedded) == frames(content)
    assert embed(embedded, description) == embedded
    ElementTree.fromstring(xmp_of(embedded))


@given(
    st.sampled_from(list(EMBEDDED)),
    st.binary(min_size=1, max_size=300),
    st.sampled_from(["exif", "icc_profile", "xmp"]),
    descriptions,
)
def test_what_others_have_written_is_not_lost(name, foreign, place, description):
    kind = name.split("-")[0]
    value = b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0" + foreign if place == "exif" else foreign
    if place == "xmp":
        value = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>" + foreign.hex().encode() + b"</x:xmpmeta>"
    with Image.open(BytesIO(EMBEDDED[name])) as picture:
        content = saved(picture.convert("RGB"), kind, **{place: value})
    embedded = embed(content, description)
    assert frames(embedded) == frames(content)
    with Image.open(BytesIO(embedded)) as after, Image.open(BytesIO(content)) as before:
        assert value.removeprefix(b"Exif\0\0") in (before.info.get(place) or value)
        assert after.info.get(place) == before.info.get(place)


XMP_OF_OTHERS = """<?xpacket begin="" id="x"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF
 xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><r:Description r:about="uuid:1"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="5">
 <dc:description><r:Alt><r:li xml:lang="x-default">theirs</r:li></r:Alt></dc:description></r:Description>
 </r:RDF></x:xmpmeta><?xpacket end="w"?>"""


def with_xmp(kind, xmp=XMP_OF_OTHERS):
    return saved(Image.new("RGB", (30, 20), "teal"), kind, xmp=xmp.encode())


def xmp_of(content):
    with Image.open(BytesIO(content)) as picture:
        return picture.info["xmp"].decode()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_xmp_of_others_keeps_its_properties_and_gets_the_missing_ones(kind):
    embedded = embed(with_xmp(kind), FULL)
    xmp = xmp_of(embedded)
    assert xmp.count("<x:xmpmeta") == 1
    assert 'xmp:Rating="5"' in xmp
    assert xmp.count("<dc:description>") == 1
    assert ">theirs<" in xmp
    assert "<flowshelf:Seed>42</flowshelf:Seed>" in xmp
    assert xmp.count("about='uuid:1'") + xmp.count('about="uuid:1"') == 2
    assert embed(embedded, FULL) == embedded
    assert frames(embedded) == frames(with_xmp(kind))


@pytest.mark.parametrize(
    "xmp",
    [
        "no XML at all </rdf:RDF>",
        '<!DOCTYPE a [<!ENTITY b "bb">]>' + XMP_OF_OTHERS,
        XMP_OF_OTHERS.replace("</r:Description>", ""),
        XMP_OF_OTHERS.replace("theirs", "x" * (MAX_XMP - len(XMP_OF_OTHERS))),
    ],
    ids=["no XML", "a document type", "not closed", "no room"],
)
def test_xmp_that_cannot_be_extended_stays_as_it_is(xmp):
    assert xmp_of(embed(with_xmp("JPEG", xmp), FULL)) == xmp


def segment(marker, content):
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def test_c2pa_and_a_colour_profile_of_a_jpeg_stay_byte_for_byte():
    plain = next(content for name, content in EMBEDDED.items() if name.startswith("JPEG"))
    c2pa, profile = segment(0xEB, b"JP\0\1c2pa manifest"), segment(0xE2, b"ICC_PROFILE\0\1\1...")
    content = plain[:2] + c2pa + profile + plain[2:]
    embedded = embed(content, FULL)
    assert embedded.index(c2pa) < embedded.index(profile)
    assert embedded.endswith(plain[-400:])


def test_c2pa_of_a_png_and_a_webp_stays_byte_for_byte():
    png = next(content for name, content in EMBEDDED.items() if name.startswith("PNG"))
    chunk = struct.pack(">I", 4) + b"caBXc2pa" + struct.pack(">I", zlib.crc32(b"caBXc2pa"))
    assert chunk in embed(png[:33] + chunk + png[33:], FULL)
    webp = embed(next(content for name, content in EMBEDDED.items() if name.startswith("WEBP")), OTHER)
    chunk = b"C2PA" + struct.pack("<I", 5) + b"odd!!\0"
    body = webp[8:] + chunk
    embedded = embed(b"RIFF" + struct.pack("<I", len(body)) + body, FULL)
    assert chunk in embedded
    assert embed(embedded, FULL) == embedded


def test_a_photo_of_several_pictures_keeps_all_of_them():
    """Their places are counted from a segment that must not move against what follows it."""
    written = BytesIO()
    first, second = (Image.effect_noise((40, 30), spread).convert("RGB") for spread in (30, 90))
    first.save(written, "MPO", save_all=True, append_images=[second])
    embedded = embed(written.getvalue(), FULL)
    assert embedded != written.getvalue()
    assert frames(embedded) == frames(written.getvalue())


def test_an_exif_block_that_another_program_extended_is_not_ours_any_more():
    content = embed(with_xmp("PNG"), FULL)
    written = BytesIO()
    with Image.open(BytesIO(content)) as picture:
        exif = picture.getexif()
        exif[0x0131] = "GIMP"
        picture.save(written, "PNG", exif=exif)
    with Image.open(BytesIO(embed(written.getvalue(), OTHER))) as picture:
        assert picture.getexif()[0x0131] == "GIMP"


@given(st.sampled_from(list(PICTURES.values())), st.data())
def test_a_damaged_picture_raises_nothing_and_is_never_cut(content, data):
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    assert len(embed(bytes(damaged), FULL)) >= len(damaged)
    cut = content[: data.draw(st.integers(0, len(content) - 1))]
    assert embed(cut, FULL) == cut or kind_of(content) is Kind.AVIF


@pytest.mark.parametrize("kind", ["GIF", "AVIF"])
def test_a_format_without_a_place_for_it_stays_as_it_is(kind):
    content = next(content for name, content in PICTURES.items() if name.startswith(kind))
    assert embed(content, FULL) == content


# What other programs read


@pytest.fixture(scope="module")
def read_back():
    """What a program says of a file. Without the program the test is skipped, or fails in CI."""

    def run(*command):
        if not shutil.which(command[0]):
            missing = (
                f"no {command[0]} here (Debian: apt-get install libimage-exiftool-perl exiv2 imagemagick)"
            )
            (pytest.fail if os.environ.get("FLOWSHELF_REQUIRE_BROWSER") else pytest.skip)(missing)
        done = subprocess.run([str(part) for part in command], capture_output=True, check=False)
        return done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")

    return run


# Without the one that has an EXIF block of others, which is no EXIF.
@pytest.fixture(params=sorted(set(EMBEDDED) - {"JPEG-RGB-3"}))
def file(request, tmp_path):
    path = tmp_path / f"picture.{request.param.split('-')[0].lower()}"
    path.write_bytes(embed(EMBEDDED[request.param], FULL))
    return path


def exiftool(read_back, path):
    out, _ = read_back("exiftool", "-json", "-G1", "-struct", "-charset", "iptc=utf8", path)
    return json.loads(out)[0]


@pytest.mark.proof
def test_exiftool_reads_every_field(read_back, file):
    found = exiftool(read_back, file)
    assert found["XMP-dc:Description"] == FULL.prompt
    assert found["XMP-dc:Title"] == "Kite"
    assert found["XMP-xmp:CreateDate"] == "2026:11:03 10:20:30.123Z"
    assert found["XMP-photoshop:DateCreated"] == "2026:11:03 10:20:30.123Z"
    assert found["XMP-iptcExt:DigitalSourceType"].endswith("trainedAlgorithmicMedia")
    assert str(found["XMP-flowshelf:Seed"]) == "42"
    assert found["XMP-flowshelf:Model"] == "GEM_PIX_2"
    assert found["XMP-flowshelf:Project"] == "Wind & weather"
    assert found["IFD0:ImageDescription"] == FULL.prompt
    assert found["ExifIFD:DateTimeOriginal"] == "2026:11:03 10:20:30"
    assert found["ExifIFD:OffsetTimeOriginal"] == "+00:00"
    assert found["ExifIFD:UserComment"] == "Model: GEM_PIX_2; Seed: 42; Project: Wind & weather"
    assert "ExifTool:Warning" not in found
    if file.suffix == ".jpeg":
        assert found["IPTC:Caption-Abstract"] == FULL.prompt
        assert found["IPTC:ObjectName"] == "Kite"
        assert (found["IPTC:DateCreated"], found["IPTC:TimeCreated"]) == ("2026:11:03", "10:20:30+00:00")
    if file.suffix == ".png":
        assert (found["PNG:Title"], found["PNG:Description"]) == ("Kite", FULL.prompt)
        assert found["PNG:CreationTime"].startswith("2026:11:03 10:20:30")


@pytest.mark.proof
def test_exiv2_and_imagemagick_read_it_and_complain_about_nothing(read_back, file):
    assert "猫" in read_back("exiv2", "-pX", file)[0]
    out, err = read_back("exiv2", "-pa", file)
    assert "Xmp.dc.description" in out
    assert "Exif.Photo.DateTimeOriginal" in out
    assert err == ""
    out, err = read_back("identify", "-verbose", file)
    assert "date:create" in out
    # ImageMagick 6 says so of any WebP with XMP, also of Pillow's.
    assert err == "" or (file.suffix == ".webp" and err.count("CorruptImageProfile") == 1)


@pytest.mark.proof
def test_exiftool_reads_a_sidecar(read_back, tmp_path):
    path = tmp_path / "picture.jpg.xmp"
    path.write_bytes(sidecar(FULL))
    found = exiftool(read_back, path)
    assert found["XMP-dc:Description"] == FULL.prompt
    assert found["XMP-photoshop:DateCreated"] == "2026:11:03 10:20:30.123Z"
