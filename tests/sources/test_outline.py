"""The outline of a response shows its structure and nothing of its content."""

import re

from hypothesis import given
from hypothesis import strategies as st

from webapp.sources.outline import KNOWN_FIELDS, MAX_ITEMS, outline, shown_error, shown_url

# Every text that an outline may contain besides known fields.
PLACEHOLDER = re.compile(
    r"|<text of \d+>|<id>|<number>|<nested deeper>|<\d+ more>|<field \d+>"
    r"|<URL>|<URL at lh3\.googleusercontent\.com>|<URL at \*\.google\.com>"
)
VOCABULARY = "<text of > <id> <number> <nested deeper> < more> <field > <URL at lh3.googleusercontent.com *>"
SECRETS = ("Kestrel9-Quoll", "SECRET_UPPER_WORD", "secretFieldName", "4711081512345", "ärger über Öl")
URLS = ("https://lh3.googleusercontent.com/a/kestrel", "https://kestrel-9.google.com/x", "http://[kestrel")
texts = st.text() | st.sampled_from((*SECRETS, *URLS, *KNOWN_FIELDS)) | st.uuids().map(str)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=60)


def texts_of(value):
    """All texts and keys inside a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for inner in value:
            yield from texts_of(inner)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from texts_of(inner)


def numbers_of(value):
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from numbers_of(inner)


@given(values)
def test_every_text_in_an_outline_is_a_placeholder_or_a_known_field(value):
    shown = outline(value)
    assert [
        text for text in texts_of(shown) if not PLACEHOLDER.fullmatch(text) and text not in KNOWN_FIELDS
    ] == []
    assert [number for number in numbers_of(shown) if type(number) is not int or abs(number) > 99] == []


def is_distinct(text: str) -> bool:
    """Whether a text cannot appear in an outline by chance, as a count or a part of our own words."""
    ours = " ".join((VOCABULARY, *KNOWN_FIELDS))
    return len(text) >= 4 and text not in ours and not re.fullmatch(r"[\d\s<>]+", text)


@given(values)
def test_no_text_of_four_characters_or_more_appears_in_the_outline(value):
    whole = "\n".join(texts_of(outline(value)))
    assert [text for text in texts_of(value) if is_distinct(text) and text in whole] == []


def test_types_counts_and_small_codes_remain():
    value = {"userWorkflows": [{"seed": 123456, "status": 3}, None, True], "own key": "a prompt", "name": ""}
    assert outline(value) == {
        "userWorkflows": [{"seed": "<number>", "status": 3}, None, True],
        "<field 1>": "<text of 8>",
        "name": "",
    }
    assert outline(list(range(50))) == [*range(MAX_ITEMS), "<10 more>"]


def test_only_the_known_parts_of_an_error_name_are_shown():
    assert shown_error("PUBLIC_ERROR_NOT_FOUND") == "PUBLIC_ERROR_NOT_FOUND"
    assert shown_error("PUBLIC_ERROR_KESTREL_DENIED") == "PUBLIC_ERROR_<word>_DENIED"
    assert shown_error("a kestrel") == "<word>"
    assert shown_error("") == ""


def test_only_google_hosts_of_urls_are_shown():
    assert shown_url("https://accounts.google.com/signin?x=1") == "<URL at accounts.google.com>"
    assert shown_url("https://kestrel.googleusercontent.com/x") == "<URL at *.googleusercontent.com>"
    assert shown_url("https://kestrel.example/x") == shown_url("https://[x") == "<URL>"
    assert shown_url("https://kestrelgoogle.com/") == "<URL>"
