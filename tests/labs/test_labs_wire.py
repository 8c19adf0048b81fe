"""Reading responses of labs.google, without a network: entries, times, cookies, scripts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.sources import Reason
from webapp.sources.cookies import SESSION_COOKIE
from webapp.sources.cookies.renewal import renewed_cookies
from webapp.sources.labs.api_key import key_in, script_url
from webapp.sources.labs.history_pages import UnknownShape, created_at, read_history_page

GOOGLE_HOSTS = frozenset({"storage.googleapis.com", "127.0.0.1:8000"})


def page_of(*entries: object, **result: object) -> dict:
    return {"result": {"data": {"json": {"result": {"userWorkflows": list(entries)} | result}}}}


def entry(name: str = "CAMaJ", **shown: object) -> dict:
    ids = {"mediaType": "IMAGE", "workflowId": "w", "mediaKey": "k"}
    return {
        "name": name,
        "createTime": "2026-01-01T00:00:00Z",
        "media": {"image": shown, "mediaGenerationId": ids},
    }


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("2025-10-29T13:56:15Z", "2025-10-29T13:56:15.000000Z"),
        ("2025-12-26T17:46:23.596639Z", "2025-12-26T17:46:23.596639Z"),
        ("2025-12-26T17:46:23.5Z", "2025-12-26T17:46:23.500000Z"),
        ("2025-12-26T17:46:23.596639999Z", "2025-12-26T17:46:23.596639Z"),
        ("2025-12-26T17:46:23+01:30", "2025-12-26T16:16:23.000000Z"),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("2025-13-01T00:00:00Z", None),
        ("2025-10-29", None),
        ("٢٠٢٥-10-29T13:56:15Z", None),
        (1761746175, None),
        (None, None),
    ],
)
def test_times_are_read(value, read):
    assert created_at(value) == read


def test_fields_are_bounded_and_fit_a_database():
    odd = entry(
        prompt="p" * 30_000 + "\ud800\0", seed=2**70, aspectRatio="x" * 999, modelNameType=["GEM_PIX"]
    )
    image = read_history_page(page_of(odd), GOOGLE_HOSTS).images[0]
    assert len(image.prompt) == 20_000
    assert (image.seed, image.aspect_ratio, image.model_name) == (None, None, None)
    assert read_history_page(page_of(entry(seed="-12")), GOOGLE_HOSTS).images[0].seed == -12
    assert read_history_page(page_of(entry(prompt="a\ud800b\0c")), GOOGLE_HOSTS).images[0].prompt == "a?bc"


@pytest.mark.parametrize("name", ["", " \u200b", "n" * 1001, "\ud800", "a\0b"])
def test_an_invalid_name_makes_no_image(name):
    page = read_history_page(page_of(entry(name)), GOOGLE_HOSTS)
    assert (page.images, page.names, page.ignored) == ((), (), {Reason.UNRECOGNISED: 1})


def test_an_unknown_aspect_ratio_is_stored():
    strange = read_history_page(page_of(entry(aspectRatio="IMAGE_ASPECT_RATIO_ROUND")), GOOGLE_HOSTS).images[
        0
    ]
    assert strange.aspect_ratio == "IMAGE_ASPECT_RATIO_ROUND"


def with_id(field: str, value: object, name: str = "CAMaJ") -> dict:
    changed = entry(name)
    changed["media"]["mediaGenerationId"][field] = value
    return changed


@pytest.mark.parametrize("value", [None, 7, True, [], {"a": 1}, "", "x" * 201, "\ud800", "a\0b"])
@pytest.mark.parametrize("field", ["mediaType", "mediaKey", "workflowId", "workflowStepId", "projectId"])
def test_an_unreadable_id_does_not_lose_the_image(field, value):
    (image,) = read_history_page(page_of(with_id(field, value)), GOOGLE_HOSTS).images
    key = "CAMaJ" if field == "mediaKey" else "k"
    assert (image.media_key, image.workflow_id) == (key, "k" if field == "workflowId" else "w")
    assert image.project_id is None


@pytest.mark.parametrize("value", [None, 7.5, True, [], {"a": 1}, "", "\ud800"])
@pytest.mark.parametrize("field", ["prompt", "seed", "aspectRatio", "modelNameType", "fifeUrl", "workflowId"])
def test_an_unreadable_field_does_not_lose_the_image(field, value):
    page = read_history_page(page_of(entry(**{field: value})), GOOGLE_HOSTS)
    assert [image.media_key for image in page.images] == ["k"]


def test_the_workflow_id_may_be_next_to_the_prompt():
    odd = with_id("workflowId", 7)
    odd["media"]["image"]["workflowId"] = "v"
    assert read_history_page(page_of(odd), GOOGLE_HOSTS).images[0].workflow_id == "v"


def test_an_image_without_a_media_key_uses_its_cleaned_name():
    page = read_history_page(
        page_of(with_id("mediaKey", "", "CAM\u200baJ"), with_id("mediaKey", "", "CAMbK")), set()
    )
    assert [(image.name, image.media_key) for image in page.images] == [("CAMaJ",) * 2, ("CAMbK",) * 2]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("VIDEO", Reason.VIDEO),
        ("MEDIA_TYPE_VIDEO", Reason.VIDEO),
        ("AUDIO", Reason.SOUND),
        ("MEDIA_TYPE_AUDIO", Reason.SOUND),
        ("Speech", Reason.SOUND),
        ("IMAGE_V2", None),
        ("VIDEO_COVER", None),
        ("HOLOGRAM", None),
    ],
)
def test_only_video_and_sound_types_exclude_an_image(word, reason):
    page = read_history_page(page_of(with_id("mediaType", word)), GOOGLE_HOSTS)
    assert page.ignored == ({reason: 1} if reason else {})
    assert len(page.images) == (0 if reason else 1)


@pytest.mark.parametrize("ids", [{"mediaType": "IMAGE"}, {}, None, "VIDEO"])
def test_an_entry_with_a_video_is_a_video(ids):
    shown = {"name": "CAUSJ", "media": {"video": {}, "image": {}, "mediaGenerationId": ids}}
    assert read_history_page(page_of(shown), GOOGLE_HOSTS).ignored == {Reason.VIDEO: 1}


def test_a_page_of_unrecognised_entries_counts_them():
    strange = [None, {}, {"name": "CAMaJ", "media": {"hologram": {}, "mediaGenerationId": {"mediaKey": "k"}}}]
    page = read_history_page(page_of(*strange, nextPageToken="t"), GOOGLE_HOSTS)
    assert (page.images, page.ignored) == ((), {Reason.UNRECOGNISED: 3})
    assert (page.entry_count, page.names, page.next_cursor) == (3, ("CAMaJ",), "t")


def test_an_empty_list_as_the_result_is_an_empty_page():
    assert read_history_page({"result": {"data": {"json": {"result": []}}}}, GOOGLE_HOSTS).entry_count == 0


WORDS = [
    "userWorkflows",
    "nextPageToken",
    "name",
    "createTime",
    "media",
    "image",
    "userUploadedImage",
    "video",
]
WORDS += [
    "mediaGenerationId",
    "mediaType",
    "mediaKey",
    "workflowId",
    "projectId",
    "fifeUrl",
    "prompt",
    "seed",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["IMAGE", "CAMaJ"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner),
    max_leaves=20,
)


@given(JSON, st.lists(JSON, max_size=4))
def test_any_json_is_a_history_page_or_an_unknown_shape(result, entries):
    for document in (
        {"result": {"data": {"json": {"result": result}}}},
        page_of(*entries),
        page_of(entry(), result),
    ):
        try:
            page = read_history_page(document, GOOGLE_HOSTS)
        except UnknownShape:
            continue
        assert page.entry_count == len(page.images) + page.ignored_count
        assert all(image.name in page.names for image in page.images)


@pytest.mark.parametrize(
    ("lines", "renewed"),
    [
        ([], None),
        (["other=1; Path=/"], None),
        ([f"{SESSION_COOKIE}=a=b==; Path=/; HttpOnly"], "a=b=="),
        ([f"{SESSION_COOKIE}.1=b; Path=/", f"{SESSION_COOKIE}.0=a"], "ab"),
        ([f"{SESSION_COOKIE}.1=b", f"{SESSION_COOKIE}.2=c"], None),
        ([f"{SESSION_COOKIE}=; Max-Age=0"], None),
        ([f"{SESSION_COOKIE}=deleted; max-age=0; Path=/"], None),
        ([f"{SESSION_COOKIE}=deleted; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], None),
        ([f"{SESSION_COOKIE}.0=; Max-Age=0", f"{SESSION_COOKIE}.1=; Max-Age=0", f"{SESSION_COOKIE}=a"], "a"),
        (
            [f"{SESSION_COOKIE}=; Max-Age=0", f"{SESSION_COOKIE}.0=a; Max-Age=300", f"{SESSION_COOKIE}.1=b"],
            "ab",
        ),
    ],
)
def test_set_cookie_lines_are_read(lines, renewed):
    assert renewed_cookies(lines) == ({SESSION_COOKIE: renewed} if renewed else {})


def test_the_most_frequent_key_counts_and_on_a_tie_the_first():
    one, other = "AIzaSy" + "1" * 33, "AIzaSy" + "2" * 33
    assert key_in(f'"{one}" "{other}" "{other}"') == other
    assert key_in(f'"{one}" "{other}"') == one
    assert key_in("AIzaSyShort") is None


@pytest.mark.parametrize(
    ("page", "url"),
    [
        (
            '<script src="/fx/_next/static/chunks/pages/_app-0a.js">',
            "https://l.example/fx/_next/static/chunks/pages/_app-0a.js",
        ),
        (
            "<script src=https://cdn.example/_next/static/chunks/pages/_app-0a.js>",
            "https://cdn.example/_next/static/chunks/pages/_app-0a.js",
        ),
        (
            "<script src='_next/static/chunks/pages/_app-0a.js'>",
            "https://l.example/_next/static/chunks/pages/_app-0a.js",
        ),
        ('<script src="/fx/_next/static/chunks/pages/_app-XYZ.js">', None),
        ('<script src="http://[/_next/static/chunks/pages/_app-0a.js">', None),
    ],
)
def test_the_url_of_the_script_may_be_relative_or_absolute(page, url):
    assert script_url(page, "https://l.example/fx") == url
