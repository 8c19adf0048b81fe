"""Names of files that leave the shelf: by a template, valid on every system, and unique."""

import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.config import read_config
from webapp.errors import BadRequest
from webapp.file_names import (
    DEFAULT_TEMPLATE,
    DEVICE_NAMES,
    FIELDS,
    InvalidTemplate,
    Names,
    cut_at_word,
    file_name,
    parse_template,
)

VALUES = {
    "date": datetime(2026, 11, 3, 10, 20, 30, tzinfo=UTC),
    "prompt": "A red kite over the hills in the early morning light",
    "key": "CAMaJDNmNTQ4",
    "profile": "Ada",
    "project": "Wind and weather",
    "seed": 7,
    "sequence": 12,
}
texts = st.text(st.characters(), max_size=300)
values = st.fixed_dictionaries(
    {"sequence": st.integers(1, 10**6)},
    optional={field: texts for field in FIELDS if field not in ("date", "sequence")}
    | {"date": st.datetimes(datetime(1970, 1, 1), datetime(8999, 1, 1)), "seed": st.integers()},
)
parts = st.sampled_from(
    [
        *(f"{{{field}}}" for field in FIELDS),
        *("{prompt:40}", "{key:8}", "{sequence:4}", "{date:%Y/%m}", "{date:%H.%M}"),
        *("_", " ", "-", ".", "a", "CON", "x.jpg", "{{", "/", "/"),
    ]
)
templates = st.lists(parts, min_size=1, max_size=8).map("".join)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (DEFAULT_TEMPLATE, "2026-11-03_A red kite over the hills in the early_CAMaJDNm.jpg"),
        ("{project}/{date:%Y/%m}/{prompt:12}", "Wind and weather/2026/11/A red kite.jpg"),
        ("{collection}/{title}_{key}", "CAMaJDNmNTQ4.jpg"),
        ("{sequence:4} {seed} {{x}}", "0012 7 {x}.jpg"),
        ("{title}", "image.jpg"),
        ("{profile}.", "Ada.jpg"),
        ("{key:6} {prompt:6}", "CAMaJD A red.jpg"),
    ],
)
def test_a_template_names_a_file(template, expected):
    assert file_name(template, VALUES, ".JPG") == expected


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("com¹", "_com¹"),
        ("../../etc/passwd", "etc-passwd"),
        ("C:\\Windows", "C-Windows"),
        ("a kite: red? <yes> | 16:9", "a kite red yes - 16-9"),
        ("-rf ~", "rf ~"),
        (".hidden", "hidden"),
        ("ends with dots...  ", "ends with dots"),
        ("two\nlines\tand\x07a bell", "two lines and a bell"),
        ("gpj.\u202eetis", "gpj.etis"),
        ("cafe\u0301", "café"),
        ("猫" * 100, "猫" * 66),
        ("👩‍👩‍👧" * 20, "👩‍👩‍👧" * 11),
    ],
)
def test_a_name_can_be_used_on_every_system(prompt, expected):
    assert file_name("{prompt}", {"prompt": prompt}, ".png") == f"{expected}.png"


def test_a_key_is_cut_at_its_length_wherever_it_has_hyphens():
    assert file_name("{key:8}", {"key": "abcd-efg-hij"}, ".png") == "abcd-efg.png"


@pytest.mark.parametrize(
    ("text", "length", "expected"),
    [
        ("one two three", 8, "one two"),
        ("one two three", 7, "one two"),
        ("one-two three", 6, "one"),
        ("a extraordinarily", 8, "a extrao"),
        ("cafe\u0301s and", 4, "caf"),
    ],
)
def test_a_text_is_cut_between_words_and_never_inside_a_letter(text, length, expected):
    assert cut_at_word(text, length) == expected


@given(templates, values, st.sampled_from([".jpg", ".PNG", "", ".a/b", ".." * 9]))
def test_every_template_that_is_accepted_gives_a_safe_relative_path(template, values, suffix):
    try:
        parse_template(template)
    except InvalidTemplate:
        return
    path = file_name(template, values, suffix)
    for name in path.split("/"):
        assert name
        assert name == name.strip(" .")
        assert not name.startswith(("-", "."))
        assert not set(name) & set('<>:"\\|?*')
        assert not [letter for letter in name if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")]
        assert name.split(".")[0].strip().lower() not in DEVICE_NAMES
        assert len(name.encode()) < 215
        assert unicodedata.is_normalized("NFC", name)
    assert not any(folder.lower().endswith((".jpg", ".png", ".xmp")) for folder in path.split("/")[:-1])


@given(st.lists(st.sampled_from(["a.jpg", "A.JPG", "a-2.jpg", "ﬁ.jpg", "fi.jpg", "x/a.jpg", "X/a.jpg"])))
def test_no_name_is_given_out_twice_on_a_disk_that_ignores_case(paths):
    names = Names(["manifest.json"])
    given_out = [names.unique(path) for path in [*paths, "Manifest.json"]]
    folded = {unicodedata.normalize("NFKC", path).casefold() for path in [*given_out, "manifest.json"]}
    assert len(folded) == len(paths) + 2


def test_ten_thousand_equal_names_take_no_time_that_grows_with_them():
    names = Names()
    assert [names.unique("a.jpg") for _ in range(10_000)][-1] == "a-10000.jpg"


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{nope}", "there is no field {nope}"),
        ("{key.__class__}", "there is no field"),
        ("{}", "there is no field"),
        ("{key!r}", "“!r” is not known"),
        ("{prompt", "a brace is not closed"),
        ("}", "a brace is not closed"),
        ("{prompt:long}", "must have a length"),
        ("{prompt:{key}}", "must have a length"),
        ("{date:%c}", "a date takes"),
        ("{date:%}", "a date takes"),
        ("../{key}", "has no name"),
        ("/{key}", "has no name"),
        ("{key}/", "has no name"),
        ("{date:%Y//%m}", "has no name"),
        ("a\\{key}", "separated by /"),
        ("{key}\n", "no text"),
        ("a/" * 9 + "{key}", "at most 8 folders"),
        ("x" * 201, "at most 200 characters"),
    ],
)
def test_a_template_that_cannot_be_used_is_a_sentence(template, reason, tmp_path):
    with pytest.raises(InvalidTemplate, match=reason.replace("{", r"\{").replace("(", r"\(")):
        parse_template(template)
    if template.strip() == template:
        with pytest.raises(BadRequest, match="FLOWSHELF_FILE_NAMES"):
            read_config({"FLOWSHELF_FILE_NAMES": template}, data_dir=str(tmp_path))


@given(st.text(st.characters(), max_size=220))
def test_whatever_is_typed_as_a_template_is_used_or_refused(template):
    try:
        parse_template(template)
    except InvalidTemplate:
        return
    assert file_name(template, VALUES, ".jpg").endswith(".jpg")
