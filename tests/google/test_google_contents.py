"""Reading the contents of a project, without a network: unreadable parts lose as little as possible."""

import json
from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp import times
from webapp.sources import KIND_GENERATED, KIND_UPLOADED, Reading, Reason, RemoteProject
from webapp.sources.fields import UnknownShape
from webapp.sources.flow_google.contents import history_page_of, read_contents
from webapp.sources.flow_google.images import is_video, original_url
from webapp.sources.flow_google.projects import read_listing_page
from webapp.sources.flow_google.records import asset_id_of
from webapp.sources.flow_google.timestamps import timestamp_of

HOSTS = frozenset({"lh3.googleusercontent.com"})
PROJECT = RemoteProject("p-1", "Kites", "2026-09-12T00:00:00.000000Z")
SMALL, LARGE = "https://lh3.googleusercontent.com/small", "https://lh3.googleusercontent.com/large"
_UNSET = object()


def record(asset_id="a-1", card_id="c-1", version="CAE", **changed):
    """A generated image of the recorded shape; `changed` replaces values of its details and its arm."""
    given = {
        "made": [1789219778, 452366000],
        "status": None,
        "prompt": "a red kite",
        "asked": _UNSET,
        **changed,
    }
    shown = given["prompt"] if given["asked"] is _UNSET else given["asked"]
    asked = [None, None, [[shown, None, [[[given["prompt"]]]]]], [], 1]
    details = [given["made"], None, None, None, None, SMALL, asked, None, given["status"], 1, LARGE]
    details += [None, None, 91234]
    generated = [
        None,
        given.get("seed", 7),
        *[None] * 5,
        given["prompt"],
        given.get("model", 25),
        "",
        None,
    ]
    generated += [card_id, None, LARGE, given.get("aspect", 3)]
    return [
        asset_id,
        "p-1",
        card_id,
        version,
        None,
        details,
        [generated, None, given.get("size", [1376, 768])],
    ]


def upload(asset_id="u-1", card_id="c-9", caption="a kite on a beach"):
    details = [[1789219756, 0], caption, None, None, None, SMALL, [None, None, None, None, 1], None, None, 1]
    details += [LARGE, None, caption, 122239]
    return [asset_id, "p-1", card_id, None, None, details, [None, [None, None, None, LARGE, 0], [1280, 720]]]


def video(asset_id="v-1", status=(3,)):
    details = [*record()[5][:8], list(status), 1, LARGE, None, None, 1562785]
    return [
        asset_id,
        "p-1",
        "c-5",
        "CAE",
        None,
        details,
        None,
        [[None, 56685], [None, None, [8]], [asset_id]],
    ]


def descriptor(card_id="c-1", asset_id="a-1", title="Red kite", archived=None):
    about = [title, [1789219778, 0], archived, None, asset_id, None, [1789219799, 0]]
    return [card_id, None, None, about, "p-1"]


def ingredient(inner, name="A reference", kind=1):
    return [inner[0] if inner and isinstance(inner, list) else "i-1", kind, name, inner]


def read(records, descriptors=None, ingredients=None):
    payload = json.dumps([None, descriptors, records, ingredients, None, None, None, [None, 1]])
    return read_contents(payload, PROJECT, HOSTS)


def page(*parts):
    return history_page_of(PROJECT, read(*parts), [], None)


def only(*parts):
    (image,) = page(*parts).images
    return image


def test_an_image_with_a_model_or_a_prompt_is_generated():
    assert (only([record()]).kind, only([record()]).prompt) == (KIND_GENERATED, "a red kite")
    silent = record(prompt=None)
    assert (only([silent]).kind, only([silent]).prompt) == (KIND_GENERATED, None)


def test_the_prompt_may_be_in_the_arm_only():
    assert only([record(asked=None)]).prompt == "a red kite"


def test_captions_of_uploads_are_no_prompts():
    image = only([upload()])
    assert (image.kind, image.prompt, image.model_name) == (KIND_UPLOADED, None, None)
    assert (image.title, image.caption) == (None, "a kite on a beach")
    assert only([upload(caption=None)]).caption is None


def test_versions_share_a_card_and_its_title():
    upsampled = record("a-1_upsampled", version="CAI", made=[1789219900, 0])
    images = page([record(), upsampled], [descriptor()]).images
    assert [(image.name, image.version) for image in images] == [
        ("a-1_upsampled", "derived"),
        ("a-1", "original"),
    ]
    assert {(image.workflow_id, image.title) for image in images} == {("c-1", "Red kite")}


@pytest.mark.parametrize(("marker", "version"), [(None, None), ("CAX", None), (7, None), ("CAI", "derived")])
def test_a_version_is_read_from_its_marker(marker, version):
    assert only([record(version=marker)]).version == version


@pytest.mark.parametrize(
    ("number", "model"),
    [(25, "GEM_PIX_2"), (39, "BELUGA_THINKING_HIGH"), (47, "47"), (0, None), (None, None), ("x", None)],
)
def test_a_model_number_becomes_a_code_and_an_unknown_number_stays(number, model):
    assert only([record(model=number)]).model_name == model


@pytest.mark.parametrize(
    ("aspect", "size", "shape"),
    [
        (1, [1376, 768], "IMAGE_ASPECT_RATIO_SQUARE"),
        (None, [1376, 768], "IMAGE_ASPECT_RATIO_LANDSCAPE"),
        (9, [768, 1376], "IMAGE_ASPECT_RATIO_PORTRAIT"),
        (None, [1000, 769], "IMAGE_ASPECT_RATIO_LANDSCAPE_FOUR_THREE"),
        (None, [1000, 700], None),
        (None, [0, 768], None),
        (None, None, None),
    ],
)
def test_an_aspect_ratio_is_read_or_the_nearest_within_three_percent(aspect, size, shape):
    assert only([record(aspect=aspect, size=size)]).aspect_ratio == shape


@pytest.mark.parametrize("size", [None, [], [1376], [1376, "768"], [1376.5, 768], [-1, 5], [True, 5], "x"])
def test_a_malformed_size_is_ignored(size):
    image = only([record(size=size)])
    assert (image.width, image.height) == (None, None)


def test_a_record_without_a_descriptor_has_no_title():
    image = only([record(card_id=None)])
    assert (image.title, image.is_archived, image.workflow_id) == (None, None, "a-1")


@pytest.mark.parametrize(
    ("value", "archived"), [(True, True), (False, False), (None, False), (1, None), ([], None)]
)
def test_the_descriptor_says_whether_an_image_is_archived(value, archived):
    assert only([record()], [descriptor(archived=value)]).is_archived is archived


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (video(), Reason.VIDEO),
        (video(status=(2,)), Reason.VIDEO),
        ([*record()[:6], None, None, None, None, [["Achernar"]]], Reason.SOUND),
        (record(status=[2]), Reason.NOT_READY),
        (record(status=[6]), Reason.NOT_READY),
        (record(status=[4]), Reason.FAILED),
        (record(status=[9]), Reason.UNRECOGNISED),
        (record(status="3"), Reason.UNRECOGNISED),
        ([*record()[:6], None, None, [["new"]]], Reason.UNRECOGNISED),
        ([*record()[:6]], Reason.UNRECOGNISED),
        (record(asset_id=7), Reason.UNRECOGNISED),
        ({"a": 1}, Reason.UNRECOGNISED),
        (None, Reason.UNRECOGNISED),
    ],
)
def test_ignored_records_are_counted_by_reason_and_named(damaged, reason):
    found = page([record("other"), damaged])
    assert ([image.name for image in found.images], found.ignored) == (["other"], {reason: 1})
    name = damaged[0] if isinstance(damaged, list) else None
    assert not isinstance(name, str) or name in found.names
    assert found.entry_count == 3


@pytest.mark.parametrize("status", [None, [], [3], [None]])
def test_an_image_without_a_status_or_with_three_is_ready(status):
    found = page([record(status=status)])
    assert len(found.images) == (status != [None])


def test_the_length_of_a_record_does_not_matter():
    assert [image.name for image in page([[*record(), None, None, None, None, None, 5]]).images] == ["a-1"]


def test_unreadable_details_do_not_lose_the_image():
    bare = record()
    bare[5] = "no details"
    image = only([bare], [descriptor()])
    assert (image.created_at, image.fife_url) == ("2026-09-12T13:29:38.000000Z", None)
    assert image.prompt == "a red kite"


@pytest.mark.parametrize(
    ("records", "reading"),
    [
        ([record(), upload(), video()], Reading.READ),
        ([record(status=[2])], Reading.READ),
        ([record(), {"odd": 1}], Reading.PARTLY),
        ([{"odd": 1}, 7], Reading.UNRECOGNISED),
        ([], Reading.EMPTY),
        (None, Reading.EMPTY),
    ],
)
def test_the_reading_says_how_much_was_recognised(records, reading):
    assert read(records).reading is reading


def test_unrecognised_records_are_counted_by_kind_and_outlined_without_content():
    secret = "9b2d3c1e-5a6f-4c7d-8e9f-0a1b2c3d4e5f"
    odd = [secret, None, None, None, None, ["my secret prompt"], None, None, None, ["arm nine"]]
    contents = read([record(), odd, [*odd], record("b", status=[8]), None])
    assert contents.unknown == {"arm 9": 2, "status 8": 1, "record of type NoneType": 1}
    assert '"arm 9": 2' in contents.sample
    assert not [text for text in (secret, "secret prompt", "arm nine") if text in contents.sample]


def test_an_unknown_slot_is_counted_and_does_not_lose_the_image():
    contents = read([[*record(), None, None, None, None, None, 5]])
    assert (contents.unknown, contents.reading, contents.sample) == ({"slot 12": 1}, Reading.READ, "")


def test_an_ingredient_belongs_to_the_project_that_its_record_names():
    inner = upload("a-90", "c-90")
    inner[1] = "another-project"
    image = only([], None, [ingredient(inner, "Car logo")])
    assert (image.project_id, image.title, image.is_archived) == ("another-project", "Car logo", None)
    assert image.is_ingredient


def test_an_ingredient_with_a_record_in_the_project_is_one_image():
    images = page([record()], [descriptor()], [ingredient(record(), "As a reference")]).images
    assert [(image.name, image.title, image.is_ingredient) for image in images] == [
        ("a-1", "Red kite", False)
    ]


@pytest.mark.parametrize(
    ("odd", "ignored"),
    [
        (ingredient(["achernar", *[None] * 9, [["Achernar"]]], kind=3), {Reason.SOUND: 1}),
        (ingredient(None, kind=3), {Reason.SOUND: 1}),
        (ingredient(video(), kind=2), {Reason.VIDEO: 1}),
        (ingredient(record("x"), kind=8), {}),
        (ingredient({"new": 1}, kind=8), {Reason.UNRECOGNISED: 1}),
        ("no ingredient", {Reason.UNRECOGNISED: 1}),
        (None, {Reason.UNRECOGNISED: 1}),
    ],
)
def test_an_ingredient_is_ignored_by_the_reason_of_its_record(odd, ignored):
    assert page([record()], None, [odd]).ignored == ignored


def test_a_project_with_ingredients_only_is_empty():
    assert read([], None, [ingredient(upload())]).reading is Reading.EMPTY


def test_images_are_sorted_newest_first_and_may_take_the_time_of_the_card():
    timeless = record("a-3", "c-3", made=None)
    images = page(
        [record(), timeless, record("a-2", made=[1789219999, 0])], [descriptor("c-3", "a-3")]
    ).images
    assert [image.name for image in images] == ["a-2", "a-1", "a-3"]
    assert images[2].created_at == "2026-09-12T13:29:38.000000Z"
    assert only([record(made="x")]).created_at == PROJECT.made_at


def test_the_larger_preview_on_an_allowed_host_is_used():
    small_only, foreign = record(), record()
    small_only[5][10] = None
    foreign[5][10] = foreign[5][5] = "https://evil.example/x"
    assert only([record()]).fife_url == LARGE
    assert only([small_only]).fife_url == SMALL
    assert only([foreign]).fife_url is None


def test_fields_are_bounded_and_fit_a_database():
    for asset_id in ("a" * 1001, "a\x00b", "\ud800", ""):
        assert page([record(), record(asset_id)]).ignored == {Reason.UNRECOGNISED: 1}
    odd = record("x/../y z", prompt="p" * 30_000 + "\x00", seed=2**63)
    image = only([odd], [descriptor(asset_id="x/../y z", title="t" * 999)])
    assert (image.name, len(image.prompt), image.seed, image.title) == ("x/../yz", 20_000, None, "t" * 300)


def test_the_original_url_ends_in_the_id_or_is_at_its_path():
    original = "https://lh3.googleusercontent.com/image/a-1?Expires=1&Signature=x"
    elsewhere = "https://lh3.googleusercontent.com/image/another?Expires=1"
    named, placed = record(), record()
    named[5][10], named[6][0][13] = original, elsewhere
    placed[6][0][13] = elsewhere
    assert original_url(named, "a-1", HOSTS) == original
    assert original_url(placed, "a-1", HOSTS) == elsewhere
    assert original_url(placed, "a-2", HOSTS) is None, "the record is that of another image"


@pytest.mark.parametrize(
    "copy", ["https://lh3.googleusercontent.com/asb/a-1", f"{LARGE}=s0", f"{LARGE}=w512-h9"]
)
def test_a_reencoded_copy_is_no_original(copy):
    whole = record()
    whole[6][0][13] = whole[5][10] = copy
    assert original_url(whole, "a-1", HOSTS) is None


def test_a_video_is_recognised_by_its_arm_or_its_url():
    assert is_video(video(), asset_id_of(video()))
    assert is_video([["x", "https://flow-content.google/video/v?Expires=1"]], "v")
    assert not is_video(record(), asset_id_of(record()))
    assert not is_video(video(), "another")


@pytest.mark.parametrize(
    ("value", "read"),
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
def test_timestamps_are_read(value, read):
    assert timestamp_of(value) == read
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


@st.composite
def damaged_records(draw):
    """A record of a recorded shape with one value replaced."""
    whole = deepcopy(draw(st.sampled_from([record(), upload(), video()])))
    at = whole
    for _ in range(draw(st.integers(1, 4))):
        inner = at[draw(st.integers(0, len(at) - 1))]
        at = inner if isinstance(inner, list) and inner else at
    at[draw(st.integers(0, len(at) - 1))] = draw(JSON)
    return whole


@given(JSON, st.lists(JSON, max_size=4), damaged_records())
def test_any_payload_is_a_history_page_or_an_unknown_shape(payload, odd, damaged):
    for whole in (
        payload,
        [None, odd, [record(), *odd], odd],
        [None, [descriptor(), *odd], [record("other"), damaged], [ingredient(damaged), ingredient(payload)]],
    ):
        try:
            found = history_page_of(
                PROJECT, read_contents(json.dumps(whole), PROJECT, HOSTS), [PROJECT], None
            )
        except UnknownShape:
            continue
        assert found.entry_count == 2 + len(found.images) + found.ignored_count
        assert {image.name for image in found.images} <= set(found.names)
        assert all(image.created_at or image.is_ingredient for image in found.images)


@given(damaged_records())
def test_a_damaged_record_does_not_lose_another(damaged):
    assert "other" in [image.name for image in page([damaged, record("other")]).images]


@given(JSON)
def test_any_payload_is_a_listing_page_or_an_unknown_shape(document):
    try:
        listing = read_listing_page(document, None)
    except UnknownShape:
        return
    assert all(project.id for project in listing.projects)
