"""What the records of a project mean, read without a network."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp import times
from webapp.sources import KIND_GENERATED, KIND_UPLOADED, RemoteProject
from webapp.sources.fields import UnknownShape
from webapp.sources.flow_google.media import page_of, read_media
from webapp.sources.flow_google.moments import moment
from webapp.sources.flow_google.projects import read_listing

HOSTS = frozenset({"lh3.googleusercontent.com"})
PROJECT = RemoteProject("p-1", "Kites", "2026-09-12T00:00:00.000000Z")
SMALL, LARGE = "https://lh3.googleusercontent.com/small", "https://lh3.googleusercontent.com/large"


def record(
    asset_id="a-1",
    card_id="c-1",
    version="CAE",
    *,
    made=(1789219778, 452366000),
    prompt="a red kite",
    state=3,
):
    asked = [None, None, [[prompt]]] if prompt else None
    details = [
        list(made),
        None,
        None,
        None,
        None,
        SMALL,
        asked,
        None,
        [state],
        None,
        LARGE,
        None,
        None,
        91234,
    ]
    return [asset_id, "p-1", card_id, version, None, details, [1376, 768]]


def descriptor(card_id="c-1", asset_id="a-1", title="Red kite", archived=None):
    return [
        card_id,
        None,
        None,
        [title, [1789219778, 0], archived, None, asset_id, None, [1789219799, 0]],
        "p-1",
    ]


def page(records, descriptors=None):
    payload = json.dumps([None, descriptors, records, {"more": [1]}])
    return page_of(PROJECT, read_media(payload, PROJECT, HOSTS), [], None)


def test_a_generated_image_has_what_record_and_descriptor_say():
    image = page([record()], [descriptor(archived=True)]).images[0]
    assert (image.name, image.media_key, image.workflow_id) == ("a-1", "a-1", "c-1")
    assert image.created_at == "2026-09-12T13:29:38.452366Z"
    assert (image.kind, image.prompt, image.model_name) == (KIND_GENERATED, "a red kite", None)
    assert (image.title, image.version, image.is_archived) == ("Red kite", "original", True)
    assert (image.project_id, image.fife_url) == ("p-1", LARGE)


def test_an_image_without_a_prompt_was_uploaded():
    image = page([record(prompt=None, version=None)], [descriptor()]).images[0]
    assert (image.kind, image.prompt, image.version, image.is_archived) == (KIND_UPLOADED, None, None, False)


def test_versions_share_a_card_and_its_title():
    upsampled = record("a-1_upsampled", version="CAI", made=(1789219900, 0))
    images = page([record(), upsampled], [descriptor()]).images
    assert [(image.name, image.version) for image in images] == [
        ("a-1_upsampled", "derived"),
        ("a-1", "original"),
    ]
    assert {(image.workflow_id, image.title) for image in images} == {("c-1", "Red kite")}


def test_a_record_without_a_descriptor_is_an_image_all_the_same():
    image = page([record()]).images[0]
    assert (image.title, image.is_archived, image.version) == (None, None, "original")


def test_a_record_without_a_card_has_one_of_its_own():
    assert page([record(card_id=None)]).images[0].workflow_id == "a-1"


def video_by_slots():
    return [*record("v"), ["VIDEO"]]


def video_by_model():
    whole = record("v")
    whole[5][6][1] = [["veo_3_1"]]
    return whole


def video_by_url():
    whole = record("v")
    whole[5][10] = "https://flow-content.google/video/v?Expires=1"
    return whole


@pytest.mark.parametrize("video", [video_by_slots(), video_by_model(), video_by_url()])
def test_a_video_is_counted_and_its_name_kept(video):
    found = page([record(), video])
    assert [image.name for image in found.images] == ["a-1"]
    assert (found.names, found.entry_count, found.ignored_count) == (("p-1", "a-1", "v"), 3, 1)


@pytest.mark.parametrize("state", [2, 4, 6, None, "3"])
def test_what_is_not_done_is_counted(state):
    assert page([record(state=state)]).ignored_count == 1


@pytest.mark.parametrize(
    "odd", [None, 7, "x", {}, [], [7], ["a-2"], ["a-2", "p", "c", "CAE", None, "x"], record(7), record("")]
)
def test_a_record_of_other_types_is_counted_beside_one_that_is_known(odd):
    found = page([record(), odd])
    assert (len(found.images), found.entry_count, found.ignored_count) == (1, 3, 1)


@pytest.mark.parametrize("odd", [None, 7, [], ["a-2"]])
def test_when_no_record_at_all_is_known_the_format_has_changed(odd):
    with pytest.raises(UnknownShape, match="none of the records"):
        page([odd, odd])


def test_images_stand_newest_first_and_those_without_a_time_take_the_cards():
    timeless = record("a-3", "c-3", made=())
    images = page(
        [record(), timeless, record("a-2", made=(1789219999, 0))], [descriptor("c-3", "a-3")]
    ).images
    assert [image.name for image in images] == ["a-2", "a-1", "a-3"]
    assert images[2].created_at == "2026-09-12T13:29:38.000000Z"


def test_a_picture_may_fall_back_on_the_time_of_its_project_or_have_none():
    assert page([record(made=())]).images[0].created_at == PROJECT.listed_at
    timeless = RemoteProject("p-1", "", None)
    contents = read_media(json.dumps([None, None, [record(), record("a-2", made=())]]), timeless, HOSTS)
    images = page_of(timeless, contents, [], None).images
    assert [(image.name, image.created_at is None) for image in images] == [("a-2", True), ("a-1", False)]


def test_a_preview_on_another_host_is_left_out_and_the_smaller_one_does_if_need_be():
    small_only, foreign = record(), record()
    small_only[5][10] = None
    foreign[5][10] = foreign[5][5] = "https://evil.example/x"
    assert page([small_only]).images[0].fife_url == SMALL
    assert page([foreign]).images[0].fife_url is None


def test_fields_are_bounded_and_fit_a_database():
    odd = record(asset_id="a" * 1001)
    assert page([record(), odd, record("a\x00b"), record("\ud800")]).ignored_count == 3
    image = page([record("x/../y z", prompt="p" * 30_000 + "\x00")], [descriptor(title="t" * 999)]).images[0]
    assert (image.name, len(image.prompt)) == ("x/../yz", 20_000)
    assert page([record()], [descriptor(title="t" * 999)]).images[0].title == "t" * 300


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ([1789219778, 452366000], "2026-09-12T13:29:38.452366Z"),
        ([1789219778], "2026-09-12T13:29:38.000000Z"),
        (["1789219778", "5000"], "2026-09-12T13:29:38.000005Z"),
        ([1789219778, None], "2026-09-12T13:29:38.000000Z"),
        ([0, 0], None),
        ([-5, 0], None),
        ([1789219778, -1], None),
        ([1789219778, 10**9], None),
        ([10**14, 0], None),
        ([999_999_999_999, 0], None),
        ([True, 0], None),
        ([1.5, 0], None),
        ([float("nan"), 0], None),
        ("1789219778", None),
        ([], None),
        (None, None),
    ],
)
def test_times_become_one_form(said, read):
    assert moment(said) == read
    assert read is None or times.timestamp(times.parsed(read)) == read


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["CAE", "a-1", SMALL]),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=30,
)


@given(JSON, st.lists(JSON, max_size=4), st.lists(JSON, max_size=9))
def test_whatever_a_project_holds_it_is_a_page_or_an_unknown_shape(payload, records, details):
    bent = record()
    bent[5][: len(details)] = details
    for whole in (
        payload,
        [None, records, [record(), *records]],
        [None, [descriptor(), *records], [record(), bent]],
    ):
        try:
            contents = read_media(json.dumps(whole), PROJECT, HOSTS)
        except UnknownShape:
            continue
        found = page_of(PROJECT, contents, ["p-0"], None)
        assert found.entry_count == 2 + len(found.images) + found.ignored_count
        assert {image.name for image in found.images} <= set(found.names)
        assert all(image.created_at for image in found.images)


@given(JSON)
def test_whatever_a_listing_holds_it_is_one_or_an_unknown_shape(document):
    try:
        listing = read_listing(document, None)
    except UnknownShape:
        return
    assert all(project.id for project in listing.projects)
