"""Where a picture ends: every format and mode, what is appended to it, and cuts anywhere."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from webapp.storage.structure import Kind, Malformed, Unfinished, end_of, kind_of, name_of

VARIANTS = [
    ("JPEG", "RGB", {}),
    ("JPEG", "L", {"progressive": True}),
    ("JPEG", "CMYK", {"optimize": True}),
    ("JPEG", "RGB", {"exif": b"Exif\0\0" + b"\xff\xd9" * 200}),
    ("PNG", "RGBA", {}),
    ("PNG", "I;16", {}),
    ("PNG", "P", {"save_all": True}),
    ("GIF", "P", {}),
    ("GIF", "P", {"save_all": True}),
    ("WEBP", "RGB", {}),
    ("WEBP", "RGBA", {"lossless": True}),
    ("WEBP", "RGB", {"save_all": True}),
    ("AVIF", "RGB", {}),
    ("AVIF", "RGBA", {"save_all": True}),
]


def picture(kind, mode, options):
    noise = Image.effect_noise((61, 47), 90)
    image = noise if mode == "I;16" else noise.convert("RGB")
    frames = [image.convert(mode).rotate(90, expand=False)] if options.get("save_all") else []
    written = BytesIO()
    image.convert(mode).save(written, kind, **options, **({"append_images": frames} if frames else {}))
    return written.getvalue()


PICTURES = {
    f"{kind}-{mode}-{number}": picture(kind, mode, options)
    for number, (kind, mode, options) in enumerate(VARIANTS)
}
WHOLE = pytest.mark.parametrize("content", PICTURES.values(), ids=PICTURES)


def read(content):
    """What an outsider learns: the kind and the end, or that there is none."""
    kind = kind_of(content)
    try:
        return kind and (kind, end_of(kind, content))
    except (Unfinished, Malformed):
        return None


@WHOLE
def test_a_whole_picture_ends_where_its_bytes_end(content):
    assert read(content)[1] == len(content)


@WHOLE
@pytest.mark.parametrize("trailer", [b"\0", b"\n" * 40, b"\xff\xd8\xff\xe0 a frame", b"MotionPhoto" * 9])
def test_what_follows_a_whole_picture_is_no_fault(content, trailer):
    kind, end = read(content + trailer)
    assert content[:end] == content[: len(content)] or kind is Kind.AVIF


@WHOLE
@given(st.data())
def test_a_picture_that_is_cut_anywhere_is_never_whole(content, data):
    assert read(content[: data.draw(st.integers(0, len(content) - 1))]) is None


@given(st.sampled_from(list(PICTURES.values())), st.data())
def test_whatever_is_changed_in_a_picture_nothing_but_our_own_errors_comes(content, data):
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    read(bytes(damaged))


@given(st.binary(max_size=300), st.sampled_from([content[:16] for content in PICTURES.values()]))
def test_whatever_follows_the_first_bytes_nothing_but_our_own_errors_comes(content, start):
    read(start + content)
    name_of(start + content)


def test_a_photo_of_two_frames_is_its_first_one():
    written = BytesIO()
    first, second = (Image.effect_noise((40, 30), spread).convert("RGB") for spread in (30, 90))
    first.save(written, "MPO", save_all=True, append_images=[second])
    kind, end = read(written.getvalue())
    assert kind is Kind.JPEG
    assert Image.open(BytesIO(written.getvalue()[:end])).size == (40, 30)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"II*\0" + bytes(40), "TIFF file"),
        (b"BM" + bytes(40), "BMP file"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC file"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "MP4 or QuickTime file"),
        (b"<!doctype html><p>Sign in", "web page or text"),
        (b"\x01\x02\x03", "file of an unknown kind"),
    ],
)
def test_what_is_not_kept_has_a_name(content, name):
    assert kind_of(content) is None
    assert name_of(content) == name


def test_an_avif_may_hold_its_bytes_inside_of_its_description():
    def box(name, content):
        return (8 + len(content)).to_bytes(4, "big") + name + content

    content = box(b"ftyp", b"avif\0\0\0\0avifmif1") + box(b"meta", bytes(4) + box(b"idat", b"pixels"))
    assert read(content) == (Kind.AVIF, len(content))
    assert read(content[:-1]) is None
